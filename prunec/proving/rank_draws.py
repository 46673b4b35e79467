"""Drawing how many axes the rests of a rule stand for, and the sizes of those that go by others."""

from __future__ import annotations

from typing import Callable, Mapping, Sequence

import numpy as np

from prunec.language.functions import function_of
from prunec.language.syntax import Attribute, Each, Equation, Name, Rest, Rule, TensorPattern
from prunec.lowering.expressions import indexed
from prunec.lowering.ranks import rests_in
from prunec.proving.attribute_draws import axis_calls

#: How likely a rest stands for no axis, one, two and so on.
_LIKELY = (0.09, 0.24, 0.34, 0.21, 0.09, 0.03)
#: How likely a placed axis stands where the default of its attribute says, if it can.
_AS_WISHED = 0.35


def draw_ranks(
    tensors: Sequence[TensorPattern],
    equations: Sequence[Equation],
    header: Mapping[str, Attribute],
    known: Mapping[str, int],
    random: np.random.Generator,
) -> dict[str, int]:
    """Ranks of the rests of a rule but for those that are known, the same for those that go together."""
    wishes = _wishes(tensors, header)
    ranks: dict[str, int] = {}
    for group in _groups(tensors, equations):
        if group & known.keys():
            continue
        wished = [wishes[name] for name in sorted(group) if name in wishes]
        rank = wished[0] if wished and random.random() < _AS_WISHED else int(random.choice(6, p=_LIKELY))
        ranks.update((name, rank) for name in sorted(group))
    return ranks


def draw_likes(
    rule: Rule, ranks: dict[str, int], size: Callable[[str], int], random: np.random.Generator
) -> dict[str, int]:
    """The sizes of axes that are reshaped to those of another tensor, which gets another shape of as many
    elements; its rank is set in ``ranks``."""
    sizes: dict[str, int] = {}
    for call in axis_calls(rule):
        if not function_of(call).regroups or not all(isinstance(own, Rest) for own in call.arguments):
            continue
        names = [own.name for own in call.arguments if isinstance(own, Rest)]
        if len(names) != 2 or names[0] == names[1]:
            continue
        shape = [size(names[0]) for _ in range(ranks[names[0]])]
        other = _another_shape(shape, random)
        ranks[names[1]] = len(other)
        for name, own in zip(names, (shape, other)):
            sizes.update((indexed(name, place), length) for place, length in enumerate(own))
    return sizes


def _another_shape(shape: Sequence[int], random: np.random.Generator) -> list[int]:
    """Neighbours made one, and a size made two, at random."""
    other = list(shape)
    if len(other) > 1 and random.random() < 0.6:
        at = int(random.integers(len(other) - 1))
        other[at : at + 2] = [other[at] * other[at + 1]]
    even = [place for place, size in enumerate(other) if size > 2 and size % 2 == 0]
    if even and random.random() < 0.6:
        at = even[int(random.integers(len(even)))]
        parts = [2, other[at] // 2]
        other[at : at + 1] = parts if random.random() < 0.5 else parts[::-1]
    return other


def _groups(tensors: Sequence[TensorPattern], equations: Sequence[Equation]) -> list[set[str]]:
    """The rests that have the same rank."""
    groups: list[set[str]] = [{rest} for t in tensors for a in t.axes for rest in rests_in(a.item)]
    groups += [set(rests_in(a.item)) for t in tensors for a in t.axes if isinstance(a.item, Each)]
    groups += [{*rests_in(e.left), *rests_in(e.right)} for e in equations]
    merged: list[set[str]] = []
    for group in groups:
        apart = [other for other in merged if not other & group]
        together = [other for other in merged if other & group]
        merged = [*apart, group.union(*together)]
    return merged


def _wishes(tensors: Sequence[TensorPattern], header: Mapping[str, Attribute]) -> dict[str, int]:
    """Ranks with which a placed axis stands where the default of its attribute says."""
    wishes: dict[str, int] = {}
    for tensor in tensors:
        for position, axis in enumerate(tensor.axes):
            default = header[axis.place.name].default if isinstance(axis.place, Name) else None
            if default is None or not isinstance(default.value, int):
                continue
            index = default.value
            if isinstance(axis.item, Rest) and index < 0 and axis is tensor.axes[-1]:
                wishes.setdefault(axis.item.name, -index)
                continue
            beside = tensor.axes[:position] if index >= 0 else tensor.axes[position + 1 :]
            if len(beside) == 1 and isinstance(beside[0].item, Rest):
                wishes.setdefault(beside[0].item.name, index if index >= 0 else -1 - index)
    return wishes
