"""The members of the archive of a smaller program, its tensors cut one member at a time."""

import copy
from math import prod
from typing import Any, BinaryIO, Iterable, Iterator, Mapping, Sequence

import numpy as np

from prunec.embedded.pt2_archive import Member, blocks_of
from prunec.embedded.pt2_edits import ProgramEdits, apply_edits
from prunec.embedded.pt2_program import Archive, text_of
from prunec.embedded.pt2_tensors import Stored, elements
from prunec.embedded.slices import Array, ParameterSlice, sliced

#: Tensors that share a member start at multiples of this many bytes, so that any type of element fits.
_APART = 16


def smaller_document(document: Mapping[str, Any], edits: ProgramEdits) -> dict[str, Any]:
    """The text of the smaller program."""
    smaller = copy.deepcopy(dict(document))
    apply_edits(smaller, edits)
    return smaller


def smaller_members(
    file: BinaryIO,
    archive: Archive,
    document: Mapping[str, Any],
    slices: Mapping[str, ParameterSlice],
    tied: Mapping[str, str],
) -> dict[str, tuple[int, Iterable[bytes]]]:
    """All members of the smaller archive with their sizes: its text is ``document``, the tensors in
    ``slices`` are cut, and the others are as they were."""
    cuts = {**slices, **{name: slices[first] for name, first in tied.items() if first in slices}}
    sharing: dict[str, list[Stored]] = {}
    for tensor in archive.tensors.values():
        sharing.setdefault(f"{archive.root}{tensor.member}", []).append(tensor)
    members: dict[str, tuple[int, Iterable[bytes]]] = {}
    lists = {name: copy.deepcopy(table) for name, table in archive.lists.items()}
    for name, member in archive.members.items():
        tensors = sharing.get(name, [])
        if any(tensor.name in cuts for tensor in tensors):
            places = _placed(tensors, cuts)
            size = max(at + _bytes(tensor, cuts) for tensor, at in places.values())
            members[name] = size, _cut(file, member, list(places.values()), cuts)
            _relist(lists, tensors, places, cuts)
        else:
            members[name] = member.size, blocks_of(file, member)
    texts = {name: text_of(table) for name, table in lists.items() if table != archive.lists[name]}
    if document != archive.document:
        texts[archive.text_member] = text_of(document)
    # The order is that of the file.
    return {
        name: (len(texts[name]), [texts[name]]) if name in texts else own for name, own in members.items()
    }


def new_sizes(tensor: Stored, cuts: Mapping[str, ParameterSlice]) -> tuple[int, ...]:
    """The sizes of a tensor in the smaller archive."""
    return cuts[tensor.name].sizes(tensor.sizes)[1] if tensor.name in cuts else tensor.sizes


def _bytes(tensor: Stored, cuts: Mapping[str, ParameterSlice]) -> int:
    return prod(new_sizes(tensor, cuts)) * tensor.form.itemsize


def _placed(
    tensors: Iterable[Stored], cuts: Mapping[str, ParameterSlice]
) -> dict[tuple[object, ...], tuple[Stored, int]]:
    """Where the tensors of a member come to stand in it: those of one place share one."""
    places: dict[tuple[object, ...], tuple[Stored, int]] = {}
    at = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.name)):
        if tensor.place not in places:
            places[tensor.place] = tensor, at
            at = -(-(at + _bytes(tensor, cuts)) // _APART) * _APART
    return places


def _cut(
    file: BinaryIO,
    member: Member,
    places: Sequence[tuple[Stored, int]],
    cuts: Mapping[str, ParameterSlice],
) -> Iterator[bytes]:
    at = 0
    data = np.frombuffer(b"".join(blocks_of(file, member)), np.uint8)
    for tensor, place in places:
        yield b"\0" * (place - at)
        array: Array = elements(tensor, data)
        kept = sliced(array, cuts[tensor.name]) if tensor.name in cuts else np.ascontiguousarray(array)
        yield kept.tobytes()
        at = place + kept.nbytes


def _relist(
    lists: Mapping[str, Any],
    tensors: Iterable[Stored],
    places: Mapping[tuple[object, ...], tuple[Stored, int]],
    cuts: Mapping[str, ParameterSlice],
) -> None:
    """Says in the lists where the tensors of a member are now."""
    for tensor in tensors:
        sizes = new_sizes(tensor, cuts)
        meta = next(
            table["config"][tensor.name]["tensor_meta"]
            for table in lists.values()
            if tensor.name in table["config"]
        )
        meta["sizes"] = [{"as_int": size} for size in sizes]
        meta["strides"] = [{"as_int": prod(sizes[axis + 1 :])} for axis in range(len(sizes))]
        meta["storage_offset"] = {"as_int": places[tensor.place][1] // tensor.form.itemsize}
