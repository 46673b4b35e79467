"""Files in the user's cache folder: what takes long to work out, kept from one run to the next.

``PRUNEC_CACHE`` names another folder, or, empty, none at all.  A cache only saves time: whatever is wrong
with it, nothing is read or written and nothing is said.  What is read may have been written by anybody; who
reads it checks it.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Optional

from prunec.support.diagnostics import PrunecError
from prunec.support.files import written

#: More files than this in one folder of the cache are not kept; the oldest go.
MAXIMUM_FILES = 2000


def read(kind: str, name: str, most: int) -> Optional[bytes]:
    """A file of a kind, ``None`` where there is none of at most ``most`` bytes."""
    folder = _folder(kind)
    if folder is None:
        return None
    path = folder / name
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except OSError:
        return None
    return data if len(data) <= most else None


def write(kind: str, name: str, data: bytes) -> None:
    """Writes a file of a kind as a whole, or not at all."""
    folder = _folder(kind)
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with written(folder / name) as file:
            file.write(data)
        # Looking through the folder each time would take longer than what is saved.
        if name.startswith("0"):
            _drop_oldest(folder)
    except (OSError, PrunecError):
        pass


def _drop_oldest(folder: Path) -> None:
    with os.scandir(folder) as entries:
        files = sorted((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in entries)
    for _, path in files[: max(len(files) - MAXIMUM_FILES, 0)]:
        os.unlink(path)


def _folder(kind: str) -> Optional[Path]:
    variables = ("PRUNEC_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE")
    base = _base(*(os.environ.get(variable) for variable in variables))
    return None if base is None else base / kind


@lru_cache(maxsize=4)
def _base(
    own: Optional[str], xdg: Optional[str], local: Optional[str], *home: Optional[str]
) -> Optional[Path]:
    """The cache folder for some values of the environment, ``None`` where it is not to be used."""
    if own is not None:
        base = Path(own) if own else None
    elif xdg or local:
        base = Path(xdg or local or "") / "prunec"
    else:
        base = Path.home() / ".cache" / "prunec" if any(home) else None
    return base if base is not None and _is_ours(base) else None


def _is_ours(folder: Path) -> bool:
    """Whether a folder is the user's own, or not there yet."""
    try:
        return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
    except FileNotFoundError:
        return True
    except OSError:
        return False
