"""`prunec doctor`: what is installed, and what is missing for more."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from typing import Any, Optional, Sequence

DESCRIPTION = """Says which models can be read and run with what is installed here, and what to install
for the others.  Packages that models take are imported, each in a process of its own: what is installed may
not fit what is beside it.  Exit code 1: no kind of model can be run."""

#: Packages that prunec cannot do without.
_NEEDED = ("numpy", "lark", "jinja2", "rich")
#: What other packages are for.
_FURTHER = {"pygls": "the language server", "matplotlib": "pictures as PNG"}
#: Seconds that a package has to be imported.
_SECONDS = 120


@dataclass(frozen=True)
class Package:
    """An installed package, or one that is missing (without a ``version``); ``problem`` says why it cannot be
    imported."""

    name: str
    version: Optional[str]
    problem: Optional[str] = None

    @property
    def works(self) -> bool:
        """Whether it can be used."""
        return self.version is not None and self.problem is None

    def __str__(self) -> str:
        if self.version is None:
            return f"{self.name} is missing"
        fails = "" if self.problem is None else f" cannot be imported: {self.problem}"
        return f"{self.name} {self.version}{fails}"


@dataclass(frozen=True)
class Kind:
    """A kind of model, and the packages that reading and running it take."""

    name: str
    reading: tuple[Package, ...]
    running: tuple[Package, ...]
    install: str

    @property
    def read(self) -> bool:
        """Whether such models can be read, compiled and sliced."""
        return all(own.works for own in self.reading)

    @property
    def run(self) -> bool:
        """Whether they can be run as well: for proofs, criteria from data and restoring."""
        return self.read and all(own.works for own in self.running)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--json", action="store_true", help="print it for programs")


def run(options: argparse.Namespace) -> int:
    """Prints what is there; 1 where no kind of model can be run."""
    needed = [_package(name) for name in _NEEDED]
    kinds, further = _kinds(), [_package(name) for name in _FURTHER]
    if options.json:
        _print_json(needed, kinds, further)
    else:
        _print(needed, kinds, further)
    return 0 if any(kind.run for kind in kinds) else 1


def _kinds() -> list[Kind]:
    from prunec.frontends.registry import built_in, installed

    return [
        Kind(
            front.name,
            tuple(map(_imported, front.reading_packages)),
            tuple(map(_imported, front.running_packages)),
            front.install,
        )
        for front in (*built_in(), *installed().front_ends)
    ]


def _package(name: str) -> Package:
    from importlib import metadata

    try:
        return Package(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Package(name, None)


def _imported(name: str) -> Package:
    """A package that is imported, in a process of its own."""
    import subprocess
    import sys

    found = _package(name)
    if found.version is None:
        return found
    command = [sys.executable, "-c", f"import {name}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return Package(name, found.version, f"not done after {_SECONDS} s")
    if done.returncode == 0:
        return found
    said = done.stderr.strip().splitlines()
    return Package(name, found.version, said[-1] if said else f"exit code {done.returncode}")


def _print(needed: Sequence[Package], kinds: Sequence[Kind], further: Sequence[Package]) -> None:
    import platform

    from prunec import __version__
    from prunec.cli.table import print_table

    print(f"prunec {__version__}, Python {platform.python_version()}, {', '.join(map(str, needed))}\n")
    rows = [(own.name, *map(_yes, (own.read, own.run)), _told(own)) for own in kinds]
    print_table(("models", "read", "run", ""), rows, frozenset())
    print()
    rows_of_others = [
        (_FURTHER[own.name], _yes(own.works), str(own) if own.works else f"pip install {own.name}")
        for own in further
    ]
    print_table(("further", "", ""), rows_of_others, frozenset())


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _told(kind: Kind) -> str:
    packages = "; ".join(map(str, (*kind.reading, *kind.running)))
    return packages if kind.run else f"{packages}: {kind.install}"


def _print_json(needed: Sequence[Package], kinds: Sequence[Kind], further: Sequence[Package]) -> None:
    import json
    import platform

    from prunec import __version__

    document: dict[str, Any] = {
        "prunec": __version__,
        "python": platform.python_version(),
        "packages": [asdict(own) for own in (*needed, *further)],
        "models": [{**asdict(own), "read": own.read, "run": own.run} for own in kinds],
    }
    print(json.dumps(document, indent=1))
