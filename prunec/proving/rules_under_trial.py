"""Which rules hold where: those under trial for one operator, trusted ones for what is around it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from prunec.language.syntax import Rule
from prunec.lowering.infer import Rules

#: What stands before the names of operators around the one that is tried, where rules are looked up.
AROUND = "around:"


@dataclass(frozen=True)
class RulesUnderTrial:
    """The rules to be proved, and trusted ones for what is built around their operators."""

    rules: tuple[Rule, ...]
    trusted: Rules

    def rules_for(self, operator: str) -> tuple[Rule, ...]:
        """The rules of an operator; the trusted ones for a node that was built around it."""
        if operator.startswith(AROUND):
            return tuple(self.trusted.rules_for(operator[len(AROUND) :]))
        return self._by_operator().get(operator, ())

    def _by_operator(self) -> dict[str, tuple[Rule, ...]]:
        known = self.__dict__.get("_table")
        if known is None:
            table: defaultdict[str, list[Rule]] = defaultdict(list)
            for rule in self.rules:
                for operator in dict.fromkeys(name.name for name in rule.operators):
                    table[operator].append(rule)
            known = {name: tuple(found) for name, found in table.items()}
            object.__setattr__(self, "_table", known)
        return known

    def exchanged(self, old: Rule, new: Rule) -> RulesUnderTrial:
        """The same rules with another in place of one."""
        return RulesUnderTrial(tuple(new if rule is old else rule for rule in self.rules), self.trusted)
