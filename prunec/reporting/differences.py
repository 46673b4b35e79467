"""What a comparison of two models finds, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from prunec.graph import Shape
from prunec.support.diagnostics import Diagnostic, printable
from prunec.value import Value


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
    """A group of the first model: how many units it has, and how many are gone from the second (``None``
    where the shapes of its parameters do not tell, or, then ``conflicting``, contradict each other)."""

    number: int
    name: str
    units: int
    gone: Optional[int]
    conflicting: bool


@dataclass(frozen=True)
class ModelDifference:
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


def value_text(value: Value, present: bool = True) -> str:
    """An attribute's value as reports show it."""
    if not present:
        return "absent"
    if isinstance(value, tuple):
        inside = ", ".join(value_text(item) for item in value)
        return f"({inside}{',' if len(value) == 1 else ''})"
    return printable(str(value), 120)
