"""What differs between two models, node by node: attributes, inputs, shapes and parameters.

Any two models of a front end can be compared, whoever made them.  Nodes are matched by name, those
that share a name in their order.  Front ends put a counter into the name of a whole network; what
most names of a model begin with is left out of the names where the two models differ in it.
"""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

from prunec.analysis.analyse import Analysis
from prunec.analysis.learned import learned
from prunec.graph import Graph, Shape, Tensor
from prunec.lowering.infer import Rules, lower_graph
from prunec.lowering.lowered import LoweredGraph
from prunec.model import Model
from prunec.reporting.accounting import by_groups
from prunec.reporting.differences import AttributeChange, ModelDifference, NodeChange, ShapeChange
from prunec.reporting.names import scopes, usual_scope, without_scopes
from prunec.sizes import closed_shape
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.value import Value


def compare(
    before: Model, after: Model, rules: Optional[Rules] = None, analysis: Optional[Analysis] = None
) -> ModelDifference:
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
    comparison = ModelDifference(
        (len(before.graph.nodes), len(after.graph.nodes)),
        tuple(change for _, change in changed),
        tuple(_named(before.graph, index) for index in gone),
        tuple(_named(after.graph, index) for index in new),
        _outputs(graphs, partner),
        (
            _elements(shapes[0], _learned(before, bound[0], parameters[0])),
            _elements(shapes[1], _learned(after, bound[1], parameters[1])),
        ),
        (),
        outer,
        tuple(notes),
    )
    return comparison if analysis is None else by_groups(comparison, analysis, changed)


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


def _bound(model: Model, rules: Rules, notes: list[Diagnostic]) -> Optional[LoweredGraph]:
    try:
        return lower_graph(model.graph, rules)
    except PrunecError as error:
        notes += error.diagnostics
        return None


def _shapes(graph: Graph, bound: Optional[LoweredGraph]) -> Mapping[Tensor, Shape]:
    if bound is not None:
        return bound.shapes
    return {Tensor(node, 0): closed_shape(shape) for node, shape in graph.shapes.items()}


def _parameter_nodes(
    model: Model, bound: Optional[LoweredGraph], analysis: Optional[Analysis]
) -> frozenset[int]:
    """The variables that are learned: those the front end knows, and those in parameter slots of rules."""
    found = set(model.graph.parameters)
    if analysis is not None:
        found |= {p.node for p in analysis.parameters if p.node is not None}
    if bound is not None and model.parameter_shapes is None:
        for node, rule in zip(model.graph.nodes, bound.rules):
            for tensor, slot in zip(node.inputs, rule.inputs if rule is not None else ()):
                if model.graph.nodes[tensor.node].operator is None and slot.slot in (
                    rule.parameter_slots if rule is not None else ()
                ):
                    found.add(tensor.node)
    names = {model.graph.nodes[index].name for index in found}
    given = names & set(model.input_shapes)
    return frozenset(index for index in found if model.graph.nodes[index].name not in given)


def _learned(model: Model, bound: Optional[LoweredGraph], parameters: frozenset[int]) -> frozenset[int]:
    """The variables whose elements count: without rules, all that may be learned."""
    return parameters if bound is None else learned(model, bound).variables


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
