"""What restoring is asked and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional

from prunec.analysis.analyse import Analysis
from prunec.channels.removal import Removed
from prunec.frontends.runtime import Array, Runtime
from prunec.restoring.quality import Quality
from prunec.rewriting.emit import Pruned

#: What can be done for a plan: nothing, making up for means, making up for all that can be predicted.
CUT, MEANS, RESTORED = "cut", "means", "restored"


@dataclass(frozen=True)
class Fit:
    """What was done for one layer: ``gone`` of the ``cells`` channels it reads go; ``fitted`` and ``held``
    are relative errors of what it computes, on the examples fitted and on those held back; ``still`` says
    that it reads the same in all of them; ``target`` is the node where the intercept went, ``None`` where it
    has no place and the fit is made without."""

    layer: str
    parameter: str
    cells: int
    gone: int
    fitted: float
    held: float
    ridge: float
    starved: bool
    still: bool
    target: Optional[str]


@dataclass(frozen=True, eq=False)
class Method:
    """What one way of making up gives: parameters in the original's shapes, by name, those that change; the
    fits; and what it makes of the outputs."""

    name: str
    parameters: Mapping[str, Array]
    fits: tuple[Fit, ...]
    quality: Quality


@dataclass(frozen=True, eq=False)
class Restoration:
    """All that was tried, the best first, and layers for which nothing could be done.  ``original`` is the
    original model's own quality; ``held`` says whether the examples compared on were held back, ``spread``
    how much its outputs differ from one to another of these, relative to their size."""

    methods: tuple[Method, ...]
    original: Quality
    unreadable: tuple[tuple[str, str], ...]
    examples: int
    held: bool
    spread: float

    @property
    def best(self) -> Method:
        """What changes the outputs least."""
        return self.methods[0]


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, what a plan makes of it, and what runs the two."""

    analysis: Analysis
    removed: Removed
    pruned: Pruned
    original: Runtime
    smaller: Runtime
