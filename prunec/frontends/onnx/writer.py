"""Writing the smaller model: its message, and the external data beside it, one tensor at a time.

External data keep their layout: the same files, the tensors in the same order, each at the next multiple of
the alignment that the file had.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.frontends.onnx import tensors
from prunec.frontends.onnx.edits import Edits, apply_edits
from prunec.frontends.onnx.graph import constant_of, constants_of
from prunec.frontends.onnx.protobuf import OnnxFile, onnx_package
from prunec.rewriting.slicing import ParameterSlice, apply
from prunec.support.files import cannot_write, written

_BLOCK = 1 << 23
_ALIGNMENTS = (65536, 4096, 64, 16, 8, 4)


@dataclass(frozen=True)
class Placed:
    """A tensor with external data: where it was, where it goes, and how long it is there."""

    name: str
    old: tensors.External
    offset: int
    length: int


def pruned_message(file: OnnxFile, edits: Edits, slices: Sequence[ParameterSlice]) -> bytes:
    """The smaller model's message.  Its external data, where it has any, still have to be written."""
    proto = onnx_package().ModelProto()
    proto.CopyFrom(file.proto)
    by_name = {own.name: own for own in slices}
    places = {placed.name: placed for placed in layout(file, by_name)}
    for name, tensor in constants_of(proto.graph):
        if name in places:
            _move(tensor, places[name])
        if name in by_name:
            _slice(tensor, file, by_name[name])
    for node in proto.graph.node:
        if node.output and node.output[0] in by_name and node.attribute[0].floats:
            _slice_floats(node.attribute[0], by_name[node.output[0]])
    apply_edits(proto, edits)
    return bytes(proto.SerializeToString(deterministic=True))


def write_external(file: OnnxFile, slices: Sequence[ParameterSlice], folder: Path) -> tuple[str, ...]:
    """Writes the external data of the smaller model into ``folder``; gives their file names.

    Each file gets its name when it is complete.  Raises PrunecError P334, P335 and OSError.
    """
    by_name = {own.name: own for own in slices}
    by_file: dict[str, list[Placed]] = {}
    for placed in layout(file, by_name):
        by_file.setdefault(placed.old.location, []).append(placed)
    messages = dict(constants_of(file.proto.graph))
    for location, entries in by_file.items():
        target = folder / location
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, _data(file, entries, messages, by_name))
    return tuple(by_file)


def _data(
    file: OnnxFile,
    entries: Sequence[Placed],
    messages: Mapping[str, Any],
    slices: Mapping[str, ParameterSlice],
) -> Iterator[bytes]:
    """The contents of one file of external data."""
    at = 0
    for placed in entries:
        if placed.offset < at:
            continue  # two tensors with the same elements
        yield b"\0" * (placed.offset - at)
        yield from _blocks(file, messages[placed.name], placed, slices.get(placed.name))
        at = placed.offset + placed.length


