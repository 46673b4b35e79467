"""Operators of MXNet under trial."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.attribute_text import canonical_text
from prunec.frontends.mxnet.model_runtime import MXNetRuntime
from prunec.frontends.mxnet.operators import PURPOSE, Wiring, find_operator, signature
from prunec.frontends.mxnet.package import mxnet
from prunec.frontends.mxnet.sessions import infer_shapes
from prunec.frontends.mxnet.symbol import SymbolFile, read_symbol, to_graph
from prunec.frontends.mxnet.symbol_writing import rewrite
from prunec.frontends.operators import Operator
from prunec.frontends.runtime import Array
from prunec.frontends.trial_networks import Point, SmallNetwork
from prunec.frontends.trial_templates import Templates, read_templates
from prunec.frontends.trials import NODE, Alone, Illegal, SampledNode, Trials, Wire, WiringMismatch
from prunec.graph import Graph, Shape, Tensor
from prunec.language.syntax import Rule
from prunec.lowering.slots import Contradiction, assign_slots
from prunec.rewriting.edits import Edits
from prunec.support.diagnostics import PrunecError

Shapes = Sequence[Optional[tuple[int, ...]]]


class MXNetTrials(Trials):
    """What MXNet's registry holds, run by MXNet."""

    framework = "MXNet"

    def start(self) -> None:
        mxnet(PURPOSE)

    def templates(self, version: Optional[int]) -> Templates:
        return read_templates("trial_templates.json", None)

    def versions(self, name: str) -> tuple[Operator, ...]:
        found = find_operator(name)
        return () if found is None else (found,)

    def alone(
        self, rule: Rule, operator: Operator, sampled: SampledNode, random: np.random.Generator
    ) -> Alone:
        texts = {name: canonical_text(value) for name, value in sampled.attributes.items()}
        if operator.counted_by is not None and operator.counted_by not in texts:
            texts[operator.counted_by] = str(len(sampled.shapes))
        wiring = _wiring(operator.name, texts)
        count = len(wiring.inputs)
        try:
            filled = [(tensor.name, index) for tensor, index in assign_slots(rule, count).inputs]
        except Contradiction as error:
            # Whether the node is legal at all, MXNet tells from the shapes in the order of the rule.
            _infer(operator.name, texts, list(sampled.shapes.values())[:count], wiring)
            problem = f"the operator takes {', '.join(wiring.inputs)}, and {error.headline}"
            raise WiringMismatch(texts, problem) from None
        shapes = [sampled.shapes.get(key) for key in filled]
        data, inferred = _infer(operator.name, texts, shapes, wiring)
        known: dict[str, Shape] = {f"x{i}": s for i, s in enumerate(shapes) if s is not None}
        learned = [f"x{i}" for i, shape in enumerate(shapes) if shape is None]
        wires = tuple(Wire(Tensor(i, 0), state=name in wiring.states) for i, name in enumerate(wiring.inputs))
        graph = to_graph(read_symbol(data, "operator"), learned, known)
        return Alone(graph, texts, wires, inferred, ("float32",) * wiring.outputs)

    def model(self, network: SmallNetwork, around: str) -> SymbolModel:
        file = read_symbol(_document(network), "generated network")
        shapes = {name: value.shape for name, value in network.parameters.items()}
        inputs: dict[str, Shape] = {name: value.shape for name, value in network.inputs.items()}
        graph = to_graph(file, set(shapes), inputs, shapes)
        nodes = tuple(
            replace(node, operator=around + str(node.operator)) if node.name in network.around else node
            for node in graph.nodes
        )
        return SymbolModel(file, replace(graph, nodes=nodes), network.parameters, inputs)

    def seed(self, seed: int) -> None:
        mxnet(PURPOSE).random.seed(seed)


@dataclass(frozen=True)
class SymbolModel:
    """A symbol file with its parameters' values, for the compiler's passes."""

    file: SymbolFile
    graph: Graph
    values: Mapping[str, Array]
    input_shapes: Mapping[str, Shape]

    @property
    def prefix(self) -> str:
        """What the model is called."""
        return self.file.name

    @property
    def digest(self) -> str:
        """The SHA-256 of the symbol file, in hexadecimal."""
        return hashlib.sha256(self.file.data).hexdigest()

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the parameters, by name."""
        return {name: value.shape for name, value in self.values.items()}

    @property
    def parameter_bytes(self) -> Optional[int]:
        """There is no file."""
        return None

    def parameter(self, name: str) -> Array:
        """A parameter's values."""
        return self.values[name]

    def folded(self) -> None:
        """What follows from parameters alone stays as it is."""

    def implied_name(self, node: int, slot: str) -> str:
        """What a parameter is called that the graph does not mention."""
        return f"{self.graph.nodes[node].name}_{slot}"

    def rewrite(self, edits: Edits) -> bytes:
        """The symbol file with attributes changed."""
        return rewrite(self.file, edits.attributes)

    def missing(self, node: int, attribute: str) -> bool:
        """Whether a node lacks an attribute."""
        return attribute not in self.file.attributes(node)

    def runtime(self) -> MXNetRuntime:
        """What runs the model."""
        return MXNetRuntime(self.file.data, self.graph, self.values)


def _wiring(operator: str, texts: dict[str, str]) -> Wiring:
    try:
        return signature(operator, texts)
    except Exception as error:  # MXNet's own error, of whatever class
        raise Illegal(_first_line(error)) from None


def _first_line(error: BaseException) -> str:
    """What an MXNet error says, without its trace."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [
        line for line in lines if line and not line.startswith(("Traceback", "File ", "Stack", "[bt]"))
    ]
    text = next((line for line in telling if "Error" in line or "Check failed" in line), "".join(telling[:1]))
    return text.rsplit(".cc:", 1)[-1][:200]


def _infer(
    operator: str, texts: Mapping[str, str], shapes: Shapes, wiring: Wiring
) -> tuple[bytes, Mapping[Tensor, tuple[int, ...]]]:
    """The operator alone on variables, and the shapes that MXNet infers from those of the data."""
    network = SmallNetwork()
    points: list[Optional[Point]] = [network.variable(f"x{i}", ()) for i in range(len(wiring.inputs))]
    network.heads = [network.add(operator, texts, points, ((),), NODE)[0]]
    data = _document(network)
    known = {f"x{i}": shape for i, shape in enumerate(shapes) if shape is not None}
    try:
        return data, infer_shapes(data, known)
    except PrunecError as error:
        raise Illegal((error.diagnostics[0].notes or ("MXNet refuses it",))[0]) from None


def _document(network: SmallNetwork) -> bytes:
    """The symbol file of a network."""
    nodes: list[dict[str, Any]] = []
    for node in network.nodes:
        entry: dict[str, Any] = {"op": node.operator or "null", "name": node.name}
        if node.operator is not None:
            entry["attrs"] = {name: canonical_text(value) for name, value in node.attributes.items()}
        inputs = [point for point in node.inputs if point is not None]
        nodes.append({**entry, "inputs": [[point.node, point.output, 0] for point in inputs]})
    document = {
        "nodes": nodes,
        "arg_nodes": [i for i, node in enumerate(network.nodes) if node.operator is None],
        "heads": [[head.node, head.output, 0] for head in network.heads],
        "attrs": {"mxnet_version": ["int", 10901]},
    }
    return json.dumps(document).encode()
