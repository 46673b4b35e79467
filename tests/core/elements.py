"""A slow reference: what goes together, found element by element with sets.

It knows the operators that leave channels channels (no axis is split or merged), and looks at each single
element of each axis of each value.  An axis of size one, and a part of size one of an axis that is
cut or joined, never shrinks.
"""

from __future__ import annotations

from typing import Iterable, Iterator

from core.small import SmallModel, execute
from prunec.graph import Node, Tensor

#: An element of an axis of a value; ``None`` is what stays.
Element = object
KEPT: Element = ("kept",)


class Elements:
    """Sets of elements that go together."""

    def __init__(self) -> None:
        self.set_of: dict[Element, set[Element]] = {}

    def find(self, element: Element) -> set[Element]:
        return self.set_of.setdefault(element, {element})

    def join(self, left: Element, right: Element) -> None:
        one, other = self.find(left), self.find(right)
        if one is not other:
            one |= other
            for element in other:
                self.set_of[element] = one

    def kept(self, element: Element) -> bool:
        return self.find(element) is self.find(KEPT)


class Reference:
    """The elements of a model."""

    def __init__(self, model: SmallModel) -> None:
        self.graph = model.graph
        self.shapes = {t: v.shape for t, v in execute(model.graph, {**model.inputs, **model.arrays}).items()}
        self.elements = Elements()
        for index, node in enumerate(self.graph.nodes):
            if node.operator is not None:
                self.node(node, [t for t in self.shapes if t.node == index])
            elif index not in self.graph.parameters:
                self.keep(Tensor(index, 0))
        for tensor in self.graph.outputs:
            self.keep(tensor)
        for tensor, shape in self.shapes.items():
            for axis, size in enumerate(shape):
                if size == 1:
                    self.elements.join(KEPT, (tensor, axis, 0))

    def keep(self, tensor: Tensor) -> None:
        for axis, size in enumerate(self.shapes[tensor]):
            self.keep_stretch(tensor, axis, range(size))

    def keep_stretch(self, tensor: Tensor, axis: int, indices: Iterable[int]) -> None:
        for i in indices:
            self.elements.join(KEPT, (tensor, axis, i))

    def same(self, one: Tensor, axis: int, other: Tensor, other_axis: int, shift: int = 0) -> None:
        """The elements of an axis are those of another, as far as both go; ``shift`` is added on the left."""
        for i in range(self.shapes[other][other_axis]):
            if 0 <= i + shift < self.shapes[one][axis]:
                self.elements.join((one, axis, i + shift), (other, other_axis, i))

    def carried(self, one: Tensor, other: Tensor, without: int) -> None:
        """All axes but one are the same."""
        for axis in range(len(self.shapes[one])):
            if axis != without:
                self.same(one, axis, other, axis)

    def node(self, node: Node, outputs: list[Tensor]) -> None:
        data, out = node.inputs[0], outputs[0]
        rank = len(self.shapes[data])
        axis = node.attributes.get("axis", 0) % rank
        size = self.shapes[data][axis]
        if node.operator in ("rectify", "double", "shift", "add", "multiply", "normalise"):
            for other in node.inputs if node.operator != "normalise" else node.inputs[:1]:
                self.carried(other, out, without=-1)
            for other in node.inputs[1:] if node.operator == "normalise" else ():
                self.same(other, 0, out, 1)
        elif node.operator in ("dense", "dense_flat", "dense_last", "grouped"):
            self._layer(node, data, out)
        elif node.operator == "join":
            start = 0
            for part in node.inputs:
                self.carried(part, out, without=axis)
                self.same(out, axis, part, axis, shift=start)
                start += self.shapes[part][axis]
        elif node.operator == "part_at":
            for part, start in zip(outputs, node.attributes["starts"]):
                self.carried(data, part, without=axis)
                self.same(data, axis, part, axis, shift=start)
        elif node.operator == "cut":
            begin, end, _ = slice(node.attributes["begin"], node.attributes["end"]).indices(size)
            self.carried(data, out, without=axis)
            self.same(data, axis, out, axis, shift=begin)
            self._single(data, axis, [(0, begin), (end, size)])
        elif node.operator == "pad":
            for at in range(rank):
                before, behind = node.attributes["widths"][2 * at : 2 * at + 2]
                self.same(out, at, data, at, shift=before)
                length = self.shapes[out][at]
                # What is padded may go: the operator makes as much as it is told.
                self._single(out, at, [(0, before), (length - behind, length)])
        elif node.operator == "turn":
            axes = node.attributes["axes"]
            turned = {a % rank for a in (axes if isinstance(axes, tuple) else (axes,))}
            for at in range(rank):
                last = self.shapes[data][at] - 1
                for i in range(last + 1):
                    self.elements.join((data, at, i), (out, at, last - i if at in turned else i))
        elif node.operator == "roll":
            shift = node.attributes["shift"]
            self.carried(data, out, without=axis)
            for i in range(size):
                self.elements.join((data, axis, i), (out, axis, (i + shift) % size))
            self._single(data, axis, [(0, size - shift), (size - shift, size)])
        else:
            raise AssertionError(node.operator)

    def _layer(self, node: Node, data: Tensor, out: Tensor) -> None:
        weight, rank = node.inputs[1], len(self.shapes[data])
        made = rank - 1 if node.operator == "dense_last" else 1
        self.same(weight, 0, out, made)
        for bias in node.inputs[2:]:
            self.same(bias, 0, out, made)
        if node.operator == "dense_flat":
            self.same(data, 0, out, 0)
        else:
            self.same(weight, 1, data, made)
            self.carried(data, out, without=made)

    def _single(self, tensor: Tensor, axis: int, stretches: list[tuple[int, int]]) -> None:
        for start, stop in stretches:
            if stop - start == 1:
                self.keep_stretch(tensor, axis, [start])

    def values(self) -> Iterator[tuple[Tensor, int, list[Element]]]:
        """For each axis of each value a mark for each element: the same for those that go together."""
        for tensor, shape in self.shapes.items():
            for axis, size in enumerate(shape):
                own = [(tensor, axis, i) for i in range(size)]
                yield (
                    tensor,
                    axis,
                    [None if self.elements.kept(e) else id(self.elements.find(e)) for e in own],
                )
