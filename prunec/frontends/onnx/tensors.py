"""Constants of an ONNX model: where their elements stand, checked before anything is allocated.

A tensor keeps its elements as raw bytes, in a typed field of the message, or in a file beside the model
(external data: location, offset, length).  Locations come from strangers: one that leaves the model's
folder is refused and never opened.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.frontends.onnx.protobuf import fail, onnx_package
from prunec.support.diagnostics import printable

#: Above any array there is, and low enough that no product with an element size overflows.
MAXIMUM_ELEMENTS = 1 << 48
_MAXIMUM_RANK = 32
_NUMBER = re.compile(r"[0-9]{1,18}")
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class External:
    """Where the elements of a tensor stand in a file beside the model."""

    location: str
    offset: int
    length: int


def dimensions(tensor: Any, where: str) -> tuple[int, ...]:
    """The shape of a tensor, sparse or not.  Raises PrunecError P333 for one that cannot be."""
    shape = tuple(int(size) for size in tensor.dims)
    # A size of zero does not excuse huge ones: numpy multiplies the others too.
    bound = prod(max(size, 1) for size in shape)
    if len(shape) > _MAXIMUM_RANK or min(shape, default=0) < 0 or bound > MAXIMUM_ELEMENTS:
        shown = printable(str(shape), 60)
        _wrong(tensor, where, f"the shape {shown} is none that an array can have")
    return shape


def element_bits(tensor: Any, where: str) -> int:
    """How many bits an element takes in raw bytes.  Raises PrunecError P333 for an unknown type."""
    onnx = onnx_package()
    try:
        name = onnx.TensorProto.DataType.Name(tensor.data_type)
        packed = re.fullmatch(r"U?INT([24])|FLOAT([46])E\dM\d", name)
        if packed:
            return int(packed.group(1) or packed.group(2))
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
        return 0 if dtype.kind == "O" else dtype.itemsize * 8
    except (KeyError, ValueError, TypeError):
        _wrong(tensor, where, f"the element type {tensor.data_type} is not known")


def check_type(value: Any, where: str) -> None:
    """Raises PrunecError P333 for a declared value with elements of an unknown type; no type at all is one
    that is not told."""
    held = value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else 0
    if held:
        element_bits(onnx_package().TensorProto(name=value.name, data_type=held), where)


def element_type(tensor: Any) -> str:
    """The element type as messages and scripts name it: ``float32``, ``bfloat16``, ``int4``."""
    onnx = onnx_package()
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)).name)


def external(tensor: Any, where: str) -> Optional[External]:
    """Where a tensor's external data stand, ``None`` where it has none.

    Raises PrunecError P334 for a location outside of the model's folder, P333 for numbers that are none.
    """
    if tensor.data_location != onnx_package().TensorProto.EXTERNAL:
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    parts = re.split(r"[\\/]", location)
    if not location or "\0" in location or ".." in parts or location[0] in "/\\" or _DRIVE.match(location):
        note = f"the location {printable(location, 80)!r} leaves the folder of the model"
        help_text = "external data lie beside the model; do not use this file unless you know who made it"
        fail("P334", "external data outside of the model's folder", _place(tensor, where), note, help_text)
    bits = element_bits(tensor, where)
    size = (prod(dimensions(tensor, where)) * bits + 7) // 8
    numbers = []
    for key, default in (("offset", "0"), ("length", str(size))):
        text = entries.get(key, default)
        if not _NUMBER.fullmatch(text):
            _wrong(tensor, where, f"the {key} of its external data is {printable(text, 40)!r}")
        numbers.append(int(text))
    if numbers[1] != size:
        _wrong(tensor, where, f"its external data have {numbers[1]} bytes, its shape and type need {size}")
    return External(location, numbers[0], numbers[1])


def external_path(place: External, folder: Path, what: str) -> Path:
    """The file with a tensor's elements.  Raises PrunecError: P334 where a link leads out of the folder,
    P335 where the file is missing or too short."""
    path = folder / place.location
    root = os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(path)]) != root:
        note = f"{printable(place.location, 80)!r} is a link that leads elsewhere"
        fail("P334", "external data outside of the model's folder", what, note, "put the file itself there")
    try:
        size = path.stat().st_size if path.is_file() else -1
    except OSError:
        size = -1
    if size < place.offset + place.length:
        note = (
            f"the file {printable(place.location, 80)} is not beside the model"
            if size < 0
            else f"{printable(place.location, 80)} has {size} bytes, {place.offset + place.length} are needed"
        )
        help_text = "copy the external data along with the .onnx file"
        fail("P335", "external data are missing", what, note, help_text)
    return path


def check(tensor: Any, folder: Path, where: str) -> None:
    """Whether a tensor's elements are all there.  Raises PrunecError P333 to P335."""
    shape = dimensions(tensor, where)
    bits = element_bits(tensor, where)
    place = external(tensor, where)
    if place is not None:
        external_path(place, folder, _place(tensor, where))
        return
    if tensor.HasField("raw_data"):
        wanted = (prod(shape) * bits + 7) // 8
        if len(tensor.raw_data) != wanted:
            _wrong(tensor, where, f"it has {len(tensor.raw_data)} bytes, its shape and type need {wanted}")
        return
    field = onnx_package().helper.tensor_dtype_to_field(tensor.data_type)
    count = len(getattr(tensor, field))
    times = 2 if element_type(tensor).startswith("complex") else 1
    if bits >= 8 or bits == 0:
        if count != prod(shape) * times:
            _wrong(tensor, where, f"it has {count} elements, its shape needs {prod(shape) * times}")
    elif count * 8 < prod(shape) * bits:
        _wrong(tensor, where, f"it has {count} packed elements, too few for its shape")


def array(tensor: Any, folder: Path, where: str) -> NDArray[Any]:
    """A checked tensor as an array, not to be changed; external data as a view on the file."""
    onnx = onnx_package()
    place = external(tensor, where)
    shape = dimensions(tensor, where)
    if 0 in shape:
        # Not every version of the package gives an array without elements for every type.
        return np.empty(shape, onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    if place is None:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    path = external_path(place, folder, _place(tensor, where))
    if element_bits(tensor, where) >= 8:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
        return np.memmap(path, dtype.newbyteorder("<"), "r", place.offset, shape)
    loaded = onnx.TensorProto()
    loaded.CopyFrom(tensor)
    loaded.data_location = onnx.TensorProto.DEFAULT
    del loaded.external_data[:]
    with open(path, "rb") as file:
        file.seek(place.offset)
        loaded.raw_data = file.read(place.length)
    return np.asarray(onnx.numpy_helper.to_array(loaded))


def _place(tensor: Any, where: str) -> str:
    held = getattr(tensor, "values", tensor)  # a sparse tensor has the name of its values
    return f"{where}: tensor {printable(held.name)!r}"


def _wrong(tensor: Any, where: str, note: str) -> NoReturn:
    help_text = "the file is damaged or was cut off; export or download it again"
    fail("P333", "a tensor that cannot be read", _place(tensor, where), note, help_text)
