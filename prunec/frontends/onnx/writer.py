"""Writing the smaller model: its message, and the external data beside it, one tensor at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.embedded.onnx_edits import MessageEdits, apply_edits
from prunec.embedded.onnx_preparing import prepare
from prunec.embedded.onnx_slicing import Part, Placed, Stretch, append, external_data, layout, slice_constants
from prunec.embedded.slices import ParameterSlice, Problem
from prunec.frontends.onnx import tensors
from prunec.frontends.onnx.graph import constant_of
from prunec.frontends.onnx.preparing import needed
from prunec.frontends.onnx.protobuf import OnnxFile, onnx_package
from prunec.support.files import cannot_write, written


def pruned_message(file: OnnxFile, edits: MessageEdits, slices: Sequence[ParameterSlice]) -> bytes:
    """The smaller model's message.  Its external data, where it has any, still have to be written."""
    proto, by_name = _prepared(file, edits, slices)
    try:
        slice_constants(proto.graph, str(file.folder), by_name)
    except Problem as problem:
        tensors.refuse(problem, file.name)
    apply_edits(proto, edits)
    return bytes(proto.SerializeToString(deterministic=True))


def write_external(
    file: OnnxFile, edits: MessageEdits, slices: Sequence[ParameterSlice], folder: Path
) -> tuple[str, ...]:
    """Writes the external data of the smaller model into ``folder``; gives their file names.

    Each file gets its name when it is complete.  Raises PrunecError P333 to P335 and OSError.
    """
    if not data_files(file):
        return ()
    proto, by_name = _prepared(file, edits, slices)
    files = _layout(proto, file.name, by_name)
    for location, placed in files.items():
        target = folder / location
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, _data(file, proto, placed, by_name))
    return tuple(files)


def _prepared(
    file: OnnxFile, edits: MessageEdits, slices: Sequence[ParameterSlice]
) -> tuple[Any, dict[str, ParameterSlice]]:
    """A file's message with what its smaller model needs to be prepared, and the slices of its constants."""
    preparation, left = needed(file, edits, slices)
    proto = onnx_package().ModelProto()
    proto.CopyFrom(file.written)
    try:
        prepare(proto, str(file.folder), preparation)
    except Problem as problem:
        tensors.refuse(problem, file.name)
    return proto, {parameter.name: parameter for parameter in left}


def data_files(file: OnnxFile) -> tuple[str, ...]:
    """The files with external data, by their paths from the model's folder.

    Raises PrunecError P333 and P334.
    """
    return tuple(_layout(file.written, file.name, {}))


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
    try:
        for location, placed in _layout(file.proto, file.name, {}).items():
            # As it is: the message goes on to say where things are in it.
            copy = folder / location
            copy.parent.mkdir(parents=True, exist_ok=True)
            name, place, _, _ = placed[-1]
            source = tensors.external_path(place, file.folder, file.name, name)
            _write(copy, [Stretch(str(source), 0, source.stat().st_size)])
        _write(target, [with_constants(file.proto, arrays).SerializeToString()])
    except (OSError, ValueError) as error:  # a message that is too long is a wrong value
        cannot_write(target, error)
    return target


def _layout(proto: Any, name: str, slices: Mapping[str, ParameterSlice]) -> dict[str, list[Placed]]:
    try:
        return layout(proto.graph, slices)
    except Problem as problem:
        tensors.refuse(problem, name)


def _data(
    file: OnnxFile, proto: Any, placed: Sequence[Placed], slices: Mapping[str, ParameterSlice]
) -> Iterator[Part]:
    try:
        yield from external_data(proto.graph, str(file.folder), placed, slices)
    except Problem as problem:
        tensors.refuse(problem, file.name)


def _write(target: Path, parts: Iterable[Part]) -> None:
    with written(target) as output:
        for part in parts:
            try:
                append(output, part)
            except Problem as problem:
                raise OSError(str(problem)) from None
