"""The syntax tree of a file of policies; places are those of :mod:`prunec.language.syntax`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from prunec.language.syntax import Literal, span_field
from prunec.support.diagnostics import Span

#: The kinds of settings that say which channels go together, not how many.
UNCOUNTED = ("whole", "free", "uniform")


@dataclass(frozen=True)
class Setting:
    """A statement of a policy: ``hold``, ``ratio``, ``align``, ``max_ratio``, ``min_channels``, ``whole``,
    ``free`` or ``uniform``, with its number (``None`` for those without one) and the reason given."""

    kind: str
    number: Optional[float]
    because: Optional[str]
    span: Span = span_field()


@dataclass(frozen=True)
class Policy:
    """``policy "pattern", … { settings }``: what holds for the nodes whose names match a pattern."""

    patterns: tuple[Literal, ...]
    settings: tuple[Setting, ...]
    documentation: str
    span: Span = span_field()


@dataclass(frozen=True)
class Interface:
    """``interface "pattern", … from "pattern", …``: the inputs and outputs of the model that may change their
    width.  ``sources`` are patterns of the outputs that a caller feeds back, one for each of ``patterns``, or
    none."""

    patterns: tuple[Literal, ...]
    sources: tuple[Literal, ...]
    because: Optional[str]
    documentation: str
    span: Span = span_field()


@dataclass(frozen=True)
class PolicyFile:
    """All policies of a file, and what it says of the model's interface, each in its order."""

    policies: tuple[Policy, ...]
    span: Span = span_field()
    interfaces: tuple[Interface, ...] = ()
