"""What a script does with a state dict in the safetensors format, that of a module trained further."""

import argparse
from math import prod
from typing import BinaryIO, Container, Iterable, Iterator, Mapping

from prunec.embedded.command import check_output, write_aside
from prunec.embedded.safetensors import (
    NewTensor,
    SafeTensor,
    copied,
    read_safetensors,
    read_tensor,
    write_safetensors,
)
from prunec.embedded.slices import ParameterSlice, Problem, misfits, sliced

SAFE_ENDING = ".safetensors"


def prune_state(
    options: argparse.Namespace,
    name: str,
    slices: Mapping[str, ParameterSlice],
    tied: Mapping[str, str],
    unsaved: Container[str],
) -> None:
    """Prunes a state dict, or only checks that it fits; ``name`` is the program that all this was made for.
    ``unsaved`` are tensors that state dicts do not have."""
    check_output(options)
    with open(options.input, "rb") as source:
        tensors, remarks = read_safetensors(source)
        cuts = {**slices, **{own: slices[first] for own, first in tied.items() if first in slices}}
        problems = list(state_problems(tensors, slices, tied, unsaved))
        if problems:
            raise Problem(*problems, f"nothing was written; the state dict must be that of {name!a}")
        found = [tensor for tensor in tensors.values() if tensor.name in cuts]
        if options.check:
            print(f"all of the {len(found)} tensors to slice are there")
            return
        _report_state(tensors.values(), cuts, options.dry_run)
        if not options.dry_run:
            smaller = {own.name: _smaller(source, own, cuts) for own in tensors.values()}
            write_aside(options.output, lambda file: write_safetensors(file, smaller, remarks))


def state_problems(
    tensors: Mapping[str, SafeTensor],
    slices: Mapping[str, ParameterSlice],
    tied: Mapping[str, str],
    unsaved: Container[str],
) -> Iterator[str]:
    """All that keeps a state dict from being pruned.  Of tensors that share their elements, one is enough."""
    for name, parameter in slices.items():
        names = [name, *(own for own, first in tied.items() if first == name)]
        present = [tensors[own] for own in names if own in tensors]
        if not present and name not in unsaved:
            yield f"{name!a} is missing"
        for tensor in present:
            for text in misfits(parameter, tensor.sizes, tensor.dtype):
                yield text if tensor.name == name else f"{tensor.name!a} shares its elements: {text}"


def _smaller(source: BinaryIO, tensor: SafeTensor, cuts: Mapping[str, ParameterSlice]) -> NewTensor:
    if tensor.name not in cuts:
        return NewTensor(tensor.dtype, tensor.sizes, copied(source, tensor))
    cut = cuts[tensor.name]
    return NewTensor(tensor.dtype, cut.sizes(tensor.sizes)[1], _cut_elements(source, tensor, cut))


def _cut_elements(source: BinaryIO, tensor: SafeTensor, cut: ParameterSlice) -> Iterator[bytes]:
    yield sliced(read_tensor(source, tensor), cut).tobytes()


def _report_state(tensors: Iterable[SafeTensor], cuts: Mapping[str, ParameterSlice], dry_run: bool) -> None:
    """Prints how much is kept, and for a dry run of which tensors."""
    before = after = count = total = 0
    for tensor in tensors:
        total += 1
        sizes = tensor.sizes
        if tensor.name in cuts:
            count += 1
            sizes = cuts[tensor.name].sizes(tensor.sizes)[1]
            if dry_run:
                print(f"{tensor.name!a}: {tensor.sizes} -> {sizes}")
        before += prod(tensor.sizes)
        after += prod(sizes)
    print(f"{count} of {total} tensors sliced, {after} of {before} elements kept")
