"""What differs between two models, node by node: attributes, inputs, shapes and parameters.

Any two models of a front end can be compared, whoever made them.  Nodes are matched by name, those
that share a name in their order.  Front ends put a counter into the name of a whole network; what
most names of a model begin with is left out of the names where the two models differ in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Mapping, Optional, Sequence

from prunec.binding.infer import BoundGraph, Rules, bind_graph
from prunec.compiler import Analysis, Model
from prunec.diagnostics import Diagnostic, PrunecError, printable
from prunec.emission.groups_file import group_members, group_names
from prunec.graph.model import Graph, Shape, Tensor
from prunec.language.syntax import Value
from prunec.reporting.facts import group_of_units
from prunec.reporting.names import scopes, usual_scope, without_scopes


@dataclass(frozen=True)
class AttributeChange:
    """An attribute before and after; ``present`` says which of the two nodes have it."""

    name: str
    before: Value
    after: Value
    present: tuple[bool, bool] = (True, True)


@dataclass(frozen=True)
class ShapeChange:
    """The shape of an output (or of a parameter) before and after."""

    output: int
    before: Shape
    after: Shape


@dataclass(frozen=True)
class NodeChange:
    """A node that both models have and that is not the same in both.

    ``operators`` are given where they differ, ``inputs`` (sources of the inputs, by name) where they do.
    ``groups`` are the groups of channels that account for the changed sizes.
    """

    name: str
    operator: str
    is_parameter: bool
    operators: Optional[tuple[str, str]]
    inputs: Optional[tuple[tuple[str, ...], tuple[str, ...]]]
    attributes: tuple[AttributeChange, ...]
    shapes: tuple[ShapeChange, ...]
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class GroupChange:
    """A group of the first model: how many channels it has, and how many are gone from the second (``None``
    where its members do not agree on that)."""

    number: int
    name: str
    units: int
    gone: Optional[int]


@dataclass(frozen=True)
class Comparison:
    """Everything that differs.  ``parameters`` are element counts before and after, ``None`` where a shape
    is not known; ``scopes`` are what most names begin with in either model, where that differs and was left
    out; ``notes`` say what could not be compared."""

    nodes: tuple[int, int]
    changed: tuple[NodeChange, ...]
    removed: tuple[tuple[str, str], ...]
    added: tuple[tuple[str, str], ...]
    outputs: Optional[tuple[tuple[str, ...], tuple[str, ...]]]
    parameters: tuple[Optional[int], Optional[int]]
    groups: tuple[GroupChange, ...]
    scopes: Optional[tuple[str, str]]
    notes: tuple[Diagnostic, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.changed or self.removed or self.added or self.outputs)


def compare(
    before: Model, after: Model, rules: Optional[Rules] = None, analysis: Optional[Analysis] = None
) -> Comparison:
    """Compares two models.

    With ``rules`` the shapes of all tensors are compared, as far as they follow from what is known; a
    contradiction between a model and the rules becomes a note.  With ``analysis``, of ``before``, each
    change of a size is put down to the groups of channels on its axis.
    """
    notes: list[Diagnostic] = []
    bound = [None if rules is None else _bound(model, rules, notes) for model in (before, after)]
    graphs = (before.graph, after.graph)
    shapes = tuple(_shapes(graph, found) for graph, found in zip(graphs, bound))
    outer = _differing_scopes(graphs)
    pairs, gone, new = _match(graphs, outer)
    partner = {second: first for first, second in pairs}
    parameters = _parameter_nodes(before, bound[0], analysis), _parameter_nodes(after, bound[1], None)
    changed = []
    for first, second in pairs:
        change = _node_change(graphs, shapes, first, second, partner, first in parameters[0])
        if change is not None:
            changed.append((first, change))
    comparison = Comparison(
        (len(before.graph.nodes), len(after.graph.nodes)),
        tuple(change for _, change in changed),
        tuple(_named(before.graph, index) for index in gone),
        tuple(_named(after.graph, index) for index in new),
        _outputs(graphs, partner),
        (_elements(shapes[0], parameters[0]), _elements(shapes[1], parameters[1])),
        (),
        outer,
        tuple(notes),
    )
    return comparison if analysis is None else _explained(comparison, analysis, changed)


# --- matching ---------------------------------------------------------------------------------


def _differing_scopes(graphs: tuple[Graph, Graph]) -> Optional[tuple[str, str]]:
    """What most names begin with in either graph, where the graphs differ in that alone."""
    names = [[node.name for node in graph.nodes] for graph in graphs]
    if set(names[0]) & set(names[1]) - {name for own in names for name in own if len(scopes(name)) < 2}:
        return None
    found = [usual_scope([scopes(name) for name in own]) for own in names]
    if not found[0] or not found[1] or found[0][0] == found[1][0]:
        return None
    return found[0][0], found[1][0]


def _match(
    graphs: tuple[Graph, Graph], outer: Optional[tuple[str, str]]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pairs of nodes, the nodes of the first alone and those of the second alone, in order."""
    first, second = (
        [_without(node.name, None if outer is None else outer[side]) for node in graph.nodes]
        for side, graph in enumerate(graphs)
    )
    waiting: dict[str, list[int]] = {}
    for index in reversed(range(len(second))):
        waiting.setdefault(second[index], []).append(index)
    pairs, gone = [], []
    for index, name in enumerate(first):
        partners = waiting.get(name)
        if partners:
            pairs.append((index, partners.pop()))
        else:
            gone.append(index)
    return pairs, gone, sorted(index for partners in waiting.values() for index in partners)


