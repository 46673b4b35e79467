"""Writing files: aside first, then in one move, and only ever in the place of a regular file.

A file appears under its name when it is complete.  What has the name already is replaced if it is a regular
file or a link to one; a device, a pipe or a folder is not, whoever asks.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Iterator, NoReturn

from prunec.support.diagnostics import Diagnostic, PrunecError, printable

#: Small enough to stay in the caches of a processor.
_BLOCK = 1 << 18
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def check_place(target: Path) -> None:
    """Raises PrunecError P515 where something other than a regular file, or a link to one, has a name."""
    try:
        mode = target.stat().st_mode
    except (OSError, ValueError):
        if not target.is_symlink():
            return  # there is nothing, or nothing that can be looked at: writing says why
        found = "a link that leads to no file"
    else:
        if stat.S_ISREG(mode):
            return
        found = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "something else")
    raise PrunecError(
        Diagnostic(
            "P515",
            "the output is no file",
            where=printable(str(target), 1000),
            notes=(f"{found} has this name, and only files are replaced",),
            help="give another name, or move away what has it",
        )
    )


@contextmanager
def written(target: Path) -> Iterator[BinaryIO]:
    """A file to be written, which takes the name ``target``, and the permissions of a file of that name, when
    the block ends without an error; after an error there is no trace of it.

    Raises PrunecError P515 as :func:`check_place`, and OSError.
    """
    check_place(target)
    part = target.with_name(f".prunec-{secrets.token_hex(6)}.part")
    try:
        with open(part, "xb") as file:
            yield file
        move(part, target)
    finally:
        part.unlink(missing_ok=True)


def write_file(target: Path, data: bytes) -> None:
    """Writes a file.  Raises PrunecError P513 where the system cannot, P515 as :func:`check_place`."""
    try:
        with written(target) as file:
            file.write(data)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        cannot_write(target, error)


def cannot_write(place: Path, error: Exception) -> NoReturn:
    """Raises PrunecError P513 for what the system said."""
    note = f"the system says: {getattr(error, 'strerror', None) or error}"
    help_text = "check that the place exists and has room"
    where = printable(str(place), 1000)
    raise PrunecError(
        Diagnostic("P513", "cannot write the output", where, notes=(note,), help=help_text)
    ) from None


def move(part: Path, target: Path) -> None:
    """Gives a complete file its name.  Raises as :func:`written`."""
    check_place(target)
    if target.exists():
        shutil.copymode(target, part)
    os.replace(part, target)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file with parameters, in hexadecimal.  Raises PrunecError P601 where it cannot be
    read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            block = memoryview(bytearray(_BLOCK))
            while size := file.readinto(block):
                digest.update(block[:size])
    except OSError as error:
        note = f"the system says: {error.strerror or error}"
        where = printable(str(path))
        raise PrunecError(
            Diagnostic("P601", "cannot read the parameters", where, notes=(note,), help="check the path")
        ) from None
    return digest.hexdigest()
