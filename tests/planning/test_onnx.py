"""What runs models, for ONNX: criteria from data, sensitivities, latency, compensation."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from cli.tools import plan_of, run

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import RULES, Net  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from prunec.analysis.analyse import Analysis, analyse  # noqa: E402
from prunec.examples import Data, read_data  # noqa: E402
from prunec.frontends.onnx.model import OnnxModel, read_model  # noqa: E402
from prunec.frontends.onnx.sessions import open_session  # noqa: E402
from prunec.frontends.runtime import runtime_of  # noqa: E402
from prunec.planning import latency  # noqa: E402
from prunec.planning.compensation import compensate  # noqa: E402
from prunec.planning.latency import measure, random_examples, random_inputs  # noqa: E402
from prunec.scoring.channel_axes import channel_axes  # noqa: E402
from prunec.scoring.criteria import Settings, unit_scores  # noqa: E402
from prunec.support.diagnostics import PrunecError, render  # noqa: E402

pytestmark = pytest.mark.slow

COUNT = 40


def network(batch: Any = "n", ending: str = "Gemm", bias: bool = True) -> Any:
    """Two convolutions, the first with a normalisation, and a dense layer."""
    net = Net(seed=3)
    x = net.input("x", batch, 3, 8, 8)
    x = net.op("Relu", net.norm(net.conv(x, "c1", 3, 8), "bn", 8))
    x = net.op("Relu", net.conv(x, "c2", 8, 6, 1))
    flat = net.op("Flatten", net.op("GlobalAveragePool", x))
    if ending == "Gemm":
        inputs = [flat, net.weight("fc_w", 4, 6), *([net.weight("fc_b", 4)] if bias else [])]
        y = net.op("Gemm", *inputs, transB=1)
    else:
        y = net.dense(flat, "fc", 6, 4)
    net.output(y, 2)
    return net.proto()


def constants(proto: Any) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


def changed(proto: Any, **values: np.ndarray) -> Any:
    for tensor in proto.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[tensor.name].astype(np.float32), tensor.name))
    return proto


def write(folder: Path, proto: Any, **options: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "net.onnx"
    onnx.save(proto, str(path), **options)
    return path


def examples(count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 3, 8, 8)).astype(np.float32)


def data_file(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "d.npz", **arrays)
    return folder / "d.npz"


def outputs(path: Path, inputs: np.ndarray, *names: str) -> list[np.ndarray]:
    return open_session(path.read_bytes(), path.parent, names or None).run({"x": inputs})


def analysis_of(path: Path) -> Analysis:
    return analyse(read_model(path), RULES)


def examples_of(analysis: Analysis, path: Path) -> Data:
    return read_data(path, runtime_of(analysis.model).examples({"x": (None, 3, 8, 8)}))


def scores(analysis: Analysis, data: Data, name: str, aggregate: str, parameter: str) -> np.ndarray:
    found = unit_scores(analysis, name, Settings(aggregate, "none", data=data))
    own = next(p for p in analysis.parameters if p.name == parameter)
    return found[analysis.solution.units(own.channels.arrays[0])]


# --- running ----------------------------------------------------------------------------------


def test_examples_follow_the_batch_size_that_the_model_declares(tmp_path: Path) -> None:
    path = data_file(tmp_path, x=examples(10))
    for batch, expected in (("n", [10]), (1, [1] * 10), (4, [4, 4])):
        analysis = analysis_of(write(tmp_path, network(batch)))
        shape = (batch if isinstance(batch, int) else None, 3, 8, 8)
        data = read_data(path, runtime_of(analysis.model).examples({"x": shape}))
        assert [len(inputs["x"]) for inputs, _ in data.batches()] == expected


def test_inputs_are_drawn_as_their_types_are(tmp_path: Path) -> None:
    net = Net()
    x = net.input("tokens", "n", 5, kind=onnx.TensorProto.INT64)
    h = net.op("Gather", net.weight("table", 7, 6), x)
    net.output(net.dense(h, "d", 6, 4), 3)
    analysis = analysis_of(write(tmp_path, net.proto()))
    drawn = random_inputs(analysis)
    assert drawn["tokens"].shape == (1, 5) and drawn["tokens"].dtype == np.int64
    assert set(drawn["tokens"].reshape(-1).tolist()) <= {0, 1, 2}
    data = random_examples(analysis, 8)
    assert (data.count, data.batch, data.whole) == (8, 8, False)
    # Numbers of another type than the model's are brought to it.
    runtime = runtime_of(analysis.model)
    floats = {"tokens": drawn["tokens"].astype(np.float64)}
    assert runtime.session(floats).run(floats)[0].shape == (1, 5, 4)


def test_activity_of_channels(tmp_path: Path) -> None:
    path = write(tmp_path, network())
    analysis = analysis_of(path)
    data = examples_of(analysis, data_file(tmp_path, x=examples(70), label=np.arange(70) % 4))
    relu, conv = outputs(path, examples(70), "Relu_0", "Conv_1")
    parts = [slice(0, 32), slice(32, 64), slice(64, 70)]
    expected = np.mean([relu[part].mean(axis=(0, 2, 3)) for part in parts], axis=0)
    assert np.allclose(scores(analysis, data, "activation", "mean", "bn_scale"), expected, rtol=1e-4)
    expected = np.mean([(relu[part] > 0).mean(axis=(0, 2, 3)) for part in parts], axis=0)
    assert np.allclose(scores(analysis, data, "apoz", "mean", "bn_scale"), expected, rtol=1e-4)
    square = np.mean([(relu[part] ** 2).mean(axis=(0, 2, 3)) for part in parts], axis=0)
    energy = np.mean([(conv[part] ** 2).mean() for part in parts])
    weight = constants(onnx.load(path))["c2_w"]
    expected = square * (weight**2).sum(axis=(0, 2, 3)) / (6 * energy)
    assert np.allclose(scores(analysis, data, "reconstruction", "sum", "bn_scale"), expected, rtol=1e-4)


def test_latency_runs_the_model(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, network())
    analysis = analysis_of(path)
    assert measure(runtime_of(analysis.model), random_inputs(analysis), seconds=0.02) > 0

    def size(runtime: Any, inputs: Any, parameters: Any = None, model: Optional[bytes] = None) -> float:
        """The models are run; what counts is their size, which no other work on the machine changes."""
        assert measure(runtime, inputs, parameters or {}, model, seconds=0.0) > 0
        return float(len(model or path.read_bytes()))

    monkeypatch.setattr(latency, "measure", size)
    code, out, _ = run(capsys, "plan", path, "--target", "latency=0.9", "--out", tmp_path / "p.json")
    assert code == 0 and "target latency=0.9" in out
    assert set(json.loads((tmp_path / "p.json").read_text())["method"]["reached"]) == {"latency"}


def test_latency_needs_sizes_that_are_open(tmp_path: Path) -> None:
    net = Net()
    net.head(net.conv(net.input("x", "n", 3, "h", "w"), "c1", 3, 8), 8)
    with pytest.raises(PrunecError) as caught:
        random_inputs(analysis_of(write(tmp_path, net.proto())))
    shown = render(caught.value.diagnostics[0])
    assert shown.startswith("error[P526]: the latency of the model cannot be measured\n")
    assert "--input x=1,3,HEIGHT,WIDTH" in shown


def test_costs_that_are_not_known_name_the_input(tmp_path: Path, capsys: Any) -> None:
    net = Net()
    net.head(net.conv(net.input("x", "n", 3, "h", "w"), "c1", 3, 8), 8)
    path = write(tmp_path, net.proto())
    code, _, err = run(capsys, "plan", path, "--target", "macs=0.5", "--out", tmp_path / "p.json")
    assert code == 1 and "error[P525]: the multiply-adds of the model are not known" in err
    assert "give the shapes of the model's inputs: --input x=1,3,HEIGHT,WIDTH" in err


def test_where_only_the_samples_are_open_the_costs_are_those_of_one(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path, network())
    plans = []
    for options in ((), ("--input", "x=1,3,8,8"), ("--input", "x=7,3,8,8")):
        out = tmp_path / f"{len(plans)}.json"
        code, _, err = run(capsys, "plan", path, "--target", "macs=0.5", *options, "--out", out)
        assert (code, err) == (0, "")
        plans.append(json.loads(out.read_text()))
    assert plans[0]["method"]["reached"]["macs"] == plans[1]["method"]["reached"]["macs"]
    assert plans[0]["groups"] == plans[1]["groups"] == plans[2]["groups"]


# --- sensitivity ------------------------------------------------------------------------------


def test_sensitivity_is_the_change_of_the_smaller_model(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path, network())
    data = data_file(tmp_path, x=examples(), label=np.arange(COUNT) % 4)
    table = tmp_path / "s.csv"
    arguments = ("--data", data, "--ratios", "0.5", "--jobs", "1", "--out", table)
    code, out, err = run(capsys, "sensitivity", path, *arguments)
    assert (code, err) == (0, "") and "accuracy of the original: 0." in out
    rows = list(csv.DictReader(table.open()))
    assert [(row["group"], row["removed"]) for row in rows] == [("", "0"), ("0", "4"), ("1", "3")]
    # The same by hand: the channels of the smallest weights masked, the network run on the same examples.
    before = outputs(path, examples())[0].astype(np.float64)
    accuracy = np.mean(before.argmax(axis=1) == np.arange(COUNT) % 4)
    assert float(rows[0]["accuracy"]) == pytest.approx(accuracy, abs=1e-6)
    analysis = analysis_of(path)
    found = unit_scores(analysis, "l1", Settings("sum", "mean"))
    own = next(p for p in analysis.parameters if p.name == "c2_b")
    units = analysis.solution.units(own.channels.arrays[0])
    gone = np.argsort(found[units])[:3]
    values = constants(onnx.load(path))
    for name in ("c2_w", "c2_b"):
        values[name] = values[name].copy()
        values[name][gone] = 0
    masked = write(tmp_path / "masked", changed(onnx.load(path), **values))
    after = outputs(masked, examples())[0].astype(np.float64)
    expected = np.sqrt(np.sum((before - after) ** 2) / np.sum(before**2))
    assert float(rows[2]["change"]) == pytest.approx(expected, rel=1e-4)


def test_sensitivity_with_external_data(tmp_path: Path, capsys: Any) -> None:
    data = data_file(tmp_path, x=examples())
    inside = write(tmp_path / "inside", network())
    outside = write(
        tmp_path / "outside", network(), save_as_external_data=True, location="w.bin", size_threshold=0
    )
    changes = []
    for path in (inside, outside):
        table = path.parent / "s.csv"
        arguments = ("--data", data, "--ratios", "0.25,0.5", "--jobs", "1", "--out", table)
        assert run(capsys, "sensitivity", path, *arguments)[0] == 0
        changes.append([row["change"] for row in csv.DictReader(table.open())])
    assert changes[0] == changes[1] and len(changes[0]) == 5


# --- compensation -----------------------------------------------------------------------------


def constant_network(ending: str = "Gemm", **options: Any) -> Any:
    """Channels 1 and 5 of the first convolution and channel 2 of the second hold constants."""
    proto = network(ending=ending, **options)
    values = {name: value.copy() for name, value in constants(proto).items()}
    values["bn_scale"][[1, 5]] = 0
    values["bn_shift"][[1, 5]] = 0.7
    values["c2_w"][2] = 0
    values["c2_b"][2] = 0.4
    return changed(proto, **values)


def removal(analysis: Analysis, **channels: list[int]) -> np.ndarray:
    removed = np.zeros(analysis.solution.unit_count, dtype=bool)
    for name, places in channels.items():
        own = next(p for p in analysis.parameters if p.name == name)
        removed[analysis.solution.units(own.channels.arrays[0])[places]] = True
    return removed


@pytest.mark.parametrize("ending", ["Gemm", "MatMul"])
def test_constants_are_made_up_for_exactly(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path, constant_network(ending))
    analysis = analysis_of(path)
    removed = removal(analysis, bn_scale=[1, 5], c2_b=[2])
    data = examples_of(analysis, data_file(tmp_path, x=examples()))
    arrays, shifts = compensate(analysis, removed, data)
    assert [(shift.parameter, shift.applied, shift.exact) for shift in shifts] == [
        ("c2_b", True, True),
        ("fc_b", True, True),
    ]
    old = constants(onnx.load(path))
    # What is read of a constant is the constant times the weights that read it.
    expected = old["c2_b"] + 0.7 * old["c2_w"][:, [1, 5], 0, 0].sum(axis=1)
    stays = [0, 1, 3, 4, 5]
    assert np.allclose(arrays["c2_b"][stays], expected[stays], rtol=1e-5)
    weight = old["fc_w"][:, 2] if ending == "Gemm" else old["fc_w"][2]
    assert np.allclose(arrays["fc_b"], old["fc_b"] + 0.4 * weight, rtol=1e-5)


def planned(capsys: Any, path: Path, ratio: float) -> Path:
    plan = path.parent / "p.json"
    arguments = ("--criterion", "bn-scale", "--ratio", ratio, "--out", plan)
    assert run(capsys, "plan", path, *arguments)[0] == 0
    return plan


@pytest.mark.parametrize("external", [False, True])
def test_the_command_and_what_is_compiled_of_it(tmp_path: Path, capsys: Any, external: bool) -> None:
    options = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0} if external else {}
    path = write(tmp_path / "original", constant_network(), **options)
    plan = planned(capsys, path, 0.25)
    folder = tmp_path / "c"
    code, out, err = run(capsys, "compensate", path, "--plan", plan, "--out", folder)
    assert (code, err) == (0, "")
    names = ["net.onnx", *(["w.bin"] if external else []), "plan.json", "compensation.json"]
    assert f"written to {folder}: {', '.join(names)}" in out
    assert sorted(entry.name for entry in folder.iterdir()) == sorted(names)
    again = ("--plan", folder / "plan.json", "--out", tmp_path / "small", "--verify")
    code, out, err = run(capsys, "compile", folder / "net.onnx", *again)
    assert (code, err) == (0, "") and "proved: " in out
    assert plan_of(tmp_path / "small")["method"]["compensated"] == "constants"
    before, after = (outputs(own, examples(6))[0] for own in (path, tmp_path / "small" / "net.onnx"))
    # The other group lost channels that are not constant: only what the first one did is made up for.
    layer = next(own for own in json.loads((folder / "compensation.json").read_text())["layers"])
    assert layer["parameter"] == "c2_b" and layer["outcome"] == "exact" and layer["after"] <= 1e-5
    assert before.shape == after.shape


def test_compile_makes_up_for_constants_in_one_step(tmp_path: Path, capsys: Any) -> None:
    proto = constant_network()
    values = constants(proto)
    # Everything that goes is constant: half of the second convolution's channels as well.
    values["c2_w"] = values["c2_w"].copy()
    values["c2_w"][[2, 3]] = 0
    path = write(tmp_path, changed(proto, c2_w=values["c2_w"]))
    analysis = analysis_of(path)
    (tmp_path / "hold.prune").write_text('policy "Conv_1" { hold because "only the first group goes" }\n')
    arguments = ("--criterion", "bn-scale", "--ratio", "0.25", "--policy", tmp_path / "hold.prune")
    out_folder = tmp_path / "small"
    code, out, err = run(capsys, "compile", path, *arguments, "--compensate", "--verify", "--out", out_folder)
    assert (code, err) == (0, ""), err
    assert "proved: " in out and (out_folder / "compensated.onnx").is_file()
    before, after = (outputs(own, examples(6))[0] for own in (path, out_folder / "net.onnx"))
    assert np.abs(before - after).max() <= 1e-5 * np.abs(before).max()
    shapes = {name: value.shape for name, value in constants(onnx.load(out_folder / "net.onnx")).items()}
    assert shapes["c1_w"] == (6, 3, 3, 3) and shapes["c2_w"] == (6, 6, 1, 1)
    assert analysis.solution.unit_count == 14


def test_means_bring_the_outputs_nearer(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path, network())
    data = data_file(tmp_path, x=examples())
    errors = []
    for name, more in (("plain", ()), ("means", ("--means", "--data", data))):
        folder = tmp_path / name
        code, _, err = run(capsys, "compile", path, "--ratio", "0.5", *more, "--out", folder)
        assert code == 0, err
        before, after = (outputs(own, examples())[0] for own in (path, folder / "net.onnx"))
        errors.append(float(np.abs(before - after).max() / np.abs(before).max()))
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.parametrize("how", ["--compensate", "--restore"])
def test_parameters_in_other_files_are_made_up_for_too(how: str, tmp_path: Path, capsys: Any) -> None:
    options = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    path = write(tmp_path, network(), **options)
    folder, data = tmp_path / "small", data_file(tmp_path, x=examples())
    more = ("--data", data) if how == "--restore" else ()
    code, _, err = run(capsys, "compile", path, how, *more, "--out", folder, "--verify")
    assert code == 0, err
    # The smaller model is that of the parameters beside it, and the plan is for these.
    copy = folder / how.replace("--restore", "restored").replace("--compensate", "compensated") / path.name
    assert copy.with_name("w.bin").stat().st_size == path.with_name("w.bin").stat().st_size
    code, out, err = run(capsys, "verify", copy, folder / path.name)
    assert code == 0 and "proved" in out, err


def test_layers_without_a_parameter_to_shift_are_left(tmp_path: Path) -> None:
    path = write(tmp_path, constant_network(bias=False))
    analysis = analysis_of(path)
    data = examples_of(analysis, data_file(tmp_path, x=examples()))
    arrays, shifts = compensate(analysis, removal(analysis, c2_b=[2]), data)
    assert arrays == {} and [(shift.parameter, shift.outcome) for shift in shifts] == [(None, "left")]
    assert isinstance(analysis.model, OnnxModel) and channel_axes(analysis)