def _without(name: str, scope: Optional[str]) -> str:
    return without_scopes(name, 1) if scope is not None and scopes(name)[:1] == (scope,) else name


def _named(graph: Graph, index: int) -> tuple[str, str]:
    return graph.nodes[index].name, graph.nodes[index].operator or "variable"


def _source(graph: Graph, tensor: Tensor) -> str:
    name = graph.nodes[tensor.node].name
    return name if tensor.output == 0 else f"{name}[{tensor.output}]"


def _matched_source(graphs: tuple[Graph, Graph], tensor: Tensor, partner: Mapping[int, int]) -> str:
    """A source in the second graph, by the name of its partner in the first where it has one."""
    if tensor.node in partner:
        return _source(graphs[0], Tensor(partner[tensor.node], tensor.output))
    return _source(graphs[1], tensor)


def _outputs(
    graphs: tuple[Graph, Graph], partner: Mapping[int, int]
) -> Optional[tuple[tuple[str, ...], tuple[str, ...]]]:
    first, second = graphs
    mapped = [(partner.get(tensor.node), tensor.output) for tensor in second.outputs]
    if mapped == [(tensor.node, tensor.output) for tensor in first.outputs]:
        return None
    return (
        tuple(_source(first, tensor) for tensor in first.outputs),
        tuple(_source(second, tensor) for tensor in second.outputs),
    )


# --- one node ---------------------------------------------------------------------------------


def _node_change(
    graphs: tuple[Graph, Graph],
    shapes: Sequence[Mapping[Tensor, Shape]],
    first: int,
    second: int,
    partner: Mapping[int, int],
    is_parameter: bool,
) -> Optional[NodeChange]:
    old, new = graphs[0].nodes[first], graphs[1].nodes[second]
    operators = None
    if old.operator != new.operator:
        operators = (old.operator or "variable", new.operator or "variable")
    inputs = None
    if [(t.node, t.output) for t in old.inputs] != [(partner.get(t.node), t.output) for t in new.inputs]:
        inputs = (
            tuple(_source(graphs[0], tensor) for tensor in old.inputs),
            tuple(_matched_source(graphs, tensor, partner) for tensor in new.inputs),
        )
    attributes = _attribute_changes(old.attributes, new.attributes)
    sizes = []
    for output in range(_output_count(shapes[0], first)):
        before = shapes[0].get(Tensor(first, output))
        after = shapes[1].get(Tensor(second, output))
        if before is not None and after is not None and _differ(before, after):
            sizes.append(ShapeChange(output, before, after))
    if operators is None and inputs is None and not attributes and not sizes:
        return None
    operator = old.operator or ("parameter" if is_parameter else "input")
    return NodeChange(old.name, operator, is_parameter, operators, inputs, attributes, tuple(sizes))


def _output_count(shapes: Mapping[Tensor, Shape], node: int) -> int:
    count = 0
    while Tensor(node, count) in shapes:
        count += 1
    return count


def _differ(before: Shape, after: Shape) -> bool:
    """Whether two shapes are known to differ."""
    return len(before) != len(after) or any(
        a != b for a, b in zip(before, after) if a is not None and b is not None
    )


def _attribute_changes(
    before: Mapping[str, Value], after: Mapping[str, Value]
) -> tuple[AttributeChange, ...]:
    changes = []
    for name in dict.fromkeys((*before, *after)):
        present = name in before, name in after
        # True is 1 to a comparison, and files write either.
        if present != (True, True) or before[name] != after[name]:
            changes.append(AttributeChange(name, before.get(name), after.get(name), present))
    return tuple(changes)


# --- shapes and parameters --------------------------------------------------------------------


def _bound(model: Model, rules: Rules, notes: list[Diagnostic]) -> Optional[BoundGraph]:
    try:
        return bind_graph(model.graph, rules)
    except PrunecError as error:
        notes += error.diagnostics
        return None


def _shapes(graph: Graph, bound: Optional[BoundGraph]) -> Mapping[Tensor, Shape]:
    if bound is not None:
        return bound.shapes
    return {Tensor(node, 0): shape for node, shape in graph.shapes.items()}


