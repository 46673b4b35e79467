"""What a framework says of its operators: their attributes, and what values those take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional

from prunec.value import Value


@dataclass(frozen=True)
class Argument:
    """An attribute of an operator, or an input that carries a value.

    ``kind`` is ``"boolean"``, ``"integer"``, ``"float"``, ``"tuple"``, ``"choice"`` or ``"text"``;
    ``choices`` are the values of a choice.  ``nullable`` says that ``None`` is a value.
    """

    name: str
    kind: str
    choices: tuple[Value, ...]
    nullable: bool
    required: bool


@dataclass(frozen=True)
class Operator:
    """An operator that is registered.

    ``counted_by`` is the attribute that holds its number of inputs, ``takes_any`` says that it takes
    attributes which it does not list, ``lists_all`` that it has no others for sure.  ``version`` tells apart
    operators of one name, where there are several.  ``version_attributes`` are attributes that rules read and
    that nodes do not have: they follow from the version.
    """

    name: str
    arguments: tuple[Argument, ...]
    counted_by: Optional[str] = None
    takes_any: bool = False
    lists_all: bool = False
    version: Optional[int] = None
    version_attributes: Mapping[str, Value] = field(default_factory=dict)

    def argument(self, name: str) -> Optional[Argument]:
        """The attribute of that name."""
        return next((argument for argument in self.arguments if argument.name == name), None)


@dataclass(frozen=True)
class Registered:
    """What there is to know of an operator to check rules: its attributes, and whether it takes others."""

    attributes: tuple[str, ...]
    takes_any: bool
