"""What a script does with an MXNet parameter file."""

import argparse
import os
from math import prod
from typing import Mapping, Sequence

from prunec.embedded.command import check_output, write_aside
from prunec.embedded.mxnet_params import ArrayRecord, Reader, bare, read_records, write_sliced
from prunec.embedded.slices import ParameterSlice, Problem, misfits


def slice_file(options: argparse.Namespace, model: str, slices: Mapping[str, ParameterSlice]) -> None:
    """Slices a file, or only checks that it fits; ``model`` is what the slices were made for."""
    check_output(options)
    with open(options.input, "rb") as source:
        size = os.fstat(source.fileno()).st_size
        records = read_records(Reader(source, size))
        problems = find_problems(records, slices)
        if problems:
            raise Problem(*problems, f"nothing was written; the parameters must be those of {model!a}")
        if options.check:
            print(f"all of the {len(slices)} parameters to slice are there")
            return
        if not options.dry_run:
            write_aside(options.output, lambda file: write_sliced(source, size, records, slices, file))
        report(records, slices, options.dry_run)


def find_problems(records: Sequence[ArrayRecord], slices: Mapping[str, ParameterSlice]) -> list[str]:
    """All that keeps the slices from being made; nothing if all is well."""
    found: dict[str, list[ArrayRecord]] = {name: [] for name in slices}
    for record in records:
        found.get(bare(record.name), []).append(record)
    problems = []
    for name, parameter in slices.items():
        if len(found[name]) != 1:
            how = f"is there {len(found[name])} times" if found[name] else "is missing"
            problems.append(f"{name!a} {how}")
            continue
        record = found[name][0]
        if record.sparse:
            problems.append(f"{name!a} is stored as a sparse array; save it as a dense one")
        problems += misfits(parameter, record.shape, record.dtype)
    return problems


def report(records: Sequence[ArrayRecord], slices: Mapping[str, ParameterSlice], dry_run: bool) -> None:
    """Prints how much is kept, and for a dry run of which arrays."""
    before = after = 0
    for record in records:
        parameter, new_shape = slices.get(bare(record.name)), record.shape
        if parameter is not None:
            _, new_shape = parameter.sizes(record.shape)
            if dry_run:
                print(f"{record.name!a}: {record.shape} -> {new_shape}")
        before += prod(record.shape) if record.dtype else 0
        after += prod(new_shape) if record.dtype else 0
    print(f"{len(slices)} of {len(records)} arrays sliced, {after} of {before} elements kept")
