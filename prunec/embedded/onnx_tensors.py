"""Constants of an ONNX model: where their elements are, and the elements themselves.

A tensor keeps its elements as raw bytes, in a typed field of the message, or in a file beside the model
(external data: location, offset, length).  Locations come from strangers: one that leaves the model's
folder is refused and never opened.  Messages are those of the onnx package, which is imported where it is
needed.
"""

import os
import re
from math import prod
from typing import Any, Iterator, NamedTuple, Optional

import numpy as np

from prunec.embedded.slices import Array, Problem

#: Names that files give the standard domain.
STANDARD_DOMAINS = ("", "ai.onnx")
MAXIMUM_RANK = 32
#: Above any array there is, and low enough that no product with an element size overflows.
MAXIMUM_ELEMENTS = 1 << 48
NUMBER = re.compile(r"[0-9]{1,18}")
DRIVE = re.compile(r"^[A-Za-z]:")


class DataLocation(NamedTuple):
    """Where the elements of a tensor are in a file beside the model, in bytes."""

    location: str
    offset: int
    length: int


def only_holds(node: Any) -> bool:
    """Whether a node only holds a constant: one without inputs, whose only attribute is its value."""
    named = len(node.output) == 1 and bool(node.output[0])
    return named and not node.input and len(node.attribute) == 1 and node.domain in STANDARD_DOMAINS


def constants_of(graph: Any) -> Iterator[tuple[str, Any]]:
    """The tensors of a graph by name; one that a node holds is called by the node's output."""
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        if only_holds(node) and node.attribute[0].name == "value":
            attribute = node.attribute[0]
            if attribute.type == attribute.TENSOR and attribute.HasField("t"):
                yield node.output[0], attribute.t


def rows_of(graph: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of nodes that hold a row of 32-bit numbers as a constant, by the node's output."""
    for node in graph.node:
        if only_holds(node) and node.attribute[0].name == "value_floats" and node.attribute[0].floats:
            yield node.output[0], node.attribute[0]


def is_external(tensor: Any) -> bool:
    """Whether a tensor has its elements in a file of their own."""
    return bool(tensor.data_location == tensor.EXTERNAL)


def wrong_tensor(tensor: Any, kind: str, text: str, **facts: Any) -> Problem:
    """What is wrong with a tensor, sparse or not."""
    name = getattr(tensor, "values", tensor).name  # a sparse tensor has the name of its values
    return Problem(f"{name!a} {text}", kind=kind, name=name, **facts)


def dimensions_of(tensor: Any) -> tuple[int, ...]:
    """The shape of a tensor, sparse or not.  Raises Problem (shape) for one that cannot be."""
    shape = tuple(int(size) for size in tensor.dims)
    # A size of zero does not excuse huge ones: numpy multiplies the others too.
    bound = prod(max(size, 1) for size in shape)
    if len(shape) > MAXIMUM_RANK or min(shape, default=0) < 0 or bound > MAXIMUM_ELEMENTS:
        raise wrong_tensor(tensor, "shape", f"has the impossible shape {shape}", shape=shape)
    return shape


def bits_of(tensor: Any) -> int:
    """How many bits an element takes in raw bytes, 0 for text.  Raises Problem (type) for an unknown type."""
    from onnx import TensorProto, helper

    try:
        packed = re.fullmatch(r"U?INT([24])|FLOAT([46])E\dM\d", TensorProto.DataType.Name(tensor.data_type))
        if packed:
            return int(packed.group(1) or packed.group(2))
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        return 0 if dtype.kind == "O" else dtype.itemsize * 8
    except (KeyError, ValueError, TypeError):
        number = tensor.data_type
        raise wrong_tensor(tensor, "type", f"is of the unknown type {number}", number=number) from None


def type_of(tensor: Any) -> str:
    """The type of the elements by name: "float32", "bfloat16", "int4"."""
    from onnx import helper

    return str(np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).name)


def bytes_of(tensor: Any, shape: tuple[int, ...]) -> int:
    """How many bytes the elements of a tensor would take if it was of some shape."""
    return (prod(shape) * bits_of(tensor) + 7) // 8


def place_of(tensor: Any) -> Optional[DataLocation]:
    """Where a tensor's external data are, None where it has none.

    Raises Problem: outside for a location outside of the model's folder, number or length for numbers that
    cannot be, shape and type as above.
    """
    if not is_external(tensor):
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    above = ".." in re.split(r"[\\/]", location)
    if not location or "\0" in location or above or location[0] in "/\\" or DRIVE.match(location):
        text = f"external data outside of the model's folder: {location!a}"
        raise Problem(text, kind="outside", name=tensor.name, location=location)
    size = bytes_of(tensor, dimensions_of(tensor))
    numbers = []
    for key, default in (("offset", "0"), ("length", str(size))):
        number = entries.get(key, default)
        if not NUMBER.fullmatch(number):
            text = f"has external data with the {key} {number!a}"
            raise wrong_tensor(tensor, "number", text, key=key, number=number)
        numbers.append(int(number))
    if numbers[1] != size:
        text = "has external data of another length than its shape"
        raise wrong_tensor(tensor, "length", text, found=numbers[1], wanted=size)
    return DataLocation(location, numbers[0], numbers[1])


def path_of(place: DataLocation, folder: str, name: str) -> str:
    """The file with a tensor's elements.  Raises Problem: link where a link leads out of the folder, missing
    where there is none, short where it is."""
    path = os.path.join(folder, place.location)
    root = os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(path)]) != root:
        text = f"the external data of {name!a} are a link that leads out of the folder"
        raise Problem(text, kind="link", name=name, location=place.location)
    try:
        size = os.path.getsize(path) if os.path.isfile(path) else -1
    except OSError:
        size = -1
    wanted = place.offset + place.length
    if size < wanted:
        text = f"the external data of {name!a} are not there: {place.location!a}"
        kind = "missing" if size < 0 else "short"
        raise Problem(text, kind=kind, name=name, location=place.location, size=size, wanted=wanted)
    return path


def array_of(tensor: Any, folder: str) -> Array:
    """A tensor as an array, not to be changed; external data as a view on the file.  Raises Problem as
    place_of and path_of."""
    from onnx import TensorProto, helper, numpy_helper

    place, shape = place_of(tensor), dimensions_of(tensor)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    if 0 in shape:
        # Not every version of the package gives an array without elements for every type.
        return np.empty(shape, dtype)
    if place is None:
        return np.asarray(numpy_helper.to_array(tensor))
    path = path_of(place, folder, tensor.name)
    if bits_of(tensor) >= 8:
        return np.memmap(path, dtype.newbyteorder("<"), "r", place.offset, shape)
    loaded = TensorProto()
    loaded.CopyFrom(tensor)
    loaded.data_location = TensorProto.DEFAULT
    del loaded.external_data[:]
    with open(path, "rb") as file:
        file.seek(place.offset)
        loaded.raw_data = file.read(place.length)
    return np.asarray(numpy_helper.to_array(loaded))


def raw_bytes(array: Array) -> bytes:
    """The elements as raw bytes, little-endian, packed where the type is."""
    from onnx import numpy_helper

    if array.dtype.kind in "biufc" and array.dtype.isbuiltin == 1:
        return bytes(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return bytes(numpy_helper.from_array(np.ascontiguousarray(array), "").raw_data)
