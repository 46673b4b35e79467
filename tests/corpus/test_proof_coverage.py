"""What proofs of MXNet's networks came to, as docs/coverage.md tells it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.proof_coverage import kinds_of, outcome_of, proofs, verdict_text  # noqa: E402


def run(label: str, outcome: Optional[str] = "proved", real: bool = False, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"label": label, "real": real, "outcome": outcome}
    if outcome in ("proved", "not proved", "differs"):
        found.update(error=1e-6, evidence={"witnessed": 9, "ignored": 1}, unwitnessed=[], worst=[])
    return {**found, **changes}


RESULTS = [
    run("alexnet"),
    run("vgg16", error=3e-5),
    run("alexnet", real=True),
    run(
        "deep",
        "not proved",
        unwitnessed=["a_w: a wrong slice would hardly show at a", "b_w: all its values are 1"],
    ),
    run("deeper", "not proved", unwitnessed=["c_w: a wrong slice would hardly show at c"]),
    run("broken", "differs", worst=["out: relative error 1.0e+00, more than 1e-04"]),
    run("quantised", evidence={}),
    run("stranger", None, reason="MXNet: MXNetError: Error in operator f: (1, 2)"),
    run("old", None, reason="MXNet cannot load it"),
    run("ended", "failed", reason="exit status -11: "),
]


def test_every_outcome_is_counted() -> None:
    text = proofs(RESULTS)
    rows = ("networks | 9 | 1", "proved | 2 | 1", "not proved | 2 | 0", "differs | 1 | 0", "not run | 2 | 0")
    for row in (
        *rows,
        "failed | 1 | 0",
        "nothing goes | 1 | 0",
        "largest error of those proved | 3e-05 | 1e-06",
    ):
        assert f"| {row} |\n" in text
    assert "| sliced parameters, witnessed | 45 | 9 |" in text
    assert "| sliced parameters, not witnessed | 0 | 0 |" in text


def test_reasons_are_told_by_kind() -> None:
    rows = proofs(RESULTS).partition("| parameters | outcome |")[2].splitlines()[2:]
    assert rows == [
        "| random | not proved | 2 | a wrong slice would hardly show in what is compared: deep, deeper |",
        "| random | not proved | 1 | a value is the same everywhere, or one of two: deep |",
        "| random | differs | 1 | out: relative error 1.0e+00, more than 1e-04: broken |",
        "| random | failed | 1 | exit status -11: ended |",
        "| random | not run | 1 | the framework stops with an error: stranger |",
        "| random | not run | 1 | the framework cannot load it: old |",
    ]


def test_where_all_is_proved_no_reasons_are_told() -> None:
    assert "| parameters | outcome |" not in proofs(RESULTS[:3])


def test_names_beyond_the_first_are_counted() -> None:
    many = [run(f"n{k}", None, reason="MXNet cannot load it") for k in range(6)]
    assert "| random | not run | 6 | the framework cannot load it: n0, n1, n2, n3 and 2 more |" in proofs(
        many
    )


def test_a_cell_says_what_it_came_to() -> None:
    cells = [verdict_text(one) for one in ({}, RESULTS[0], RESULTS[3], RESULTS[6], RESULTS[7])]
    assert cells == ["", "1e-06", "**not proved**", "nothing goes", "not run"]


def test_that_nothing_goes_hides_no_difference() -> None:
    assert outcome_of(run("net", "differs", evidence={})) == "differs"


def test_what_is_of_no_kind_stays() -> None:
    assert kinds_of(["a: something new", "a: something new"]) == ["a: something new"]
