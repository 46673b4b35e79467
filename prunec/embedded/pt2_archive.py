"""PyTorch's archives of exported programs: zip files whose members are stored as they are.

Members are looked up and checked without loading anything; the elements of tensors stay in the file until
they are used.  See the "PT2 Archive Spec" of PyTorch's documentation.
"""

import struct
import zipfile
from typing import Any, BinaryIO, Iterable, Iterator, Mapping, NamedTuple

from prunec.embedded.slices import Problem

#: Data of members begin at a multiple of this many bytes.
ALIGNMENT = 64
BLOCK = 1 << 23
#: The extra field that fills the gap before the data of a member.
_PADDING = 0x4246
_LOCAL_HEADER = 30
_LOCAL_SIGNATURE = b"PK\x03\x04"
#: Members of this size and larger need the longer form of headers.
_LARGE = 1 << 31
#: The date that PyTorch gives to all members.
_DATE = (1980, 0, 0, 0, 0, 0)


class Member(NamedTuple):
    """A member of an archive: its name, and where its data are in the file."""

    name: str
    offset: int
    size: int


def members_of(file: BinaryIO) -> dict[str, Member]:
    """The members by name, in their order in the file.

    Raises Problem: no archive (zip), a compressed member (compressed), a name that is none for a member
    (name), data that lie elsewhere than the file says (place).
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (
        zipfile.BadZipFile,
        ValueError,
        OverflowError,
        EOFError,
        struct.error,
        NotImplementedError,
    ) as error:
        raise Problem(f"it is no zip archive: {error}", kind="zip", reason=str(error)) from None
    end = file.seek(0, 2)
    members: dict[str, Member] = {}
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        name = entry.filename
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise Problem(f"{name!a} is compressed", kind="compressed", name=name)
        parts = name.split("/")
        if (
            name in members
            or len(parts) < 2
            or "\\" in name
            or any(part in ("", ".", "..") for part in parts)
        ):
            raise Problem(f"{name!a} is no name for a member", kind="name", name=name)
        members[name] = Member(name, _data_offset(file, entry, end), entry.file_size)
    _check_apart(members.values())
    return members


def _data_offset(file: BinaryIO, entry: Any, end: int) -> int:
    file.seek(max(entry.header_offset, 0))
    header = file.read(_LOCAL_HEADER)
    if len(header) == _LOCAL_HEADER and header.startswith(_LOCAL_SIGNATURE):
        name, extra = struct.unpack("<HH", header[26:30])
        offset = int(entry.header_offset) + _LOCAL_HEADER + int(name) + int(extra)
        if offset >= 0 and offset + entry.file_size <= end:
            return offset
    raise Problem(f"the data of {entry.filename!a} are not in the file", kind="place", name=entry.filename)


def _check_apart(members: Iterable[Member]) -> None:
    at = 0
    for member in sorted(members, key=lambda member: (member.offset, member.size)):
        if member.offset < at:
            raise Problem(
                f"the data of {member.name!a} lie in another member", kind="place", name=member.name
            )
        at = member.offset + member.size


def blocks_of(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The data of a member, a piece at a time.  Raises Problem (shorter) where the file became shorter."""
    file.seek(member.offset)
    left = member.size
    while left:
        block = file.read(min(left, BLOCK))
        if not block:
            raise Problem(
                f"{member.name!a} became shorter while it was read", kind="shorter", name=member.name
            )
        yield block
        left -= len(block)


def write_archive(out: BinaryIO, members: Mapping[str, tuple[int, Iterable[bytes]]]) -> None:
    """Writes an archive: for each member its size and its data.  The same members give the same bytes."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, (size, blocks) in members.items():
            entry = zipfile.ZipInfo(name)
            entry.date_time = _DATE
            entry.create_system = 0
            entry.file_size = size
            long = size >= _LARGE
            start = out.tell() + _LOCAL_HEADER + len(name.encode("utf-8")) + (20 if long else 0) + 4
            gap = -start % ALIGNMENT
            entry.extra = struct.pack("<HH", _PADDING, gap) + b"Z" * gap
            with archive.open(entry, "w", force_zip64=long) as member:
                for block in blocks:
                    member.write(block)
