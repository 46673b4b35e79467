"""`prunec explain` as a user runs it; nothing here needs MXNet."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from prunec.cli.main import main

ROOT = Path(__file__).parents[2]
MODEL = str(ROOT / "examples" / "digits" / "digits-symbol.json")


def explain(*arguments: str) -> int:
    return main(["explain", MODEL, *arguments])


def test_the_name_may_stand_behind_options(capsys: Any) -> None:
    assert explain("--axis", "0", "--channel", "5", "stem_conv_weight") == 0
    text = capsys.readouterr().out
    assert text.startswith("stem_conv_weight, parameter (32, 1, 3, 3)\n\nAxis 0, channel 5: can go; group 0")
    assert (
        "  stem_norm_gamma, stem_norm_beta, stem_norm_moving_mean, stem_norm_moving_var axis 0 [5]\n" in text
    )
    assert "      stem_conv → stem_norm\n" in text


def test_kept_layers(capsys: Any) -> None:
    assert explain("--kept") == 0
    assert capsys.readouterr().out == (
        "classes (FullyConnected, 650 parameters): 10 of 10 output channels stay\n"
        "  Tied to the model output 'softmax'.\n"
        "    classes → softmax\n"
    )


@pytest.mark.parametrize(("form", "start"), [("json", "{"), ("mermaid", "flowchart"), ("dot", "digraph")])
def test_formats(form: str, start: str, capsys: Any) -> None:
    for arguments in (("classes_weight",), ("--kept",)):
        assert explain(*arguments, "--format", form) == 0
        text = capsys.readouterr().out
        assert text.startswith(start)
        if form == "json":
            json.loads(text)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("block1_first_conv_wieght",), 1, "did you mean `block1_first_conv_weight`"),
        (("classes_weight", "--axis", "7"), 1, "error[P411]: 'classes_weight' has no axis 7"),
        (("classes_weight", "--axis", "0", "--channel", "10"), 1, "channels count from 0 to 9"),
        (("classes_weight", "--channel", "-1"), 2, "argument --channel"),
        ((), 2, "NODE_OR_PARAMETER"),
        (("classes", "--kept"), 2, "give the name of a node or parameter, or --kept"),
        (("--kept", "--axis", "1"), 2, "--kept speaks of whole layers"),
    ],
)
def test_failures(arguments: tuple[str, ...], code: int, message: str, capsys: Any) -> None:
    assert explain(*arguments) == code
    assert message in capsys.readouterr().err


def test_rule_lines_point_into_the_rules(capsys: Any) -> None:
    assert explain("block2_second_conv_weight", "--axis", "0") == 0
    lines = capsys.readouterr().out.split("Rule lines\n")[1].splitlines()
    rules = (ROOT / "rules" / "default.prune").read_text(encoding="utf-8").splitlines()
    for line in lines:
        found = re.match(r"  (\S+) +(\S+) +rules/default\.prune:(\d+):(\d+) +(?:ties  |keeps  )?(.*)", line)
        assert found is not None, line
        assert rules[int(found[3]) - 1][int(found[4]) - 1 :].startswith(found[5].split(",")[0]), line


def test_what_a_rule_became(capsys: Any) -> None:
    assert explain("stem_conv", "--rule") == 0
    text = capsys.readouterr().out
    assert text.startswith("node 'stem_conv' (Convolution) with inputs ")
    assert "\n  edit num_filter = g * o\n" in text and "\n  output 0 [?, 32, ?, ?]; %0 over 1 zero\n" in text


def test_what_a_plan_does_to_a_node(tmp_path: Path, capsys: Any) -> None:
    folder = str(tmp_path / "out")
    assert main(["compile", MODEL, "--ratio", "0.5", "--criterion", "l2", "--out", folder]) == 0
    plan = str(tmp_path / "out" / "plan.json")
    capsys.readouterr()
    assert explain("stem_conv", "--rule") == 0
    without = capsys.readouterr().out
    assert explain("stem_conv", "--rule", "--plan", plan) == 0
    text = capsys.readouterr().out
    assert text.startswith(without + "\nedits\n  num_filter = 16 instead of 32\n  parameter weight ")
    assert explain("stem_conv", "--plan", plan) == 2
    assert "--plan goes with --rule" in capsys.readouterr().err
    document = json.loads(Path(plan).read_text(encoding="utf-8"))
    Path(plan).write_text(json.dumps({**document, "model": "0" * 64}), encoding="utf-8")
    assert explain("stem_conv", "--rule", "--plan", plan) == 1
    assert "the plan was made for something else" in capsys.readouterr().err


def test_what_no_rule_became(capsys: Any) -> None:
    assert explain("stem_conv_weight", "--rule") == 1
    assert "error[P417]: 'stem_conv_weight' is no operator" in capsys.readouterr().err
    assert explain("stem_conv", "--rule", "--axis", "0") == 2
