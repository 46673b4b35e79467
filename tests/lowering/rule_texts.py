"""What becomes of each form of each built-in rule for one node: how the node is drawn, and the texts.

A node is drawn once, by the draws of the proof but without a framework, and then kept in a file of
``tests/lowering/texts`` with what becomes of it; it is drawn again only where its rule no longer takes it.
"""

from __future__ import annotations

import re
import zlib
from ast import literal_eval
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Union

import numpy as np
from core.small import SmallModel

from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import uniform
from prunec.explaining.records import records_text
from prunec.frontends.operators import Argument, Operator
from prunec.frontends.trial_templates import Templates, read_templates
from prunec.frontends.trials import SampledNode
from prunec.graph import COUNTS, Graph, Known, Node, Shape, Tensor
from prunec.language.library import RuleSet, load
from prunec.language.parser import parse
from prunec.language.syntax import Equation, Name, Rest, Rule
from prunec.language.syntax import TensorPattern as Slot
from prunec.language.tree import calls, walk
from prunec.lowering.guards import holds
from prunec.proving.draw import draw_form
from prunec.proving.forms import Form, forms, may_hold
from prunec.proving.rules_under_trial import AROUND
from prunec.proving.shapes import NotDrawn
from prunec.rewriting.edits import edits_for
from prunec.rewriting.shrink import Shrinker
from prunec.support.diagnostics import PrunecError, Source
from prunec.value import Value

TEXTS = Path(__file__).with_name("texts")
TEMPLATES = {"default": "trial_templates.json", "onnx": "trial_templates_onnx.json"}
#: What gives the node its channels, and what takes them: every axis has channels of its own.
NEIGHBOURS = """
op source { ; weight[*x] -> out[*x]  zero out }
op sink { data[*x]; weight[*x] -> out[] }
"""
_MOST_DRAWS = 80
_HEADING = re.compile(r"^# --- (.*?) -+$", re.M)

#: An input of a node: a shape, the value that it carries, or ``None`` where it is left out.
Input = Union[tuple[int, ...], list[Any], int, float, bool, None]


@dataclass(frozen=True)
class Entry:
    """A form of a rule: the name that it has in the files."""

    library: str
    family: str
    rule: Rule
    form: Form
    name: str


@dataclass(frozen=True)
class Trial:
    """A node to lower a rule to: its operator, attributes, inputs, and how many outputs it has."""

    operator: str
    attributes: Mapping[str, Value]
    inputs: tuple[Input, ...]
    outputs: int

    def text(self) -> str:
        return f"{self.operator} {dict(self.attributes)!r} {list(self.inputs)!r} {self.outputs}"


def read_trial(text: str) -> Trial:
    found = re.fullmatch(r"(\S+) (\{.*\}) (\[.*\]) (\d+)", text)
    assert found is not None, text
    return Trial(found[1], literal_eval(found[2]), tuple(literal_eval(found[3])), int(found[4]))


def entries(library: str) -> Iterator[Entry]:
    """The forms of all rules that say anything, in their order."""
    rules = load([library])
    for rule in rules.all_rules():
        if rule.opaque is not None:
            continue
        headings = list(_HEADING.finditer(rule.span.source.text, 0, rule.span.start))
        family = re.sub(r"\W+", "_", headings[-1][1])
        for form in forms(rule):
            # What a node takes is drawn, and no constant among that counts.
            if not any(
                may_hold(own, Operator("", (), version_attributes={COUNTS: None})) for own in form.rules
            ):
                continue
            name = f"{rule.label} when {form.words}" if form.words else rule.label
            yield Entry(library, family, rule, form, " ".join(name.split()))


class Neighbours:
    """The rules of a library, and those of what stands around a node."""

    def __init__(self, library: str) -> None:
        around = parse(Source("neighbours.prune", NEIGHBOURS)).rules
        by_name = {AROUND + rule.operators[0].name: (rule,) for rule in around}
        self.rules: RuleSet = load([library])
        self.around: Mapping[str, tuple[Rule, ...]] = by_name

    def rules_for(self, operator: str) -> tuple[Rule, ...]:
        return self.around.get(operator) or self.rules.rules_for(operator)


