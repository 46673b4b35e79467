"""What a model costs as a function of how many steps each choice loses.

A step of a choice takes the same number of positions from an axis wherever in the choice's ranking it
stands, so the size of every axis is linear in the steps, and the exact cost of a plan follows without
making it: multiply-adds from the ``macs`` statements of the rules, parameters from their shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Callable, Iterator, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.channels.balance import varying_dimensions
from prunec.channels.choices import Choice
from prunec.channels.components import Atoms
from prunec.channels.propagate import Channels, NodeAtoms
from prunec.channels.solve import Solution
from prunec.graph import Shape, Tensor
from prunec.lowering.expressions import Scalar, evaluate, names_in
from prunec.planning.alignment import AxisCount
from prunec.sizes import closed

#: A cost of a plan; ``None`` where it is not known.
Cost = Callable[[Atoms], Optional[float]]


@dataclass(frozen=True)
class Factor:
    """A number in a cost: ``size``, or the least of some extents if one is less."""

    size: Optional[int]
    extents: tuple[int, ...]

    def value(self, extents: Sequence[int]) -> Optional[int]:
        """The factor when extents have the sizes given."""
        least = self.size
        for number in self.extents:
            least = extents[number] if least is None else min(least, extents[number])
        return least


@dataclass(frozen=True, eq=False)
class LayerCost:
    """The multiply-adds of a node: ``count`` over names, each a product of factors; the other names have
    fixed ``sizes``."""

    node: int
    count: Scalar
    names: Mapping[str, tuple[Factor, ...]]
    sizes: Mapping[str, Optional[int]]


@dataclass(frozen=True, eq=False)
class Weights:
    """A parameter: its shape as a product of factors, and the bytes of an element."""

    name: str
    factors: tuple[Factor, ...]
    item_size: int


class CostModel:
    """The costs of a model whose choices lose some steps, worked out when they are asked for.

    Costs that depend on a size which is not known are ``None``.
    """

    def __init__(self, analysis: Analysis, choices: Sequence[Choice]) -> None:
        self.choices = tuple(choices)
        self._builder = _Builder(analysis, choices)
        self._known: dict[tuple[int, tuple[Optional[int], ...]], Optional[int]] = {}

    @property
    def layers(self) -> tuple[LayerCost, ...]:
        """What is computed, node by node."""
        return self._counted[0]

    @property
    def weights(self) -> tuple[Weights, ...]:
        """What is learned."""
        return self._counted[1]

    @cached_property
    def _counted(self) -> tuple[tuple[LayerCost, ...], tuple[Weights, ...], _Losses]:
        # Both number the extents that they stand in.
        layers, weights = tuple(self._builder.layers()), tuple(self._builder.weights())
        return layers, weights, _losses(self._builder.extents)

    @cached_property
    def axis_counts(self) -> tuple[AxisCount, ...]:
        """Every axis of a parameter that steps shorten."""
        return self._builder.axis_counts()

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """For each choice how many channels of an axis a step takes, at the least."""
        return _widths(len(self.choices), self.axis_counts)

    @cached_property
    def _fixed(self) -> Optional[int]:
        return self._builder.fixed_bytes(self.weights)

    def functions(self) -> dict[str, Cost]:
        """The costs that follow from a plan without running it, by the words for targets."""
        return {"macs": self.multiply_adds, "params": self.parameters, "size": self.file_size}

    def none(self) -> Atoms:
        """The steps of a plan that removes nothing."""
        return np.zeros(len(self.choices), dtype=np.int64)

    def multiply_adds(self, steps: Atoms) -> Optional[int]:
        """Multiply-adds of one run, of all nodes whose rules count them."""
        extents = self._extents(steps)
        total = 0
        for layer in self.layers:
            count = self._layer(layer, extents)
            if count is None:
                return None
            total += count
        return total

    def parameters(self, steps: Atoms) -> Optional[int]:
        """Elements of all that is learned."""
        return self._weigh(steps, items=False)

    def file_size(self, steps: Atoms) -> Optional[int]:
        """Bytes of the parameter file; ``None`` without one."""
        total = None if self._fixed is None else self._weigh(steps, items=True)
        return None if total is None or self._fixed is None else total + self._fixed

    def channels(self, steps: Atoms) -> int:
        """Units that are left, of those that can go."""
        lost: int = sum(len(choice.cells) * count for choice, count in zip(self.choices, steps.tolist()))
        return sum(len(choice.units) for choice in self.choices) - lost

    def unknown_layers(self) -> tuple[int, ...]:
        """The nodes whose multiply-adds are not known."""
        extents = self._extents(self.none())
        return tuple(layer.node for layer in self.layers if self._layer(layer, extents) is None)

    def _extents(self, steps: Atoms) -> list[int]:
        found = self._counted[2]
        weights = found.losses * steps[found.choices]
        lost = np.bincount(found.rows, weights=weights, minlength=len(found.base))
        return [int(size) for size in (found.base - np.rint(lost)).tolist()]

    def _layer(self, layer: LayerCost, extents: Sequence[int]) -> Optional[int]:
        sizes = {name: _product(factors, extents) for name, factors in layer.names.items()}
        key = (layer.node, tuple(sizes.values()))
        if key not in self._known:
            self._known[key] = closed(evaluate(layer.count, {**layer.sizes, **sizes}))
        return self._known[key]

    def _weigh(self, steps: Atoms, items: bool) -> Optional[int]:
        extents = self._extents(steps)
        total = 0
        for weights in self.weights:
            count = _product(weights.factors, extents)
            if count is None:
                return None
            total += count * (weights.item_size if items else 1)
        return total


@dataclass(frozen=True, eq=False)
class _Losses:
    """Sizes of axes, and how much of axis ``rows[i]`` a step of choice ``choices[i]`` takes: few choices
    shorten one axis."""

    base: Atoms
    rows: Atoms
    choices: Atoms
    losses: NDArray[np.float64]


def _losses(extents: Sequence[tuple[int, tuple[tuple[int, float], ...]]]) -> _Losses:
    entries = [(row, *entry) for row, (_, own) in enumerate(extents) for entry in own]
    return _Losses(
        np.array([size for size, _ in extents], dtype=np.int64),
        np.array([row for row, _, _ in entries], dtype=np.int64),
        np.array([choice for _, choice, _ in entries], dtype=np.int64),
        np.array([loss for _, _, loss in entries], dtype=np.float64),
    )


class _Builder:
    def __init__(self, analysis: Analysis, choices: Sequence[Choice]) -> None:
        self.analysis = analysis
        self.solution: Solution = analysis.solution
        self.choices = choices
        self.channels = analysis.solution.propagation.channels
        self.group_of = np.full(self.solution.unit_count + 1, -1, dtype=np.int64)
        for group in self.solution.groups:
            self.group_of[group.units] = group.number
        self.choice_of = {number: choice.number for choice in choices for number in choice.groups}
        self.cell_counts = [
            max(1, len(np.unique(group.cells))) / len(group.units) for group in self.solution.groups
        ]
        #: Size, and for each choice that takes from it how much a step takes.
        self.extents: list[tuple[int, tuple[tuple[int, float], ...]]] = []
        self.numbers: dict[tuple[int, tuple[tuple[int, float], ...]], int] = {}
        #: The arrays are held, so that the identity of one is not taken by another.
        self.arrays: dict[int, tuple[Atoms, Optional[int], tuple[tuple[int, float], ...]]] = {}

    # --- extents ---

    def losses(self, array: Atoms) -> tuple[Optional[int], tuple[tuple[int, float], ...]]:
        """The dimension along which an array shrinks, and the elements that a step of each choice takes."""
        known = self.arrays.get(id(array))
        if known is None:
            units = self.solution.units(array)
            groups = self.group_of[units.reshape(-1)]
            # Of a large model an array has few of the groups.
            found, counts = np.unique(groups[groups >= 0], return_counts=True)
            by_choice: dict[int, float] = {}
            for group, count in zip(found.tolist(), counts.tolist()):
                choice = self.choice_of[group]
                elements = float(count) * self.cell_counts[group]
                by_choice[choice] = by_choice.get(choice, 0.0) + elements
            varying = varying_dimensions(units) if by_choice else ()
            dimension = varying[-1] if varying else None
            known = self.arrays[id(array)] = (array, dimension, tuple(sorted(by_choice.items())))
        return known[1], known[2]

    def extent(self, array: Atoms, dimension: int) -> Optional[int]:
        """The number of the extent of an array's dimension; ``None`` where nothing of it goes."""
        shrinking, losses = self.losses(array)
        if shrinking != dimension or not losses:
            return None
        rows = array.size // array.shape[dimension]
        key = (array.shape[dimension], tuple((choice, loss / rows) for choice, loss in losses))
        if key not in self.numbers:
            self.numbers[key] = len(self.extents)
            self.extents.append(key)
        return self.numbers[key]

    def axis_counts(self) -> tuple[AxisCount, ...]:
        """Every axis of a parameter that steps shorten."""
        found: dict[AxisCount, None] = {}
        for parameter in self.analysis.parameters:
            layout = parameter.channels.layout
            axis_of = [axis for axis, factors in enumerate(layout.axes) for _ in factors]
            for factors, array in zip(layout.arrays, parameter.channels.arrays):
                dimension, losses = self.losses(array)
                if dimension is None:
                    continue
                # Rows on another axis of the parameter do not widen this one.
                others = [d for d, f in enumerate(factors) if axis_of[f] != axis_of[factors[dimension]]]
                rows = prod(array.shape[d] for d in others)
                steps = tuple((choice, max(1, round(loss / rows))) for choice, loss in losses)
                found[AxisCount(array.size // rows, steps)] = None
        return tuple(found)

    def factors(self, channels: Channels) -> tuple[Factor, ...]:
        """The factors of a tensor's size."""
        extents: list[list[int]] = [[] for _ in channels.layout.factors]
        for spanned, array in zip(channels.layout.arrays, channels.arrays):
            for dimension, factor in enumerate(spanned):
                number = self.extent(array, dimension)
                if number is not None:
                    extents[factor].append(number)
        return tuple(Factor(size, tuple(own)) for size, own in zip(channels.layout.factors, extents))

    # --- multiply-adds ---

    def layers(self) -> Iterator[LayerCost]:
        for index, bound in enumerate(self.analysis.lowered.rules):
            if bound is None or not bound.costly:
                continue
            count = bound.multiply_adds
            used = names_in(count)
            node = self.solution.propagation.nodes[index]
            names = {} if node is None else self._names(node, used)
            yield LayerCost(
                index, count, names, {n: self.analysis.lowered.example(bound.sizes.get(n)) for n in used}
            )

    def _names(self, node: NodeAtoms, used: frozenset[str]) -> dict[str, tuple[Factor, ...]]:
        result = {}
        for name, factors in node.program.names.items():
            if name not in used:
                continue
            own = []
            for factor in factors:
                numbers = [self.extent(node.values[v], d) for v, d in factor.arrays]
                own.append(
                    Factor(
                        self.analysis.lowered.example(factor.size), tuple(n for n in numbers if n is not None)
                    )
                )
            result[name] = tuple(own)
        return result

    # --- parameters ---

    def weights(self) -> Iterator[Weights]:
        graph, model = self.analysis.model.graph, self.analysis.model
        sliced = {parameter.name: parameter for parameter in self.analysis.parameters}
        shapes: dict[str, tuple[Shape, Optional[Channels]]] = {}
        for index in sorted(self.analysis.learned.variables):
            shapes[graph.nodes[index].name] = self._shape(Tensor(index, 0))
        for index, bound in enumerate(self.analysis.lowered.rules):
            for slot in bound.implied if bound is not None else ():
                assert bound is not None
                name = model.implied_name(index, slot.slot)
                if model.parameter_shapes is None or name in model.parameter_shapes:
                    known = sliced.get(name)
                    shapes.setdefault(
                        name, (bound.shape(slot) or (None,), None if known is None else known.channels)
                    )
        for name, (shape, channels) in shapes.items():
            factors = tuple(Factor(size, ()) for size in shape)
            if channels is not None:
                factors = self.factors(channels)
            has_data = model.parameter_shapes is not None and name in model.parameter_shapes
            yield Weights(name, factors, int(model.parameter(name).dtype.itemsize) if has_data else 0)

    def _shape(self, tensor: Tensor) -> tuple[Shape, Optional[Channels]]:
        return self.analysis.lowered.shapes.get(tensor, (None,)), self.channels.get(tensor)

    def fixed_bytes(self, weights: Sequence[Weights]) -> Optional[int]:
        """Bytes of the parameter file besides the elements of weights, which pruning hardly changes: headers,
        and constants that are not learned."""
        model = self.analysis.model
        if model.parameter_shapes is None:
            return None
        sizes = {name: int(model.parameter(name).nbytes) for name in model.parameter_shapes}
        prunable = sum(sizes.get(own.name, 0) for own in weights)
        stored = model.parameter_bytes
        return sum(sizes.values()) - prunable if stored is None else max(0, stored - prunable)


def _widths(count: int, axes: Sequence[AxisCount]) -> tuple[int, ...]:
    """For each choice how many channels of an axis a step takes, at the least."""
    least = [0] * count
    for axis in axes:
        for choice, width in axis.per_step:
            least[choice] = min(least[choice] or width, width)
    return tuple(width or 1 for width in least)


def _product(factors: Sequence[Factor], extents: Sequence[int]) -> Optional[int]:
    total = 1
    for factor in factors:
        size = factor.value(extents)
        if size is None:
            return None
        total *= size
    return total
