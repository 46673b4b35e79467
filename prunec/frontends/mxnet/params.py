"""MXNet parameter files (``.params``): lists of arrays, read on a memory map, written one at a time.

The layout, all little-endian (source: ``NDArray::Save`` in MXNet's ``src/ndarray/ndarray.cc``)::

    u64 0x112   u64 reserved   u64 count   record…   u64 count   (u64 length, bytes)…

A record starts with a number that tells its version.  Version 0 has none: the first number is the rank.

    0   u32 rank         u32 sizes…   context  type  data
    1   u32 0xF993fac8   u32 rank  i64 sizes…   context  type  data
    2   u32 0xF993fac9   i32 storage   u32 rank  i64 sizes…   context  type  data
    3   u32 0xF993faca   i32 storage   i32 rank  i64 sizes…   context  type  data

``context`` is i32 device type and i32 device number, ``type`` an i32.  A record that holds no array ends
behind its shape: rank 0 before version 3; an unknown (negative) rank or size in version 3, where rank 0
is a scalar.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Callable, Mapping, NoReturn, Optional, Sequence, Union

import numpy as np

from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import written

Array = np.ndarray[Any, Any]
_Path = Union[str, "os.PathLike[str]"]

_LIST_MAGIC = 0x112
_VERSIONS = {0xF993FAC8: 1, 0xF993FAC9: 2, 0xF993FACA: 3}
_MAGICS = {version: magic for magic, version in _VERSIONS.items()}
#: mshadow's numbers for the types of elements.
_TYPES = {
    number: np.dtype(code)
    for number, code in enumerate(
        ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8", "?", "<i2", "<u2", "<u4", "<u8")
    )
}
_TYPE_NUMBERS = {dtype: number for number, dtype in _TYPES.items()}
_BFLOAT16 = 12
_STORAGE_DENSE = 0
_STORAGE_NAMES = {1: "row_sparse", 2: "csr"}
_PREFIXES = ("arg:", "aux:")
_MAXIMUM_RANK = 32  # numpy's own limit before version 2
#: Above any array there is, and low enough that no product with an element size overflows.
_MAXIMUM_SIZE = 1 << 48
_CPU = (1, 0)

_HELP_DAMAGED = "copy or download the file again, or save it again with mx.nd.save"


@dataclass(frozen=True)
class Record:
    """One array of a parameter file and where its data stand.

    ``prefix`` is ``"arg:"``, ``"aux:"`` or empty, ``version`` the record format (0 to 3), ``offset`` the
    first byte of the data in the file, ``context`` the device type and number it was saved from.
    ``empty`` holds the bytes of a record without an array (shape ``()``), else nothing.
    """

    name: str
    prefix: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    version: int = 2
    offset: int = -1
    context: tuple[int, int] = _CPU
    empty: bytes = b""


@dataclass(frozen=True, eq=False)
class ParameterFile:
    """A parameter file that has been read and checked; arrays are views on its memory map."""

    path: str
    records: tuple[Record, ...]
    reserved: int = 0
    _map: Optional[mmap.mmap] = field(default=None, repr=False)

    @cached_property
    def by_name(self) -> Mapping[str, Record]:
        """The records by name without prefix."""
        return {record.name: record for record in self.records}

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes by name without prefix; records that hold no array are left out."""
        return {record.name: record.shape for record in self.records if not record.empty}

    def array(self, name: str) -> Array:
        """The array called ``name`` (without prefix): a read-only view on the file, not a copy.

        Raises KeyError for an unknown name, PrunecError P606 where the record holds no array.
        """
        record = self.by_name[name]
        if record.empty or self._map is None:
            note = "it was saved before its shape was known"
            help_text = "initialise the model (run it once), then save its parameters again"
            _fail("P606", f'the parameter "{printable(name)}" holds no array', self.path, note, help_text)
        return np.ndarray(record.shape, record.dtype, buffer=self._map, offset=record.offset)


