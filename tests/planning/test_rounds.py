"""Pruning in rounds: indices of a later round lead back to the original network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import plan_of, run

from planning.models import parameters, write_model
from prunec.frontends.mxnet.params import read_params


def test_three_rounds_lead_back_to_the_first_model(tmp_path: Path, capsys: Any) -> None:
    model = write_model(tmp_path / "0", parameters())
    plan = None
    for number in (1, 2, 3):
        out = tmp_path / str(number)
        arguments = ("--from", plan) if plan else ()
        code, _, err = run(capsys, "compile", model, "--ratio", "0.3", "--out", out, *arguments)
        assert code == 0, err
        model, plan = out / "net-symbol.json", out / "plan.json"
    last = plan_of(tmp_path / "3")
    assert last["original"]["rounds"] == 2
    assert last["original"]["model"] == plan_of(tmp_path / "1")["model"]
    traces = {entry["group"]: entry for entry in last["original"]["groups"]}
    first, third = (read_params(tmp_path / n / "net-0000.params") for n in ("0", "3"))
    kept = []
    for group, name in enumerate(("conv1_weight", "conv2_weight")):
        assert traces[group]["original"] == group
        gone = {entry["group"]: entry["remove"] for entry in last["groups"]}.get(group, [])
        kept.append([unit for i, unit in enumerate(traces[group]["units"]) if i not in gone])
        assert len(kept[group]) == third.shapes[name][0]
    assert np.array_equal(third.array("conv1_weight"), first.array("conv1_weight")[kept[0]])
    expected = first.array("conv2_weight")[kept[1]][:, kept[0]]
    assert np.array_equal(third.array("conv2_weight"), expected)


def test_a_plan_that_made_another_model(tmp_path: Path, capsys: Any) -> None:
    model = write_model(tmp_path, parameters())
    run(capsys, "plan", model, "--out", tmp_path / "plan.json")
    arguments = ("plan", model, "--from", tmp_path / "plan.json", "--out", tmp_path / "next.json")
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert err.startswith("error[P540]: the model is not what this plan makes\n")
    assert "after it the 1. group that can lose something has 4 units, here 8" in err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda plan: plan.pop("group_units"), "it does not say how many units each group has"),
        (lambda plan: plan.update(group_units=[8]), "it speaks of groups there are not"),
        (lambda plan: plan.update(group_units=[0]), '"group_units" is not a list of whole numbers'),
        (lambda plan: plan.update(original=3), '"original" is not an object with a list "groups"'),
        (
            lambda plan: plan.update(original={"model": "x", "rounds": 1, "groups": [{"group": 0}]}),
            'an entry of "original" lacks whole numbers',
        ),
        (lambda plan: plan.update(original={"groups": []}), '"original" lacks the text "model"'),
    ],
)
def test_plans_that_cannot_be_continued(tmp_path: Path, capsys: Any, change: Any, words: str) -> None:
    model = write_model(tmp_path, parameters())
    run(capsys, "plan", model, "--out", tmp_path / "plan.json")
    plan = json.loads((tmp_path / "plan.json").read_text())
    change(plan)
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    arguments = ("plan", model, "--from", tmp_path / "plan.json", "--out", tmp_path / "next.json")
    code, _, err = run(capsys, *arguments)
    assert code == 1 and words in err


def test_plan_then_compile_is_compile(tmp_path: Path, capsys: Any) -> None:
    model = write_model(tmp_path, parameters())
    options = ("--target", "params=0.6", "--criterion", "lamp", "--global", "--input", "data=1,3,8,8")
    assert run(capsys, "plan", model, *options, "--out", tmp_path / "plan.json")[0] == 0
    assert run(capsys, "compile", model, *options, "--out", tmp_path / "a")[0] == 0
    arguments = ("--plan", tmp_path / "plan.json", "--input", "data=1,3,8,8", "--out", tmp_path / "b")
    assert run(capsys, "compile", model, *arguments)[0] == 0
    for name in ("net-symbol.json", "net-0000.params", "plan.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "plan.json").read_bytes() == (tmp_path / "a" / "plan.json").read_bytes()


def test_a_plan_is_not_written_over(tmp_path: Path, capsys: Any) -> None:
    model = write_model(tmp_path, parameters())
    (tmp_path / "plan.json").write_text("mine")
    code, _, err = run(capsys, "plan", model, "--out", tmp_path / "plan.json")
    assert code == 1 and "error[P510]: the plan cannot be written there" in err
    code, _, err = run(capsys, "plan", model, "--out", model, "--force")
    assert code == 1 and "error[P511]: the output would replace an input" in err
    assert (tmp_path / "plan.json").read_text() == "mine"
    code, _, err = run(capsys, "plan", model, "--out", tmp_path / "no" / "plan.json")
    assert code == 1 and "error[P513]: cannot write the output" in err
