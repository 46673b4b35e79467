"""Archives for tests: those of the fixtures, and changed ones."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Callable, Optional


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.stem.rpartition("-")[2].split("."))


#: The oldest version of PyTorch whose programs are read, and a newer one.
FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.pt2"), key=_version)
NEWEST = FIXTURES[-1]


def members(path: Path = NEWEST) -> dict[str, bytes]:
    """The members of an archive, without the folder they are in."""
    with zipfile.ZipFile(path) as archive:
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def archive(parts: dict[str, bytes], root: str = "net", compression: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of some members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as written:
        for name, data in parts.items():
            written.writestr(f"{root}/{name}", data)
    return out.getvalue()


def changed(
    text: Optional[Callable[[Any], None]] = None, weights: Optional[Callable[[Any], None]] = None
) -> bytes:
    """The newest fixture, its program and the list of its weights changed by functions."""
    parts = members()
    for name, change in (("models/model.json", text), ("data/weights/model_weights_config.json", weights)):
        if change is not None:
            document = json.loads(parts[name])
            change(document)
            parts[name] = json.dumps(document).encode()
    return archive(parts)
