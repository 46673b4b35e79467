"""The interface of a front end: all that prunec asks about one kind of model file.

A front end is one object.  Reading, what runs a model, the operators of its framework and the files of the
smaller model are here and nowhere else; nothing outside of a front end's folder knows its framework.  Methods
import what they need when they are called, so that a front end costs nothing until a file is its own.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Generic, Mapping, Optional, Sequence, TypeVar

from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import file_digest

if TYPE_CHECKING:
    from prunec.frontends.operators import Registered
    from prunec.frontends.runtime import Array, Runtime
    from prunec.frontends.trials import Trials
    from prunec.graph import Shape
    from prunec.model import FileModel
    from prunec.rewriting.emit import Pruned

M = TypeVar("M", bound="FileModel")


@dataclass(frozen=True, eq=False)
class PrunedFiles:
    """A smaller model in files: what runs it, by the values of the original, and its parameters by name,
    ``None`` where it has none of a name."""

    runtime: Runtime
    parameter: Callable[[str], Optional[Array]]


@dataclass(frozen=True)
class FurtherFile:
    """A file with the smaller model, or a part of it, in another form.

    ``purpose`` is what the summary says of it, a sentence without its subject; "" where the name says enough.
    ``made`` says that this model has it: what it has not may be there from an earlier run.
    """

    name: str
    purpose: str = ""
    made: bool = True


class ModelFolder(ABC, Generic[M]):
    """A folder in which another library has the same model, and that a smaller one can be written of.

    ``names`` are the files written, and ``files`` those read.
    """

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the files that :meth:`write` writes."""

    @property
    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The files of the folder that are read."""

    @abstractmethod
    def write(self, model: M, pruned: Pruned, target: Path) -> None:
        """Makes the folder ``target`` of the smaller model; ``model`` is that of the folder, or the same with
        other parameters.  Raises PrunecError where such a folder cannot hold it, and OSError."""


class FrontEnd(ABC, Generic[M]):
    """One kind of model file.  Objects hold no state: they are handed to other processes as they are."""

    #: Whose operators such models are made of.
    name: str
    #: What runs such models, as messages call it.
    framework: str
    #: What one such file is, as messages call it: a noun with its article.
    file_kind: str
    #: How names of such files end, in small letters.
    endings: tuple[str, ...]
    #: The rules for its operators: a built-in rule file, or the path of another.
    rules: str
    #: The packages that reading such a file takes, and those that running the model takes besides, as pip and
    #: as ``import`` call them; what to give pip for them.
    reading_packages: tuple[str, ...] = ()
    running_packages: tuple[str, ...] = ()
    install: str = ""
    #: Whether parameters are in a file of their own, which an option names.
    separate_parameters: bool = False
    #: Whether operators can be registered from Python.
    registers_operators: bool = False
    #: The batch size to run a model with that leaves it open; ``None`` where users have to say it.
    open_batch: Optional[int] = None

    @property
    def library(self) -> str:
        """The rules as ``--against`` and rule files name them: a built-in file without its ending."""
        bare = Path(self.rules).name == self.rules and self.rules.endswith(".prune")
        return self.rules[: -len(".prune")] if bare else self.rules

    # --- reading ---

    def recognises(self, start: bytes) -> bool:
        """Whether a file that begins with these bytes, and whose name says nothing, is such a model."""
        return False

    @abstractmethod
    def read(self, path: Path, parameters: Optional[Path], input_shapes: Mapping[str, Shape]) -> M:
        """A model.  Raises PrunecError for files that cannot be read and inputs the model does not have."""

    @abstractmethod
    def read_pruned(self, model: M, path: Path, parameters: Optional[Path]) -> PrunedFiles:
        """What was made of ``model``.  Raises PrunecError for files that cannot be read."""

    @abstractmethod
    def input_names(self, path: Path) -> set[str]:
        """What a shape can be given for.  Raises PrunecError for a file that cannot be read."""

    @abstractmethod
    def feed_nodes(self, model: M, needed: set[int]) -> list[int]:
        """The nodes that need a value to run a model; its outputs depend on the nodes ``needed``."""

    # --- parameters ---

    def parameter_file(self, model: M) -> Optional[Path]:
        """The file that the slicing script turns into one of the same name beside the smaller model."""
        return None

    def usual_parameter_file(self, model: M) -> Optional[str]:
        """What that file is called where the user names none; ``None`` where there is no such file."""
        return None

    def data_files(self, model: M) -> tuple[str, ...]:
        """Files with parameters that the model names, by their paths from its folder; the smaller model has
        files of the same names."""
        return ()

    def files_with_parameters(self, model: M) -> tuple[str, ...]:
        """The names of all files that hold parameters, the one that names others first; none where there are
        none."""
        return (model.path.name, *self.data_files(model))

    def parameters_digest(self, model: M) -> Optional[str]:
        """The SHA-256 of the parameters, in hexadecimal; ``None`` where there are none."""
        files = self.data_files(model)
        if not files:
            return model.digest
        digests = [file_digest(model.path.parent / name) for name in files]
        return hashlib.sha256(":".join((model.digest, *digests)).encode("ascii")).hexdigest()

    @abstractmethod
    def with_parameters(self, model: M, changed: Mapping[str, Array], folder: Path) -> M:
        """The model with other elements in some parameters, in a folder that is there: what holds parameters
        is written into it, in files of the names that :meth:`files_with_parameters` gives.

        Raises PrunecError P513 and what reading raises.
        """

    # --- the smaller model ---

    @abstractmethod
    def script(self, model: M, pruned: Pruned) -> str:
        """The text of the slicing script, in ASCII."""

    @abstractmethod
    def diff(self, model: M, pruned: Pruned) -> bytes:
        """A unified diff from the original to the smaller model."""

    def model_bytes(self, model: M, pruned: Pruned) -> Optional[bytes]:
        """The file of the smaller model; ``None`` where :meth:`write_data` writes it, which may not fit into
        memory."""
        return pruned.model

    def write_data(self, model: M, pruned: Pruned, folder: Path) -> None:
        """Writes what else holds the smaller model: its :meth:`data_files`, the :meth:`further_files` that it
        has, and the model itself where :meth:`model_bytes` does not have it.  Raises PrunecError and OSError.
        """
        return None

    def further_files(self, model: M) -> tuple[FurtherFile, ...]:
        """Files beside the smaller model that hold it, or a part of it, in another form."""
        return ()

    def model_folder(self, model: M, folder: Path) -> Optional[ModelFolder[M]]:
        """The folder in which another library has a model; ``None`` where no library has such folders.

        Raises PrunecError where it cannot be read, or does not hold the model."""
        return None

    def check_written(self, model: M, folder: Path) -> None:
        """Whether the smaller model in a folder is as sound as the original.  Raises PrunecError P516."""
        return None

    # --- operators ---

    def installed_files(self) -> Optional[Sequence[Path]]:
        """The files by which versions of what :meth:`operators` asks are told apart, found without importing
        it; ``None`` where it is not installed, or there is nothing to ask."""
        return None

    def operators(self) -> Mapping[str, Registered]:
        """All operators by name, as what is installed lists them.  Raises whatever importing it raises."""
        return {}

    def unlisted_attributes(self) -> Mapping[str, Sequence[str]]:
        """Attributes by operator that model files hold and that :meth:`operators` does not list."""
        return {}

    def trials(self) -> Optional[Trials]:
        """What runs single operators for the proof of rules; ``None`` where nothing does."""
        return None

    def register(self, path: Path) -> None:
        """Runs a Python file that registers operators.  Raises PrunecError P713 where that fails."""
        note = f"{self.framework} has no operators written in Python"
        headline = f"cannot run {printable(str(path))}"
        raise PrunecError(Diagnostic("P713", headline, notes=(note,), help="leave out --register"))
