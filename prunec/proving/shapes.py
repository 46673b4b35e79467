"""Shapes of slots, once sizes and ranks are drawn."""

from __future__ import annotations

from math import prod
from typing import Iterator, Mapping, Optional

import numpy as np

from prunec.language.syntax import (
    AxisExpression,
    Broadcast,
    Each,
    Fixed,
    Name,
    Product,
    Rest,
    Sum,
    TensorPattern,
    VariadicSum,
)
from prunec.lowering.expressions import indexed
from prunec.lowering.ranks import rests_in
from prunec.lowering.signatures import is_broadcast_list, is_broadcast_rest, is_lettered, may_be_one

#: No tensor of a case has more elements, nor more axes.
MOST_ELEMENTS, MOST_AXES = 4000, 5


class NotDrawn(Exception):
    """This draw came to nothing; another may."""


class ShapeDraw:
    """Writes out axis lists; sizes and ranks may still come in while it is in use."""

    def __init__(
        self,
        sizes: Mapping[str, Optional[int]],
        ranks: Mapping[str, int],
        counts: Mapping[str, int],
        variadic: Mapping[str, str],
        random: np.random.Generator,
    ) -> None:
        self.sizes, self.ranks, self.counts = sizes, ranks, counts
        self.variadic, self.random = variadic, random
        #: The plain names on the axes of tensors that a formula speaks of, by slot and index.
        self.lettered: dict[tuple[str, int], list[str]] = {}

    def plain(self, name: str) -> list[str]:
        """The plain names that a name or rest stands for."""
        if name in self.variadic:
            return [indexed(name, i) for i in range(self.counts[self.variadic[name]])]
        if name in self.ranks:
            return [indexed(name, i) for i in range(self.ranks[name])]
        return [name]

    def axis_count(self, item: AxisExpression) -> int:
        """How many axes an item of an axis list stands for."""
        if isinstance(item, (Rest, Each)) or is_broadcast_rest(item):
            return self.ranks.get(next(rests_in(item)), 0)
        return 1

    def shape(self, tensor: TensorPattern, index: int, full: bool) -> tuple[int, ...]:
        """The shape of a slot, of the tensor ``index`` of a variadic one; one that is not ``full`` has ones
        where it may broadcast.  Raises :class:`NotDrawn`."""
        shape: list[int] = []
        for axis, size in self._axis_sizes(tensor, index):
            if may_be_one(axis) and not full and self.random.random() < 0.3:
                size = 1
            shape.append(size)
        lead = tensor.axes[0].item if tensor.axes else None
        if isinstance(lead, Broadcast) and isinstance(lead.item, Rest) and not full:
            if self.random.random() < 0.25 and self.ranks[lead.item.name]:
                shape = shape[int(self.random.integers(1, self.ranks[lead.item.name] + 1)) :]
        if is_broadcast_list(tensor) and not full and self.random.random() < 0.25:
            shape = shape[int(self.random.integers(len(shape))) :]
        none = bool(tensor.axes) and not shape
        if none or len(shape) > MOST_AXES or int(np.prod(shape)) > MOST_ELEMENTS or 0 in shape:
            raise NotDrawn("too large or empty")
        return tuple(shape)

    def _axis_sizes(self, tensor: TensorPattern, index: int) -> Iterator[tuple[AxisExpression, int]]:
        for axis in tensor.axes:
            item = axis.item
            if is_lettered(item):
                for plain in self.lettered[tensor.name, index]:
                    yield item, self._known(plain)
            elif isinstance(item, (Rest, Each)) or is_broadcast_rest(item):
                inner = item.item if isinstance(item, (Each, Broadcast)) else item
                for position in range(self.axis_count(item)):
                    yield item, self._item_size(inner, index, position)
            else:
                yield item, self._item_size(item, index, None)

    def _item_size(self, item: AxisExpression, index: int, each: Optional[int]) -> int:
        """The size of an axis; ``index`` counts a variadic slot's tensors, ``each`` the axes of a rest."""
        if isinstance(item, (Name, Rest)):
            name = item.name
            if name in self.variadic:
                return self._known(indexed(name, index))
            if name not in self.ranks:
                return self._known(name)
            if each is not None:
                return self._known(indexed(name, each))
            return prod(self._known(plain) for plain in self.plain(name))
        if isinstance(item, Fixed):
            return item.size
        if isinstance(item, Product):
            return prod(self._item_size(part, index, each) for part in item.items)
        if isinstance(item, Sum):
            return sum(self._item_size(part, index, each) for part in item.items)
        if isinstance(item, VariadicSum):
            return sum(self._known(plain) for plain in self.plain(item.item.name))
        if isinstance(item, Broadcast):
            return self._item_size(item.item, index, each)
        raise NotDrawn("an axis function among the inputs")

    def _known(self, plain: str) -> int:
        size = self.sizes.get(plain)
        if size is None:
            raise NotDrawn("a size stays open")
        return size
