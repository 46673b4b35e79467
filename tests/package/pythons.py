"""The Pythons of this machine, and environments of theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

#: The versions that prunec is for, by their second number, and what may come.
OLDEST, NEWEST = 9, 14


def pythons() -> dict[int, str]:
    """A Python for each version that there is, by its second number."""
    found = {}
    for minor in range(OLDEST, NEWEST + 1):
        working = next((path for path in _candidates(minor) if _version(path) == (3, minor)), None)
        if working is not None:
            found[minor] = working
    return found


def _candidates(minor: int) -> Iterator[str]:
    if sys.version_info[:2] == (3, minor):
        yield sys.executable
    on_path = shutil.which(f"python3.{minor}")
    if on_path is not None:
        yield on_path
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(root.glob(f"versions/3.{minor}.*/bin/python")))


def _version(path: str) -> Optional[tuple[int, int]]:
    """The version of a Python that starts: one that only stands in for others does not."""
    command = [path, "-c", "import sys, venv; print(*sys.version_info[:2])"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    major, _, minor = done.stdout.partition(" ")
    return (int(major), int(minor)) if done.returncode == 0 else None


def environment(python: str, folder: Path) -> Path:
    """A fresh environment; the path of its Python."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True, timeout=120)
    return folder / "bin" / "python"


def run(*command: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command that sees no checkout, and writes what it writes into a folder."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    kept.update(NO_COLOR="1", XDG_CACHE_HOME=str(folder / "cache"))
    words = list(map(str, command))
    return subprocess.run(words, cwd=folder, env=kept, capture_output=True, text=True, timeout=600)
