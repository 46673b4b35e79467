"""MXNet parameter files (.params): lists of arrays, one behind the other.

The layout, all little-endian (source: NDArray::Save in MXNet's src/ndarray/ndarray.cc):

    u64 0x112   u64 reserved   u64 count   record...   u64 count   (u64 length, bytes)...

A record starts with a number that tells its version.  Version 0 has none: the first number is the rank.

    0   u32 rank         u32 sizes...   context  type  data
    1   u32 0xF993fac8   u32 rank  i64 sizes...   context  type  data
    2   u32 0xF993fac9   i32 storage   u32 rank  i64 sizes...   context  type  data
    3   u32 0xF993faca   i32 storage   i32 rank  i64 sizes...   context  type  data

The context is i32 device type and i32 device number, the type an i32.  A record that holds no array ends
behind its shape: rank 0 before version 3; an unknown (negative) rank or size in version 3, where rank 0
is a scalar.  A sparse array has the shape of its data before its own, the types and shapes of its indices
before the data, and the indices behind them.
"""

import struct
from math import prod
from typing import Any, BinaryIO, Collection, Mapping, NamedTuple, Optional

import numpy as np

from prunec.embedded.slices import ParameterSlice, Problem, pieces

LIST_MAGIC = 0x112
VERSIONS = {0xF993FAC8: 1, 0xF993FAC9: 2, 0xF993FACA: 3}
MAGICS = {version: magic for magic, version in VERSIONS.items()}
#: mshadow's numbers for the types of elements.
TYPES = dict(
    enumerate(
        ("float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool")
        + ("int16", "uint16", "uint32", "uint64", "bfloat16")
    )
)
TYPE_NUMBERS = {name: number for number, name in TYPES.items()}
#: How many index arrays a storage has besides its data; -1 is an array that was never filled.
STORAGES = {-1: 0, 0: 0, 1: 1, 2: 2}
MAXIMUM_RANK = 32
#: Above any array there is, and low enough that no product with an element size overflows.
MAXIMUM_ELEMENTS = 1 << 48
BLOCK = 1 << 23


class ArrayRecord(NamedTuple):
    """An array of a file: what it is, and where it starts, its data start and it ends, in bytes."""

    version: int
    shape: tuple[int, ...]
    start: int
    end: int
    data_at: int = -1
    dtype: str = ""  # of an array without data
    context: tuple[int, int] = (1, 0)
    sparse: bool = False
    name: str = ""


class Reader:
    """Reads numbers from a file of a known size and never past its end."""

    def __init__(self, file: Any, size: int) -> None:
        self.file, self.at, self.size = file, 0, size

    def skip(self, length: int, what: str, **facts: Any) -> None:
        if not 0 <= length <= self.size - self.at:
            text = f"the file is cut off or damaged at byte {self.at}: {length} more bytes announced"
            left = self.size - self.at
            raise Problem(text, kind="short", what=what, at=self.at, length=length, left=left, **facts)
        self.at += length

    def bytes(self, length: int, what: str) -> bytes:
        start = self.at
        self.skip(length, what)
        self.file.seek(start)
        read: bytes = self.file.read(length)
        return read

    def numbers(self, layout: str, what: str) -> tuple[int, ...]:
        return struct.unpack("<" + layout, self.bytes(struct.calcsize("<" + layout), what))

    def number(self, layout: str, what: str) -> int:
        return self.numbers(layout, what)[0]

    def check_rank(self, rank: int, what: str, start: int) -> None:
        if not -1 <= rank <= MAXIMUM_RANK:
            text = f"the file is damaged: an array of {rank} axes at byte {self.at}"
            raise Problem(text, kind="rank", what=what, at=start, rank=rank)

    def dtype(self, number: int, what: str, known: Collection[str]) -> str:
        if TYPES.get(number) not in known:
            text = f"the file is damaged: the unknown element type {number} at byte {self.at - 4}"
            raise Problem(text, kind="type", what=what, number=number)
        return TYPES[number]


def read_records(
    reader: Reader,
    storages: Mapping[int, int] = STORAGES,
    types: Collection[str] = TYPE_NUMBERS,
    errors: str = "surrogateescape",
) -> list[ArrayRecord]:
    """The arrays of a file in its order.

    Only the storages (numbers) and types given are known; ``errors`` says how names that are no UTF-8 are
    decoded.  Raises Problem, with the facts ``kind`` (magic, count, short, rank, shape, storage, type, names
    or name) and what belongs to it.
    """
    magic = reader.number("Q", "the header") if reader.size >= 24 else 0
    if magic != LIST_MAGIC:
        raise Problem("this is not an MXNet parameter file", kind="magic", magic=magic)
    _, count = reader.numbers("QQ", "the header")
    if count > 1_000_000 and count * 4 > reader.size - reader.at:  # the shortest record has 4 bytes
        raise Problem(f"the file is damaged: it announces {count} arrays", kind="count", count=count)
    records = [_read_record(reader, f"array {index}", storages, types) for index in range(count)]
    names = reader.number("Q", "the list of names")
    if names != count:
        text = f"the file holds {count} arrays and {names} names; every array needs a name"
        raise Problem(text, kind="names", count=count, names=names)
    return [_named(reader, record, f"name {index}", errors) for index, record in enumerate(records)]


