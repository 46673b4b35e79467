"""What was found about a rule, and how it is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

from prunec.language.syntax import Rule
from prunec.support.diagnostics import Span

RIGHT, WRONG, TOO_STRICT, NOT_TRIED = "right", "wrong", "too strict", "not tried"

Sizes = tuple[Optional[int], ...]


@dataclass(frozen=True)
class Failure:
    """A case in which a rule does not hold.

    ``inputs`` gives the shape of each input of the operator, by slot; ``network`` says what was built around
    it and what was removed; ``problem`` what disagrees.
    """

    operator: str
    attributes: Mapping[str, Any]
    inputs: tuple[tuple[str, Sizes], ...]
    network: str
    problem: str
    size: int

    def __str__(self) -> str:
        shapes = ", ".join(f"{slot} {_shape(shape)}" for slot, shape in self.inputs)
        values = ", ".join(f"{name}={value}" for name, value in self.attributes.items())
        lines = [f"{self.operator}({values}) on {shapes or 'no input'}", self.problem]
        return "\n".join([*lines, *([f"network: {self.network}"] if self.network else [])])


@dataclass(frozen=True)
class RuleVerdict:
    """What running its operators says of a rule.

    ``verdict`` is ``"right"``, ``"wrong"``, ``"too strict"`` or ``"not tried"``.  ``cases`` networks ran and
    in ``pruned`` of them channels were removed.  ``failure`` is the smallest case in which the rule is wrong;
    ``reason`` says why a rule was not tried, or what it keeps without need.  ``untried`` gives, for operators
    of the rule without a case, the reason; ``contracted`` counts the contracted axes that were tried,
    ``passed`` the inputs that are passed on.
    """

    label: str
    span: Span
    verdict: str
    cases: int
    pruned: int
    failure: Optional[Failure] = None
    reason: str = ""
    untried: tuple[tuple[str, str], ...] = ()
    contracted: int = 0
    passed: int = 0

    def __str__(self) -> str:
        contracted = f", {self.contracted} contracted axes tried" if self.contracted else ""
        passed = f", {self.passed} passed inputs tried" if self.passed else ""
        cases = f"{self.cases} cases, {self.pruned} with channels removed{contracted}{passed}"
        head = f"{self.verdict:10} {self.label}  ({cases})"
        if self.verdict == RIGHT:
            return "\n    ".join([head, *(f"{name} not tried: {why}" for name, why in self.untried)])
        lines = [f"{head}  {self.span.place}"]
        if self.reason:
            lines.append(self.reason)
        if self.failure is not None:
            lines += str(self.failure).splitlines()
        lines += [f"{name} not tried: {why}" for name, why in self.untried if self.verdict != NOT_TRIED]
        return "\n    ".join(lines)


def span_of(rule: Rule) -> Span:
    """The header's operator names, where a message about a whole rule points."""
    return rule.operators[0].span.to(rule.operators[-1].span)


def report(verdicts: Sequence[RuleVerdict]) -> str:
    """All verdicts as text: the wrong ones first, then a count."""
    order = {WRONG: 0, TOO_STRICT: 1, NOT_TRIED: 2, RIGHT: 3}
    lines = [str(verdict) for verdict in sorted(verdicts, key=lambda v: order[v.verdict])]
    counts = Counter(verdict.verdict for verdict in verdicts)
    total = ", ".join(f"{counts[kind]} {kind}" for kind in (RIGHT, WRONG, TOO_STRICT, NOT_TRIED))
    return "\n".join([*lines, "", f"{len(verdicts)} rules: {total}"])


def _shape(shape: Sizes) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"
