"""Slips in a good rule that `prunec rules check` finds, each at its own line.

Slips that leave a rule well formed (factors swapped, a wrong axis) are found by running the operator.
"""

from __future__ import annotations

import pytest

from prunec.authoring.registered_operators import Registered
from prunec.authoring.rule_checks import check_sources
from prunec.support.diagnostics import Source

RULE = """\
op Convolution(num_group = 1, stride = 1, dilate = 1, pad = 0, kernel, num_filter) {
  data[n, (g i), *x];
  weight[(g o), i, *k],
  bias?[(g o)]
  -> out[n, (g o), *y]
  num_group = g
  num_filter = g * o
  kernel = *k
  *y = window(*x, kernel, stride, pad, dilate)
  zero out
  hint macs = n * g * o * i * prod(*k) * prod(*y)
}
op Concat(dim = 1) {
  data*[*a, c @ dim, *b] -> out[*a, (+ c), *b]
  zero out if data
}
op BatchNorm(axis = 1) {
  data[*a, c @ axis, *b]; gamma[c], beta[c], mean[c], var[c] -> out[*a, c, *b]
  hint neutral var = 1
}
op depthwise_only(num_group = 1) when num_group > 1 {
  data[n, g]; weight[(g m), 1] -> out[n, (g m)]
  num_group = g
  keep m
}
"""
#: The attributes that the framework's operators have.
REGISTERED = {
    "Convolution": Registered(("kernel", "stride", "dilate", "pad", "num_filter", "num_group"), False),
    "Concat": Registered(("dim", "num_args"), False),
}

#: What is written, what is written instead, and the code and line of a message about it.
MUTATIONS = [
    ("misspelt input axis", "weight[(g o), i, *k]", "weight[(g o), j, *k]", "P217", 3),
    ("missing equation of a factor", "  num_group = g\n  num_filter", "  num_filter", "P208", 1),
    ("misspelt attribute in an equation", "  num_filter = g * o", "  num_filters = g * o", "P204", 7),
    ("misspelt attribute in the header", "pad = 0, kernel,", "pad = 0, kernl,", "P725", 1),
    ("attribute of another operator", "op Concat(dim = 1)", "op Concat(axis = 1)", "P725", 13),
    ("forgotten attribute", "stride = 1, dilate = 1, ", "stride = 1, ", "P204", 9),
    (
        "argument forgotten",
        "window(*x, kernel, stride, pad, dilate)",
        "window(*x, kernel, stride, pad)",
        "P202",
        9,
    ),
    ("rest without its star", "-> out[n, (g o), *y]", "-> out[n, (g o), y]", "P205", 9),
    ("misspelt function", "= window(", "= windows(", "P201", 9),
    ("misspelt tensor", "  zero out\n", "  zero output\n", "P210", 10),
    ("misspelt condition", "zero out if data\n", "zero out if dat\n", "P210", 15),
    ("variadic star forgotten", "  data*[*a, c @ dim", "  data[*a, c @ dim", "P213", 14),
    ("keep of another name", "  keep m\n", "  keep p\n", "P204", 24),
    ("star that does not multiply", "num_filter = g * o", "num_filter = g *o", "P101", 7),
    ("arrow forgotten", "  -> out[n, (g o), *y]", "  , out[n, (g o), *y]", "P101", 6),
    ("bracket forgotten", "  bias?[(g o)]", "  bias?[(g o]", "P101", 4),
    ("neutral of no tensor", "neutral var = 1", "neutral variance = 1", "P210", 19),
    ("guard on an axis", "when num_group > 1", "when g > 1", "P204", 21),
]


def messages(text: str) -> list[tuple[str, int]]:
    checked = check_sources([Source("rules.prune", text)], [], lambda library: REGISTERED)
    return [(d.code, d.annotations[0].span.line) for d in checked.diagnostics]


def test_nothing_is_said_of_the_rules_as_they_are() -> None:
    assert messages(RULE) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "line"), [m[1:] for m in MUTATIONS], ids=[m[0] for m in MUTATIONS]
)
def test_a_slip_is_found_at_its_line(old: str, new: str, code: str, line: int) -> None:
    assert RULE.count(old) == 1
    assert (code, line) in messages(RULE.replace(old, new))