# --- from a node to its texts -----------------------------------------------------------------


def texts(entry: Entry, trial: Trial, rules: Neighbours) -> str:
    """The records of a node, without the places in rules, which move with every rule.

    Raises ``ValueError`` where the node is not one for this form of the rule.
    """
    model = _model(entry, trial)
    try:
        analysis = analyse(model, rules)
    except PrunecError as error:
        raise ValueError(error.diagnostics[0].headline) from None
    index = next(n for n, node in enumerate(model.graph.nodes) if node.name == "node")
    _check(entry, analysis, index)
    scores = np.zeros(analysis.solution.unit_count)
    edits = edits_for(analysis, Shrinker(analysis.solution, uniform(analysis.solution, 0.5, scores)))
    text = records_text(analysis, "node", edits).partition("\n\n")[2]
    return re.sub(r" (?:at |\()rules/\w+\.prune:\d+:\d+\)?", "", text)


def _check(entry: Entry, analysis: Analysis, index: int) -> None:
    rule = analysis.lowered.rules[index]
    if rule is None or index in analysis.lowered.opaque or rule.header.span.start != entry.rule.span.start:
        raise ValueError("the node is not one for this rule")
    shapes: dict[str, list[Optional[Shape]]] = {}
    for slot in rule.inputs:
        shapes.setdefault(slot.slot, []).append(rule.shape(slot))
    if all(holds(form.when, rule.attributes, shapes) is False for form in entry.form.rules):
        raise ValueError("the node is not one for this form")
    values = {position for _, position in rule.value_inputs}
    inputs = (slot for position, slot in enumerate(rule.inputs) if position not in values)
    sizes = [size for slot in (*inputs, *rule.outputs) for size in rule.shape(slot) or ()]
    if any(size is not None and size < 1 for size in sizes):
        raise ValueError("a tensor is empty")


def _model(entry: Entry, trial: Trial) -> SmallModel:
    """The node with a source for each input and a sink for each output."""
    signature = entry.rule.signature
    nodes: list[Node] = []
    arrays: dict[int, tuple[int, ...]] = {}
    known: dict[Tensor, Known] = {}

    def variable(name: str, shape: tuple[int, ...]) -> Tensor:
        nodes.append(Node(name, None, {}, ()))
        arrays[len(nodes) - 1] = shape
        return Tensor(len(nodes) - 1, 0)

    inputs = []
    for position, own in enumerate(trial.inputs):
        slot = _slot(entry.rule, position)
        if own is None:
            continue
        tensor = variable(f"x{position}", own if isinstance(own, tuple) else np.shape(own))
        if not isinstance(own, tuple):
            known[tensor] = np.array(own)
        elif slot not in signature.parameters:
            nodes.append(Node(f"made{position}", f"{AROUND}source", {}, (tensor,)))
            tensor = Tensor(len(nodes) - 1, 0)
        inputs.append(tensor)
    connected = tuple(own is not None for own in trial.inputs) if entry.library == "onnx" else ()
    nodes.append(Node("node", trial.operator, trial.attributes, tuple(inputs), connected, trial.outputs))
    node, heads = len(nodes) - 1, []
    for number in range(trial.outputs):
        nodes.append(Node(f"w{number}", None, {}, ()))
        nodes.append(
            Node(f"taken{number}", f"{AROUND}sink", {}, (Tensor(node, number), Tensor(len(nodes) - 1, 0)))
        )
        heads.append(Tensor(len(nodes) - 1, 0))
    learned = frozenset(
        i for i, own in enumerate(nodes) if own.operator is None and Tensor(i, 0) not in known
    )
    graph = Graph(tuple(nodes), tuple(heads), learned, dict(arrays), known)
    zeros = {nodes[i].name: np.zeros(shape, np.float32) for i, shape in arrays.items()}
    return SmallModel(graph, zeros, {})


