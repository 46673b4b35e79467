"""Rules for an operator of the user's own, registered from a file, and the command that proves them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mxnet", reason="needs MXNet")

from prunec.language.parser import parse
from prunec.proving import prove, report
from prunec.proving.__main__ import main
from prunec.support.diagnostics import PrunecError, Source

OPERATOR = """
import mxnet as mx


class Reorder(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], mx.nd.flip(in_data[0], axis=1))


@mx.operator.register("prunec_test_reorder")
class ReorderProperties(mx.operator.CustomOpProp):
    def list_arguments(self):
        return ["data"]

    def list_outputs(self):
        return ["output"]

    def infer_shape(self, in_shape):
        return in_shape, [in_shape[0]], []

    def create_operator(self, context, shapes, types):
        return Reorder()
"""
RULE = """op Custom(op_type) as reorder when op_type == "prunec_test_reorder" {
  data[n, c, *x] -> out[n, reverse(c), *x]
  zero out if data
}
"""


@pytest.fixture
def operators(tmp_path: Path) -> Path:
    path = tmp_path / "operators.py"
    path.write_text(OPERATOR)
    return path


def test_rule_of_a_custom_operator_is_proved(operators: Path) -> None:
    (verdict,) = prove(parse(Source("own.prune", RULE)).rules, cases=8, register=operators)
    assert verdict.verdict == "right", report([verdict])
    assert verdict.pruned >= 4


def test_wrong_rule_of_a_custom_operator_is_told(operators: Path) -> None:
    text = RULE.replace("reverse(c)", "c")
    (verdict,) = prove(parse(Source("own.prune", text)).rules, cases=8, register=operators)
    told = report([verdict])
    assert verdict.verdict == "wrong"
    assert "own.prune:1:4" in told
    assert "Custom(op_type=prunec_test_reorder) on data" in told
    assert "output 0 of the pruned network differs: relative error" in told
    assert "network: data has channels on axes" in told and "removed: " in told


def test_unregistered_custom_operator_is_not_tried() -> None:
    (verdict,) = prove(parse(Source("own.prune", RULE)).rules, cases=2)
    assert verdict.verdict == "not tried"
    assert "prunec_test_reorder" in verdict.reason


GROUPS = """

class Turn(mx.operator.CustomOp):
    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, is_train, req, in_data, out_data, aux):
        apart = in_data[0].reshape((0, -4, self.groups, -1, -2))
        self.assign(out_data[0], req[0], apart.swapaxes(1, 2).reshape(in_data[0].shape))


@mx.operator.register("prunec_test_turn")
class TurnProperties(ReorderProperties):
    def __init__(self, groups):
        super().__init__()
        self.groups = int(groups)

    def create_operator(self, context, shapes, types):
        return Turn(self.groups)
"""
GROUPS_RULE = """op Custom(op_type, groups) as turn when op_type == "prunec_test_turn" {
  data[n, (g c), *x] -> out[n, (c g), *x]
  groups = g
  zero out if data
}
"""


def test_attributes_that_no_registry_lists_are_given(tmp_path: Path) -> None:
    path = tmp_path / "operators.py"
    path.write_text(OPERATOR + GROUPS)
    (verdict,) = prove(parse(Source("own.prune", GROUPS_RULE)).rules, cases=8, register=path)
    assert verdict.verdict == "right", report([verdict])
    assert verdict.pruned >= 4


def test_operator_that_fails_is_told(tmp_path: Path) -> None:
    path = tmp_path / "operators.py"
    path.write_text(OPERATOR.replace("self.assign(", "raise ValueError('no such luck')  # "))
    (verdict,) = prove(parse(Source("own.prune", RULE)).rules, cases=2, register=path)
    assert verdict.verdict == "not tried"
    assert verdict.reason == "MXNet does not run it: ValueError: no such luck"


def test_file_that_fails_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("raise RuntimeError('no such thing')\n")
    with pytest.raises(PrunecError) as caught:
        prove(parse(Source("own.prune", RULE)).rules, register=path)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.headline) == ("P713", f"cannot run {path}")
    assert diagnostic.notes == ("RuntimeError: no such thing",)


def test_command_prints_the_report_and_fails_for_a_wrong_rule(
    tmp_path: Path, operators: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "own.prune"
    rules.write_text(RULE)
    arguments = [str(rules), "--cases", "4", "--register", str(operators), "--no-strictness"]
    assert main(arguments) == 0
    assert "1 rules: 1 right, 0 wrong, 0 too strict, 0 not tried" in capsys.readouterr().out
    rules.write_text(RULE.replace("reverse(c)", "c"))
    assert main([*arguments[:2], "8", *arguments[3:]]) == 1
    assert "1 rules: 0 right, 1 wrong, 0 too strict, 0 not tried" in capsys.readouterr().out


def test_command_names_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-file.prune"]) == 2
    assert "no-such-file.prune" in capsys.readouterr().err
