"""Rules whose conditions are answered."""

from __future__ import annotations

import pytest

from prunec.language.canonical import print_expression, print_rule, print_signature, print_statement
from prunec.language.parser import parse
from prunec.language.syntax import Rule
from prunec.language.variants import chosen, conditions, variants
from prunec.lowering.choosing import Chooser
from prunec.support.diagnostics import Source

CONV = """op conv(groups = 1, last = False) when groups > 0 {
  data[n, (g i), *x | n, *x, (g i) when last]; weight[(g o), i | i, (g o)] -> out[n, (g o), *x | n, *x, (g o)]
  groups = g
  keep o because "depthwise" when groups == size(data, 1)
  zero out when not last
}
"""


def rule(text: str = CONV) -> Rule:
    (found,) = parse(Source("rules.prune", text)).rules
    return found


def told(found: Rule) -> list[str]:
    return [line.strip() for line in print_rule(found).splitlines()[1:-1]]


def answered(**answers: object) -> list[str]:
    """The body of the rule where ``last`` and ``depthwise`` have these answers."""
    last, depthwise, first = conditions(rule())
    given = {last: answers["last"], first: answers["first"], depthwise: answers["depthwise"]}
    found = chosen(rule(), given)
    assert found is not None
    return told(found)


def test_conditions_stand_once_each() -> None:
    assert [print_expression(c) for c in conditions(rule())] == [
        "last",
        "groups == size(data, 1)",
        "not last",
    ]


def test_the_rule_where_all_conditions_hold() -> None:
    assert answered(last=True, first=True, depthwise=True) == [
        "data[n, *x, (g i)]; weight[i, (g o)] -> out[n, *x, (g o)]",
        "groups = g",
        'keep o because "depthwise"',
        "zero out",
    ]


def test_the_rule_where_none_does() -> None:
    assert answered(last=False, first=False, depthwise=False) == [
        "data[n, (g i), *x]; weight[(g o), i] -> out[n, (g o), *x]",
        "groups = g",
    ]


def test_what_is_not_known_keeps_and_claims_nothing() -> None:
    assert answered(last=False, first=None, depthwise=None)[1:] == [
        "groups = g",
        'keep o because "depthwise"',
    ]


def test_axes_that_are_not_known_give_no_rule() -> None:
    assert chosen(rule(), dict.fromkeys(conditions(rule()), None)) is None


def test_variants_say_what_they_hold_under() -> None:
    found = list(variants(rule()))
    guards = [print_expression(one.when) for one in found if one.when is not None]
    assert guards == ["groups > 0 and not last", "groups > 0 and last"]
    assert [conditions(one) for one in found] == [conditions(rule())[1:]] * 2
    assert told(found[1])[0] == "data[n, *x, (g i)]; weight[i, (g o)] -> out[n, *x, (g o)]"


def test_variants_that_nothing_can_meet_are_left_out() -> None:
    text = "op a(k) { d[n, c | c, n when k == 1 | c, 1 when k == 2], e[n], f[c] -> o[n, c] }"
    assert [print_expression(one.when) for one in variants(rule(text)) if one.when] == [
        "not k == 1 and not k == 2",
        "not k == 1 and k == 2",
        "k == 1 and not k == 2",
    ]


def test_a_rule_without_conditions_is_its_only_variant() -> None:
    plain = rule("op a { d[n] -> o[n] }")
    assert list(variants(plain)) == [plain]


@pytest.mark.parametrize(
    ("groups", "shape", "keeps"), [(4, (1, 4, 5), True), (2, (1, 4, 5), False), (2, None, True)]
)
def test_a_node_chooses_by_attributes_and_shapes(groups: int, shape: object, keeps: bool) -> None:
    one, chooser = rule(), Chooser()
    slots = {"data": [shape], "weight": [None]}
    found = chooser.choose(one, {"groups": groups, "last": False}, slots)  # type: ignore[arg-type]
    assert found is not None
    assert any(line.startswith("keep") for line in told(found)) is keeps
    assert chooser.choose(one, {"groups": groups, "last": False}, slots) is found  # type: ignore[arg-type]


def test_axes_that_are_not_read_are_parts_of_sums_that_may_go() -> None:
    one = rule("op like { d[n, *x], e[_, *_, *y] -> o[n, *y] }")
    (found,) = variants(one)
    assert found != one and found == chosen(one, {})
    assert told_on_one_line(found) == [
        "d[n, *x], e[(_ 0 none + _ 0), *(_ 1 none + _ 1), *y] -> o[n, *y]",
        "_ 0 none = 0",
        "*_ 1 none = 0",
    ]


def test_a_range_has_parts_before_and_behind_it() -> None:
    one = rule("op cut(a, b, s) { d[n, *x], e[*(x + q)] -> o[n, range(*x, a, b)]  keep *x  *x = s }")
    (found,) = variants(one)
    assert told_on_one_line(found) == [
        "d[n, *(x before + x taken + x behind)], e[*((x before + x taken + x behind) + q)] -> o[n, *x taken]",
        "keep *x before, *x taken, *x behind",
        "*x before + *x taken + *x behind = s",
        "start(a, *x before + *x taken + *x behind) = *x before",
        "stop(b, *x before + *x taken + *x behind) = *x before + *x taken",
    ]


def test_a_range_in_steps_keeps_what_is_stepped_over() -> None:
    one = rule("op cut(a, b, axes, s) { d[*x] -> o[range(*x, a, b, axes, s)] }")
    (found,) = variants(one)
    whole, steps = "*x before + *x taken + *x behind", "on(s, axes, *x taken)"
    assert told_on_one_line(found) == [
        f"d[*(x before + x taken + x behind)] -> o[stepped(*x taken, {steps}, *x stepped)]",
        f"start(on(a, axes, *x taken), {whole}, {steps}) = *x before",
        f"stop(on(b, axes, *x taken), {whole}, {steps}) = *x before + *x taken",
        f"*x stepped = strided({whole}, on(a, axes, *x taken), on(b, axes, *x taken), {steps})",
        f"keep stepped(*x taken, {steps}), *x stepped"
        ' because "elements are taken by their position, in steps"',
    ]


def test_an_element_is_one_of_several_or_a_single_one() -> None:
    one = rule("op pick(i, k) { d[c @ k, n], i -> o[c[i], n] }")
    assert [print_expression(condition) for condition in conditions(one)] == ["rank(i) == 0"]
    several, single = variants(one)
    assert told_on_one_line(several) == ["d[c @ k, n], i -> o[take(c, i), n]"]
    assert told_on_one_line(single) == [
        "d[(c before + c taken + c behind) @ k, n], i -> o[n]",
        "start(i, c before + c taken + c behind) = c before",
        "c taken = 1",
    ]
    assert chosen(one, {conditions(one)[0]: None}) is None
    # Without an input, a number is a list of one.
    (listed,) = variants(rule("op pick(i) { d[c, n] -> o[c[i], n] }"))
    assert told_on_one_line(listed) == ["d[c, n] -> o[take(c, i), n]"]


def told_on_one_line(found: Rule) -> list[str]:
    return [print_signature(found.signature), *map(print_statement, found.statements)]