def _named(reader: Reader, record: ArrayRecord, what: str, errors: str) -> ArrayRecord:
    length = reader.number("Q", what)
    start = reader.at
    try:
        return record._replace(name=reader.bytes(length, what).decode("utf-8", errors))
    except UnicodeDecodeError:
        text = f"the file is damaged: {what} is not UTF-8 text at byte {start}"
        raise Problem(text, kind="name", what=what, at=start) from None


def _read_record(
    reader: Reader, what: str, storages: Mapping[int, int], types: Collection[str]
) -> ArrayRecord:
    start = reader.at
    first = reader.number("I", what)
    version, storage, stored_shape = VERSIONS.get(first, 0), 0, None
    if version >= 2:
        storage = reader.number("i", what)
        if storage not in storages:
            text = f"the file is damaged: the unknown storage type {storage} at byte {start + 4}"
            raise Problem(text, kind="storage", what=what, at=start, storage=storage)
        if storages[storage]:
            stored_shape = _shape(reader, what, start)
    rank = reader.number("i" if version == 3 else "I", what) if version else first
    reader.check_rank(rank, what, start)
    shape = reader.numbers(("q" if version else "I") * max(rank, 0), what)
    if rank < (0 if version == 3 else 1) or (version == 3 and -1 in shape):
        return ArrayRecord(version, shape, start, reader.at)
    device, number, type_number = reader.numbers("iii", what)
    dtype = reader.dtype(type_number, what, types)
    length = item_size(dtype) * prod(shape if stored_shape is None else stored_shape)
    for _ in range(storages[storage]):
        index_type = reader.dtype(reader.number("i", what), what, types)
        length += item_size(index_type) * prod(_shape(reader, what, start))
    data_at = reader.at
    reader.skip(length, f"{what} of shape {shape} and type {dtype}", array=what, shape=shape)
    if not is_possible(shape):
        text = f"the file is damaged: an array of shape {shape} at byte {start}"
        raise Problem(text, kind="shape", array=what, shape=shape)
    return ArrayRecord(
        version, shape, start, reader.at, data_at, dtype, (device, number), storages[storage] > 0
    )


def _shape(reader: Reader, what: str, start: int) -> tuple[int, ...]:
    rank = reader.number("i", what)
    reader.check_rank(rank, what, start)
    return reader.numbers("q" * max(rank, 0), what)


def is_possible(shape: tuple[int, ...]) -> bool:
    """Whether an array can have a shape.  Zero sizes do not excuse huge ones: numpy multiplies the others."""
    return min(shape, default=0) >= 0 and prod(max(size, 1) for size in shape) <= MAXIMUM_ELEMENTS


def item_size(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def bare(name: str) -> str:
    """The name without the prefix that tells parameters from auxiliary states."""
    return name[4:] if name[:4] in ("arg:", "aux:") else name


def header(version: int, shape: tuple[int, ...], context: tuple[int, int], dtype: Optional[str]) -> bytes:
    """What stands before the data of a dense array.  Raises ValueError for what the version cannot hold."""
    rank = len(shape)
    if dtype not in TYPE_NUMBERS:
        raise ValueError("the format has no number for the type of this array")
    if rank == 0 and version != 3:
        raise ValueError(f"version {version} cannot hold a scalar")
    if version == 0:
        if max(shape) >= 1 << 32:
            raise ValueError(f"version 0 cannot hold a size of {max(shape)}")
        start = struct.pack(f"<I{rank}I", rank, *shape)
    elif version == 1:
        start = struct.pack(f"<II{rank}q", MAGICS[1], rank, *shape)
    else:
        start = struct.pack(f"<IiI{rank}q", MAGICS[version], 0, rank, *shape)
    return start + struct.pack("<iii", *context, TYPE_NUMBERS[dtype])


def write_sliced(
    source: BinaryIO,
    size: int,
    records: list[ArrayRecord],
    slices: Mapping[str, ParameterSlice],
    target: BinaryIO,
) -> None:
    """Writes a file with some arrays sliced, one at a time, and everything else of its ``size`` bytes as it
    is.  The arrays fit the slices, which are by the names without prefix."""
    copied = 0  # everything before this byte of the input is in the output
    for record in records:
        parameter = slices.get(bare(record.name))
        if parameter is not None:
            copy(source, copied, record.start, target)
            _, new_shape = parameter.sizes(record.shape)
            target.write(header(record.version, new_shape, record.context, record.dtype))
            # Elements are moved as unsigned numbers of their width, whatever they stand for.
            array = np.memmap(source, f"<u{item_size(record.dtype)}", "r", record.data_at, record.shape)
            for piece in pieces(np.asarray(array), parameter):
                target.write(piece.data)
            copied = record.end
    copy(source, copied, size, target)


def copy(source: BinaryIO, start: int, end: int, target: BinaryIO) -> None:
    source.seek(start)
    while start < end:
        block = source.read(min(end - start, BLOCK))
        if not block:
            raise Problem("the input became shorter while it was read")
        target.write(block)
        start += len(block)
