"""Writing the files of a compiled model: all of them or none, and never over an input."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Mapping, NoReturn, Optional, Sequence

from prunec.planning.groups_file import FORMAT
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import cannot_write, check_place, move

SCRIPT = "slice_params.py"
DIFF = "changes.diff"
GROUPS = "groups.json"
PLAN = "plan.json"
REPORT = "report.html"
#: What says how a plan was made up for, and what the parameters are called, without the ending, that the
#: smaller ones are then made of.
RESTORING_REPORT, RESTORED_COPY = "restoring.json", "restored"
COMPENSATION_REPORT, COMPENSATED_COPY = "compensation.json", "compensated"
#: What stands near the beginning of the file :data:`GROUPS`.
_WRITTEN_BY_PRUNEC = f'"format": "{FORMAT}"'.encode("ascii")


@dataclass(frozen=True)
class Artefacts:
    """The files to write, by name; the script among them slices ``parameters``, where there are any, into a
    file of the same name.  ``write_data`` writes the files ``data``, with parameters that the model names,
    into the folder it is given; ``check`` looks at all files in a folder before they get to their place."""

    files: Mapping[str, bytes]
    parameters: Optional[Path]
    data: tuple[str, ...] = ()
    write_data: Optional[Callable[[Path], None]] = None
    check: Optional[Callable[[Path], None]] = None

    def names(self) -> tuple[str, ...]:
        """The names of all files, the sliced parameters last."""
        return (*self.files, *self.data, *([] if self.parameters is None else [self.parameters.name]))


def check_folder(folder: Path, names: Sequence[str], inputs: Sequence[Path], force: bool) -> None:
    """Whether the files ``names`` may be written into ``folder``, before any work is done.

    Raises PrunecError: P510 for a folder that holds something (unless ``force``) or is none, P511 for a
    file that is one of ``inputs``, by whatever path, P512 for two files of one name, P515 for the name of
    something that is no file.
    """
    used: set[str] = set()
    for name in names:
        # The model may call a file with parameters ./name.
        plain = os.path.normpath(name).casefold()
        if plain in used:
            note = "the model and its parameters keep their file names, and prunec writes files of its own"
            _fail("P512", f"two files would be called {name!r}", folder, note, "rename the input")
        used.add(plain)
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        _fail("P510", "the output folder is a file", folder, "it is there already", "give another --out")
    try:
        present = sorted(os.listdir(folder))
    except OSError as error:
        cannot_write(folder, error)
    for name in names:
        for given in inputs:
            if _same(folder / name, given):
                note = f"{name} there is {given}, which was read"
                help_text = "give another --out; inputs are never written over"
                _fail("P511", "the output would replace an input", folder, note, help_text)
    if present and not force:
        shown = ", ".join(present[:5]) + (" …" if len(present) > 5 else "")
        help_text = "give another --out, or --force to replace prunec's own files there"
        _fail("P510", "the output folder is not empty", folder, f"it holds {shown}", help_text)
    for name in names:
        _check_file(folder, name)


def write(artefacts: Artefacts, folder: Path, stale: Sequence[str] = ()) -> None:
    """Writes all files: into a folder of their own, then in one move, or, where ``folder`` is there already,
    file by file.  Whatever ends the run before leaves no trace.

    ``stale`` names files there that go when the others are written (see :func:`stale_files`).
    Raises PrunecError P513 where the system cannot write, P514 where the script fails on the parameters, P515
    where a name is that of no file, and what the check raises.
    """
    with _staging(folder) as stage:
        if artefacts.parameters is not None:
            # Alone in the folder, so that no other file can stand in the way of what it imports.
            (stage / SCRIPT).write_bytes(artefacts.files[SCRIPT])
            _slice(stage, artefacts.parameters)
        if artefacts.write_data is not None:
            artefacts.write_data(stage)
        for name, data in artefacts.files.items():
            (stage / name).write_bytes(data)
        if artefacts.check is not None:
            artefacts.check(stage)
        _move(stage, folder)
        for name in stale:
            (folder / name).unlink(missing_ok=True)


def stale_files(folder: Path, own: Sequence[str], inputs: Sequence[Path]) -> tuple[str, ...]:
    """Those of the files ``own`` that an earlier run left in a folder and that would speak of another model
    than the one to come; never one that was read."""
    groups = folder / GROUPS
    try:
        if not groups.is_file():
            return ()
        with open(groups, "rb") as file:
            written = _WRITTEN_BY_PRUNEC in file.read(100)
    except OSError:
        return ()
    left = [name for name in own if (folder / name).is_file() or (folder / name).is_symlink()]
    return tuple(name for name in left if written and not any(_same(folder / name, own) for own in inputs))


def _check_file(folder: Path, name: str) -> None:
    """Whether a file may be written, or replaced, in a folder."""
    target = folder / name
    if target.is_dir() and not target.is_symlink():
        help_text = "move it away or give another --out"
        _fail("P510", f"{name} is a folder there", folder, "a file is to be written", help_text)
    inside = Path(os.path.realpath(folder))
    if inside not in (inside / os.path.realpath(target.parent) / "file").parents:
        note = f"{name} would stand in a folder that a link there leads to"
        _fail("P515", "the output would leave its folder", folder, note, "give another --out")
    check_place(target)


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A fresh folder on the file system of ``folder``, gone afterwards."""
    beside = Path(os.path.abspath(folder))
    while not beside.is_dir() and beside != beside.parent:
        beside = beside.parent
    stage = beside / f".prunec-{os.urandom(6).hex()}.part"
    try:
        stage.mkdir()
        yield stage
    except (OSError, ValueError) as error:
        cannot_write(folder, error)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _move(stage: Path, folder: Path) -> None:
    if not os.path.lexists(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        os.rename(stage, folder)
        return
    for path in sorted(path for path in stage.rglob("*") if not path.is_dir()):
        target = folder / path.relative_to(stage)
        target.parent.mkdir(parents=True, exist_ok=True)
        move(path, target)


def _slice(stage: Path, parameters: Path) -> None:
    command = [sys.executable, str(stage / SCRIPT), os.path.abspath(parameters), str(stage / parameters.name)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        # What the script itself says; of anything else, such as a numpy that does not load, the last line.
        said = [line for line in lines if line.startswith("error: ")][:5] or lines[-1:]
        notes = tuple(printable(line) for line in said) or (f"it ended with code {result.returncode}",)
        raise PrunecError(
            Diagnostic(
                "P514",
                f"{SCRIPT} cannot slice the parameters",
                where=printable(str(parameters)),
                notes=notes,
                help="check that the parameter file belongs to the model and did not change meanwhile",
            )
        )


def _same(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _fail(code: str, headline: str, folder: Path, note: str, help_text: str) -> NoReturn:
    raise PrunecError(
        Diagnostic(code, printable(headline), printable(str(folder)), notes=(note,), help=help_text)
    ) from None