def layout(file: OnnxFile, slices: Mapping[str, ParameterSlice]) -> list[Placed]:
    """Where the external data of every tensor go, file by file, in the order they have there."""
    by_file: dict[str, list[tuple[tensors.External, str, Any]]] = {}
    for name, tensor in constants_of(file.proto.graph):
        place = tensors.external(tensor, file.name)
        if place is not None:
            by_file.setdefault(place.location, []).append((place, name, tensor))
    placed: list[Placed] = []
    for entries in by_file.values():
        entries.sort(key=lambda entry: (entry[0].offset, entry[1]))
        offsets = [place.offset for place, _, _ in entries]
        alignment = next((a for a in _ALIGNMENTS if all(o % a == 0 for o in offsets)), 1)
        at = 0
        untouched: dict[tensors.External, int] = {}
        for place, name, tensor in entries:
            own = slices.get(name)
            length = place.length
            if own is not None:
                _, shape = own.sizes(tuple(tensor.dims))
                length = (prod(shape) * tensors.element_bits(tensor, file.name) + 7) // 8
            elif place in untouched:
                placed.append(Placed(name, place, untouched[place], length))
                continue
            at = -(-at // alignment) * alignment
            if own is None:
                untouched[place] = at
            placed.append(Placed(name, place, at, length))
            at += length
    return placed


def with_constants(proto: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """A copy of a message with other elements in some of its constants, by name; external data that change
    become part of the message."""
    onnx = onnx_package()
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    for tensor in changed.graph.initializer:
        if tensor.name in arrays:
            array = np.ascontiguousarray(arrays[tensor.name])
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for node in changed.graph.node:
        if constant_of(node) is not None and node.output[0] in arrays:
            value = onnx.numpy_helper.from_array(np.ascontiguousarray(arrays[node.output[0]]))
            node.attribute[0].CopyFrom(onnx.helper.make_attribute("value", value))
    return changed


class Constants(Mapping[str, NDArray[Any]]):
    """The constants of a file by name, read when they are asked for.

    Making it raises PrunecError P333 to P335 for constants that cannot be read.
    """

    def __init__(self, file: OnnxFile) -> None:
        self._file = file
        self._tensors = {tensor.name: tensor for tensor in file.proto.graph.initializer}
        self._tensors.update(
            (node.output[0], constant)
            for node in file.proto.graph.node
            if (constant := constant_of(node)) is not None
        )
        for tensor in self._tensors.values():
            tensors.check(tensor, file.folder, file.name)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return tensors.array(self._tensors[name], self._file.folder, self._file.name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def write_changed(file: OnnxFile, arrays: Mapping[str, NDArray[Any]], folder: Path) -> Path:
    """Writes a model with other elements in some constants into a folder, under its own name, and its
    external data beside it; gives the path of the model.  Raises PrunecError P334, P335 and P513."""
    target = folder / file.path.name
    locations = {placed.old.location: placed.old for placed in layout(file, {})}
    try:
        for location, place in locations.items():
            copy = folder / location
            copy.parent.mkdir(parents=True, exist_ok=True)
            _write(copy, _whole(tensors.external_path(place, file.folder, file.name)))
        _write(target, [with_constants(file.proto, arrays).SerializeToString()])
    except (OSError, ValueError) as error:  # a message that is too long is a wrong value
        cannot_write(target, error)
    return target


def _write(target: Path, blocks: Iterable[bytes]) -> None:
    with written(target) as output:
        for block in blocks:
            output.write(block)


def _whole(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as source:
        while block := source.read(_BLOCK):
            yield block


# --- parts ---------------------------------------------------------------------------------


def _blocks(file: OnnxFile, tensor: Any, placed: Placed, own: Optional[ParameterSlice]) -> Iterator[bytes]:
    if own is not None:
        yield _raw(apply(own, tensors.array(tensor, file.folder, file.name)))
        return
    path = tensors.external_path(placed.old, file.folder, file.name)
    with open(path, "rb") as source:
        source.seek(placed.old.offset)
        left = placed.old.length
        while left:
            block = source.read(min(left, _BLOCK))
            if not block:
                raise OSError(f"{path} became shorter while it was read")
            yield block
            left -= len(block)


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


def _slice(tensor: Any, file: OnnxFile, own: ParameterSlice) -> None:
    helper = onnx_package().helper
    _, tensor_dims = own.sizes(tuple(tensor.dims))
    if tensor.data_location == onnx_package().TensorProto.EXTERNAL:
        tensor.dims[:] = tensor_dims
        return
    sliced = apply(own, tensors.array(tensor, file.folder, file.name))
    if tensor.HasField("raw_data"):
        tensor.raw_data = _raw(sliced)
    else:
        typed = helper.tensor_dtype_to_field(tensor.data_type)
        plain = helper.make_tensor("", tensor.data_type, tensor_dims, sliced.reshape(-1).tolist())
        tensor.ClearField(typed)
        getattr(tensor, typed).extend(getattr(plain, typed))
    tensor.dims[:] = tensor_dims


def _slice_floats(attribute: Any, own: ParameterSlice) -> None:
    attribute.floats[:] = apply(own, np.array(attribute.floats, np.float32)).tolist()


def _raw(array: NDArray[Any]) -> bytes:
    """The elements as raw bytes, little-endian, packed where the type is."""
    return bytes(onnx_package().numpy_helper.from_array(np.ascontiguousarray(array), "").raw_data)