def _slot(rule: Rule, position: int) -> Slot:
    """The slot of an input; a variadic one stands last among the data where there is one."""
    signature = rule.signature
    slots = signature.data + signature.parameters
    return slots[min(position, len(slots) - 1)]


# --- drawing ----------------------------------------------------------------------------------


def draw_trial(entry: Entry, rules: Neighbours) -> Optional[Trial]:
    """A node for a form: one whose shapes are known and of which channels can go, if such a one is drawn;
    ``None`` where there is none at all."""
    templates = read_templates(TEMPLATES[entry.library], 20 if entry.library == "onnx" else None)
    random = np.random.default_rng(zlib.crc32(f"{entry.library} {entry.name}".encode()))
    names = list(dict.fromkeys(name.name for name in entry.rule.operators))
    best: Optional[Trial] = None
    most = -1
    for number in range(_MOST_DRAWS):
        form = entry.form.rules[number % len(entry.form.rules)]
        # Of some operators a rule that specialises this one holds.
        operator = _operator(entry.rule, names[number // 8 % len(names)], templates)
        with suppress(NotDrawn, ValueError):
            sampled = draw_form(form, entry.rule, operator, templates, random, learned=True)
            trial = _trial(entry, sampled, random)
            text = texts(entry, trial, rules)
            good = 2 * ("?" not in text) + ("edits\n  none" not in text)
            if good > most:
                best, most = trial, good
        if most == 3:
            break
    return best


def _trial(entry: Entry, sampled: SampledNode, random: np.random.Generator) -> Trial:
    signature, attributes, counts = entry.rule.signature, sampled.attributes, sampled.counts
    defaults = {a.name: None if a.default is None else a.default.value for a in entry.rule.attributes}
    inputs: list[Input] = []
    carried: set[str] = set()
    for slot in signature.data + signature.parameters:
        if slot.value:
            value = attributes.get(slot.name, defaults.get(slot.name))
            carried.add(slot.name)
            inputs.append(_as_list(value))
        elif slot.kind == "optional" and random.random() < 0.2:
            inputs.append(None)
        else:
            inputs += [sampled.shapes[slot.name, index] for index in range(counts.get(slot.name, 1))]
    while inputs and inputs[-1] is None:
        inputs.pop()
    if entry.library != "onnx" and None in inputs:
        inputs = inputs[: inputs.index(None)]
    outputs = sum(counts.get(slot.name, 1) for slot in signature.outputs)
    wanted = attributes.get("outputs", defaults.get("outputs"))
    own = {name: value for name, value in attributes.items() if name not in carried}
    return Trial(sampled.operator, own, tuple(inputs), wanted if isinstance(wanted, int) else outputs)


def _as_list(value: Value) -> Input:
    if isinstance(value, tuple):
        return [_as_list(part) for part in value]
    return value if isinstance(value, (int, float)) else None


def _operator(rule: Rule, name: str, templates: Templates) -> Operator:
    """An operator as far as a rule tells of it: what goes with a rest, or has a length, is a list."""
    lists: set[str] = set()
    for statement in rule.statements:
        if isinstance(statement, Equation):
            parts = [*walk(statement.left), *walk(statement.right)]
            if any(isinstance(part, Rest) for part in parts):
                lists.update(part.name for part in parts if isinstance(part, Name))
    for call in calls(*([] if rule.when is None else [rule.when])):
        if call.function == "length":
            lists.update(own.name for own in call.arguments if isinstance(own, Name))
    arguments = []
    for attribute in rule.attributes:
        default = None if attribute.default is None else attribute.default.value
        menu = templates.values.get(f"{name}.{attribute.name}", templates.values.get(attribute.name, ()))
        kind = "tuple" if attribute.name in lists else _kind(next(iter(menu), default))
        if kind is not None:
            nullable = default is None and attribute.default is not None
            arguments.append(Argument(attribute.name, kind, (), nullable, attribute.default is None))
    return Operator(name, tuple(arguments), takes_any=True)


def _kind(value: Value) -> Optional[str]:
    kinds = {bool: "boolean", int: "integer", float: "float", tuple: "tuple"}
    return kinds.get(type(value))
