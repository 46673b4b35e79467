"""What came of a proof: which values were compared, which parameters they speak for, and the outcome."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Optional


class Outcome(Enum):
    """What can be said of the two models."""

    PROVED = "proved"
    DIFFERS = "differs"
    NOT_PROVED = "not proved"


@dataclass(frozen=True)
class Compared:
    """How one value of the two models compares.

    ``error`` is ``max|a - b| / max|a|`` over the values that are numbers in both (infinite where one is
    a number and the other is not), where ``a`` is what stays of the original's.  ``tolerance`` is what it may
    be, at least what rounding alone makes of it.  ``doubt`` says why agreement would prove nothing, ``None``
    where it does.  ``output`` says whether it is an output of the model.
    """

    name: str
    output: bool
    error: float
    tolerance: float
    shape: tuple[int, ...]
    pruned_shape: tuple[int, ...]
    doubt: Optional[str]

    @property
    def agrees(self) -> bool:
        """The shapes are the same, and the error is within the tolerance."""
        return self.shape == self.pruned_shape and self.error <= self.tolerance

    def __str__(self) -> str:
        if self.shape != self.pruned_shape:
            return f"{self.name}: shape {self.pruned_shape} instead of {self.shape}"
        text = f"{self.name}: relative error {self.error:.1e}"
        if not self.agrees:
            text += f", more than {self.tolerance:.0e}"
        return text if self.doubt is None else f"{text} (proves little: {self.doubt})"


class Evidence(Enum):
    """What speaks for a sliced parameter."""

    WITNESSED = "witnessed"
    """A compared value would have shown a wrong slice."""
    UNIFORM = "uniform"
    """All its elements along what was sliced are the same: any slice of that size is right."""
    IGNORED = "ignored"
    """The operator that takes it does not read it."""
    STATISTICS = "statistics"
    """It is used only at nodes that combine channels that go with those that stay."""
    NONE = "not witnessed"


@dataclass(frozen=True)
class Witness:
    """What speaks for one sliced parameter; ``reason`` says why nothing does."""

    parameter: str
    evidence: Evidence
    reason: str = ""


@dataclass(frozen=True)
class Restart:
    """A node behind which the comparison starts anew, and why."""

    node: str
    why: str
    statistics: bool


@dataclass(frozen=True)
class Verdict:
    """How two models compare.

    ``contents`` are the parameters of the smaller model that are not what the plan makes of the original's.
    ``quality`` is how far the outputs are from the masked original's where channels that go have a part in
    statistics: the root mean square of the difference, relative to that of the output, the largest of all
    outputs; ``None`` where there are no such.  ``zeroed`` names inputs that were set to zero for want of a
    value (labels).
    """

    compared: tuple[Compared, ...]
    witnesses: tuple[Witness, ...]
    restarts: tuple[Restart, ...] = ()
    contents: tuple[str, ...] = ()
    quality: Optional[float] = None
    zeroed: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Proved is what agrees in everything compared, with evidence for every sliced parameter."""
        if self.contents or not all(own.agrees for own in self.compared):
            return Outcome.DIFFERS
        if self.unwitnessed or not self.compared:
            return Outcome.NOT_PROVED
        if not self.witnesses and not any(own.doubt is None for own in self.compared):
            return Outcome.NOT_PROVED
        return Outcome.PROVED

    @property
    def proved(self) -> bool:
        """Whether the outcome is that the models were proved to compute the same."""
        return self.outcome is Outcome.PROVED

    @property
    def unwitnessed(self) -> tuple[Witness, ...]:
        """The sliced parameters that nothing speaks for."""
        return tuple(own for own in self.witnesses if own.evidence is Evidence.NONE)

    def with_contents(self, contents: tuple[str, ...]) -> Verdict:
        """The same, with what was found wrong with the parameters themselves."""
        return replace(self, contents=contents)

    @property
    def outputs(self) -> tuple[Compared, ...]:
        """The outputs of the model among what was compared."""
        return tuple(own for own in self.compared if own.output)

    @property
    def error(self) -> float:
        """The largest relative error of the values whose agreement proves something, and of those that
        differ; of all where there are no such."""
        telling = [own.error for own in self.compared if own.doubt is None or not own.agrees]
        return max(telling or [own.error for own in self.compared], default=0.0)


def merged(verdicts: tuple[Verdict, ...]) -> Verdict:
    """The verdict of several runs on other inputs: each value with its worst error, each parameter with its
    best evidence."""
    first = verdicts[0]
    worst: dict[str, Compared] = {}
    best: dict[str, Witness] = {}
    for verdict in verdicts:
        for own in verdict.compared:
            known = worst.get(own.name)
            if known is None or (known.agrees, -known.error) > (own.agrees, -own.error):
                worst[own.name] = own
        for witness in verdict.witnesses:
            known_witness = best.get(witness.parameter)
            if known_witness is None or known_witness.evidence is Evidence.NONE:
                best[witness.parameter] = witness
    qualities = [own.quality for own in verdicts if own.quality is not None]
    return Verdict(
        tuple(worst.values()),
        tuple(best.values()),
        first.restarts,
        first.contents,
        max(qualities) if qualities else None,
        first.zeroed,
    )
