"""`prunec verify` and `compile --verify`, with the real framework."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.tools import DIGITS, arrays, node, run, symbol, write_arrays, write_network
from prunec.frontends.mxnet.params import read_params

pytestmark = pytest.mark.slow

SHAPE = ["--input", "data=2,3,8,8"]
OPTIONS = [
    *("net-symbol.json", "net-pruned/net-symbol.json"),
    *("--params", "net-0000.params", "--pruned-params", "net-pruned/net-0000.params"),
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def needs_mxnet() -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")


def test_an_exact_model(tmp_path: Path, capsys: Any) -> None:
    needs_mxnet()
    write_network(tmp_path)
    assert run(capsys, "compile", "net-symbol.json")[0] == 0
    code, out, err = run(capsys, "verify", *OPTIONS, *SHAPE)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("proved: the smaller model computes what the masked original does (")
    assert lines[1].startswith("  fc: relative error ")
    assert lines[2] == "on random inputs (seed 0): data (2, 3, 8, 8)"


def test_compiling_and_verifying_at_once(tmp_path: Path, capsys: Any) -> None:
    needs_mxnet()
    code, out, err = run(
        capsys,
        "compile",
        DIGITS / "digits-symbol.json",
        "--no-restore",
        "--verify",
        "--input",
        "data=4,1,8,8",
    )
    assert (code, err) == (0, "")
    assert "proved: the smaller model computes what the masked original does (" in out
    assert run(
        capsys, "compile", DIGITS / "digits-symbol.json", "--no-restore", "--out", "b", "--verify", "--quiet",
        "--input", "data=4,1,8,8",
    ) == (0, "", "")  # fmt: skip


def test_a_wrong_parameter_is_found(tmp_path: Path, capsys: Any) -> None:
    needs_mxnet()
    write_network(tmp_path)
    run(capsys, "compile", "net-symbol.json")
    path = tmp_path / "net-pruned" / "net-0000.params"
    small = read_params(path)
    values = {name: np.array(small.array(name)) for name in small.shapes}
    values["conv2_bias"] = values["conv2_bias"][::-1].copy()
    write_arrays(path, values)
    code, out, _ = run(capsys, "verify", *OPTIONS, *SHAPE)
    assert code == 1
    assert out.startswith("the models differ (largest relative error ") and ", more than 1e-04" in out


def test_a_wrong_model_is_refused_or_found(tmp_path: Path, capsys: Any) -> None:
    needs_mxnet()
    write_network(tmp_path)
    run(capsys, "compile", "net-symbol.json")
    shutil.copy("net-symbol.json", "net-pruned/net-symbol.json")
    code, _, err = run(capsys, "verify", *OPTIONS, *SHAPE)
    assert code == 4
    assert err.startswith("error[P703]: ") and '"conv1_weight" has shape (4, 3, 3, 3)' in err


def test_statistics_are_named_and_what_they_change_is_measured(tmp_path: Path, capsys: Any) -> None:
    needs_mxnet()
    document = symbol()
    document["nodes"][4] = node("softmax", "middle", [[3, 0]], axis=1)
    write_network(tmp_path, document)
    code, out, err = run(capsys, "compile", "net-symbol.json", "--no-restore", "--verify", *SHAPE)
    assert code == 0 and "warning[P509]" in err
    assert "\nproved but for statistics: " in out
    assert "\n  one node combines channels that go with those that stay: middle\n  these change " in out
    code, out, _ = run(
        capsys, "compile", "net-symbol.json", "--no-restore", "--verify", "--strict", "--force", *SHAPE
    )
    assert code == 0 and "\nproved: " in out
    assert run(capsys, "verify", *OPTIONS, *SHAPE)[0] == 0


def test_what_enters_a_discontinuous_operator_is_compared(tmp_path: Path, capsys: Any) -> None:
    needs_mxnet()
    document = symbol()
    document["nodes"].append(node("argmax", "best", [[11, 0]], axis=1))
    document["heads"] = [[12, 0, 0]]
    write_network(tmp_path, document)
    code, out, _ = run(capsys, "compile", "net-symbol.json", "--no-restore", "--verify", *SHAPE)
    assert code == 0
    assert "\n  best: relative error " in out and "compared anew behind a node that may jump\n" in out
    path = tmp_path / "net-pruned" / "net-0000.params"
    small = read_params(path)
    values = {name: np.array(small.array(name)) for name in small.shapes}
    values["fc_bias"] = values["fc_bias"] + np.float32(1)  # the largest class stays the largest
    write_arrays(path, values)
    code, out, _ = run(capsys, "verify", *OPTIONS, *SHAPE)
    assert code == 1 and "\n  fc: relative error " in out and "\n  best: " not in out


def test_the_plan_of_another_model(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    run(capsys, "compile", "net-symbol.json")
    write_arrays(tmp_path / "net-0000.params", arrays(seed=4))
    code, _, err = run(capsys, "verify", *OPTIONS, *SHAPE)
    assert code == 4
    assert err.startswith("error[P504]: the plan was made for something else\n")
    (tmp_path / "net-pruned" / "plan.json").unlink()
    code, _, err = run(capsys, "verify", *OPTIONS, *SHAPE)
    assert code == 4
    assert err.startswith("error[P501]: cannot read the plan\n  --> net-pruned/plan.json\n")


def test_the_shape_of_an_input_is_needed(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    code, _, err = run(capsys, "compile", "net-symbol.json", "--no-restore", "--verify")
    assert code == 4
    assert err == (
        "error[P710]: a comparison needs the shape of data\n"
        "  note: both models are run on random inputs, and the model does not give their shapes\n"
        "  help: give them: --input data=1,3,HEIGHT,WIDTH\n"
    )
    assert not (tmp_path / "net-pruned").exists()


def test_parameters_are_needed(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path, values={})
    code, _, err = run(capsys, "compile", "net-symbol.json", "--no-restore", "--verify", *SHAPE)
    assert code == 4
    assert err.startswith("error[P508]: a comparison needs the parameters, and there are none\n")


@pytest.mark.parametrize(
    "builder", ["residual", "concat_two", "shuffle_codes", "grouped", "two_heads", "encoder"]
)
def test_networks_of_every_kind(tmp_path: Path, capsys: Any, builder: str) -> None:
    needs_mxnet()
    from networks import BUILDERS, random_parameters

    (build,) = [one for one in BUILDERS if one.__name__ == builder]
    case = build()
    (tmp_path / "net-symbol.json").write_bytes(case.json)
    write_arrays(tmp_path / "net-0000.params", random_parameters(case.symbol, case.inputs, 3))
    shapes = [f"--input={name}={','.join(map(str, shape))}" for name, shape in case.inputs.items()]
    code, out, err = run(
        capsys, "compile", "net-symbol.json", "--no-restore", "--verify", "--strict", *shapes
    )
    assert (code, err) == (0, ""), out
    assert "proved: " in out


def test_the_report_says_what_the_proof_came_to(tmp_path: Path, capsys: Any) -> None:
    needs_mxnet()
    write_network(tmp_path)
    page = tmp_path / "net-pruned" / "report.html"
    assert run(capsys, "compile", "net-symbol.json", "--no-restore", *SHAPE, "--report")[0] == 0
    assert "Not proved yet:" in page.read_text(encoding="utf-8")
    code, _, err = run(
        capsys, "compile", "net-symbol.json", "--no-restore", *SHAPE, "--report", "--verify", "--force"
    )
    assert (code, err) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert "<b>proved: the smaller model computes" in text and "Not proved yet:" not in text
