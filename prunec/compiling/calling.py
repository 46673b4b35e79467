"""A command called from Python: its options as arguments, its messages as exceptions."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence, Union

import numpy as np

from prunec.cli.main import command_parser
from prunec.cli.terminal import Terminal
from prunec.support.diagnostics import Diagnostic, PrunecError

#: The name of a file.
FileName = Union[str, "os.PathLike[str]"]
Array = Any  # an array of numpy, or a tensor of PyTorch
#: The path of an ``.npz``; arrays by the names of inputs, and "labels"; the array of the only input;
#: or that and the labels.
Examples = Union[FileName, Mapping[str, Array], Array, tuple[Array, Array]]


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options of a command line.  Raises UsageError where the command would; what
    it prints as its last words is raised as PrunecError when it runs."""
    options = command_parser(words).parse_args(words)
    options.command_line = ("prunec", *words)
    options.terminal = _Raising(json=True)
    return options


def valued(flag: str, value: object) -> list[str]:
    """An option and its value, neither where it is ``None``."""
    return [] if value is None else [f"{flag}={value}"]


def repeated(flag: str, values: Union[FileName, Iterable[FileName], None]) -> list[str]:
    """An option as often as there are values; one text is one value."""
    if values is None or isinstance(values, (str, os.PathLike)):
        return valued(flag, values)
    return [word for value in values for word in valued(flag, value)]


def example_file(data: Examples, folder: Path) -> str:
    """The file of the examples, written into a folder where they are none."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    if isinstance(data, tuple):
        arrays = dict(zip(("inputs", "labels"), data))
    else:
        arrays = dict(data) if isinstance(data, Mapping) else {"inputs": data}
    path = folder / "examples.npz"
    np.savez(path, **{name: _array(array) for name, array in arrays.items()})
    return str(path)


def _array(array: Array) -> Any:
    """An array of numpy, of a tensor wherever it is."""
    return np.asarray(array.detach().cpu().numpy() if hasattr(array, "detach") else array)


class _Raising(Terminal):
    """Raises what the command prints as its last words."""

    def close(self, errors: Iterable[Diagnostic] = ()) -> None:
        found = tuple(errors)
        if found:
            raise PrunecError(*found) from None