def read_params(path: _Path) -> ParameterFile:
    """Read the index of a parameter file; the data stay on disk until they are used.

    Raises PrunecError: P601 the file cannot be read, P602 not a parameter file, P603 cut short or with
    bytes behind its end, P604 a shape that cannot be, P605 sparse storage or an element type that is not
    supported, P607 names that are missing or stand twice.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                _fail("P601", "cannot read the parameters", name, "it is not a file", "check the path")
            if status.st_size < 32:
                note = f"it has {status.st_size} bytes, and the header alone has 32"
                _fail("P602", "not an MXNet parameter file", name, note, _help_format(file.read()))
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        _fail("P601", "cannot read the parameters", name, f"the system says: {reason}", "check the path")
    return _read_list(_Cursor(mapped, name), mapped)


def write_params(
    path: _Path, records: Sequence[Record], array_of: Callable[[Record], Array], reserved: int = 0
) -> None:
    """Write ``records`` in their order, with their versions and prefixes, one array at a time.

    ``array_of`` gives the array of a record; its shape and type are written, not the record's.  It is
    not asked for records that hold none.  Raises as :class:`ParameterWriter`.
    """
    with ParameterWriter(path, len(records), reserved) as writer:
        for record in records:
            if record.empty:
                writer.add_empty(record)
            else:
                writer.add(record, array_of(record))


class ParameterWriter:
    """Writes a parameter file one array at a time; a context manager.

    The file appears under its name when the block ends without an error; until then, and after an
    error, there is none.  Raises PrunecError P515 where the name is that of no file, P608 where the
    system cannot write, ValueError for what the format cannot hold and for another number of arrays than
    announced.
    """

    def __init__(self, path: _Path, count: int, reserved: int = 0) -> None:
        self._path = os.fspath(path)
        self._count = count
        self._reserved = reserved
        self._names: list[bytes] = []
        self._writing = ExitStack()
        self._file: Optional[BinaryIO] = None

    def __enter__(self) -> ParameterWriter:
        try:
            self._file = self._writing.enter_context(written(Path(self._path)))
        except (OSError, ValueError) as error:
            self._cannot_write(error)
        with ExitStack() as opened:
            opened.push(self._writing)
            self._put(struct.pack("<QQQ", _LIST_MAGIC, self._reserved, self._count))
            opened.pop_all()
        return self

    def add(self, record: Record, array: Array) -> None:
        """Append ``array`` under the record's name and prefix, in the record's version."""
        dtype = array.dtype.newbyteorder("<")
        header = _header(record, array.shape, _TYPE_NUMBERS.get(dtype))
        self._announce(record)
        self._put(header)
        flat = np.ascontiguousarray(array, dtype=dtype).reshape(-1)
        self._put(flat.view(np.uint8).data)

    def add_empty(self, record: Record) -> None:
        """Append a record that holds no array, as it was read."""
        self._announce(record)
        self._put(record.empty)

    def __exit__(self, kind: Optional[type[BaseException]], *error: Any) -> None:
        if kind is not None:
            self._writing.__exit__(kind, *error)
            return
        try:
            with self._writing:
                self._finish()
        except OSError as failed:
            self._cannot_write(failed)

    def _announce(self, record: Record) -> None:
        if len(self._names) == self._count:
            raise ValueError(f"{self._count} arrays were announced, and there are more")
        self._names.append((record.prefix + record.name).encode("utf-8"))

    def _finish(self) -> None:
        if len(self._names) != self._count:
            raise ValueError(f"{self._count} arrays were announced, and {len(self._names)} were written")
        self._put(struct.pack("<Q", len(self._names)))
        for name in self._names:
            self._put(struct.pack("<Q", len(name)) + name)

    def _put(self, data: Union[bytes, memoryview]) -> None:
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError as error:
            self._cannot_write(error)

    def _cannot_write(self, error: Exception) -> NoReturn:
        reason = getattr(error, "strerror", None) or str(error)
        help_text = "check that the directory exists, can be written to and has room"
        _fail("P608", "cannot write the parameters", self._path, f"the system says: {reason}", help_text)


# --- reading -------------------------------------------------------------------------------


class _Cursor:
    """A position in a parameter file; every read is checked against the file's end."""

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self.data = data
        self.name = name
        self.position = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, size: int, what: str) -> int:
        """Step over ``size`` bytes and return where they start."""
        if size > self.left:
            note = f"{what} needs {size:,} bytes from byte {self.position:,} on, and {self.left:,} are left"
            _fail("P603", "the parameter file is cut short", self.name, note, _HELP_DAMAGED)
        start = self.position
        self.position += size
        return start

    def numbers(self, layout: str, what: str) -> tuple[int, ...]:
        """Read numbers, ``layout`` as for ``struct`` without the byte order."""
        start = self.take(struct.calcsize("<" + layout), what)
        return struct.unpack_from("<" + layout, self.data, start)


