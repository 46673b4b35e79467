"""From an ONNX message to the core's graph.

Inputs, initialisers and nodes that only hold a constant become variables; constants are parameters.  Every
other node is an operator.  Values of the outer graph that a nested graph uses count as inputs of the
node that holds it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.embedded.onnx_tensors import STANDARD_DOMAINS, only_holds
from prunec.frontends.graph_building import GraphNodes, NodeSource, check_given_names, fail, refuse_shape
from prunec.frontends.onnx import tensors
from prunec.frontends.onnx.folding import Folder
from prunec.frontends.onnx.hints import inferred_shapes
from prunec.frontends.onnx.input_sizes import declared_shape, input_sizes
from prunec.frontends.onnx.nested import captured, has_body, weights_inside
from prunec.frontends.onnx.protobuf import OnnxFile, onnx_package, opsets
from prunec.graph import (
    COUNTS,
    MAXIMUM_KNOWN,
    Graph,
    Known,
    Node,
    Shape,
    Tensor,
    counting_axis,
    may_agree,
    worth_knowing,
)
from prunec.sizes import OpenShape
from prunec.support.diagnostics import printable
from prunec.support.late import Late
from prunec.value import Value

_HELP = "export the model again; onnx.checker says more"
#: What helps with functions that a model brings along.
_FUNCTION = (
    "it is a function of the model: write its nodes out with onnx.inliner.inline_local_functions and compile "
    "the result, or add a rule with --rules"
)


@dataclass(frozen=True, eq=False)
class GraphOfFile:
    """The graph of a file: ``sources`` follows its nodes, ``tensors`` finds a tensor by the name of its
    value, ``constants`` the message of a parameter's elements by name, and ``hints`` the shapes that ONNX
    infers for values, by name.

    A source is an ``"input"``, ``"initializer"``, ``"constant"`` (a node that only holds one; its place is
    among the nodes), ``"sparse"`` or ``"node"``.
    """

    graph: Graph
    sources: tuple[NodeSource, ...]
    tensors: Mapping[str, Tensor]
    constants: Mapping[str, Any]
    hints: Mapping[str, OpenShape]


def to_graph(
    file: OnnxFile, input_shapes: Mapping[str, Shape], hints: Optional[Mapping[str, OpenShape]] = None
) -> GraphOfFile:
    """The graph of a file; ``hints`` are shapes that ONNX is known to infer for values.

    Raises PrunecError: P307 a shape for an input that is none, P333 to P335 constants that cannot be read,
    P336 values that are defined twice or nowhere, P337 nodes in a circle.
    """
    return _Builder(file, input_shapes, hints).build()


@dataclass
class _Builder:
    file: OnnxFile
    input_shapes: Mapping[str, Shape]
    hints: Optional[Mapping[str, OpenShape]] = None
    constants: dict[str, Any] = field(default_factory=dict)
    shapes: dict[int, OpenShape] = field(default_factory=dict)
    input_sizes: Mapping[str, OpenShape] = field(default_factory=dict)
    known: dict[Tensor, Known] = field(default_factory=dict)
    parameters: set[int] = field(default_factory=set)
    counting: dict[str, int] = field(default_factory=dict)

    def build(self) -> GraphOfFile:
        proto = self.file.proto.graph
        self.parts = GraphNodes(self.file.name, _HELP)
        self.versions = opsets(self.file.proto)
        self._inputs(proto)
        for index, tensor in enumerate(proto.initializer):
            self._constant(tensor.name, tensor, NodeSource("initializer", index))
        for index, sparse in enumerate(proto.sparse_initializer):
            number = self.parts.variable(sparse.values.name, sparse.values.name, NodeSource("sparse", index))
            self.shapes[number] = tensors.dimensions(sparse, self.file.name)
        for index, node in enumerate(proto.node):
            tensor = constant_of(node)
            if tensor is not None:
                self._constant(node.output[0], tensor, NodeSource("constant", index))
        order = self._order(proto.node)
        names = _names(proto.node)
        for index in order:
            self._operator(proto.node[index], index, names[index])
        outputs = tuple(self.parts.tensor(value.name, "the list of outputs") for value in proto.output)
        hints = Late(lambda: self._hints(order)) if self.hints is None else self.hints
        graph = Graph(
            tuple(self.parts.nodes),
            outputs,
            frozenset(self.parameters),
            self.shapes,
            self.known,
            Late(lambda: self._by_tensor(hints)),
            Folder(
                {n: proto.node[s.index] for n, s in enumerate(self.parts.sources) if s.kind == "node"},
                self.file.proto,
            ),
            {_operator(own.domain, own.name): _FUNCTION for own in self.file.proto.functions},
            dict(self._inside(proto.node)),
            tuple(value.name for value in proto.output),
            holds_numbers=True,
        )
        return GraphOfFile(graph, tuple(self.parts.sources), self.parts.tensors, self.constants, hints)

    def _hints(self, order: Sequence[int]) -> Mapping[str, OpenShape]:
        operators = [self.file.proto.graph.node[index] for index in order]
        return inferred_shapes(self.file.proto, operators, self.constants, self.input_sizes)

    def _by_tensor(self, hints: Mapping[str, OpenShape]) -> dict[Tensor, OpenShape]:
        return {
            self.parts.tensors[name]: shape for name, shape in hints.items() if name in self.parts.tensors
        }

    # --- variables ---

    def _inputs(self, proto: Any) -> None:
        initializers = {tensor.name for tensor in proto.initializer}
        initializers |= {sparse.values.name for sparse in proto.sparse_initializer}
        inputs = {
            value.name: index for index, value in enumerate(proto.input) if value.name not in initializers
        }
        check_given_names(self.input_shapes, list(inputs), self.file.name)
        shapes = input_sizes([proto.input[index] for index in inputs.values()], self.input_shapes)
        self.input_sizes = shapes
        for name, index in inputs.items():
            tensors.check_type(proto.input[index], self.file.name)
            number = self.parts.variable(name, name, NodeSource("input", index))
            if name in self.input_shapes:
                self._check_rank(name, proto.input[index], self.input_shapes[name])
            if name in shapes:
                self.shapes[number] = shapes[name]

    def _check_rank(self, name: str, value: Any, shape: Shape) -> None:
        declared = declared_shape(value)
        if declared is not None and not may_agree(declared, shape):
            help_text = "only sizes that the model leaves open can be chosen"
            refuse_shape(name, declared, shape, self.file.name, help_text)

    def _constant(self, name: str, tensor: Any, source: NodeSource) -> None:
        where = self.file.name
        tensors.check(tensor, self.file.folder, where)
        index = self.parts.variable(name, name, source)
        self.parameters.add(index)
        self.constants[name] = tensor
        shape = tensors.dimensions(tensor, where)
        self.shapes[index] = shape
        count = int(np.prod(shape, dtype=np.int64))
        if count <= MAXIMUM_KNOWN and tensors.element_bits(tensor, where) >= 8:
            array = tensors.array(tensor, self.file.folder, where)
            axis = counting_axis(array)
            if axis is not None:
                self.counting[name] = axis
            if worth_knowing(array):
                self.known[Tensor(index, 0)] = array

    # --- operators ---

    def _order(self, nodes: Sequence[Any]) -> list[int]:
        """The operators' places in the list, so that each stands behind those it needs: the file's order
        wherever that will do."""
        maker: dict[str, int] = {}
        for index, node in enumerate(nodes):
            if constant_of(node) is None:
                maker.update((name, index) for name in node.output if name)
        needs = {
            index: {maker[name] for name in (*node.input, *captured(node)) if name in maker}
            for index, node in enumerate(nodes)
            if constant_of(node) is None
        }
        users: dict[int, list[int]] = {}
        for index, needed in needs.items():
            for other in needed:
                users.setdefault(other, []).append(index)
        open_needs = {index: len(needed) for index, needed in needs.items()}
        ready = [index for index, count in open_needs.items() if not count]
        heapq.heapify(ready)
        order: list[int] = []
        while ready:
            index = heapq.heappop(ready)
            order.append(index)
            for user in users.get(index, ()):
                open_needs[user] -= 1
                if not open_needs[user]:
                    heapq.heappush(ready, user)
        if len(order) < len(needs):
            first = min(index for index, count in open_needs.items() if count)
            name = printable(_names(nodes)[first])
            note = f'the node "{name}" needs its own result'
            fail("P337", "the nodes of the model form a circle", self.file.name, note, _HELP)
        return order

    def _operator(self, node: Any, index: int, name: str) -> None:
        domain = "" if node.domain in STANDARD_DOMAINS else node.domain
        operator = _operator(node.domain, node.op_type)
        attributes = attributes_of(node)
        if domain in self.versions:
            attributes["opset"] = self.versions[domain]
        attributes["outputs"] = max((n + 1 for n, value in enumerate(node.output) if value), default=0)
        counts = next((self.counting[value] for value in node.input if value in self.counting), None)
        if counts is not None:
            attributes[COUNTS] = counts
        where = f'the node "{printable(name)}"'
        extra = [value for value in captured(node) if value in self.parts.tensors]
        inputs = [self.parts.tensor(value, where) for value in (*node.input, *extra) if value]
        connected = (*(bool(value) for value in node.input), *(True for _ in extra))
        number = len(self.parts.nodes)
        for position, value in enumerate(node.output):
            if value:
                self.parts.define(value, Tensor(number, position))
        made = Node(name, operator, attributes, tuple(inputs), connected, len(node.output))
        self.parts.add(made, NodeSource("node", index))

    def _inside(self, nodes: Sequence[Any]) -> Iterator[tuple[int, tuple[int, int]]]:
        for number, source in enumerate(self.parts.sources):
            if source.kind == "node" and has_body(nodes[source.index]):
                yield number, weights_inside(nodes[source.index])


def _operator(domain: str, name: str) -> str:
    """What rules call an operator."""
    return name if domain in STANDARD_DOMAINS else f"{domain}::{name}"


def _names(nodes: Sequence[Any]) -> list[str]:
    """A name for each node: its own where no other has it, else that of its first output."""
    counts: dict[str, int] = {}
    for node in nodes:
        counts[node.name] = counts.get(node.name, 0) + 1
    names = []
    for index, node in enumerate(nodes):
        first = next((name for name in node.output if name), f"node {index}")
        names.append(node.name if node.name and counts[node.name] == 1 else first)
    return names


# --- parts of the message ------------------------------------------------------------------


def constant_of(node: Any) -> Optional[Any]:
    """The tensor that a node only holds: one without inputs, whose only attribute is its value."""
    if not only_holds(node):
        return None
    onnx = onnx_package()
    attribute = node.attribute[0]
    kinds = onnx.AttributeProto
    if attribute.type == kinds.TENSOR and attribute.name == "value":
        return attribute.t
    fields = {kinds.INT: "i", kinds.INTS: "ints", kinds.FLOAT: "f", kinds.FLOATS: "floats"}
    if not attribute.name.startswith("value_") or attribute.type not in fields:
        return None
    value = getattr(attribute, fields[attribute.type])
    dtype = np.int64 if attribute.type in (kinds.INT, kinds.INTS) else np.float32
    single = attribute.type in (kinds.INT, kinds.FLOAT)
    return onnx.numpy_helper.from_array(np.array(value if single else list(value), dtype), node.output[0])


def attributes_of(node: Any) -> dict[str, Value]:
    """The attributes of a node as the core reads them; nested graphs and large tensors are left out."""
    kinds = onnx_package().AttributeProto
    values: dict[str, Value] = {}
    for attribute in node.attribute:
        kind = attribute.type
        if kind == kinds.INT:
            values[attribute.name] = attribute.i
        elif kind == kinds.FLOAT:
            values[attribute.name] = attribute.f
        elif kind == kinds.STRING:
            values[attribute.name] = attribute.s.decode("utf-8", "replace")
        elif kind == kinds.INTS:
            values[attribute.name] = tuple(attribute.ints)
        elif kind == kinds.FLOATS:
            values[attribute.name] = tuple(attribute.floats)
        elif kind == kinds.STRINGS:
            values[attribute.name] = tuple(text.decode("utf-8", "replace") for text in attribute.strings)
        elif kind == kinds.TENSOR and tuple(attribute.t.dims) in ((), (1,)):
            constant = _single(attribute.t)
            if constant is not None:
                values[attribute.name] = constant
    return values


def _single(tensor: Any) -> Optional[Value]:
    """The only element of a tensor, where it is a number that the message itself holds."""
    onnx = onnx_package()
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    try:
        array = np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception:  # a tensor that cannot be read is one that no rule reads
        return None
    return array.reshape(-1)[0].item() if array.dtype.kind in "iufb" and array.size == 1 else None
