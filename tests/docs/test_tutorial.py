"""The tutorial in docs/language.md: each step's rules are good, and its graphs come to what it says.

With ``PRUNEC_UPDATE=1`` in the environment the results are written anew.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from prunec.authoring.graph_examples import GraphExample, run_example
from prunec.authoring.rule_checks import check_sources
from prunec.language.library import RuleSet, read_source
from prunec.language.parser import parse
from prunec.language.printer import format_file
from prunec.language.resources import data_folder
from prunec.support.diagnostics import Source, render_all

DOCUMENT = Path(__file__).parents[2] / "docs" / "language.md"
FENCE = re.compile(
    r"^~~~(?P<kind>\w+)(?: step (?P<step>\d)(?P<note>[^\n]*))?\n(?P<body>.*?)^~~~$", re.M | re.S
)


@dataclass(frozen=True)
class Run:
    """A graph of a step, the rules it sees, and what the document says of it."""

    step: int
    note: str
    rules: str
    start: int
    end: int
    kind: str
    expected: str


def text() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def runs() -> list[Run]:
    blocks = list(FENCE.finditer(text()))
    found = []
    for block, after in zip(blocks, blocks[1:]):
        if block["kind"] != "graph":
            continue
        step = int(block["step"])
        known = [
            rules["body"] for rules in blocks if rules["kind"] == "prune" and rules.start() < block.start()
        ]
        place = block.start("body"), block.end("body")
        found.append(Run(step, block["note"], "\n".join(known), *place, after["kind"], after["body"]))
    return found


def outcome(run: Run) -> tuple[str, str]:
    source = Source("language.md", text())
    default = Source("rules/default.prune", read_source(data_folder("rules") / "default.prune").text)
    rules = RuleSet([(default, True), (Source("my.prune", run.rules), False)])
    example = GraphExample(run.note, source, run.start, run.end, run.end, None, None, 0, 0)
    result = run_example(example, rules)
    return result.kind, result.text


def test_there_are_seven_steps() -> None:
    assert sorted({run.step for run in runs()}) == [1, 2, 3, 4, 5, 6, 7]
    titles = re.findall(r"^### Step (\d): ", text(), re.M)
    assert titles == list("1234567")


@pytest.mark.parametrize("step", range(1, 8))
def test_the_rules_of_a_step_are_good_and_canonical(step: int) -> None:
    bodies = [m["body"] for m in FENCE.finditer(text()) if m["kind"] == "prune" and int(m["step"]) <= step]
    source = Source("my.prune", "\n".join(bodies))
    checked = check_sources([source], ["default"])
    assert render_all(checked.diagnostics) == ""
    assert format_file(parse(Source("my.prune", bodies[-1]))) == bodies[-1]


@pytest.mark.parametrize("run", runs(), ids=lambda run: f"{run.step}{run.note}")
def test_a_graph_comes_to_what_is_said(run: Run) -> None:
    if os.environ.get("PRUNEC_UPDATE"):
        pytest.skip("the document is being rewritten")
    assert outcome(run) == (run.kind, run.expected)


@pytest.mark.skipif(not os.environ.get("PRUNEC_UPDATE"), reason="set PRUNEC_UPDATE=1 to rewrite the document")
def test_rewrite() -> None:
    old = text()
    pieces, position = [], 0
    for run in runs():
        kind, found = outcome(run)
        fence = re.compile(r"^~~~\w+\n.*?^~~~$", re.M | re.S).search(old, run.end + 4)
        assert fence is not None
        pieces += [old[position : fence.start()], f"~~~{kind}\n{found}~~~"]
        position = fence.end()
    DOCUMENT.write_text("".join([*pieces, old[position:]]), encoding="utf-8")
