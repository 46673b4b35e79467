"""Every built-in rule, proved by running its operators: none is wrong."""

from __future__ import annotations

import pytest

pytest.importorskip("mxnet", reason="needs MXNet")

from prunec.language.library import load
from prunec.proving import prove, report

#: The rules are proved in so many parts, which may run side by side.
PARTS = 8

#: Rules with a fault that is known and not yet mended, each with what is wrong.
KNOWN: dict[str, str] = {}


@pytest.mark.parametrize("part", range(PARTS))
def test_no_built_in_rule_is_wrong(part: int) -> None:
    rules = load(["default"])
    listed = [rule.label for rule in rules.all_rules()]
    verdicts = prove(rules, cases=4, strictness=False, labels=listed[part::PARTS])
    wrong = [verdict for verdict in verdicts if verdict.verdict == "wrong" and verdict.label not in KNOWN]
    assert not wrong, report(wrong)
    right = sum(verdict.verdict == "right" for verdict in verdicts)
    # Rules that keep all there is, opaque ones and some that need special inputs are not tried.
    assert right >= 0.55 * len(verdicts), report(verdicts)
    assert all(verdict.pruned for verdict in verdicts if verdict.verdict == "right")


def test_rules_that_keep_everything_say_so() -> None:
    (verdict,) = prove(load(["default"]), cases=2, labels=["_arange"], strictness=False)
    assert verdict.verdict == "not tried" and verdict.cases > 0
    assert verdict.reason == "nothing was removed around it in any case, so that only its shapes were tried"


def test_opaque_rules_are_not_tried() -> None:
    (verdict,) = prove(load(["default"]), cases=2, labels=["_foreach"])
    assert (verdict.verdict, verdict.reason) == (
        "not tried",
        "an opaque rule keeps everything and claims nothing",
    )


def test_same_seed_gives_the_same_verdict() -> None:
    rules = load(["default"])
    first, second = (prove(rules, seed=5, cases=6, labels=["Flatten", "Concat"]) for _ in range(2))
    assert first == second
    assert report(first).endswith("2 rules: 2 right, 0 wrong, 0 too strict, 0 not tried")
