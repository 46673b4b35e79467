"""The forms of a rule with conditions: each is put on trial like a rule of its own.

A rule that says "the same, but" holds for several kinds of nodes.  Were they drawn together, a kind that is
rare among random nodes would hardly be tried, and what is wrong about it would not come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from prunec.frontends.operators import Operator
from prunec.language.canonical import print_expression
from prunec.language.syntax import Balanced, Equation, Expression, Keep, Logic, Mixes, Rule
from prunec.language.variants import variants
from prunec.lowering.guards import holds
from prunec.proving.attribute_draws import guard_values


@dataclass(frozen=True)
class Form:
    """A rule for one way in which the conditions of its axes, and of what it keeps and mixes, come out.

    ``words`` say under which; ``rules`` are those for each way in which the conditions of its equations come
    out, which share the cases of the form.
    """

    words: str
    rules: tuple[Rule, ...]


def forms(rule: Rule) -> tuple[Form, ...]:
    """The forms of a rule; of one without conditions, itself."""
    found = tuple(variants(rule, _conditions(rule, Keep, Mixes)))
    return tuple(
        Form(
            _words(rule, form) if len(found) > 1 else "",
            tuple(variants(form, _conditions(form, Equation, Balanced))),
        )
        for form in found
    )


def _conditions(rule: Rule, *kinds: type) -> list[Expression]:
    return [s.when for s in rule.statements if isinstance(s, kinds) and s.when is not None]


def _words(rule: Rule, form: Rule) -> str:
    """What a form holds under besides what the rule does."""
    known = _parts(rule.when)
    more = tuple(part for part in _parts(form.when) if part not in known)
    return print_expression(more[0] if len(more) == 1 else Logic("and", more, rule.span))


def _parts(guard: Optional[Expression]) -> tuple[Expression, ...]:
    if guard is None:
        return ()
    return guard.items if isinstance(guard, Logic) and guard.operator == "and" else (guard,)


def may_hold(rule: Rule, operator: Operator) -> bool:
    """Whether the guard of a rule can hold for a version of an operator, which does not have some of the
    attributes that the rule reads."""
    known = dict(operator.version_attributes)
    for attribute in rule.attributes if operator.lists_all else ():
        if operator.argument(attribute.name) is None:
            default = None if attribute.default is None else attribute.default.value
            known.setdefault(attribute.name, default)
    parts = [part for part in _parts(rule.when) if guard_values(part)]
    return all(
        holds(part, known, {}) is not False for part in parts if guard_values(part).keys() <= known.keys()
    )
