"""What a rule says for one node: its conditions answered, so that nothing behind sees any.

Conditions ask for attributes and shapes, of which some may not be known yet.
"""

from __future__ import annotations

from typing import Mapping, Optional

from prunec.language.choices import chosen, conditions
from prunec.language.syntax import Expression, Rule
from prunec.lowering.guards import SlotShapes, holds
from prunec.value import Value


class Chooser:
    """Rules as nodes choose them; equal answers give the same rule."""

    def __init__(self) -> None:
        self._conditions: dict[int, tuple[Rule, tuple[Expression, ...]]] = {}
        self._chosen: dict[tuple[int, tuple[Optional[bool], ...]], Optional[Rule]] = {}

    def asks(self, rule: Rule) -> tuple[Expression, ...]:
        """The conditions of a rule."""
        known = self._conditions.get(id(rule))
        if known is None:
            known = self._conditions[id(rule)] = (rule, conditions(rule))
        return known[1]

    def choose(self, rule: Rule, attributes: Mapping[str, Value], slots: SlotShapes) -> Optional[Rule]:
        """The rule for a node, without conditions; ``None`` as long as it is not known which axes hold."""
        asked = self.asks(rule)
        answers = tuple(holds(condition, attributes, slots) for condition in asked)
        key = (id(rule), answers)
        if key not in self._chosen:
            self._chosen[key] = chosen(rule, dict(zip(asked, answers)))
        return self._chosen[key]