def _parameter_nodes(
    model: Model, bound: Optional[BoundGraph], analysis: Optional[Analysis]
) -> frozenset[int]:
    """The variables that are learned: those the front end knows, and those in parameter slots of rules."""
    found = set(model.graph.parameters)
    if analysis is not None:
        found |= {p.node for p in analysis.parameters if p.node is not None}
    if bound is not None and model.parameter_shapes is None:
        for node, rule in zip(model.graph.nodes, bound.bounds):
            for tensor, slot in zip(node.inputs, rule.inputs if rule is not None else ()):
                if model.graph.nodes[tensor.node].operator is None and slot.slot in (
                    rule.parameter_slots if rule is not None else ()
                ):
                    found.add(tensor.node)
    names = {model.graph.nodes[index].name for index in found}
    given = names & set(model.input_shapes)
    return frozenset(index for index in found if model.graph.nodes[index].name not in given)


def _elements(shapes: Mapping[Tensor, Shape], parameters: frozenset[int]) -> Optional[int]:
    total = 0
    for index in parameters:
        shape = shapes.get(Tensor(index, 0))
        if shape is None:
            return None
        count = 1
        for size in shape:
            if size is None:
                return None
            count *= size
        total += count
    return total


# --- groups -----------------------------------------------------------------------------------


def _explained(
    comparison: Comparison, analysis: Analysis, changed: Sequence[tuple[int, NodeChange]]
) -> Comparison:
    """The comparison with each changed size put down to groups, and how much each group lost."""
    finder = _Finder(analysis)
    nodes = tuple(replace(change, groups=finder.groups(index, change)) for index, change in changed)
    members = group_members(analysis)
    names = group_names(members)
    losses: dict[int, set[int]] = {}
    for change, (index, _) in zip(nodes, changed):
        if change.is_parameter:
            for number, count in finder.losses(index, change).items():
                losses.setdefault(number, set()).add(count)
    touched = sorted({number for change in nodes for number in change.groups})
    groups = []
    for number in touched:
        found = losses.get(number, set())
        units = len(analysis.solution.groups[number].units)
        groups.append(GroupChange(number, names[number], units, found.pop() if len(found) == 1 else None))
    return replace(comparison, changed=nodes, groups=tuple(groups))


class _Finder:
    """Finds the groups on the axes of tensors."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.group_of = group_of_units(analysis)

    def _on_axis(self, tensor: Tensor, axis: int) -> dict[int, int]:
        """The groups on an axis, each with how many elements of the axis one of its units takes."""
        channels = self.analysis.solution.propagation.channels.get(tensor)
        if channels is None or axis >= len(channels.layout.axes):
            return {}
        start = sum(len(factors) for factors in channels.layout.axes[:axis])
        own = range(start, start + len(channels.layout.axes[axis]))
        found: dict[int, int] = {}
        for factors, array in zip(channels.layout.arrays, channels.arrays):
            if not any(factor in own for factor in factors):
                continue
            units = self.analysis.solution.units(array).reshape(-1)
            inside = units[units >= 0]
            for number in dict.fromkeys(self.group_of[inside].tolist()):
                if number >= 0:
                    count = int((self.group_of[inside] == number).sum())
                    whole = 1
                    for factor in own:
                        if factor not in factors:
                            whole *= channels.layout.factors[factor] or 1
                    spread = 1
                    for factor in factors:
                        if factor not in own:
                            spread *= channels.layout.factors[factor] or 1
                    size = len(self.analysis.solution.groups[number].units)
                    found[number] = max(1, count * whole // (size * spread))
        return found

    def groups(self, node: int, change: NodeChange) -> tuple[int, ...]:
        """The groups on all axes of a node's outputs that changed their size."""
        if change.inputs is not None or change.operators is not None:
            return ()  # pruning leaves both alone, so something else happened here
        found: dict[int, None] = {}
        for shape in change.shapes:
            for axis in _changed_axes(shape):
                found.update(dict.fromkeys(self._on_axis(Tensor(node, shape.output), axis)))
        return tuple(found)

    def losses(self, node: int, change: NodeChange) -> dict[int, int]:
        """How many units each group lost, as told by the axes of a parameter where it stands alone."""
        result: dict[int, int] = {}
        for shape in change.shapes:
            for axis in _changed_axes(shape):
                found = self._on_axis(Tensor(node, shape.output), axis)
                before, after = shape.before[axis], shape.after[axis]
                if len(found) == 1 and before is not None and after is not None:
                    ((number, per_unit),) = found.items()
                    lost, rest = divmod(before - after, per_unit)
                    result[number] = lost if not rest else -1
        return {number: count for number, count in result.items() if count >= 0}


def _changed_axes(change: ShapeChange) -> list[int]:
    if len(change.before) != len(change.after):
        return []
    return [
        axis
        for axis, (before, after) in enumerate(zip(change.before, change.after))
        if before is not None and after is not None and before != after
    ]


def value_text(value: Value, present: bool = True) -> str:
    """An attribute's value as reports show it."""
    if not present:
        return "absent"
    if isinstance(value, tuple):
        inside = ", ".join(value_text(item) for item in value)
        return f"({inside}{',' if len(value) == 1 else ''})"
    return printable(str(value), 120)
