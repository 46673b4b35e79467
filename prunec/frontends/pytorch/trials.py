"""Operators of PyTorch under trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.operators import Operator
from prunec.frontends.pytorch.interpreter import Parts, call
from prunec.frontends.pytorch.model import PytorchModel, model_of
from prunec.frontends.pytorch.operators import OUTPUTS
from prunec.frontends.pytorch.package import torch_package
from prunec.frontends.pytorch.schemas import Schema, SchemaArgument, schema
from prunec.frontends.pytorch.sessions import array_of, tensor_of
from prunec.frontends.pytorch.trial_operators import (
    LISTS,
    formals,
    list_lengths,
    operator,
    takes_tensors,
)
from prunec.frontends.pytorch.trial_programs import program_of
from prunec.frontends.runtime import Array
from prunec.frontends.trial_inputs import CONNECTED, ConnectedInput, WantedInputs, variables_for
from prunec.frontends.trial_networks import USUAL, SmallNetwork
from prunec.frontends.trial_templates import Templates, read_templates
from prunec.frontends.trials import NODE, Alone, Illegal, SampledNode, Trials, Wire, WiringMismatch
from prunec.graph import Tensor
from prunec.language.syntax import Rule
from prunec.language.syntax import TensorPattern as RuleTensor
from prunec.support.comparison import draw
from prunec.support.diagnostics import PrunecError
from prunec.value import Value

_TEMPLATES = "trial_templates_aten.json"
_KINDS = ("float32", "int64", "int32", "bool", "uint8")


class PytorchTrials(Trials):
    """What the table of schemas holds, run by PyTorch."""

    framework = "PyTorch"
    infers = False

    @property
    def types(self) -> Mapping[str, Value]:
        """Types of elements are called what numpy calls them."""
        return {kind: kind for kind in _KINDS}

    def start(self) -> None:
        torch = torch_package()
        # Memory that no operator writes to holds no number, rather than what was there before: nothing is
        # concluded from it.
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = True

    def templates(self, version: Optional[int]) -> Templates:
        return read_templates(_TEMPLATES, None)

    def versions(self, name: str) -> Sequence[Operator]:
        found = operator(name)
        return () if found is None else (found,)

    def alone(
        self, rule: Rule, operator: Operator, sampled: SampledNode, random: np.random.Generator
    ) -> Alone:
        known = schema(operator.name)
        assert known is not None
        wanted = _Wanted(rule, known, sampled, self.templates(None))
        inputs = wanted.inputs(random)
        attributes = wanted.attributes()
        network = SmallNetwork(types=self.types)
        points = variables_for(network, inputs)
        network.add(operator.name, attributes, points, (), NODE)
        if not wanted.is_for(operator, inputs, attributes):
            raise Illegal("the guard does not hold")
        outputs = _run(network)
        if not outputs or any(0 in value.shape for value in outputs):
            raise Illegal("an output would be empty")
        problem = wanted.without_place()
        if problem:
            raise WiringMismatch(attributes, problem)
        del network.nodes[-1]
        network.heads = list(network.add(operator.name, attributes, points, [()] * len(outputs), NODE))
        model = model_of(program_of(network), _shapes(network))
        # What files state of shapes has to follow from the rule.
        graph = replace(model.graph, hints={})
        places = {node.name: number for number, node in enumerate(graph.nodes)}
        wires, shapes = [], {}
        for connected, point in zip(inputs, points):
            if connected is None or point is None:
                wires.append(Wire())
                continue
            tensor = Tensor(places[network.nodes[point.node].name], 0)
            shapes[tensor] = point.shape
            wires.append(Wire(tensor, connected.carried, connected.kind))
        last = len(graph.nodes) - 1
        shapes.update({Tensor(last, k): tuple(value.shape) for k, value in enumerate(outputs)})
        return Alone(graph, attributes, tuple(wires), shapes, tuple(str(value.dtype) for value in outputs))

    def model(self, network: SmallNetwork, around: str) -> PytorchModel:
        own = _with_copies(network, self.templates(None))
        shapes = {name: value.shape for name, value in own.inputs.items()}
        model = model_of(program_of(own, own.inputs), shapes)
        nodes = tuple(
            replace(node, operator=around + str(node.operator)) if node.name in own.around else node
            for node in model.graph.nodes
        )
        return replace(model, content=replace(model.content, graph=replace(model.graph, nodes=nodes)))

    def seed(self, seed: int) -> None:
        torch_package().manual_seed(seed)


class _Wanted(WantedInputs[SchemaArgument]):
    """A sampled node, put to the schema of its operator."""

    def __init__(self, rule: Rule, known: Schema, sampled: SampledNode, templates: Templates) -> None:
        super().__init__(rule, sampled)
        self.known, self.templates = known, templates
        self.formals = formals(known)

    def formal(self, position: int) -> Optional[SchemaArgument]:
        """The argument that the input at a place goes to."""
        place = 0
        for number, argument in enumerate(self.formals):
            behind = self.formals[number + 1 :]
            if argument.kind not in LISTS:
                place += 1
            elif any(other.kind in LISTS for other in behind):
                place += len(self.known.returns) - 1
            else:
                place = max(place, self._total() - len(behind))
            if position < place:
                return argument
        return None

    def _total(self) -> int:
        return sum(self.sampled.counts.get(slot.name, 1) for slot in self.slots)

    def attributes(self) -> dict[str, Value]:
        """The attributes of the node.  Raises :class:`Illegal` for one that the operator does not have, and
        for lists of another length than it takes: files hold no others."""
        found: dict[str, Value] = {}
        carried = {slot.name for slot in self.slots if slot.value}
        lengths = list_lengths(self.sampled.operator)
        for name, value in self.sampled.attributes.items():
            argument = self.known.argument(name)
            if name in carried and not (argument is not None and _is_number(argument, value)):
                continue
            if argument is None:
                if name != OUTPUTS and value not in (None, self.defaults.get(name)):
                    raise Illegal(f"the operator has no `{name}`")
                continue
            length = lengths.get(name, 0)
            if not length and argument.kind.endswith("[]") and isinstance(value, int):
                raise Illegal(f"`{name}` is a list")
            if length > 1 and isinstance(value, int):
                value = (value,) * length
            if length > 1 and isinstance(value, tuple) and len(value) not in (0, length):
                raise Illegal(f"`{name}` has {length} entries")
            if value is not None or argument.kind.endswith("?"):
                found[name] = value
        for argument in self.known.arguments:
            # What has to be given is in the file, be it the rule's default.
            default = self.defaults.get(argument.name)
            if argument.required and not takes_tensors(argument) and default is not None:
                if argument.name not in found and argument.kind.endswith("[]"):
                    raise Illegal(f"`{argument.name}` is a list")
                found.setdefault(argument.name, default)
        return found

    def left_out(self, formal: Optional[SchemaArgument], random: np.random.Generator) -> bool:
        """Whether an optional input is not connected: it is given as a number, or may be missing."""
        if formal is None:
            return True
        if formal.kind == "Tensor":
            return self.values.get(formal.name) is not None
        return random.random() > CONNECTED

    def kind(self, slot: RuleTensor, formal: Optional[SchemaArgument]) -> str:
        kinds, own = self.templates.kinds, self.sampled.operator
        names = (slot.name, *(() if formal is None else (formal.name,)))
        for name in (*(f"{own}.{name}" for name in names), own, *names):
            if name in kinds:
                return kinds[name]
        return USUAL

    def carried(self, slot: RuleTensor, formal: Optional[SchemaArgument]) -> Optional[ConnectedInput]:
        value = self.values.get(slot.name)
        if formal is None or value is None or _is_number(formal, value):
            return None
        kind = self.kind(slot, formal)
        try:
            array = np.array(value, "int64" if kind == USUAL and _is_whole(value) else kind)
        except (TypeError, ValueError):
            raise Illegal(f"`{slot.name}` holds no numbers") from None
        return ConnectedInput(array.shape, str(array.dtype), array)

    def named(self) -> Sequence[str]:
        return [formal.name for formal in self.formals]


def _is_number(formal: SchemaArgument, value: Value) -> bool:
    """Whether a tensor is given as a number, which no input is there for."""
    return formal.kind == "Tensor" and value is not None and not isinstance(value, tuple)


def _is_whole(value: Value) -> bool:
    entries = value if isinstance(value, tuple) else (value,)
    return all(_is_whole(one) if isinstance(one, tuple) else isinstance(one, int) for one in entries)


def _shapes(network: SmallNetwork) -> dict[str, tuple[int, ...]]:
    return {name: p.shape for name, p in network.variables.items() if name not in network.parameters}


def _run(network: SmallNetwork) -> list[Array]:
    """The outputs of the last node of a network, without empty ones behind the others, which no network
    takes.

    Raises :class:`Illegal` where PyTorch refuses it, and where their shapes depend on what the inputs hold.
    """
    kinds = {name: np.dtype(network.variables[name].kind) for name in _shapes(network)}
    ones = {name: np.ones(shape, kinds[name]) for name, shape in _shapes(network).items()}
    others = draw(_shapes(network), 0, kinds)
    program = program_of(network)
    parts = Parts(program.text)
    node = program.text.nodes[-1]
    found = []
    for feeds in (ones, others):
        arrays = {**network.parameters, **feeds}
        values = {name: tensor_of(array, None).clone() for name, array in arrays.items()}
        try:
            with torch_package().inference_mode():
                result = call(node, parts.operation(node.target), values)
                found.append([array_of(own) for own in _flat(result)])
        except PrunecError as error:
            raise Illegal((error.diagnostics[0].notes or ("PyTorch refuses it",))[0]) from None
    if [value.shape for value in found[0]] != [value.shape for value in found[1]]:
        raise Illegal("the shape of an output depends on what the inputs hold")
    while found[0] and 0 in found[0][-1].shape:
        found[0].pop()
    return found[0]


def _flat(result: Any) -> list[Any]:
    """The tensors of a result, those of lists one after the other."""
    if not isinstance(result, (tuple, list)):
        return [result]
    return [tensor for own in result for tensor in _flat(own)]


def _with_copies(network: SmallNetwork, templates: Templates) -> SmallNetwork:
    """The network with a copy before each input that an operator writes to: a parameter, or what others read,
    it may not change."""
    changed = SmallNetwork(network.version, network.types)
    changed.inputs, changed.parameters = network.inputs, network.parameters
    changed.around = set(network.around)
    places: list[int] = []
    for node in network.nodes:
        if node.operator is None:
            places.append(len(changed.nodes))
            changed.nodes.append(node)
            continue
        inputs = [None if p is None else replace(p, node=places[p.node]) for p in node.inputs]
        known = schema(node.operator)
        writing = [n for n, f in enumerate(() if known is None else formals(known)) if f.writes]
        for position in writing:
            point = inputs[position] if position < len(inputs) else None
            if point is not None and templates.copy is not None:
                name = f"copy{len(changed.nodes)}"
                changed.around.add(name)
                copy = templates.copy
                inputs[position] = changed.add(
                    copy.operator, copy.attributes, (point,), (point.shape,), name, (point.kind,)
                )[0]
        places.append(len(changed.nodes))
        changed.nodes.append(replace(node, inputs=tuple(inputs)))
    changed.variables = {name: replace(p, node=places[p.node]) for name, p in network.variables.items()}
    changed.heads = [replace(head, node=places[head.node]) for head in network.heads]
    return changed
