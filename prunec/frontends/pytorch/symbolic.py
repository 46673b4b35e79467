"""Numbers that a program computes from sizes, and how to make one of them another.

A view that puts the samples and the heads of a text on one axis is given their product, which the program
computes: ``mul = batch * 12``.  Where heads go, the number in that product has to change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional

from prunec.frontends.pytorch.document import Argument, ProgramNode, ProgramText, Symbolic, flattened
from prunec.frontends.pytorch.names import operator_name
from prunec.frontends.pytorch.symbols import size_of
from prunec.sizes import OpenSize, Size, quotient

#: What the functions of Python that work on sizes do, by the last part of their names.
_PRODUCT, _SUM, _QUOTIENT = "mul", "add", "floordiv"


@dataclass
class Computed:
    """The numbers of a program by name, and what has to change in it for some to become others.

    ``changed`` are new numbers in arguments of the nodes that compute: by the name of what a node gives and
    that of the argument.
    """

    text: ProgramText
    changed: dict[tuple[str, str], int] = field(default_factory=dict)
    wanted: dict[str, Size] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._made: dict[str, ProgramNode] = {}
        self._users: dict[str, int] = {}
        for node in self.text.nodes:
            for one in flattened(node.outputs):
                if isinstance(one, Symbolic):
                    self._made[one.name] = node
            for _, own in node.arguments:
                for one in flattened((own,)):
                    if isinstance(one, Symbolic):
                        self._users[one.name] = self._users.get(one.name, 0) + 1
        self._served: dict[str, int] = {}

    def want(self, name: str, size: Size) -> bool:
        """Whether one user of a number can have it become another; what that takes is noted."""
        if self.wanted.setdefault(name, size) != size:
            return False
        self._served[name] = self._served.get(name, 0) + 1
        return self._served[name] > 1 or self._change(name, size)

    def unserved(self) -> Optional[str]:
        """A number that some users want to become another and others want as it is; None where there is
        none."""
        return next((name for name, count in self._served.items() if count < self._users[name]), None)

    def size(self, argument: Argument) -> Optional[Size]:
        """What a number is; None for what is none."""
        if isinstance(argument, Symbolic):
            return size_of(self.text.symbols.get(argument.name))
        return argument if isinstance(argument, int) and not isinstance(argument, bool) else None

    def _change(self, name: str, size: Size) -> bool:
        node = self._made.get(name)
        function = "" if node is None else operator_name(node.target).rpartition("::")[2]
        if node is None or len(node.arguments) != 2:
            return False
        (left_name, left), (right_name, right) = node.arguments
        sizes: Mapping[str, Optional[Size]] = {left_name: self.size(left), right_name: self.size(right)}
        for own_name, own, other_name in ((left_name, left, right_name), (right_name, right, left_name)):
            other = sizes[other_name]
            if other is None:
                continue
            new: Optional[Size] = None
            if function == _PRODUCT:
                new = quotient(size, other)
            elif function == _SUM:
                new = size - other
            elif function == _QUOTIENT and own_name == left_name:
                new = size * other
            if new is not None and self._becomes(name, own_name, own, new):
                return True
        return False

    def _becomes(self, name: str, argument: str, own: Argument, size: Size) -> bool:
        """Whether an argument of what gives a number can become a size."""
        if isinstance(own, Symbolic):
            return isinstance(size, OpenSize) and self.want(own.name, size)
        if not isinstance(own, int) or not isinstance(size, int):
            return False
        return self.changed.setdefault((name, argument), size) == size
