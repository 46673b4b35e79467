"""Which operators of a program write to tensors that are read again under another name.

Most operators that work in place are as good as those that do not: what they wrote to is not looked at again.
Where it is, or where it is a parameter, what the program computes is not what its values say one by one.
"""

from __future__ import annotations

from typing import Iterable, Sequence

from prunec.frontends.pytorch.document import InputSpec, ProgramNode, Value, flattened
from prunec.frontends.pytorch.names import operator_name
from prunec.frontends.pytorch.schemas import schema


def seen_elsewhere(
    inputs: Sequence[InputSpec], nodes: Sequence[ProgramNode], outputs: Iterable[object]
) -> frozenset[int]:
    """The places of the nodes that write to what is read again, under another name than that of the result,
    or lasts longer than one run."""
    writers = [place for place, node in enumerate(nodes) if _written(node)]
    if not writers:
        return frozenset()
    shared = _Shared()
    lasting = {spec.argument.name for spec in inputs if isinstance(spec.argument, Value) and spec.target}
    made: dict[str, int] = {}
    read: dict[str, int] = {}
    for place, node in enumerate(nodes):
        taken = [one.name for _, own in node.arguments for one in flattened((own,)) if isinstance(one, Value)]
        read.update((name, place) for name in taken)
        for value in node.values:
            made[value] = place
            for name in _viewed(node):
                shared.join(value, name)
    read.update((one.name, len(nodes)) for one in outputs if isinstance(one, Value))
    return frozenset(
        place
        for place in writers
        for name in _written(nodes[place])
        if any(
            other in lasting or (made.get(other, -1) < place < read.get(other, -1))
            for other in shared.members(name)
        )
    )


def _written(node: ProgramNode) -> list[str]:
    """The values that a node writes to."""
    known = schema(operator_name(node.target))
    if known is None:
        # By PyTorch's own convention.
        if not operator_name(node.target).partition(".")[0].endswith("_"):
            return []
        return [own.name for _, own in node.arguments[:1] if isinstance(own, Value)]
    writing = {argument.name for argument in known.arguments if argument.writes}
    return [own.name for name, own in node.arguments if name in writing and isinstance(own, Value)]


def _viewed(node: ProgramNode) -> list[str]:
    """The values whose elements those that a node gives may be."""
    known = schema(operator_name(node.target))
    if known is None or not known.gives_views:
        return _written(node)
    return [own.name for _, own in node.arguments[:1] if isinstance(own, Value)]


class _Shared:
    """Values that may have elements in common, in sets."""

    def __init__(self) -> None:
        self._sets: dict[str, list[str]] = {}

    def join(self, left: str, right: str) -> None:
        first, second = self.members(left), self.members(right)
        if first is second:
            return
        first.extend(second)
        for name in second:
            self._sets[name] = first

    def members(self, name: str) -> list[str]:
        """All values that may share elements with one, itself among them."""
        return self._sets.setdefault(name, [name])