def _read_list(cursor: _Cursor, mapped: mmap.mmap) -> ParameterFile:
    magic, reserved, count = cursor.numbers("QQQ", "the header")
    if magic != _LIST_MAGIC:
        note = f"a parameter file starts with the number 0x112; this one starts with 0x{magic:x}"
        _fail("P602", "not an MXNet parameter file", cursor.name, note, _help_format(mapped[:64]))
    # The shortest record has 4 bytes: a count above that is a lie, and is not worth starting on.
    if count * 4 > cursor.left:
        note = f"it announces {count:,} arrays, and has {cursor.left:,} bytes for them"
        _fail("P603", "the parameter file is cut short", cursor.name, note, _HELP_DAMAGED)
    unnamed = [_read_record(cursor, index) for index in range(count)]
    names = _read_names(cursor, count)
    if cursor.left:
        note = f"there are {cursor.left:,} bytes behind the last name"
        _fail("P603", "the parameter file does not end where it should", cursor.name, note, _HELP_DAMAGED)
    records = tuple(_named(record, name) for record, name in zip(unnamed, names))
    _check_unique(cursor.name, records)
    return ParameterFile(cursor.name, records, reserved, mapped)


def _read_record(cursor: _Cursor, index: int) -> Record:
    what = f"array {index}"
    start = cursor.position
    (first,) = cursor.numbers("I", what)
    version = _VERSIONS.get(first, 0)
    if version >= 2:
        _check_storage(cursor, what, start)
    (rank,) = (first,) if version == 0 else cursor.numbers("i" if version == 3 else "I", what)
    if rank > _MAXIMUM_RANK or rank < -1:
        note = f"{what} (at byte {start:,}) has {rank:,} axes, or is of a version that is not known"
        _fail("P604", "an array of a shape that cannot be", cursor.name, note, _HELP_DAMAGED)
    shape = cursor.numbers(("I" if version == 0 else "q") * max(rank, 0), what)
    if rank < (0 if version == 3 else 1) or (version == 3 and -1 in shape):
        raw = bytes(cursor.data[start : cursor.position])
        return Record("", "", (), _TYPES[0], version, empty=raw)
    device, number, kind = cursor.numbers("iii", what)
    dtype = _dtype(cursor, what, kind)
    count = _element_count(cursor, what, shape)
    offset = cursor.take(count * dtype.itemsize, f"{what} of shape {shape} and type {dtype}")
    return Record("", "", shape, dtype, version, offset, (device, number))


def _check_storage(cursor: _Cursor, what: str, start: int) -> None:
    (storage,) = cursor.numbers("i", what)
    # An array that was never filled has undefined storage (-1); its rank is 0, which is seen later.
    if storage in (_STORAGE_DENSE, -1):
        return
    kind = _STORAGE_NAMES.get(storage, f"of unknown storage type {storage}")
    note = f"{what} (at byte {start:,}) is {kind}, and only dense arrays can be sliced"
    help_text = "convert it with tostype('default') and save the parameters again"
    _fail("P605", "a sparse array among the parameters", cursor.name, note, help_text)


