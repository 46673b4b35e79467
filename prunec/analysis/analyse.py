"""A model whose channels are solved: rules are lowered to its nodes, channels joined, parameters found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Container, Mapping, Optional, Sequence

import numpy as np

from prunec.analysis.advice import inputs_without_shape, warnings, without_axes
from prunec.analysis.constants import may_free_channels
from prunec.analysis.learned import Learned, learned
from prunec.analysis.products import products_of
from prunec.analysis.unread import unread_warnings
from prunec.channels.interface import FIXED, Interface
from prunec.channels.propagate import Channels, Products, Propagation, propagate
from prunec.channels.solve import Solution, solve
from prunec.graph import COUNTS, Graph, Shape, Tensor, input_flags, may_agree, shape_text
from prunec.lowering.infer import Rules, describe, lower_graph
from prunec.lowering.lowered import LoweredGraph
from prunec.model import Model
from prunec.support.diagnostics import Diagnostic, PrunecError

#: How often parameters are looked at again for products of channels.
_MOST_ROUNDS = 6


@dataclass(frozen=True)
class Parameter:
    """A parameter with its channels; ``node`` is its variable, ``None`` if the graph does not mention it."""

    name: str
    node: Optional[int]
    shape: Shape
    channels: Channels
    neutral: float


@dataclass(frozen=True)
class Analysis:
    """A model whose channels are solved."""

    model: Model
    lowered: LoweredGraph
    solution: Solution
    parameters: tuple[Parameter, ...]
    warnings: tuple[Diagnostic, ...]
    strict: bool

    def __repr__(self) -> str:
        solution = self.solution
        return f"<Analysis of {self.model!r}: {len(solution.groups)} groups, {solution.unit_count} units>"

    @cached_property
    def learned(self) -> Learned:
        """Which constants of the model are learned."""
        return learned(self.model, self.lowered)

    def is_learned(self, parameter: Parameter) -> bool:
        """Whether a parameter is; those that the graph does not mention are."""
        return parameter.node is None or parameter.node in self.learned.variables


def analyse(
    model: Model,
    rules: Rules,
    strict: bool = False,
    freed: Container[str] = frozenset(),
    interface: Interface = FIXED,
    whole: Container[str] = frozenset(),
) -> Analysis:
    """Binds the rules to the model's graph and solves its channels.

    Where more can go when what follows from parameters alone is computed first, the ``model`` of the
    analysis is one in which it is.  ``strict`` keeps channels whose removal would change the values of what
    stays; ``freed`` names nodes and parameters at which channels may go that stand for numbers, ``interface``
    the inputs and outputs that may change their width, and ``whole`` nodes at which whole rows of tables go
    where they cannot while columns do.  Raises PrunecError with all contradictions, missing
    shapes and mismatching parameters.
    """
    plain = analyse_as_written(model, rules, strict, freed, interface, whole)
    folded = model.folded() if may_free_channels(plain.lowered) else None
    if folded is None:
        return plain
    other = analyse_as_written(folded, rules, strict, freed, interface, whole)
    return other if _frees_more(other, plain) else plain


def _frees_more(analysis: Analysis, other: Analysis, alone: bool = False) -> bool:
    """Whether more units can go, and as many of them exactly, or as many and more of them exactly; see
    :func:`_units` for ``alone``."""
    (count, exact), (others, exact_others) = _units(analysis, alone), _units(other, alone)
    return count >= others and exact >= exact_others and (count, exact) != (others, exact_others)


def _units(analysis: Analysis, alone: bool) -> tuple[int, int]:
    """How many units can go, and how many of them exactly: those that shorten more than one parameter, since
    the positions of a table that nothing else has are no channels.  ``alone``: of those that can go exactly,
    the ones that shorten a single parameter count as well."""
    solution = analysis.solution
    times = np.zeros(solution.unit_count, dtype=np.int64)
    for parameter in analysis.parameters:
        arrays = [solution.units(array).reshape(-1) for array in parameter.channels.arrays]
        found = np.unique(np.concatenate(arrays)) if arrays else np.zeros(0, dtype=np.int64)
        times[found[found >= 0]] += 1
    exactly = [not group.approximate for group in solution.groups]
    counts = [
        int((times[group.units] > (0 if alone and exact else 1)).sum())
        for group, exact in zip(solution.groups, exactly)
    ]
    return sum(counts), sum(count for count, exact in zip(counts, exactly) if exact)


def analyse_as_written(
    model: Model,
    rules: Rules,
    strict: bool = False,
    freed: Container[str] = frozenset(),
    interface: Interface = FIXED,
    whole: Container[str] = frozenset(),
) -> Analysis:
    """The same of the model as it is."""
    bound = lower_graph(_without_counts(model.graph, freed), rules)
    parameters = _parameters(model, bound)
    best = _with_products(model, bound, parameters, strict, interface, whole)
    # Along which axes an input holds channels shows in what comes of it; one of samples holds none.
    ranks = [len(bound.open_shapes.get(Tensor(index, 0), ())) for index in _named(model.graph, interface)]
    for axis in range(-1, -1 - max(ranks, default=0), -1):
        wider = replace(interface, axes=interface.axes | {axis})
        other = _with_products(model, bound, parameters, strict, wider, whole)
        if _frees_more(other, best, alone=True):
            best, interface = other, wider
    told = (*unread_warnings(model, bound), *warnings(bound, best.solution, parameters))
    return replace(best, warnings=told)


def _named(graph: Graph, interface: Interface) -> list[int]:
    """The inputs that may change their width."""
    return [
        index
        for index, node in enumerate(graph.nodes)
        if node.operator is None and node.name in interface.inputs
    ]


def _with_products(
    model: Model,
    bound: LoweredGraph,
    parameters: frozenset[int],
    strict: bool,
    interface: Interface,
    whole: Container[str],
) -> Analysis:
    """The analysis that takes parameters apart whose axes are products of channels, without its warnings."""
    best = _solved(model, bound, parameters, strict, {}, interface, whole)
    products: Products = {}
    # What one layer's rows are freed to lose are the next one's columns.
    for _ in range(_MOST_ROUNDS):
        more = products_of(bound, best.solution)
        if not more:
            break
        products = {**products, **{t: {**products.get(t, {}), **axes} for t, axes in more.items()}}
        other = _solved(model, bound, parameters, strict, products, interface, whole)
        if not _frees_more(other, best):
            break
        best = other
    return best


def _solved(
    model: Model,
    bound: LoweredGraph,
    parameters: frozenset[int],
    strict: bool,
    products: Products,
    interface: Interface,
    whole: Container[str],
) -> Analysis:
    """The analysis, without its warnings."""
    propagation = propagate(bound, parameters, strict, products, interface, whole)
    found = _parameter_channels(model, bound, propagation)
    solution = solve(propagation)
    _check_shapes(bound, solution, parameters)
    _check_parameters(model, found, parameters)
    return Analysis(model, bound, solution, found, (), strict)


def _without_counts(graph: Graph, freed: Container[str]) -> Graph:
    """The graph whose nodes do not say that what they take counts, where they or what they take are freed."""
    nodes = list(graph.nodes)
    for index, node in enumerate(nodes):
        names = (node.name, *(graph.nodes[tensor.node].name for tensor in node.inputs))
        if COUNTS in node.attributes and any(name in freed for name in names):
            left = {name: value for name, value in node.attributes.items() if name != COUNTS}
            nodes[index] = replace(node, attributes=left)
    return replace(graph, nodes=tuple(nodes)) if nodes != list(graph.nodes) else graph


# --- parameters ---


def _parameters(model: Model, bound: LoweredGraph) -> frozenset[int]:
    """The learned variables: those the front end knows, and those in parameter slots of rules."""
    graph = model.graph
    if model.parameter_shapes is not None:
        return graph.parameters
    found = set(graph.parameters)
    for index, rule in enumerate(bound.rules):
        if rule is None:
            continue
        for tensor, slot in zip(graph.nodes[index].inputs, rule.inputs):
            variable = graph.nodes[tensor.node]
            if variable.operator is None and slot.slot in rule.parameter_slots:
                if variable.name not in model.input_shapes:
                    found.add(tensor.node)
    return frozenset(found)


def _parameter_channels(model: Model, bound: LoweredGraph, propagation: Propagation) -> tuple[Parameter, ...]:
    channels = propagation.channels
    found: dict[str, Parameter] = {}
    graph = model.graph
    for index, node in enumerate(graph.nodes):
        tensor = Tensor(index, 0)
        if node.operator is not None or index in propagation.inputs:
            continue
        if tensor in channels and channels[tensor].layout.arrays:
            shape = bound.shapes.get(tensor, ())
            found.setdefault(
                node.name,
                Parameter(node.name, index, shape, channels[tensor], bound.neutral.get(tensor, 0.0)),
            )
    known = model.parameter_shapes
    for (index, slot), own in propagation.implied.items():
        name = model.implied_name(index, slot)
        if own.layout.arrays and name not in found and (known is None or name in known):
            rule = bound.rules[index]
            assert rule is not None
            tensor_slot = next(t for t in rule.implied if t.slot == slot)
            value = rule.neutral.get(slot, 0.0)
            found[name] = Parameter(name, None, rule.shape(tensor_slot) or (), own, value)
    return tuple(found.values())


# --- checks ---


def _check_shapes(bound: LoweredGraph, solution: Solution, parameters: frozenset[int]) -> None:
    """Where nothing can go for want of shapes, these are needed; else what depends on them stays."""
    nodes = without_axes(bound)
    inputs = inputs_without_shape(bound, parameters, nodes)
    if inputs and not solution.unit_count:
        raise PrunecError(_missing_shape(bound, nodes[0], inputs))


def _missing_shape(bound: LoweredGraph, index: int, inputs: Mapping[str, Optional[Shape]]) -> Diagnostic:
    return Diagnostic(
        "P401",
        f"the shape of {'an input' if len(inputs) == 1 else 'inputs'} is needed: {', '.join(inputs)}",
        where=describe(bound.graph, index, bound.open_shapes),
        notes=("what this node does to channels depends on its sizes, which nothing in the model gives",),
        help=f"give the shape{'s' if len(inputs) > 1 else ''}: {input_flags(inputs)}",
    )


def _check_parameters(model: Model, found: Sequence[Parameter], parameters: frozenset[int]) -> None:
    problems = []
    known = model.parameter_shapes
    for parameter in found:
        if known is not None and parameter.name in known:
            actual: Shape = known[parameter.name]
            if not may_agree(actual, parameter.shape):
                problems.append(
                    Diagnostic(
                        "P611",
                        f"parameter {parameter.name!r} has another shape than the model needs",
                        where=f"parameter {parameter.name!r}",
                        notes=(
                            f"the file has {shape_text(actual)}, "
                            f"the model needs {shape_text(parameter.shape)}",
                        ),
                        help="give the parameter file that belongs to this model with --params",
                    )
                )
    if problems:
        raise PrunecError(*problems)
