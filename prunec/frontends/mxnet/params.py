"""MXNet parameter files (``.params``): lists of arrays, read on a memory map, written one at a time.

:mod:`prunec.embedded.mxnet_params` describes and reads the format; here its problems get their messages.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Callable, Mapping, NoReturn, Optional, Sequence, Union

import numpy as np

from prunec.embedded import mxnet_params
from prunec.embedded.slices import Problem
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import written

Array = np.ndarray[Any, Any]
_Path = Union[str, "os.PathLike[str]"]

#: A sparse array cannot be sliced; an array that was never filled is of the storage -1.
_STORAGES = {-1: 0, 0: 0}
_STORAGE_NAMES = {1: "row_sparse", 2: "csr"}
_BFLOAT16 = mxnet_params.TYPE_NUMBERS["bfloat16"]
#: The types that numpy has.
_TYPES = tuple(name for name in mxnet_params.TYPE_NUMBERS if name != "bfloat16")
_CPU = (1, 0)

_HELP_DAMAGED = "copy or download the file again, or save it again with mx.nd.save"


@dataclass(frozen=True)
class ParameterRecord:
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
    records: tuple[ParameterRecord, ...]
    reserved: int = 0
    _map: Optional[mmap.mmap] = field(default=None, repr=False)

    @cached_property
    def by_name(self) -> Mapping[str, ParameterRecord]:
        """The records by name without prefix."""
        return {record.name: record for record in self.records}

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes by name without prefix; records that hold no array are left out."""
        return {record.name: record.shape for record in self.records if not record.empty}

    @property
    def byte_count(self) -> Optional[int]:
        """The size of the file, where it was read from one."""
        return None if self._map is None else len(self._map)

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
    return _read_list(mapped, name)


def write_params(
    path: _Path,
    records: Sequence[ParameterRecord],
    array_of: Callable[[ParameterRecord], Array],
    reserved: int = 0,
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
            self._put(struct.pack("<QQQ", mxnet_params.LIST_MAGIC, self._reserved, self._count))
            opened.pop_all()
        return self

    def add(self, record: ParameterRecord, array: Array) -> None:
        """Append ``array`` under the record's name and prefix, in the record's version."""
        dtype = array.dtype.newbyteorder("<")
        try:
            header = mxnet_params.header(record.version, array.shape, record.context, dtype.name)
        except ValueError as error:
            raise ValueError(f"{record.name}: {error}") from None
        self._announce(record)
        self._put(header)
        flat = np.ascontiguousarray(array, dtype=dtype).reshape(-1)
        self._put(flat.view(np.uint8).data)

    def add_empty(self, record: ParameterRecord) -> None:
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

    def _announce(self, record: ParameterRecord) -> None:
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


def _read_list(mapped: mmap.mmap, path: str) -> ParameterFile:
    magic, reserved, count = struct.unpack_from("<QQQ", mapped)
    left = len(mapped) - 24
    # The shortest record has 4 bytes: a count above that is a lie, and is not worth starting on.
    if magic == mxnet_params.LIST_MAGIC and count * 4 > left:
        _refuse(path, b"", {"kind": "count", "count": count, "left": left})
    reader = mxnet_params.Reader(mapped, len(mapped))
    try:
        found = mxnet_params.read_records(reader, _STORAGES, _TYPES, "strict")
    except Problem as problem:
        _refuse(path, mapped[:64], problem.facts)
    if reader.at < len(mapped):
        note = f"there are {len(mapped) - reader.at:,} bytes behind the last name"
        _fail("P603", "the parameter file does not end where it should", path, note, _HELP_DAMAGED)
    records = tuple(_record(record, mapped) for record in found)
    _check_unique(path, records)
    return ParameterFile(path, records, reserved, mapped)


def _record(found: mxnet_params.ArrayRecord, mapped: mmap.mmap) -> ParameterRecord:
    name = mxnet_params.bare(found.name)
    prefix = found.name[: len(found.name) - len(name)]
    if not found.dtype:
        empty = mapped[found.start : found.end]
        return ParameterRecord(name, prefix, (), np.dtype(np.float32), found.version, empty=empty)
    dtype = np.dtype(found.dtype).newbyteorder("<")
    return ParameterRecord(name, prefix, found.shape, dtype, found.version, found.data_at, found.context)


def _check_unique(path: str, records: Sequence[ParameterRecord]) -> None:
    seen: set[str] = set()
    for record in records:
        if record.name in seen:
            note = "which of the two arrays the model uses cannot be told (arg: and aux: do not matter here)"
            headline = f'two arrays are called "{printable(record.name)}"'
            _fail("P607", headline, path, note, "save the parameters again under distinct names")
        seen.add(record.name)


# --- messages ------------------------------------------------------------------------------


_CUT_SHORT = ("P603", "the parameter file is cut short")
_IMPOSSIBLE = ("P604", "an array of a shape that cannot be")
#: Code, headline, note and help for each kind of problem; no help where it depends on the file.
_MESSAGES = {
    "magic": (
        *("P602", "not an MXNet parameter file"),
        "a parameter file starts with the number 0x112; this one starts with 0x{magic:x}",
        "",
    ),
    "count": (*_CUT_SHORT, "it announces {count:,} arrays, and has {left:,} bytes for them", _HELP_DAMAGED),
    "short": (
        *_CUT_SHORT,
        "{what} needs {length:,} bytes from byte {at:,} on, and {left:,} are left",
        _HELP_DAMAGED,
    ),
    "rank": (
        *_IMPOSSIBLE,
        "{what} (at byte {at:,}) has {rank:,} axes, or is of a version that is not known",
        _HELP_DAMAGED,
    ),
    "shape": (*_IMPOSSIBLE, "{array} is of shape {shape}", _HELP_DAMAGED),
    "storage": (
        *("P605", "a sparse array among the parameters"),
        "{what} (at byte {at:,}) is {stored}, and only dense arrays can be sliced",
        "convert it with tostype('default') and save the parameters again",
    ),
    "type": (
        *("P605", "an array of a type that is not supported"),
        "the elements of {what} are {type}; known are " + ", ".join(_TYPES),
        "cast the parameters, to float32 for instance, and save them again",
    ),
    "names": (
        *("P607", "the arrays and their names do not agree"),
        "it has {count:,} arrays and {names:,} names",
        _HELP_DAMAGED,
    ),
    "name": (
        "P607",
        "a name that cannot be read",
        "{what} (at byte {at:,}) is not UTF-8 text",
        _HELP_DAMAGED,
    ),
}


def _refuse(path: str, start: bytes, facts: Mapping[str, Any]) -> NoReturn:
    """Says what the reader found in a file that starts with some bytes."""
    possible = "shape" not in facts or mxnet_params.is_possible(facts["shape"])
    code, headline, note, help_text = _MESSAGES[facts["kind"] if possible else "shape"]
    if facts.get("names") == 0:
        help_text = "save the parameters as a dictionary of name and array"
    storage, number = facts.get("storage", 0), facts.get("number")
    words = {
        "stored": _STORAGE_NAMES.get(storage, f"of unknown storage type {storage}"),
        "type": "bfloat16" if number == _BFLOAT16 else f"type number {number}",
    }
    _fail(code, headline, path, note.format(**facts, **words), help_text or _help_format(start))


def _help_format(start: bytes) -> str:
    if start.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer: fetch the file itself with git lfs pull"
    return "give the .params file that belongs to the model, as the framework saved it"


def _fail(code: str, headline: str, where: str, note: str, help_text: str) -> NoReturn:
    raise PrunecError(Diagnostic(code, headline, where, notes=(note,), help=help_text)) from None
