"""What a script does with an exported program."""

import argparse
from math import prod
from typing import Mapping

from prunec.embedded.command import check_output, write_aside
from prunec.embedded.pt2_archive import write_archive
from prunec.embedded.pt2_edits import ProgramEdits, argument_of, nodes_by_key
from prunec.embedded.pt2_program import Archive, read_archive
from prunec.embedded.pt2_slicing import new_sizes, smaller_document, smaller_members
from prunec.embedded.slices import ParameterSlice, Problem, misfits


def prune_program(
    options: argparse.Namespace, name: str, slices: Mapping[str, ParameterSlice], edits: ProgramEdits
) -> None:
    """Prunes a program, or only checks that it fits; ``name`` is the one that all this was made for."""
    check_output(options)
    with open(options.input, "rb") as source:
        archive = read_archive(source)
        problems = find_problems(archive, slices, edits)
        if problems:
            raise Problem(*problems, f"nothing was written; the program must be {name!a}")
        if options.check:
            print(f"all of the {len(slices)} tensors to slice are there")
            return
        report(archive, slices, options.dry_run)
        if not options.dry_run:
            document = smaller_document(archive.document, edits)
            members = smaller_members(source, archive, document, slices, edits.tied)
            write_aside(options.output, lambda file: write_archive(file, members))


def find_problems(archive: Archive, slices: Mapping[str, ParameterSlice], edits: ProgramEdits) -> list[str]:
    """All that keeps a program from being pruned; nothing if all is well."""
    problems = []
    for name, parameter in slices.items():
        if name in archive.tensors:
            problems += misfits(parameter, archive.tensors[name].sizes, archive.tensors[name].dtype)
        else:
            problems.append(f"{name!a} is missing")
    nodes = nodes_by_key(archive.document)
    for key, arguments in edits.arguments.items():
        if key not in nodes:
            problems.append(f"no node gives {key!a}")
            continue
        problems += [
            f"the node that gives {key!a} has no argument {name!a}"
            for name in arguments
            if argument_of(nodes[key], name) is None
        ]
    metas = archive.document["graph_module"]["graph"]["tensor_values"]
    problems += [f"there is no value {name!a}" for name in edits.extents if name not in metas]
    return problems


def report(archive: Archive, slices: Mapping[str, ParameterSlice], dry_run: bool) -> None:
    """Prints how much is kept, and for a dry run of which tensors."""
    before = after = 0
    for name, tensor in archive.tensors.items():
        sizes = new_sizes(tensor, slices)
        before += prod(tensor.sizes)
        after += prod(sizes)
        if dry_run and name in slices:
            print(f"{name!a}: {tensor.sizes} -> {sizes}")
    print(f"{len(slices)} of {len(archive.tensors)} tensors sliced, {after} of {before} elements kept")
