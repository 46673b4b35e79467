"""An ONNX model as the core sees it: a graph, its parameters, and how to write the smaller one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.embedded.onnx_edits import MessageEdits
from prunec.frontends.onnx import tensors
from prunec.frontends.onnx.graph import GraphOfFile, to_graph
from prunec.frontends.onnx.model_runtime import OnnxRuntime
from prunec.frontends.onnx.preparing import folded, with_copies
from prunec.frontends.onnx.protobuf import OnnxFile, parse_file, read_file
from prunec.frontends.onnx.rewriting import message_edits
from prunec.frontends.onnx.writer import pruned_message, write_external
from prunec.graph import Graph, Shape
from prunec.model import model_text
from prunec.rewriting.edits import Edits
from prunec.support.late import Last

_SUFFIX = ".onnx"


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """An ONNX file and its graph."""

    path: Path
    file: OnnxFile
    content: GraphOfFile
    input_shapes: Mapping[str, Shape] = field(default_factory=dict)

    def __repr__(self) -> str:
        return model_text(self)

    @property
    def graph(self) -> Graph:
        """The graph that rules are bound to."""
        return self.content.graph

    @property
    def prefix(self) -> str:
        """The model's name: its file name without ``.onnx``."""
        name = self.path.name
        return name[: -len(_SUFFIX)] if name.endswith(_SUFFIX) and len(name) > len(_SUFFIX) else name

    @property
    def digest(self) -> str:
        """The SHA-256 of the file, in hexadecimal."""
        return self.file.digest

    @cached_property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of all constants by name."""
        return {
            name: tensors.dimensions(tensor, self.file.name)
            for name, tensor in self.content.constants.items()
        }

    @property
    def parameter_bytes(self) -> Optional[int]:
        """The file holds more than parameters."""
        return None

    def parameter(self, name: str) -> NDArray[Any]:
        """A constant, read-only; external data stay on disk until they are used."""
        return tensors.array(self.content.constants[name], self.file.folder, self.file.name)

    def parameter_types(self) -> dict[str, np.dtype[Any]]:
        """The element types of all constants by name."""
        return {name: self.parameter(name).dtype for name in self.content.constants}

    def implied_name(self, node: int, slot: str) -> str:
        """What a parameter that the graph does not mention would be called; ONNX models have none."""
        return f"{self.graph.nodes[node].name}_{slot}"

    def missing(self, node: int, attribute: str) -> bool:
        """Whether a node lacks an attribute that it cannot be given."""
        return False

    def folded(self) -> Optional[OnnxModel]:
        """See :class:`prunec.model.Model`."""
        file = folded(self.file)
        if file is None:
            return None
        return replace(self, file=file, content=to_graph(file, self.input_shapes, self.content.hints))

    @cached_property
    def message_edits(self) -> Last[Edits, MessageEdits]:
        """What the edits of a graph are in the message."""
        return Last(lambda edits: message_edits(self.content, self.file.proto, edits))

    def rewrite(self, edits: Edits) -> bytes:
        """The message of the smaller model, its parameters sliced; see :meth:`write_external`."""
        return pruned_message(self.file, self.message_edits(edits), edits.slices)

    def runtime(self) -> OnnxRuntime:
        """What runs the model."""
        return OnnxRuntime(self.file, self.content)

    def write_external(self, edits: Edits, folder: Path) -> tuple[str, ...]:
        """Writes the external data of the smaller model; gives the names of the files."""
        return write_external(self.file, self.message_edits(edits), edits.slices, folder)


def read_model(
    path: Path, parameters: Optional[Path] = None, input_shapes: Mapping[str, Shape] = {}
) -> OnnxModel:
    """Reads an ONNX file.  ``parameters`` is for models whose parameters are in another file; ONNX models
    name their external data themselves.

    Raises PrunecError for files that cannot be read and for inputs the model does not have.
    """
    return _model(read_file(path), input_shapes)


def model_of(data: bytes, path: Path, input_shapes: Mapping[str, Shape] = {}) -> OnnxModel:
    """The model of the bytes of an ONNX file, which would stand at ``path``."""
    return _model(parse_file(data, path), input_shapes)


def _model(raw: OnnxFile, input_shapes: Mapping[str, Shape]) -> OnnxModel:
    file = with_copies(raw)
    return OnnxModel(file.path, file, to_graph(file, input_shapes), dict(input_shapes))
