"""Compensation: constants are folded exactly, and nothing else is; means are restored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import plan_of, run, write_arrays

from planning.models import parameters, write_model
from prunec.frontends.mxnet.params import read_params

mx = pytest.importorskip("mxnet", reason="needs MXNet")

pytestmark = pytest.mark.slow


def images(count: int = 6) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, 3, 8, 8)).astype(np.float32)


def outputs(symbol: Path, values: Path, data: np.ndarray) -> np.ndarray:
    from prunec.frontends.mxnet.sessions import run as run_model

    file = read_params(values)
    arrays = {name: file.array(name) for name in file.shapes}
    return run_model(symbol.read_bytes(), arrays, {"data": data})[0]


def compensated(capsys: Any, model: Path, *planning: object) -> tuple[Path, dict[str, Any]]:
    """Plans, compensates and compiles; gives the folder of the smaller model and the report."""
    folder = model.parent
    plan, shape = folder / "p.json", ("--input", "data=1,3,8,8")
    assert run(capsys, "plan", model, *shape, *planning, "--out", plan)[0] == 0
    np.savez(folder / "d.npz", data=images(40))
    arguments = ("--plan", plan, "--out", folder / "c", *shape)
    code, out, err = run(capsys, "compensate", model, *arguments)
    assert code == 0, err
    assert "is made up for: " in out
    again = ("--params", folder / "c" / "net-0000.params", "--plan", folder / "c" / "plan.json", *shape)
    code, _, err = run(capsys, "compile", model, *again, "--out", folder / "small", "--verify")
    assert code == 0, err
    return folder / "small", json.loads((folder / "c" / "compensation.json").read_text())


def small_error(model: Path, small: Path) -> float:
    before = outputs(model, model.parent / "net-0000.params", images())
    after = outputs(small / "net-symbol.json", small / "net-0000.params", images())
    return float(np.abs(before - after).max() / np.abs(before).max())


def bottleneck(folder: Path, seed: int = 0) -> Path:
    """Blocks of 1x1 and 3x3 convolutions with normalisations and a residual; a third of the scales is zero.

    Constants behind zero scales are read by convolutions without padding, and where they are not positive
    by a padded one as well.
    """
    generator = np.random.default_rng(seed)
    with mx.name.NameManager():
        x = mx.sym.var("data")
        for number, (filters, kernel) in enumerate([(12, 3), (12, 1), (18, 1), (12, 1)]):
            before = x
            x = mx.sym.Convolution(
                x, name=f"conv{number}", num_filter=filters, kernel=(kernel, kernel), pad=(kernel // 2,) * 2,
                no_bias=number != 2,
            )  # fmt: skip
            x = mx.sym.BatchNorm(x, name=f"bn{number}", fix_gamma=False)
            if number == 1:
                x = x + before
            x = mx.sym.Activation(x, act_type="relu")
        x = mx.sym.Convolution(x, name="wide", num_filter=9, kernel=(3, 3), pad=(0, 0), no_bias=True)
        x = mx.sym.BatchNorm(x, name="last", fix_gamma=False)
        x = mx.sym.Flatten(mx.sym.Pooling(mx.sym.Activation(x, act_type="relu"), global_pool=True))
        x = mx.sym.FullyConnected(x, name="fc", num_hidden=5)
    shapes, _, states = x.infer_shape(data=(1, 3, 8, 8))
    values = {}
    named = [*zip(x.list_arguments(), shapes), *zip(x.list_auxiliary_states(), states)]
    for name, shape in named:
        if name == "data":
            continue
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.3
        values[name] = (generator.standard_normal(shape) * scale).astype(np.float32)
        if name.endswith("var"):
            values[name] = np.abs(values[name]) + np.float32(0.5)
    for name in [name for name in values if name.endswith("gamma")]:
        gamma = np.sign(values[name]) * (np.abs(values[name]) + 0.5)
        gamma[generator.permutation(len(gamma))[: len(gamma) // 3]] = 0
        values[name] = gamma.astype(np.float32)
    # The residual is constant only where both of its sides are.
    values["bn1_gamma"] = np.where(values["bn0_gamma"] == 0, 0, 1).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net-symbol.json").write_text(x.tojson())
    write_arrays(folder / "net-0000.params", values)
    return folder / "net-symbol.json"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_constants_behind_zero_scales_are_folded_exactly(tmp_path: Path, capsys: Any, seed: int) -> None:
    model = bottleneck(tmp_path, seed)
    small, report = compensated(capsys, model, "--criterion", "bn-scale", "--ratio", "0.34")
    shapes = read_params(small / "net-0000.params").shapes
    assert shapes["conv1_weight"][:2] == (8, 8) and shapes["wide_weight"][:2] == (6, 8)
    assert small_error(model, small) < 1e-5
    assert all(layer["after"] <= 1e-5 for layer in report["layers"])
    assert any(layer["before"] > 1e-2 for layer in report["layers"])
    assert {layer["parameter"] for layer in report["layers"] if layer["applied"]} >= {
        "conv2_bias",
        "last_beta",
        "fc_bias",
    }
    plan = plan_of(small)
    assert plan["method"]["compensated"] == "constants"
    assert {group["compensated"] for group in plan["groups"]} == {"exact"}
    assert [group["name"] for group in report["groups"]] == [group["name"] for group in plan["groups"]]


def test_what_is_not_constant_is_left(tmp_path: Path, capsys: Any) -> None:
    model = write_model(tmp_path, parameters())
    small, report = compensated(capsys, model, "--ratio", "0.5")
    assert [layer["applied"] for layer in report["layers"]] == [False, False]
    plain = read_params(tmp_path / "c" / "net-0000.params")
    assert all(np.array_equal(plain.array(n), v) for n, v in parameters().items())
    assert small_error(model, small) > 1e-2


def test_means_bring_the_outputs_nearer(tmp_path: Path, capsys: Any) -> None:
    model = write_model(tmp_path, parameters())
    np.savez(tmp_path / "d.npz", data=images(40))
    assert run(capsys, "compile", model, "--ratio", "0.5", "--out", tmp_path / "plain")[0] == 0
    given = ("--ratio", "0.5", "--means", "--data", tmp_path / "d.npz", "--out", tmp_path / "small")
    code, out, err = run(capsys, "compile", model, *given, "--verify")
    assert code == 0 and "means (kept)" in out, err
    report = json.loads((tmp_path / "small" / "restoring.json").read_text())
    assert [layer["target"] for layer in report["layers"]] == ["conv2", "fc"]
    assert small_error(model, tmp_path / "small") < 0.7 * small_error(model, tmp_path / "plain")
    assert plan_of(tmp_path / "small")["method"]["restored"] == "means"
    # The special case of restoring in which nothing is predicted but means: the weights stay.
    restored, own = read_params(tmp_path / "small" / "restored.params"), parameters()
    changed = {name for name in own if not np.array_equal(restored.array(name), own[name])}
    assert changed == {"conv2_bias", "fc_bias"}


def test_a_padded_layer_is_not_exact_and_says_so(tmp_path: Path, capsys: Any) -> None:
    values = parameters()
    values["bn_gamma"][[1, 5]] = 0
    values["bn_beta"][[1, 5]] = 0.7
    model = write_model(tmp_path, values)
    _, report = compensated(capsys, model, "--criterion", "bn-scale", "--ratio", "0.25")
    layer = next(layer for layer in report["layers"] if layer["layer"] == "conv2")
    assert not layer["applied"] and layer["before"] > 1e-3
    assert layer["outcome"] == "left" and layer["groups"] == [0]
    values["bn_beta"][[1, 5]] = -0.7
    model = write_model(tmp_path / "dead", values)
    _, report = compensated(capsys, model, "--criterion", "bn-scale", "--ratio", "0.25")
    layer = next(layer for layer in report["layers"] if layer["layer"] == "conv2")
    assert layer["after"] <= 1e-5 and not layer["applied"]


def test_compile_does_it_in_one_step(tmp_path: Path, capsys: Any) -> None:
    values = parameters()
    values["bn_gamma"][[1, 5]] = 0
    values["bn_beta"][[1, 5]] = -0.7
    model = write_model(tmp_path, values)
    planning = ("--criterion", "bn-scale", "--ratio", "0.25")
    small, report = compensated(capsys, model, *planning)
    shape, out = ("--input", "data=1,3,8,8"), tmp_path / "one"
    how = ("--compensate",)
    code, said, err = run(capsys, "compile", model, *shape, *planning, *how, "--out", out, "--verify")
    assert (code, err) == (0, "")
    assert "what 2 groups lose is made up for: " in said
    assert json.loads((out / "compensation.json").read_text()) == report
    assert plan_of(out)["groups"] == plan_of(small)["groups"]
    assert plan_of(out)["method"]["compensated"] == "constants"
    for name in ("net-symbol.json", "net-0000.params", "slice_params.py"):
        assert (out / name).read_bytes() == (small / name).read_bytes()
    again = ("--plan", out / "plan.json", "--params", out / "compensated.params", "--out", tmp_path / "again")
    assert run(capsys, "compile", model, *shape, *again)[0] == 0
    assert plan_of(tmp_path / "again") == plan_of(out)
    planned = ("--plan", tmp_path / "p.json", *how, "--out", tmp_path / "planned")
    assert run(capsys, "compile", model, *shape, *planned)[0] == 0
    assert plan_of(tmp_path / "planned")["groups"] == plan_of(out)["groups"]
    assert (tmp_path / "planned" / "net-0000.params").read_bytes() == (out / "net-0000.params").read_bytes()


def test_usage(tmp_path: Path, capsys: Any) -> None:
    model = write_model(tmp_path, parameters())
    for more in ((), ("--compensate",)):
        code, _, err = run(capsys, "compile", model, "--means", *more)
        assert code == 2 and "argument --means: means are taken over examples; give some with --data" in err
    for flag in ("means", "restore"):
        code, _, err = run(capsys, "compile", model, f"--{flag}", "--compensate", "--data", "d.npz")
        assert code == 2 and f"argument --compensate: --{flag} makes up for more" in err
    code, _, err = run(capsys, "compile", model, "--restore")
    assert code == 2 and "argument --restore: what goes is learned from examples" in err
    code, _, err = run(capsys, "compile", model, "--plan", "p.json", "--data", "d.npz")
    assert code == 2 and "argument --plan: the plan says what goes; leave out --data" in err
    run(capsys, "plan", model, "--out", tmp_path / "p.json")
    code, _, err = run(capsys, "compensate", model, "--plan", tmp_path / "p.json", "--out", tmp_path / "c")
    assert code == 1 and "error[P526]" in err and "--input data=1,3,HEIGHT,WIDTH" in err
    assert not (tmp_path / "c").exists()


def two_branches(folder: Path) -> Path:
    """Two branches, each with a normalisation of which half of the scales is zero, added and normalised."""
    generator = np.random.default_rng(5)
    with mx.name.NameManager():
        data = mx.sym.var("data")
        sides = []
        for side in ("left", "right"):
            x = mx.sym.Convolution(data, name=side, num_filter=8, kernel=(3, 3), no_bias=True)
            x = mx.sym.Activation(mx.sym.BatchNorm(x, name=f"{side}_bn", fix_gamma=False), act_type="relu")
            sides.append(mx.sym.Convolution(x, name=f"{side}_out", num_filter=4, kernel=(1, 1), no_bias=True))
        x = mx.sym.BatchNorm(sides[0] + sides[1], name="sum_bn", fix_gamma=False)
        x = mx.sym.FullyConnected(mx.sym.Flatten(x), name="fc", num_hidden=3)
    shapes, _, states = x.infer_shape(data=(1, 3, 8, 8))
    values = {}
    for name, shape in [*zip(x.list_arguments(), shapes), *zip(x.list_auxiliary_states(), states)]:
        if name != "data":
            values[name] = generator.uniform(0.5, 1.0, shape).astype(np.float32)
    for side in ("left", "right"):
        values[f"{side}_bn_gamma"][::2] = 0
    (folder / "net-symbol.json").write_text(x.tojson())
    write_arrays(folder / "net-0000.params", values)
    return folder / "net-symbol.json"


def test_layers_whose_outputs_are_added_are_one_of_all_their_groups(tmp_path: Path, capsys: Any) -> None:
    model = two_branches(tmp_path)
    (tmp_path / "p.prune").write_text('policy "sum_bn*" { hold }\n')
    _, report = compensated(
        capsys, model, "--criterion", "bn-scale", "--ratio", "0.5", "--policy", tmp_path / "p.prune"
    )
    (layer,) = report["layers"]
    assert (layer["layer"], layer["groups"], layer["parameter"]) == ("left_out", [0, 2], "sum_bn_beta")
    assert layer["before"] > 1e-2 and layer["after"] <= 1e-5
    assert [(g["outcome"], g["layers"]) for g in report["groups"]] == [("exact", ["left_out"])] * 2
