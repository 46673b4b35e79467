"""Operators of ONNX under trial."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.onnx.model import OnnxModel, model_of
from prunec.frontends.onnx.operators import KINDS, OUTPUTS, Formal, Schema, schema_of, versions
from prunec.frontends.onnx.protobuf import OLDEST_OPSET, onnx_package
from prunec.frontends.onnx.sessions import open_session
from prunec.frontends.operators import Operator
from prunec.frontends.runtime import Array
from prunec.frontends.trial_inputs import CONNECTED, ConnectedInput, WantedInputs, variables_for
from prunec.frontends.trial_networks import USUAL, NetworkNode, Point, SmallNetwork
from prunec.frontends.trial_templates import Templates, read_templates
from prunec.frontends.trials import NODE, Alone, Illegal, SampledNode, Trials, Wire, WiringMismatch
from prunec.graph import Tensor
from prunec.language.syntax import Rule
from prunec.language.syntax import TensorPattern as RuleTensor
from prunec.support.comparison import draw
from prunec.support.diagnostics import PrunecError
from prunec.value import Value

_PATH = Path("generated.onnx")
#: The form of files; ONNX Runtime reads it for all versions of operators.
_IR_VERSION = 8
_TEMPLATES = "trial_templates_onnx.json"


class OnnxTrials(Trials):
    """What the schemas of ONNX hold, run by ONNX Runtime."""

    framework = "ONNX Runtime"
    infers = False

    @property
    def types(self) -> Mapping[str, Value]:
        """The numbers of types of elements."""
        return _types()

    def start(self) -> None:
        _newest_opset()

    def templates(self, version: Optional[int]) -> Templates:
        return read_templates(_TEMPLATES, _newest_opset() if version is None else version)

    def versions(self, name: str) -> tuple[Operator, ...]:
        return versions(name, _newest_opset(), self.templates(None).single)

    def alone(
        self, rule: Rule, operator: Operator, sampled: SampledNode, random: np.random.Generator
    ) -> Alone:
        schema = schema_of(operator)
        wanted = _Wanted(rule, schema, sampled, self.templates(operator.version).kinds)
        inputs = wanted.inputs(random)
        attributes = wanted.attributes()
        problem = wanted.without_place()
        network = SmallNetwork(operator.version, self.types)
        points = variables_for(network, inputs)
        made = network.add(operator.name, attributes, points, ((),) * wanted.outputs(random), NODE)
        network.heads = list(made)
        if not wanted.is_for(operator, inputs, {OUTPUTS: len(made)}):
            raise Illegal("the guard does not hold")
        proto = _proto(network)
        outputs = _run(proto, points, network.parameters)
        if any(0 in value.shape for value in outputs):
            raise Illegal("an output would be empty")
        if problem:
            raise WiringMismatch(attributes, problem)
        model = model_of(proto.SerializeToString(), _PATH, _shapes(points, network.parameters))
        tensors = model.content.tensors
        wires, shapes = [], {}
        for connected, point in zip(inputs, points):
            if connected is None or point is None:
                wires.append(Wire())
                continue
            tensor = tensors[network.nodes[point.node].name]
            shapes[tensor] = point.shape
            wires.append(Wire(tensor, connected.carried, connected.kind))
        last = len(model.graph.nodes) - 1
        shapes.update({Tensor(last, k): tuple(value.shape) for k, value in enumerate(outputs)})
        kinds = tuple(str(value.dtype) for value in outputs)
        return Alone(model.graph, attributes, tuple(wires), shapes, kinds)

    def model(self, network: SmallNetwork, around: str) -> OnnxModel:
        shapes = {name: value.shape for name, value in network.inputs.items()}
        model = model_of(_proto(network).SerializeToString(), _PATH, shapes)
        nodes = tuple(
            replace(node, operator=around + str(node.operator)) if node.name in network.around else node
            for node in model.graph.nodes
        )
        return replace(model, content=replace(model.content, graph=replace(model.graph, nodes=nodes)))

    def seed(self, seed: int) -> None:
        import onnxruntime

        onnxruntime.set_seed(seed)


@lru_cache(maxsize=1)
def _newest_opset() -> int:
    """The newest version of operators that onnx knows and ONNX Runtime runs.

    Raises PrunecError P330 or P700 without one of them.
    """
    newest = int(onnx_package().defs.onnx_opset_version())
    for opset in range(newest, OLDEST_OPSET, -1):
        network = SmallNetwork(opset, _types())
        point = network.variable("x", (1,))
        add = read_templates(_TEMPLATES, opset).add
        network.heads = list(network.add(add.operator, add.attributes, (point, point), ((1,),)))
        try:
            open_session(_proto(network))
            return opset
        except PrunecError as error:
            if error.diagnostics[0].code == "P700":
                raise
    return OLDEST_OPSET


def _types() -> dict[str, Value]:
    """The numbers of types of elements."""
    number = onnx_package().TensorProto.DataType.Value
    return {kind: number(name[len("tensor(") : -1].upper()) for kind, name in KINDS.items()}


class _Wanted(WantedInputs[Formal]):
    """A sampled node, put to a version of the operator."""

    def __init__(self, rule: Rule, schema: Schema, sampled: SampledNode, kinds: Mapping[str, str]) -> None:
        super().__init__(rule, sampled)
        self.schema, self.kinds = schema, kinds
        self.results = rule.signature.outputs

    def formal(self, position: int) -> Optional[Formal]:
        """The input that the operator has at a place."""
        formals = self.schema.inputs
        if position < len(formals):
            return formals[position]
        return formals[-1] if formals and formals[-1].option == "variadic" else None

    def attributes(self) -> dict[str, Value]:
        """The attributes of the node.  Raises :class:`Illegal` for one that this version does not have."""
        found: dict[str, Value] = {}
        carried = {
            slot.name for n, slot in enumerate(self.slots) if slot.value and self.formal(n) is not None
        }
        for name, value in self.sampled.attributes.items():
            kind = self.schema.attributes.get(name)
            if kind is not None and value is not None:
                found[name] = (value,) if kind == "tuple" and not isinstance(value, tuple) else value
            elif name not in carried and name != OUTPUTS and value is not None:
                raise Illegal(f"this version has no `{name}`")
        return found

    def left_out(self, formal: Optional[Formal], random: np.random.Generator) -> bool:
        if formal is None:
            return True
        return formal.option == "optional" and random.random() > CONNECTED

    def kind(self, slot: RuleTensor, formal: Optional[Formal]) -> str:
        if formal is None or not formal.kinds:
            raise Illegal("its inputs are of types that are not tried")
        wanted = self.kinds.get(slot.name)
        return wanted if wanted in formal.kinds else formal.kinds[0]

    def carried(self, slot: RuleTensor, formal: Optional[Formal]) -> Optional[ConnectedInput]:
        value = self.values.get(slot.name)
        if formal is None or value is None or (value == () and formal.option == "optional"):
            return None
        if value == () and self.defaults.get(slot.name) != ():
            raise Illegal(f"`{slot.name}` names nothing")
        array = np.array(value, self._carried_kind(slot, formal, value))
        return ConnectedInput(array.shape, str(array.dtype), array)

    def _carried_kind(self, slot: RuleTensor, formal: Formal, value: Value) -> str:
        """The type of a carried value: that of the data it goes with, else what it is."""
        for position, other in enumerate(self.slots):
            own = self.formal(position)
            if own is not None and not other.value and own.variable == formal.variable:
                return self.kind(other, own)
        if slot.name in self.kinds:
            return self.kinds[slot.name]
        entries = value if isinstance(value, tuple) else (value,)
        fraction = any(isinstance(entry, float) for entry in entries)
        kinds = [kind for kind in formal.kinds if fraction or not kind.startswith("float")] or formal.kinds
        return kinds[0] if kinds else USUAL

    def named(self) -> Sequence[str]:
        return [formal.name for formal in self.schema.inputs]

    def outputs(self, random: np.random.Generator) -> int:
        """How many outputs the node has."""
        for result in self.results:
            if result.kind == "variadic":
                return self.sampled.counts.get(result.name, 1)
        wanted = self.values.get(OUTPUTS)
        return wanted if isinstance(wanted, int) else 1


def _shapes(points: Sequence[Optional[Point]], constants: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    names = [f"x{position}" for position in range(len(points))]
    return {n: p.shape for n, p in zip(names, points) if p is not None and n not in constants}


def _run(proto: Any, points: Sequence[Optional[Point]], constants: Mapping[str, Array]) -> list[Array]:
    """The outputs of a node.  Raises :class:`Illegal` where ONNX Runtime refuses it, and where the shapes of
    the outputs depend on what the inputs hold."""
    shapes = {
        f"x{position}": (point.shape, np.dtype(point.kind))
        for position, point in enumerate(points)
        if point is not None and f"x{position}" not in constants
    }
    ones = {name: np.ones(shape, kind) for name, (shape, kind) in shapes.items()}
    types = {name: kind for name, (_, kind) in shapes.items()}
    others = draw({name: shape for name, (shape, _) in shapes.items()}, 0, types)
    try:
        session = open_session(proto)
        outputs, again = session.run(ones), session.run(others)
    except PrunecError as error:
        raise Illegal((error.diagnostics[0].notes or ("ONNX Runtime refuses it",))[0]) from None
    if [value.shape for value in outputs] != [value.shape for value in again]:
        raise Illegal("the shape of an output depends on what the inputs hold")
    return outputs


def _proto(network: SmallNetwork) -> Any:
    """The message of a network."""
    onnx = onnx_package()
    nodes = [_node(onnx, network, made) for made in network.nodes if made.operator is not None]
    constants = [onnx.numpy_helper.from_array(value, name) for name, value in network.parameters.items()]
    inputs = [
        onnx.helper.make_tensor_value_info(name, network.types[point.kind], point.shape)
        for name, point in network.variables.items()
        if name not in network.parameters
    ]
    heads = [onnx.ValueInfoProto(name=_value(network, head)) for head in network.heads]
    graph = onnx.helper.make_graph(nodes, "network", inputs, heads, constants)
    return _model(graph, network.version or _newest_opset(), {node.domain for node in nodes} - {""})


def _node(onnx: Any, network: SmallNetwork, made: NetworkNode) -> Any:
    domain, _, operator = str(made.operator).rpartition("::")
    inputs = ["" if point is None else _value(network, point) for point in made.inputs]
    outputs = [_output(made, k) for k in range(made.outputs)]
    node = onnx.helper.make_node(operator, inputs, outputs, made.name, domain=domain)
    for name, value in made.attributes.items():
        # An empty list says nothing of its type; those of numbers are lists of whole ones.
        kind = onnx.AttributeProto.INTS if value == () else None
        node.attribute.append(onnx.helper.make_attribute(name, value, attr_type=kind))
    return node


def _value(network: SmallNetwork, point: Point) -> str:
    made = network.nodes[point.node]
    return made.name if made.operator is None else _output(made, point.output)


def _output(made: NetworkNode, output: int) -> str:
    return f"{made.name}_{output}"


def _model(graph: Any, opset: int, domains: Iterable[str]) -> Any:
    helper = onnx_package().helper
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(own, 1) for own in sorted(domains))]
    model = helper.make_model(graph, opset_imports=imports)
    model.ir_version = _IR_VERSION
    return model
