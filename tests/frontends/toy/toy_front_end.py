"""A front end of one's own, whole: networks in JSON, with their weights, run by numpy.

::

    {"inputs": {"x": [1, 4]}, "weights": {"w": [[…], …]},
     "nodes": [{"name": "a", "operator": "mix", "attributes": {"channels": 6}, "inputs": ["x", "w"]}, …],
     "outputs": ["a"]}
"""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.examples import Data
from prunec.frontends.base import FrontEnd, PrunedFiles
from prunec.frontends.operators import Registered
from prunec.frontends.runtime import Array, Feeds, Gradient
from prunec.graph import Graph, Node, Shape, Tensor
from prunec.rewriting.edits import Edits
from prunec.rewriting.slicing import slice_array
from prunec.rewriting.unified_diff import unified_diff
from prunec.support.comparison import draw
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

HERE = Path(__file__).parent
COMPUTED = {"mix": np.matmul, "rectify": lambda data: np.maximum(data, 0)}


def read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(document["nodes"], list)
        return document
    except (OSError, ValueError, KeyError, AssertionError, TypeError) as error:
        problem = Diagnostic(
            "TOY1", "this is no toy network", printable(str(path)), notes=(str(error),), help="write it anew"
        )
        raise PrunecError(problem) from None


def text_of(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode("ascii")


def weight(document: Mapping[str, Any], name: str) -> Array:
    return np.asarray(document["weights"][name], np.float32)


def graph_of(document: Mapping[str, Any]) -> Graph:
    variables = [*document["inputs"], *document["weights"]]
    nodes = [Node(name, None, {}, ()) for name in variables]
    tensors = {name: Tensor(index, 0) for index, name in enumerate(variables)}
    for entry in document["nodes"]:
        tensors[entry["name"]] = Tensor(len(nodes), 0)
        inputs = tuple(tensors[name] for name in entry["inputs"])
        nodes.append(Node(entry["name"], entry["operator"], entry.get("attributes", {}), inputs))
    shapes: dict[int, Shape] = {tensors[n].node: tuple(shape) for n, shape in document["inputs"].items()}
    shapes.update((tensors[name].node, weight(document, name).shape) for name in document["weights"])
    parameters = frozenset(tensors[name].node for name in document["weights"])
    return Graph(tuple(nodes), tuple(tensors[n] for n in document["outputs"]), parameters, shapes)


@dataclass(frozen=True, eq=False)
class ToyModel:
    path: Path
    document: dict[str, Any]
    graph: Graph
    input_shapes: Mapping[str, Shape]
    parameter_bytes: Optional[int] = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(text_of(self.document)).hexdigest()

    @property
    def prefix(self) -> str:
        return self.path.stem

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {name: weight(self.document, name).shape for name in self.document["weights"]}

    def parameter(self, name: str) -> Array:
        return weight(self.document, name)

    def folded(self) -> None:
        return None

    def implied_name(self, node: int, slot: str) -> str:
        return f"{self.graph.nodes[node].name}_{slot}"

    def missing(self, node: int, attribute: str) -> bool:
        return attribute not in self.graph.nodes[node].attributes

    def rewrite(self, edits: Edits) -> bytes:
        smaller = copy.deepcopy(self.document)
        first = len(self.document["inputs"]) + len(self.document["weights"])
        for (node, name), value in edits.attributes.items():
            smaller["nodes"][node - first]["attributes"][name] = value
        for piece in edits.slices:
            smaller["weights"][piece.name] = slice_array(piece, self.parameter(piece.name)).tolist()
        return text_of(smaller)

    def runtime(self) -> ToyRuntime:
        return ToyRuntime(self.document, self.graph)


@dataclass(frozen=True, eq=False)
class ToySession:
    document: Mapping[str, Any]
    graph: Graph
    fetches: Sequence[Tensor]
    parameters: Mapping[str, Array]
    zeroed: tuple[str, ...] = ()

    def run(self, inputs: Mapping[Any, Array]) -> list[Array]:
        values: dict[Tensor, Array] = {}
        for index, node in enumerate(self.graph.nodes):
            tensor = Tensor(index, 0)
            if tensor in inputs or node.name in inputs:
                values[tensor] = inputs[tensor] if tensor in inputs else inputs[node.name]
            elif index in self.graph.parameters:
                own = self.parameters.get(node.name)
                values[tensor] = weight(self.document, node.name) if own is None else own
            elif node.operator is not None and all(known in values for known in node.inputs):
                values[tensor] = COMPUTED[node.operator](*(values[known] for known in node.inputs))
        return [values[tensor] for tensor in self.fetches]


@dataclass(frozen=True, eq=False)
class ToyRuntime:
    document: Mapping[str, Any]
    graph: Graph

    def examples(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        return {name: (None, *shapes[name][1:]) for name in self.document["inputs"]}

    def draw(self, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
        return draw(shapes, seed)

    def session(
        self,
        inputs: Mapping[str, Array],
        tensors: Optional[Sequence[Tensor]] = None,
        parameters: Mapping[str, Array] = {},
        network: Optional[bytes] = None,
    ) -> ToySession:
        document = self.document if network is None else json.loads(network)
        fetches = self.graph.outputs if tensors is None else tensors
        return ToySession(document, self.graph, fetches, parameters)

    def segment(
        self, feeds: Feeds, fetches: Sequence[Tensor], parameters: Mapping[str, Array] = {}
    ) -> ToySession:
        return ToySession(self.document, self.graph, fetches, parameters)

    def gradients(self, data: Data) -> Iterator[Gradient]:
        raise NotImplementedError


class ToyFrontEnd(FrontEnd[ToyModel]):
    name = framework = "Toy"
    file_kind = "a toy network"
    endings = (".toy",)
    rules = str(HERE / "toy.prune")

    def read(self, path: Path, parameters: Optional[Path], input_shapes: Mapping[str, Shape]) -> ToyModel:
        document = read_document(path)
        document["inputs"].update((name, list(shape)) for name, shape in input_shapes.items())
        return ToyModel(path, document, graph_of(document), dict(input_shapes))

    def read_pruned(self, model: ToyModel, path: Path, parameters: Optional[Path]) -> PrunedFiles:
        document = read_document(path)
        arrays = {name: weight(document, name) for name in document["weights"]}
        return PrunedFiles(ToyRuntime(document, model.graph), arrays.get)

    def input_names(self, path: Path) -> set[str]:
        return set(read_document(path)["inputs"])

    def feed_nodes(self, model: ToyModel, needed: set[int]) -> list[int]:
        return list(range(len(model.document["inputs"])))

    def with_parameters(self, model: ToyModel, changed: Mapping[str, Array], folder: Path) -> ToyModel:
        document = copy.deepcopy(model.document)
        document["weights"].update((name, array.tolist()) for name, array in changed.items())
        (folder / model.path.name).write_bytes(text_of(document))
        return self.read(folder / model.path.name, None, model.input_shapes)

    def installed_files(self) -> tuple[Path, ...]:
        return (Path(__file__),)

    def operators(self) -> Mapping[str, Registered]:
        return {"mix": Registered(("channels",), False), "rectify": Registered((), False)}

    def script(self, model: ToyModel, pruned: Any) -> str:
        return f"import sys\n\nopen(sys.argv[2], 'wb').write({pruned.model!r})\n"

    def diff(self, model: ToyModel, pruned: Any) -> bytes:
        return unified_diff(model.path.name, text_of(model.document), pruned.model)


FRONT_END = ToyFrontEnd()
