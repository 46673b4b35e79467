"""What a rule says for one node: its conditions answered, so that nothing behind sees any.

Conditions ask for attributes and shapes, of which some may not be known yet.
"""

from __future__ import annotations

from typing import Mapping, Optional

from prunec.language.syntax import Expression, Rule
from prunec.language.variants import chosen, conditions, is_plain
from prunec.lowering.guards import SlotShapes, holds
from prunec.value import Value


class Chooser:
    """Rules as nodes choose them; equal answers give the same rule."""

    def __init__(self) -> None:
        self._asked: dict[int, tuple[Rule, tuple[Expression, ...], bool]] = {}
        self._chosen: dict[tuple[int, tuple[Optional[bool], ...]], Optional[Rule]] = {}

    def is_plain(self, rule: Rule) -> bool:
        """Whether a rule says the same for all nodes, so that there is nothing to choose."""
        return self._known(rule)[2]

    def choose(self, rule: Rule, attributes: Mapping[str, Value], slots: SlotShapes) -> Optional[Rule]:
        """The rule for a node, without conditions; ``None`` as long as it is not known which axes hold."""
        _, asked, plain = self._known(rule)
        if plain:
            return rule
        answers = tuple(holds(condition, attributes, slots) for condition in asked)
        key = (id(rule), answers)
        if key not in self._chosen:
            self._chosen[key] = chosen(rule, dict(zip(asked, answers)))
        return self._chosen[key]

    def _known(self, rule: Rule) -> tuple[Rule, tuple[Expression, ...], bool]:
        """A rule (held, so that its identity stays its own), its conditions, and whether it is plain."""
        known = self._asked.get(id(rule))
        if known is None:
            known = self._asked[id(rule)] = (rule, conditions(rule), is_plain(rule))
        return known
