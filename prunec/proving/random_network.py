"""Small networks around an operator: producers of its inputs, consumers of its outputs, branches beside."""

from __future__ import annotations

from math import prod
from typing import Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.trial_networks import USUAL, Point, Shape, SmallNetwork
from prunec.frontends.trial_templates import Template, Templates
from prunec.value import Value

_FEATURES = 3


class Network(SmallNetwork):
    """A network whose values and wiring ``random`` draws, of the operators that ``templates`` name."""

    def __init__(
        self,
        random: np.random.Generator,
        templates: Templates,
        version: Optional[int] = None,
        types: Mapping[str, Value] = {},
    ) -> None:
        super().__init__(version, types)
        self.random, self.templates = random, templates

    # --- variables and nodes ---

    def add_input(self, name: str, shape: Shape, whole: Optional[int] = None) -> Point:
        """A model input; of whole numbers below ``whole``, where that is given."""
        value = (
            self.random.standard_normal(shape)
            if whole is None
            else self.random.integers(0, whole, shape).astype(np.float32)
        )
        self.inputs[name] = np.asarray(value, np.float32)
        return self.variable(name, shape)

    def add_rows(self, name: str, shape: Shape, pattern: Sequence[float]) -> Point:
        """A model input whose rows are ``pattern``, its last two numbers up to one larger."""
        value = np.broadcast_to(np.array(pattern, dtype=np.float32), shape).copy()
        value[..., -2:] += self.random.integers(0, 2, (*shape[:-1], 2))
        self.inputs[name] = value.astype(np.float32)
        return self.variable(name, shape)

    def add_parameter(self, name: str, shape: Shape, positive: bool = False) -> Point:
        """A learned variable with values none of which is near zero or one."""
        value = self.random.uniform(0.3, 1.7, shape)
        if not positive:
            value = value * self.random.choice((-1.0, 1.0), shape)
        self.parameters[name] = np.asarray(value, np.float32)
        return self.variable(name, shape)

    def _around(
        self, template: Template, inputs: Sequence[Point], shape: Shape, kind: str = USUAL, **values: Value
    ) -> Point:
        filled = template.fill(**values)
        name = f"node{len(self.nodes)}"
        carried = [
            self.add_constant(f"{name}_carried{k}", np.array(value, np.int64))
            for k, value in enumerate(filled.carries)
        ]
        self.around.add(name)
        made = self.add(filled.operator, filled.attributes, [*inputs, *carried], (shape,), name, (kind,))
        return made[0]

    # --- around the operator ---

    def produce(self, name: str, shape: Shape, live: Sequence[int], chain: Sequence[Template] = ()) -> Point:
        """A tensor whose ``live`` axes hold channels that can be removed; the others come from the input."""
        if not shape or len(shape) == 1:
            point = self.produce(name, (1, *shape) if shape else (1, 1), [axis + 1 for axis in live])
            point = self._reshape(point, shape)
        else:
            start = tuple(_FEATURES if axis in live else size for axis, size in enumerate(shape))
            point = self.add_input(f"{name}_input", start)
            order = [int(axis) for axis in self.random.permutation(sorted(live))]
            for axis in order:
                # A bias fills what other layers masked, so it stands only where one axis is live.
                point = self._mix(f"{name}_{axis}", point, axis, shape[axis], bias=len(order) == 1)
        for template in chain:
            point = self._around(template, [point], shape)
        return point

    def consume(self, name: str, point: Point, axes: Sequence[int]) -> Point:
        """The tensor with some axes mixed into two new channels each, so that theirs are free to go."""
        if len(point.shape) < 2:
            point = self._reshape(point, (1, prod(point.shape)))
            axes = [axis + 1 for axis in axes]
        for axis in axes:
            if point.shape[axis] > 1:
                point = self._mix(f"{name}_{axis}", point, axis, 2, bias=bool(self.random.integers(2)))
        return point

    def sum(self, point: Point, axis: int) -> Point:
        """The sum over an axis, which stays with size one."""
        shape = tuple(1 if i == axis else size for i, size in enumerate(point.shape))
        return self._around(self.templates.sum, [point], shape, axis=axis, axes=(axis,))

    def plus(self, point: Point, other: Point) -> Point:
        """The sum of two tensors of one shape."""
        return self._around(self.templates.add, [point, other], point.shape)

    def join(self, point: Point, other: Point, axis: int) -> Point:
        """Two tensors one behind the other."""
        shape = tuple(size + other.shape[axis] if i == axis else size for i, size in enumerate(point.shape))
        return self._around(self.templates.join, [point, other], shape, axis=axis)

    def cast(self, point: Point, kind: str = USUAL) -> Point:
        """The tensor with elements of another type."""
        template = self.templates.cast
        if point.kind == kind or template is None:
            return point
        return self._around(template, [point], point.shape, kind, type=self.types[kind])

    def _mix(self, name: str, point: Point, axis: int, size: int, bias: bool) -> Point:
        """A dense layer along one axis."""
        rank = len(point.shape)
        order = [*(i for i in range(rank) if i != axis), axis]
        point = self._transpose(point, order)
        templates = self.templates
        sizes = {"size": size, "features": point.shape[-1]}
        first, second = templates.weight
        inputs = [point, self.add_parameter(f"{name}_weight", (sizes[first], sizes[second]))]
        shape = (*point.shape[:-1], size)
        if bias and templates.bias is None:
            inputs.append(self.add_parameter(f"{name}_bias", (size,)))
        point = self._around(templates.produce, inputs, shape, size=size, no_bias=not bias)
        if bias and templates.bias is not None:
            added = self.add_parameter(f"{name}_bias", (size,))
            point = self._around(templates.bias, [point, added], shape)
        return self._transpose(point, [order.index(i) for i in range(rank)])

    def _transpose(self, point: Point, order: Sequence[int]) -> Point:
        if list(order) == list(range(len(point.shape))):
            return point
        shape = tuple(point.shape[i] for i in order)
        return self._around(self.templates.order, [point], shape, axes=tuple(order))

    def _reshape(self, point: Point, shape: Shape) -> Point:
        # One size is left open, so that it can shrink.
        codes = tuple(
            -1 if size == max(shape) and shape.index(size) == i else size for i, size in enumerate(shape)
        )
        return self._around(self.templates.reshape, [point], shape, codes=codes)
