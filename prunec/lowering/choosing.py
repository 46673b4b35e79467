"""What a rule says for one node: its conditions answered, so that nothing behind sees any.

The conditions of a rule ask for attributes and shapes.  With their answers a rule becomes one without
conditions: statements that do not hold are left out.  As long as an answer is not known, a statement that keeps
channels holds and any other does not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator, Mapping, Optional, Sequence

from prunec.language.places import conditions
from prunec.language.syntax import Discontinuous, Expression, Keep, Mixes, Rule, Statement, Value
from prunec.lowering.guards import SlotShapes, holds

#: What conditions come to, in the order of :func:`conditions`; ``None`` where that is not known yet.
Answers = Sequence[Optional[bool]]
#: Statements that do no harm where they do not hold.
_CAUTIOUS = (Keep, Mixes, Discontinuous)


class Chooser:
    """Rules as nodes choose them; equal answers give the same rule."""

    def __init__(self) -> None:
        self._conditions: dict[int, tuple[Rule, tuple[Expression, ...]]] = {}
        self._chosen: dict[tuple[int, tuple[Optional[bool], ...]], Rule] = {}

    def asks(self, rule: Rule) -> tuple[Expression, ...]:
        """The conditions of a rule."""
        known = self._conditions.get(id(rule))
        if known is None:
            known = self._conditions[id(rule)] = (rule, conditions(rule))
        return known[1]

    def choose(self, rule: Rule, attributes: Mapping[str, Value], slots: SlotShapes) -> Rule:
        """The rule for a node, without conditions."""
        asked = self.asks(rule)
        if not asked:
            return rule
        answers = tuple(holds(condition, attributes, slots) for condition in asked)
        chosen = self._chosen.get((id(rule), answers))
        if chosen is None:
            chosen = self._chosen[id(rule), answers] = chosen_rule(rule, answers)
        return chosen


def chosen_rule(rule: Rule, answers: Answers) -> Rule:
    """The rule that holds where its conditions have these answers."""
    known = dict(zip(conditions(rule), answers))
    return replace(rule, statements=tuple(_statements(rule, known)))


def _statements(rule: Rule, known: Mapping[Expression, Optional[bool]]) -> Iterator[Statement]:
    for statement in rule.statements:
        answer = True if statement.when is None else known[statement.when]
        if answer or (answer is None and isinstance(statement, _CAUTIOUS)):
            yield statement if statement.when is None else replace(statement, when=None)
