"""The text of what a rule becomes for a node, stage by stage."""

from __future__ import annotations

import re

import numpy as np

from core.operators import TEXT, SmallRules
from core.sketch import sketch
from core.small import Builder, solved
from prunec.analysis.analyse import analyse
from prunec.channels.program_text import program_text
from prunec.channels.propagate import Cause
from prunec.explaining.plain_reasons import plain_reason
from prunec.explaining.records import records_text
from prunec.lowering.expressions import Operation
from prunec.lowering.reasons import ReasonKind, RuleReason
from prunec.lowering.record_text import rule_text, scalar_text
from prunec.rewriting.edits import edits_for
from prunec.rewriting.edits_text import edits_text
from prunec.rewriting.shrink import Shrinker


def _without_places(text: str) -> str:
    return re.sub(r" ?\(?small\.prune:[\d:]+\)?", "", text)


def test_a_layer() -> None:
    b = Builder()
    layer = b.grouped(b.input(2, 3), 6)
    analysis = solved(b.finish(b.dense(layer, 3)))
    rule = analysis.lowered.rules[layer.node]
    assert rule is not None
    assert _without_places(rule_text(rule)) == (
        "rule grouped at\n"
        "  groups = 1\n"
        "  units = 6\n"
        "  input data[n, (g i)] = (2, 3)\n"
        "  input parameter weight[(g o), i] = (6, 3)\n"
        "  input parameter bias[(g o)] = (6)\n"
        "  output out[n, (g o)] = (2, 6)\n"
        "  size n = 2\n"
        "  size i = 3\n"
        "  size g = 1\n"
        "  size o = 6\n"
        "  edit groups = g\n"
        "  edit units = g * o\n"
        "  zero out\n"
    )
    atoms = analysis.solution.propagation.nodes[layer.node]
    assert atoms is not None
    data = analysis.solution.propagation.channels[analysis.lowered.graph.nodes[layer.node].inputs[0]].layout
    assert _without_places(program_text(atoms.program, [data])) == (
        "channel program\n"
        "  input 0 [2, 3]\n"
        "  %0 = fresh (6,)\n"
        "  parameter 1 [6, 3]; %0 over 0 zero\n"
        "  parameter 2 [6]; %0 over 0 zero\n"
        "  output 0 [2, 6]; %0 over 1 zero\n"
        "  name n = 2\n"
        "  name g = 1\n"
        "  name i = 3\n"
        "  name o = 6 (%0 along 0)\n"
    )


def test_what_units_that_go_do_to_a_node() -> None:
    b = Builder()
    layer = b.grouped(b.input(2, 3), 6, groups=1)
    analysis = solved(b.finish(b.grouped(layer, 4, groups=2)))
    index = len(analysis.lowered.graph.nodes) - 1
    removed = np.isin(np.arange(analysis.solution.unit_count), (0, 5))
    edits = edits_for(analysis, Shrinker(analysis.solution, removed))
    assert re.sub(r"'\w+'", "'p'", edits_text(edits, analysis.lowered, index, {})) == (
        "edits\n"
        "  input data: (2, 6) to (2, 4)\n"
        "  parameter weight 'p': (4, 3) to (4, 2) as (2, 2, 3), axis 2 at 1:3 | 0:2 for rows of axis 0\n"
    )
    assert re.sub(r"'\w+'", "'p'", edits_text(edits, analysis.lowered, layer.node, {})) == (
        "edits\n"
        "  units = 4 instead of 6\n"
        "  parameter weight 'p': (6, 3) to (4, 3), axis 0 at 1:5\n"
        "  parameter bias 'p': (6) to (4), axis 0 at 1:5\n"
        "  output out: (2, 6) to (2, 4)\n"
    )
    nothing = edits_for(analysis, Shrinker(analysis.solution, np.zeros_like(removed)))
    assert edits_text(nothing, analysis.lowered, index, {}) == "edits\n  none\n"


def test_everything_a_rule_can_say() -> None:
    text = """
    op all(times, begin, codes, axis = None) {
      data[n, (p + c + q), *x]; scale[c], spread[c] -> out[n, c], size[]
      times = c * 2
      start(begin, p + c + q) = p
      keep n because "samples stay"
      mixes c unless zero data because "it sums"
      zero out if data
      size holds c
      hint neutral spread = 1
      hint scales scale
      hint macs = n * (c + p)
      hint discontinuous
    }
    """
    model = sketch(
        ("x", None),
        ("s", None),
        ("v", None),
        ("y", "all", ["x", "s", "v"], {"times": 8, "begin": 1, "codes": 0}),
        outputs=["y"],
        shapes={"x": (2, 6, 5), "s": (4,), "v": (4,)},
        parameters=["s", "v"],
    )
    found = _without_places(records_text(analyse(model, SmallRules(text)), "y"))
    for line in (
        "  input data[n, (p + c + q), x.0] = (2, 6, 5)",
        "  input parameter scale[c] = (4)",
        "  keep n: samples stay",
        "  mixes c unless zero data: it sums",
        "  edit times = c * 2",
        "  edit start(begin, p + c + q) = p",
        "  zero out if data",
        "  neutral spread = 1",
        "  scales scale",
        "  holds size: c",
        "  macs = n * (c + p)",
        "  discontinuous",
    ):
        assert f"\n{line}\n" in found, (line, found)


def test_arithmetic_keeps_its_parentheses() -> None:
    difference = Operation("-", ("a", Operation("-", ("b", 1))))
    assert scalar_text(difference) == "a - (b - 1)"
    assert scalar_text(Operation("*", (difference, Operation("window", ("x", None))))) == (
        "(a - (b - 1)) * window(x, nothing)"
    )


def test_a_reason_of_the_users_own_is_told_as_it_is() -> None:
    """Though it reads like one of prunec's, which would be told in other words."""
    own = "a part of size one of a sum"
    rules = SmallRules(TEXT + f'op hold {{ data[n, c] -> out[n, c]  keep c because "{own}" }}')
    layer = ("layer", "dense", ["x", "w"], {"units": 4})
    nodes = (("x", None), ("w", None), layer, ("y", "hold", ["layer"]))
    model = sketch(*nodes, outputs=["y"], shapes={"x": (2, 3), "w": (4, 3)}, parameters=["w"])
    analysis = analyse(model, rules)
    stated = [cause for cause in analysis.solution.causes if cause.reason is not None and cause.text == own]
    assert [plain_reason(cause, analysis.lowered) for cause in stated] == [(own, "")]
    reason = RuleReason(ReasonKind.SINGLE_PART, stated[0].span)  # type: ignore[arg-type]
    assert reason.text == own
    words, _ = plain_reason(Cause("rule", own, 1, reason.span, reason), analysis.lowered)
    assert words == "it is the only channel of its part of a concatenation or a slice"