def _dtype(cursor: _Cursor, what: str, number: int) -> np.dtype[Any]:
    if number in _TYPES:
        return _TYPES[number]
    kind = "bfloat16" if number == _BFLOAT16 else f"type number {number}"
    note = f"the elements of {what} are {kind}; known are {', '.join(str(t) for t in _TYPES.values())}"
    help_text = "cast the parameters, to float32 for instance, and save them again"
    _fail("P605", "an array of a type that is not supported", cursor.name, note, help_text)


def _element_count(cursor: _Cursor, what: str, shape: tuple[int, ...]) -> int:
    """The number of elements.  Zero sizes do not excuse huge ones: numpy multiplies the others too."""
    count, bound = 1, 1
    for size in shape:
        count *= size
        bound *= max(size, 1)
        if size < 0 or bound > _MAXIMUM_SIZE:
            note = f"{what} is of shape {shape}"
            _fail("P604", "an array of a shape that cannot be", cursor.name, note, _HELP_DAMAGED)
    return count


def _read_names(cursor: _Cursor, count: int) -> list[str]:
    (name_count,) = cursor.numbers("Q", "the list of names")
    if name_count != count:
        note = f"it has {count:,} arrays and {name_count:,} names"
        help_text = _HELP_DAMAGED if name_count else "save the parameters as a dictionary of name and array"
        _fail("P607", "the arrays and their names do not agree", cursor.name, note, help_text)
    names = []
    for index in range(count):
        (length,) = cursor.numbers("Q", f"name {index}")
        start = cursor.take(length, f"name {index}")
        try:
            names.append(bytes(cursor.data[start : start + length]).decode("utf-8"))
        except UnicodeDecodeError:
            note = f"name {index} (at byte {start:,}) is not UTF-8 text"
            _fail("P607", "a name that cannot be read", cursor.name, note, _HELP_DAMAGED)
    return names


def _named(record: Record, full: str) -> Record:
    prefix = full[:4] if full.startswith(_PREFIXES) else ""
    return replace(record, name=full[len(prefix) :], prefix=prefix)


def _check_unique(path: str, records: Sequence[Record]) -> None:
    seen: set[str] = set()
    for record in records:
        if record.name in seen:
            note = "which of the two arrays the model uses cannot be told (arg: and aux: do not matter here)"
            headline = f'two arrays are called "{printable(record.name)}"'
            _fail("P607", headline, path, note, "save the parameters again under distinct names")
        seen.add(record.name)


# --- writing -------------------------------------------------------------------------------


def _header(record: Record, shape: tuple[int, ...], type_number: Optional[int]) -> bytes:
    """What stands before the data.  Raises ValueError for what the version cannot hold."""
    version, rank = record.version, len(shape)
    if type_number is None:
        raise ValueError(f"{record.name}: the format has no number for the type of this array")
    if rank == 0 and version != 3:
        raise ValueError(f"{record.name}: version {version} cannot hold a scalar")
    if version == 0:
        if max(shape) >= 1 << 32:
            raise ValueError(f"{record.name}: version 0 cannot hold a size of {max(shape)}")
        start = struct.pack(f"<I{rank}I", rank, *shape)
    elif version == 1:
        start = struct.pack(f"<II{rank}q", _MAGICS[1], rank, *shape)
    else:
        start = struct.pack(f"<IiI{rank}q", _MAGICS[version], _STORAGE_DENSE, rank, *shape)
    return start + struct.pack("<iii", *record.context, type_number)


# --- messages ------------------------------------------------------------------------------


def _help_format(start: bytes) -> str:
    if start.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer: fetch the file itself with git lfs pull"
    return "give the .params file that belongs to the model, as the framework saved it"


def _fail(code: str, headline: str, where: str, note: str, help_text: str) -> NoReturn:
    raise PrunecError(Diagnostic(code, headline, where, notes=(note,), help=help_text)) from None
