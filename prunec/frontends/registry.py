"""Which front end reads a model file, and what commands ask of a front end besides the model itself.

Everything that tells one kind of file from another is here: where parameters are, how the smaller model
gets its own, how a change is shown, and what runs a model.  Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Generic, Mapping, Optional, Protocol, TypeVar

from prunec.compiler import Model, Pruned
from prunec.graph import Shape
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

if TYPE_CHECKING:
    from prunec.frontends.mxnet.model import MXNetModel
    from prunec.frontends.onnx.model import OnnxModel
    from prunec.frontends.runtime import Array, Runtime

_BLOCK = 1 << 20
#: Control characters but white space: no text starts with one.
_BINARY = frozenset(range(0x20)) - frozenset(b"\t\n\v\f\r")
_MXNET_ENDINGS = (".json", ".params")
_ONNX_ENDING = ".onnx"


class FileModel(Model, Protocol):
    """A model that was read from a file."""

    @property
    def path(self) -> Path: ...
    def runtime(self) -> Runtime: ...


M = TypeVar("M", bound=FileModel)


@dataclass(frozen=True, eq=False)
class Smaller:
    """A smaller model in files: what runs it, by the values of the original, and its parameters by name,
    ``None`` where it has none of a name."""

    runtime: Runtime
    parameter: Callable[[str], Optional[Array]]


class FrontEnd(ABC, Generic[M]):
    """What commands ask of the front end for one kind of model file."""

    #: What runs such models, and what they are called.
    runtime: str
    kind: str
    #: The built-in rules for such models.
    rules: str
    #: Whether parameters are in a file of their own, which an option names.
    separate_parameters: bool
    #: The batch size to run a model with that leaves it open; ``None`` where users have to say it.
    open_batch: Optional[int]

    @abstractmethod
    def read(self, path: Path, parameters: Optional[Path], input_shapes: Mapping[str, Shape]) -> M:
        """A model.  Raises PrunecError for files that cannot be read and inputs the model does not have."""

    @abstractmethod
    def read_smaller(self, model: M, path: Path, parameters: Optional[Path]) -> Smaller:
        """What was made of ``model``.  Raises PrunecError for files that cannot be read."""

    @abstractmethod
    def input_names(self, path: Path) -> set[str]:
        """What a shape can be given for.  Raises PrunecError for a file that cannot be read."""

    @abstractmethod
    def parameter_file(self, model: M) -> Optional[Path]:
        """The file that the slicing script turns into one of the same name beside the smaller model."""

    @abstractmethod
    def data_files(self, model: M) -> tuple[str, ...]:
        """Files with parameters that the model names, by their paths from its folder; the smaller model has
        files of the same names."""

    @abstractmethod
    def write_data(self, model: M, pruned: Pruned, folder: Path) -> None:
        """Writes the :meth:`data_files` of the smaller model.  Raises PrunecError and OSError."""

    @abstractmethod
    def check_written(self, model: M, folder: Path) -> None:
        """Whether the smaller model in a folder is as sound as the original.  Raises PrunecError P516."""

    @abstractmethod
    def parameters_digest(self, model: M) -> Optional[str]:
        """The SHA-256 of the parameters, in hexadecimal; ``None`` where there are none."""

    @abstractmethod
    def register(self, path: Path) -> None:
        """Runs a Python file that registers operators.  Raises PrunecError P713 where that fails."""

    @abstractmethod
    def with_parameters(self, model: M, changed: Mapping[str, Array], folder: Path) -> M:
        """The model with other elements in some parameters, in a folder that is there: what holds parameters
        is written into it, in files of the names that :meth:`parameter_names` gives.

        Raises PrunecError P513 and what reading raises.
        """

    @abstractmethod
    def parameter_names(self, model: M) -> tuple[str, ...]:
        """The files that hold parameters, the one that names others first; none where there are none."""

    @abstractmethod
    def script(self, model: M, pruned: Pruned) -> str:
        """The text of the slicing script, in ASCII."""

    @abstractmethod
    def diff(self, model: M, pruned: Pruned) -> bytes:
        """A unified diff from the original to the smaller model."""

    @abstractmethod
    def drawn(self, model: M, needed: set[int]) -> list[int]:
        """The nodes that need a value to run a model; its outputs depend on the nodes ``needed``."""


class _MXNet(FrontEnd["MXNetModel"]):
    runtime = "MXNet"
    kind = "an MXNet symbol file"
    rules = "default.prune"
    separate_parameters = True
    open_batch = None

    def read(self, path: Path, parameters: Optional[Path], input_shapes: Mapping[str, Shape]) -> MXNetModel:
        from prunec.frontends.mxnet.model import read_model

        return read_model(path, parameters, input_shapes)

    def read_smaller(self, model: MXNetModel, path: Path, parameters: Optional[Path]) -> Smaller:
        from prunec.frontends.mxnet.params import read_params
        from prunec.frontends.mxnet.running import MXNetRuntime
        from prunec.frontends.mxnet.symbol import read_symbol_file

        data = read_symbol_file(path).data
        file = None if parameters is None else read_params(parameters)
        own = {} if file is None else {name: file.array(name) for name in file.shapes}
        return Smaller(MXNetRuntime(data, model.graph, own), own.get)

    def input_names(self, path: Path) -> set[str]:
        from prunec.frontends.mxnet.symbol import read_symbol_file

        return {node["name"] for node in read_symbol_file(path).nodes if not node["inputs"]}

    def parameter_file(self, model: MXNetModel) -> Optional[Path]:
        return None if model.parameters is None else Path(model.parameters.path)

    def data_files(self, model: MXNetModel) -> tuple[str, ...]:
        return ()

    def write_data(self, model: MXNetModel, pruned: Pruned, folder: Path) -> None:
        pass  # the slicing script does it

    def check_written(self, model: MXNetModel, folder: Path) -> None:
        pass  # a symbol file states no shapes

    def parameters_digest(self, model: MXNetModel) -> Optional[str]:
        path = self.parameter_file(model)
        return None if path is None else file_digest(path)

    def register(self, path: Path) -> None:
        from prunec.frontends.mxnet.registering import register_operators

        register_operators(path)

    def with_parameters(self, model: MXNetModel, changed: Mapping[str, Array], folder: Path) -> MXNetModel:
        from dataclasses import replace

        from prunec.frontends.mxnet.params import read_params, write_params

        file = model.parameters
        assert file is not None
        target = folder / Path(file.path).name
        write_params(
            target,
            file.records,
            lambda record: changed[record.name] if record.name in changed else file.array(record.name),
            file.reserved,
        )
        return replace(model, parameters=read_params(target))

    def parameter_names(self, model: MXNetModel) -> tuple[str, ...]:
        return () if model.parameters is None else (Path(model.parameters.path).name,)

    def script(self, model: MXNetModel, pruned: Pruned) -> str:
        from prunec.rewriting.script import render_script

        return render_script(pruned.slices, model.path.name, model.digest, model.parameter_types())

    def diff(self, model: MXNetModel, pruned: Pruned) -> bytes:
        from prunec.frontends.mxnet.headings import headings
        from prunec.rewriting.diff import unified_diff

        return unified_diff(model.path.name, model.file.data, pruned.model, headings(model.file))

    def drawn(self, model: MXNetModel, needed: set[int]) -> list[int]:
        from prunec.frontends.mxnet.runtime import PARAMETER_ENDINGS

        # A label is no input of an inference, and a parameter that its file lacks is none at all; the
        # comparison says that it is missing.
        others = ("label", *PARAMETER_ENDINGS)
        graph = model.graph
        return [
            index
            for index, node in enumerate(graph.nodes)
            if node.operator is None
            and index not in graph.parameters
            and index in needed
            and (node.name in model.input_shapes or not node.name.endswith(others))
        ]


class _Onnx(FrontEnd["OnnxModel"]):
    runtime = "ONNX Runtime"
    kind = "an ONNX file"
    rules = "onnx.prune"
    separate_parameters = False
    open_batch = 1

    def read(self, path: Path, parameters: Optional[Path], input_shapes: Mapping[str, Shape]) -> OnnxModel:
        from prunec.frontends.onnx.model import read_model

        return read_model(path, parameters, input_shapes)

    def read_smaller(self, model: OnnxModel, path: Path, parameters: Optional[Path]) -> Smaller:
        from prunec.frontends.onnx.protobuf import read_file
        from prunec.frontends.onnx.running import OnnxRuntime
        from prunec.frontends.onnx.writer import Constants

        file = read_file(path)
        return Smaller(OnnxRuntime(file, model.content), Constants(file).get)

    def input_names(self, path: Path) -> set[str]:
        from prunec.frontends.onnx.protobuf import read_file

        return {value.name for value in read_file(path).proto.graph.input}

    def parameter_file(self, model: OnnxModel) -> Optional[Path]:
        return None

    def data_files(self, model: OnnxModel) -> tuple[str, ...]:
        from prunec.frontends.onnx.writer import layout

        return tuple(dict.fromkeys(placed.old.location for placed in layout(model.file, {})))

    def write_data(self, model: OnnxModel, pruned: Pruned, folder: Path) -> None:
        model.write_external(pruned.slices, folder)

    def check_written(self, model: OnnxModel, folder: Path) -> None:
        from prunec.frontends.onnx.checking import check_written

        check_written(folder / model.path.name, model.path)

    def parameters_digest(self, model: OnnxModel) -> Optional[str]:
        files = self.data_files(model)
        if not files:
            return model.digest
        digests = [file_digest(model.path.parent / name) for name in files]
        return hashlib.sha256(":".join((model.digest, *digests)).encode("ascii")).hexdigest()

    def register(self, path: Path) -> None:
        note = "ONNX Runtime has no operators written in Python"
        headline = f"cannot run {printable(str(path))}"
        raise PrunecError(Diagnostic("P713", headline, notes=(note,), help="leave out --register"))

    def with_parameters(self, model: OnnxModel, changed: Mapping[str, Array], folder: Path) -> OnnxModel:
        from prunec.frontends.onnx.writer import write_changed

        return self.read(write_changed(model.file, changed, folder), None, model.input_shapes)

    def parameter_names(self, model: OnnxModel) -> tuple[str, ...]:
        return (model.path.name, *self.data_files(model))

    def script(self, model: OnnxModel, pruned: Pruned) -> str:
        from prunec.frontends.onnx.script import render_script

        return render_script(model, pruned)

    def diff(self, model: OnnxModel, pruned: Pruned) -> bytes:
        from prunec.frontends.onnx.text import graph_lines, graph_text
        from prunec.rewriting.diff import unified_diff

        original = model.file.proto.SerializeToString()
        old, new = (graph_text(data).encode("utf-8", "backslashreplace") for data in (original, pruned.model))
        headings = [(number, name) for number, (name, _) in enumerate(graph_lines(original))]
        # Of the text that stands for the file: nobody should try to apply it to the file itself.
        return unified_diff(f"{model.path.name}.txt", old, new, headings)

    def drawn(self, model: OnnxModel, needed: set[int]) -> list[int]:
        # Also those that no output depends on: ONNX Runtime wants them all.
        return [index for index, source in enumerate(model.content.sources) if source.kind == "input"]


def front_end(path: Path) -> FrontEnd[Any]:
    """The front end for a model file, by its name and, where that says nothing, by its first byte."""
    name = path.name.lower()
    if name.endswith(_ONNX_ENDING):
        return _Onnx()
    return _MXNet() if name.endswith(_MXNET_ENDINGS) or not _starts_binary(path) else _Onnx()


def read_model(
    path: Path, parameters: Optional[Path] = None, input_shapes: Mapping[str, Shape] = {}
) -> FileModel:
    """Reads a model of any kind: an MXNet symbol file, with the parameters given or those that stand beside
    it under the usual name, or an ONNX file, which says itself where its parameters are.

    Raises PrunecError for files that cannot be read, for inputs the model does not have, and P338 for a
    parameter file beside a model that has its own.
    """
    front = front_end(path)
    if parameters is not None and not front.separate_parameters:
        raise PrunecError(
            Diagnostic(
                "P338",
                f"{front.kind} holds its parameters itself",
                printable(str(parameters)),
                notes=("it was given as the parameter file of the model",),
                help="leave out the parameters",
            )
        )
    model: FileModel = front.read(path, parameters, input_shapes)
    return model


def _starts_binary(path: Path) -> bool:
    try:
        if not path.is_file():  # reading from a pipe would take away its first byte
            return False
        with open(path, "rb") as file:
            start = file.read(1)
    except (OSError, ValueError):
        return False  # the front end says what is wrong
    return bool(start) and start[0] in _BINARY


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.  Raises PrunecError P601 where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while True:
                block = file.read(_BLOCK)
                if not block:
                    return digest.hexdigest()
                digest.update(block)
    except OSError as error:
        note = f"the system says: {error.strerror or error}"
        where = printable(str(path))
        raise PrunecError(
            Diagnostic("P601", "cannot read the parameters", where, notes=(note,), help="check the path")
        ) from None
