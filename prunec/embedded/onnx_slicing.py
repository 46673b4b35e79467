"""Slicing the constants of an ONNX model: those in its message, and its external data, one at a time.

External data keep their layout: the same files, the tensors in the same order, each at the next multiple of
the alignment that the file had.
"""

import os
from typing import Any, BinaryIO, Iterator, Mapping, NamedTuple, Sequence, Union

import numpy as np

from prunec.embedded.onnx_tensors import (
    DataLocation,
    array_of,
    bits_of,
    bytes_of,
    constants_of,
    is_external,
    path_of,
    place_of,
    raw_bytes,
    rows_of,
)
from prunec.embedded.slices import ParameterSlice, Problem, pieces, sliced

BLOCK = 1 << 23
ALIGNMENTS = (65536, 4096, 64, 16, 8, 4)


class Placed(NamedTuple):
    """A tensor with external data: where it was, where it goes, and how long it is there."""

    name: str
    old: DataLocation
    offset: int
    length: int


class Stretch(NamedTuple):
    """A part of a file."""

    path: str
    offset: int
    length: int


#: What a file is put together from: bytes, and stretches of other files.
Part = Union[bytes, memoryview, Stretch]


def layout(graph: Any, slices: Mapping[str, ParameterSlice]) -> dict[str, list[Placed]]:
    """For each file with external data its tensors, in their order there.  Raises Problem as place_of."""
    files: dict[str, list[tuple[DataLocation, str, Any]]] = {}
    for name, tensor in constants_of(graph):
        place = place_of(tensor)
        if place is not None:
            files.setdefault(place.location, []).append((place, name, tensor))
    return {location: _placed(entries, slices) for location, entries in files.items()}


def _placed(
    entries: Sequence[tuple[DataLocation, str, Any]], slices: Mapping[str, ParameterSlice]
) -> list[Placed]:
    alignment = next((a for a in ALIGNMENTS if all(entry[0].offset % a == 0 for entry in entries)), 1)
    at = 0
    placed: list[Placed] = []
    untouched: dict[DataLocation, int] = {}
    for place, name, tensor in sorted(entries, key=lambda entry: (entry[0].offset, entry[1])):
        parameter = slices.get(name)
        length = place.length
        if parameter is not None:
            length = bytes_of(tensor, parameter.sizes(tuple(tensor.dims))[1])
        elif place in untouched:
            placed.append(Placed(name, place, untouched[place], length))
            continue
        at = -(-at // alignment) * alignment
        if parameter is None:
            untouched[place] = at
        placed.append(Placed(name, place, at, length))
        at += length
    return placed


def external_data(
    graph: Any, folder: str, placed: Sequence[Placed], slices: Mapping[str, ParameterSlice]
) -> Iterator[Part]:
    """The contents of one new file of external data, to be appended one after the other; the old ones are in
    ``folder``.  Raises Problem as array_of and path_of.
    """
    tensors = dict(constants_of(graph))
    at = 0
    for name, old, offset, length in placed:
        if offset < at:
            continue  # two tensors with the same elements
        yield b"\0" * (offset - at)
        if name in slices:
            yield from _kept(tensors[name], folder, slices[name])
        else:
            yield Stretch(path_of(old, folder, name), old.offset, old.length)
        at = offset + length


def _kept(tensor: Any, folder: str, parameter: ParameterSlice) -> Iterator[Part]:
    """What is kept of a tensor, as raw bytes; an array of external data has them in the order of files."""
    array = array_of(tensor, folder)
    if bits_of(tensor) < 8:
        yield raw_bytes(sliced(array, parameter))
        return
    for piece in pieces(array, parameter):
        yield piece.reshape(-1).view(np.uint8).data


def append(file: BinaryIO, part: Part) -> None:
    """Writes a part at the end of a file.  Raises OSError, and Problem where the file that it is a stretch of
    became shorter (shorter)."""
    if not isinstance(part, Stretch):
        file.write(part)
        return
    at, end = part.offset, part.offset + part.length
    file.flush()
    with open(part.path, "rb") as source:
        # By the system, within which nothing has to be copied to and fro.
        while at < end and hasattr(os, "copy_file_range"):
            try:
                done = os.copy_file_range(source.fileno(), file.fileno(), end - at, at)
            except OSError:  # not between these files, or not on this system
                break
            if not done:
                break
            at += done
        file.seek(0, os.SEEK_END)
        source.seek(at)
        while at < end:
            block = source.read(min(end - at, BLOCK))
            if not block:
                raise Problem(f"{part.path} became shorter while it was read", kind="shorter")
            file.write(block)
            at += len(block)


def slice_constants(graph: Any, folder: str, slices: Mapping[str, ParameterSlice]) -> None:
    """Slices the constants in a message, and says of the external ones where they go.  Raises Problem as
    array_of."""
    files = layout(graph, slices)
    places = {entry.name: entry for placed in files.values() for entry in placed}
    for name, tensor in constants_of(graph):
        if name in places:
            _move(tensor, places[name])
        if name in slices:
            _slice(tensor, folder, slices[name])
    for name, attribute in rows_of(graph):
        if name in slices:
            attribute.floats[:] = sliced(np.array(attribute.floats, np.float32), slices[name]).tolist()


def _move(tensor: Any, placed: Placed) -> None:
    wanted = {"offset": str(placed.offset), "length": str(placed.length)}
    # What a file says of its contents besides (a checksum) holds no longer.
    for entry in [entry for entry in tensor.external_data if entry.key == "checksum"]:
        tensor.external_data.remove(entry)
    for entry in tensor.external_data:
        if entry.key in wanted:
            entry.value = wanted.pop(entry.key)
    for key, value in wanted.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def _slice(tensor: Any, folder: str, parameter: ParameterSlice) -> None:
    from onnx import helper

    dims = parameter.sizes(tuple(tensor.dims))[1]
    if not is_external(tensor):
        array = sliced(array_of(tensor, folder), parameter)
        if tensor.HasField("raw_data"):
            tensor.raw_data = raw_bytes(array)
        else:
            typed = helper.tensor_dtype_to_field(tensor.data_type)
            plain = helper.make_tensor("", tensor.data_type, dims, array.reshape(-1).tolist())
            tensor.ClearField(typed)
            getattr(tensor, typed).extend(getattr(plain, typed))
    tensor.dims[:] = dims


def full_check(path: str) -> None:
    """onnx's full check of a file; external data are looked for and not read.  Raises what the check raises.

    Old versions of the package write into the file when they are given its path for a full check: its parts
    are asked for one by one where they are needed.
    """
    import onnx
    from onnx import shape_inference

    with open(path, "rb") as file:
        data = file.read()
    graph = onnx.ModelProto.FromString(data).graph
    inner = [attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t")]
    if any(map(is_external, (*graph.initializer, *inner))):
        onnx.checker.check_model(path)
        shape_inference.infer_shapes(data, check_type=True, strict_mode=True)
    else:
        onnx.checker.check_model(data, full_check=True)
