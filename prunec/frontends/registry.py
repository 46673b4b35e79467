"""Which front end reads a model file, and which one rules are for.

prunec's own are listed here, since a checkout that is not installed has no entry points; others come with
packages, under the entry point group ``prunec.frontends``.  These are looked for only where prunec's own do
not know a file or rules: what is installed takes longer to go through than most models to read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Union

from prunec.frontends.base import FrontEnd
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

if TYPE_CHECKING:
    from prunec.graph import Shape
    from prunec.model import FileModel

ENTRY_POINTS = "prunec.frontends"
#: By the names of their entry points.  The first one has the say where nothing else decides.
_BUILT_IN = {
    "mxnet": "prunec.frontends.mxnet.front_end",
    "onnx": "prunec.frontends.onnx.front_end",
    "pytorch": "prunec.frontends.pytorch.front_end",
}
#: So much of a file is looked at where its name says nothing, in bytes.
_START_BYTES = 4096


@lru_cache(maxsize=1)
def built_in() -> tuple[FrontEnd[Any], ...]:
    """The front ends that come with prunec."""
    return tuple(import_module(module).FRONT_END for module in _BUILT_IN.values())


@dataclass(frozen=True)
class Installed:
    """The front ends that other packages bring, and what is wrong with those that cannot be loaded."""

    front_ends: tuple[FrontEnd[Any], ...]
    problems: tuple[Diagnostic, ...]


@lru_cache(maxsize=1)
def installed() -> Installed:
    """What other packages bring, by the names of the entry points."""
    from importlib import metadata

    found: Any = metadata.entry_points()
    # Python 3.9 gives a dictionary of groups.
    points = found.select(group=ENTRY_POINTS) if hasattr(found, "select") else found.get(ENTRY_POINTS, ())
    others = {point.name: point for point in points if point.name not in _BUILT_IN}
    loaded: list[FrontEnd[Any]] = []
    problems: list[Diagnostic] = []
    for name in sorted(others):
        try:
            front = others[name].load()
            if not isinstance(front, FrontEnd):
                raise TypeError("it is no object of prunec.frontends.base.FrontEnd")
            loaded.append(front)
        except Exception as error:  # whatever the package raises
            problems.append(_cannot_load(name, others[name], error))
    return Installed(tuple(loaded), tuple(problems))


def _cannot_load(name: str, point: Any, error: Exception) -> Diagnostic:
    return Diagnostic(
        "P339",
        f"the front end {printable(name, 60)} cannot be loaded",
        where=printable(f"entry point {point.value}"),
        notes=(printable(f"{type(error).__name__}: {error}", 300),),
        help="repair or remove the package that brings it",
    )


def front_end(path: Path) -> FrontEnd[Any]:
    """The front end for a model file: by its name and, where that says nothing, by how it begins; prunec's
    own come first.

    Raises PrunecError P339 for a file that none knows while one cannot be loaded.
    """
    name = path.name.lower()
    for front in built_in():
        if name.endswith(front.endings):
            return front
    start = _start_of(path)
    for front in built_in():
        if front.recognises(start):
            return front
    others = installed()
    for front in others.front_ends:
        if name.endswith(front.endings) or front.recognises(start):
            return front
    if start and others.problems:
        raise PrunecError(*others.problems)
    return built_in()[0]  # which says what is wrong with the file


def front_end_for_rules(library: str) -> Optional[FrontEnd[Any]]:
    """The front end for whose operators rules are, by the name of a built-in file or the path of another;
    ``None`` where there is none."""
    for front in built_in():
        if front.library == library:
            return front
    return next((front for front in installed().front_ends if front.library == library), None)


def libraries() -> tuple[str, ...]:
    """The rules of all front ends, those first that are meant where nothing else decides."""
    return tuple(front.library for front in (*built_in(), *installed().front_ends))


def read_model(
    path: Union[str, os.PathLike[str]],
    parameters: Union[str, os.PathLike[str], None] = None,
    input_shapes: Mapping[str, Shape] = {},
) -> FileModel:
    """Reads a model of any kind, with the parameters given or those that its front end finds beside it or in
    it.  ``input_shapes`` are by the names of inputs, for those whose shapes the file does not say.

    Raises PrunecError for files that cannot be read, for inputs the model does not have, and P338 for a
    parameter file beside a model that has its own.
    """
    front = front_end(Path(path))
    if parameters is not None and not front.separate_parameters:
        raise PrunecError(
            Diagnostic(
                "P338",
                f"{front.file_kind} holds its parameters itself",
                printable(str(parameters)),
                notes=("it was given as the parameter file of the model",),
                help="leave out the parameters",
            )
        )
    model: FileModel = front.read(Path(path), None if parameters is None else Path(parameters), input_shapes)
    return model


def _start_of(path: Path) -> bytes:
    """How a file begins; nothing for one that cannot be read, of which its front end says what is wrong."""
    try:
        if not path.is_file():  # reading from a pipe would take away what it holds
            return b""
        with open(path, "rb") as file:
            return file.read(_START_BYTES)
    except (OSError, ValueError):
        return b""
