"""Files of tensors in the safetensors format: a table of names, types, shapes and places, then the elements.

The format: eight bytes with the length of the table (little-endian), the table as JSON, then the elements of
all tensors, one after the other without gaps.  Nothing is allocated before the table is known to be right.
"""

import json
import struct
from math import prod
from typing import Any, BinaryIO, Iterable, Iterator, Mapping, NamedTuple

import numpy as np

from prunec.embedded.pt2_tensors import FORMS
from prunec.embedded.slices import Array, Problem

#: Types of elements by what the format calls them, in the order in which it has them.
SAFE_TYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}
#: The names that the format has for our types.
SAFE_NAMES = {own: name for name, own in SAFE_TYPES.items()}
#: The entry of the table that is no tensor: texts by name.
REMARKS = "__metadata__"
#: Tables of more bytes are refused by all that read the format.
_MAXIMUM_TABLE = 100_000_000
_LENGTH = 8
#: Axes that numpy can have.
_MOST_AXES = 32


class SafeTensor(NamedTuple):
    """A tensor of a file: its elements are stored from byte ``offset`` of the file on."""

    name: str
    dtype: str
    sizes: tuple[int, ...]
    offset: int

    @property
    def bytes(self) -> int:
        """How many bytes its elements have."""
        return prod(self.sizes) * np.dtype(FORMS[self.dtype]).itemsize


class NewTensor(NamedTuple):
    """A tensor to write: ``data`` gives its elements when they are wanted, in little-endian order."""

    dtype: str
    sizes: tuple[int, ...]
    data: Iterable[bytes]


def read_safetensors(file: BinaryIO) -> tuple[dict[str, SafeTensor], dict[str, str]]:
    """The tensors of a file by name, in the order of their elements, and its remarks.

    Raises Problem: no such file (safetensors), a table that is too large (large), an entry that says nothing
    (meta), an unknown type (type), elements that are not there, or those of others (range).
    """
    end = file.seek(0, 2)
    file.seek(0)
    start = file.read(_LENGTH)
    if len(start) < _LENGTH:
        raise Problem("it is no file of tensors: it is too short", kind="safetensors")
    (length,) = struct.unpack("<Q", start)
    if length > min(_MAXIMUM_TABLE, end - _LENGTH):
        kind = "large" if _MAXIMUM_TABLE < length <= end else "safetensors"
        raise Problem(f"it is no file of tensors: its table would have {length:,} bytes", kind=kind)
    table = _table(file.read(length))
    remarks = table.pop(REMARKS, {})
    if not isinstance(remarks, dict) or not all(isinstance(text, str) for text in remarks.values()):
        raise Problem("its remarks are no texts", kind="safetensors")
    begin = _LENGTH + length
    found = [(_entry(name, entry), entry["data_offsets"]) for name, entry in table.items()]
    at = 0
    tensors = {}
    for tensor, (first, last) in sorted(found, key=lambda own: own[1]):
        if first != at or last - first != tensor.bytes:
            text = f"the elements of {tensor.name!a} are not where it says, or not as many"
            raise Problem(text, kind="range", name=tensor.name)
        tensors[tensor.name] = tensor._replace(offset=begin + first)
        at = last
    if begin + at != end:
        raise Problem(f"it has {end - begin:,} bytes of elements, not {at:,}", kind="range", name="")
    return tensors, remarks


def _table(data: bytes) -> dict[str, Any]:
    try:
        table = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        reason = f"its table is no JSON: {error}"
        raise Problem(f"it is no file of tensors: {reason}", kind="safetensors") from None
    if not isinstance(table, dict):
        raise Problem("it is no file of tensors: its table is none", kind="safetensors")
    return table


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise ValueError(f"{name!a} stands twice")
        table[name] = value
    return table


def _entry(name: str, entry: Any) -> SafeTensor:
    """A tensor as the table tells it; where it is has not been looked at."""
    try:
        kind, sizes, (first, last) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise Problem(f"{name!a} has no type, shape or place", kind="meta", name=name) from None
    numbers = (*sizes, first, last)
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
    if not whole or min(numbers) < 0 or len(sizes) > _MOST_AXES:
        raise Problem(f"{name!a} has no shape or place", kind="meta", name=name)
    if not isinstance(kind, str) or kind not in SAFE_TYPES:
        raise Problem(f"{name!a} is of an unknown type", kind="type", name=name, number=str(kind))
    return SafeTensor(name, SAFE_TYPES[kind], sizes, 0)


def read_tensor(file: BinaryIO, tensor: SafeTensor) -> Array:
    """The elements of a tensor, of types that numpy does not have their bits.  Raises Problem (shorter)
    where the file became shorter."""
    file.seek(tensor.offset)
    data = file.read(tensor.bytes)
    if len(data) != tensor.bytes:
        raise Problem(f"{tensor.name!a} became shorter while it was read", kind="shorter", name=tensor.name)
    return np.frombuffer(data, FORMS[tensor.dtype]).reshape(tensor.sizes)


def write_safetensors(
    out: BinaryIO, tensors: Mapping[str, NewTensor], remarks: Mapping[str, str] = {}
) -> None:
    """Writes a file of tensors, the widest elements first and by name, as the format's own library does.

    Raises KeyError for a type of elements that the format does not have.
    """
    order = list(SAFE_TYPES)
    names = sorted(tensors, key=lambda name: (-order.index(SAFE_NAMES[tensors[name].dtype]), name))
    table: dict[str, Any] = {REMARKS: dict(remarks)} if remarks else {}
    at = 0
    for name in names:
        dtype, sizes, _ = tensors[name]
        end = at + SafeTensor(name, dtype, sizes, 0).bytes
        table[name] = {"dtype": SAFE_NAMES[dtype], "shape": list(sizes), "data_offsets": [at, end]}
        at = end
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % _LENGTH)
    out.write(struct.pack("<Q", len(text)))
    out.write(text)
    for name in names:
        for block in tensors[name].data:
            out.write(block)


def copied(file: BinaryIO, tensor: SafeTensor) -> Iterator[bytes]:
    """The elements of a tensor, a piece at a time.  Raises Problem (shorter) as :func:`read_tensor`."""
    at, end = tensor.offset, tensor.offset + tensor.bytes
    while at < end:
        file.seek(at)
        block = file.read(min(end - at, 1 << 23))
        if not block:
            raise Problem(
                f"{tensor.name!a} became shorter while it was read", kind="shorter", name=tensor.name
            )
        yield block
        at += len(block)
