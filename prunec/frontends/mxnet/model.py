"""An MXNet model as the core sees it: a graph, its parameters, and how to write both back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.frontends.mxnet.model_runtime import MXNetRuntime
from prunec.frontends.mxnet.params import ParameterFile, read_params
from prunec.frontends.mxnet.symbol import SymbolFile, read_symbol_file, to_graph
from prunec.frontends.mxnet.symbol_writing import rewrite
from prunec.graph import Graph, Shape, Tensor
from prunec.model import model_text
from prunec.rewriting.edits import Edits

_SHAPE_HINT = "__shape__"
_SUFFIXES = ("-symbol.json", ".json")


@dataclass(frozen=True)
class MXNetModel:
    """A symbol file with, where they are at hand, its parameters."""

    path: Path
    file: SymbolFile
    graph: Graph
    parameters: Optional[ParameterFile]
    input_shapes: Mapping[str, Shape]

    def __repr__(self) -> str:
        return model_text(self)

    @property
    def prefix(self) -> str:
        """The model's name: its file name without ``-symbol.json``."""
        name = self.path.name
        for suffix in _SUFFIXES:
            if name.endswith(suffix) and len(name) > len(suffix):
                return name[: -len(suffix)]
        return name

    @property
    def digest(self) -> str:
        """The SHA-256 of the symbol file, in hexadecimal."""
        return hashlib.sha256(self.file.data).hexdigest()

    @property
    def parameter_shapes(self) -> Optional[Mapping[str, tuple[int, ...]]]:
        """The shapes in the parameter file, by name; ``None`` without one."""
        return None if self.parameters is None else self.parameters.shapes

    @property
    def parameter_bytes(self) -> Optional[int]:
        """The size of the parameter file."""
        return None if self.parameters is None else self.parameters.byte_count

    @property
    def usual_parameter_file(self) -> str:
        """What the parameter file is called where nobody says otherwise."""
        return f"{self.prefix}-0000.params"

    def parameter(self, name: str) -> NDArray[Any]:
        """A parameter, read-only and not copied."""
        assert self.parameters is not None
        return np.asarray(self.parameters.array(name))

    def parameter_types(self) -> Optional[dict[str, np.dtype[Any]]]:
        """The element types in the parameter file, by name; ``None`` without one."""
        if self.parameters is None:
            return None
        return {record.name: record.dtype for record in self.parameters.records if not record.empty}

    def folded(self) -> None:
        """What follows from parameters alone stays as it is."""

    def implied_name(self, node: int, slot: str) -> str:
        """What a parameter that the graph does not mention is called in the parameter file."""
        return f"{self.graph.nodes[node].name}_{slot}"

    def rewrite(self, edits: Edits) -> bytes:
        """The symbol file with attributes changed, and the shape hints of variables with them."""
        attributes = dict(edits.attributes)
        # Variables of one name are one parameter; inputs are no parameters.
        sizes_of = {piece.name: dict(enumerate(piece.new_shape)) for piece in edits.slices}
        for node, variable in enumerate(self.graph.nodes):
            axes = sizes_of.get(variable.name, edits.shapes.get(Tensor(node, 0), {}))
            if variable.operator is not None or not axes:
                continue
            hint = self.file.attributes(node).get(_SHAPE_HINT)
            if isinstance(hint, tuple) and max(axes) < len(hint):
                sizes = [(old, axes.get(axis)) for axis, old in enumerate(hint)]
                new = tuple(old if size is None or old in (0, -1) else size for old, size in sizes)
                if new != hint:
                    attributes[node, _SHAPE_HINT] = new
        return rewrite(self.file, attributes)

    def runtime(self) -> MXNetRuntime:
        """What runs the model, with the parameters there are."""
        own = {name: self.parameter(name) for name in self.parameter_shapes or ()}
        return MXNetRuntime(self.file.data, self.graph, own)

    def missing(self, node: int, attribute: str) -> bool:
        """Whether a node lacks an attribute, so that it cannot be changed in place."""
        return attribute not in self.file.attributes(node)


def read_model(
    path: Path, parameters: Optional[Path] = None, input_shapes: Mapping[str, Shape] = {}
) -> MXNetModel:
    """Reads a symbol file, and the parameters given or ``<prefix>-0000.params`` beside it.

    Raises PrunecError for files that cannot be read and for inputs the model does not have.
    """
    file = read_symbol_file(path)
    model = MXNetModel(path, file, Graph((), (), frozenset(), {}), None, dict(input_shapes))
    if parameters is None:
        beside = path.with_name(model.usual_parameter_file)
        parameters = beside if beside.is_file() else None
    read = None if parameters is None else read_params(parameters)
    shapes = {} if read is None else read.shapes
    graph = to_graph(file, None if read is None else set(shapes), input_shapes, shapes)
    return replace(model, graph=graph, parameters=read)
