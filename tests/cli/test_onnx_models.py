"""The command line on ONNX models."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")

from onnx import helper, numpy_helper  # noqa: E402

from cli.tools import ROOT, bytes_of, plan_of, run, run_process, write_network  # noqa: E402

pytestmark = pytest.mark.slow

FILES = ["changes.diff", "groups.json", "net.onnx", "plan.json", "slice_params.py"]
SHAPES = {
    **{"c1_w": (8, 3, 3, 3), "c1_b": (8,)},
    **{f"bn_{part}": (8,) for part in ("scale", "shift", "mean", "var")},
    **{"c2_w": (6, 8, 3, 3), "c2_b": (6,), "fc_w": (5, 6), "fc_b": (5,)},
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def network(batch: Any = "N", last: str = "") -> Any:
    """Two convolutions, a batch normalisation, the mean, a dense layer, and ``last`` if given."""
    random = np.random.default_rng(0)
    arrays = {name: np.abs(random.standard_normal(shape)) + 0.1 for name, shape in SHAPES.items()}
    for name in ("c1_w", "c2_w", "fc_w"):
        arrays[name] = random.standard_normal(SHAPES[name])
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "c1_w", "c1_b"], ["c1"], "conv1", **same),
        helper.make_node("BatchNormalization", ["c1", *(f"bn_{p}" for p in PARTS)], ["b1"], "bn1"),
        helper.make_node("Relu", ["b1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "c2_w", "c2_b"], ["c2"], "conv2", **same),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "fc_w", "fc_b"], ["y"], "fc", transB=1),
    ]
    result, kind = "y", onnx.TensorProto.FLOAT
    if last:
        nodes.append(helper.make_node(last, ["y"], ["z"], "last"))
        result, kind = "z", onnx.TensorProto.INT64 if last == "ArgMax" else kind
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info(result, kind, ["N", 5] if result == "y" else None)],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


PARTS = ("scale", "shift", "mean", "var")


def write(folder: Path, name: str = "net.onnx", **options: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(network(**options), str(folder / name))
    return folder / name


def write_external(folder: Path) -> Path:
    """The same with its parameters in a file of a folder of their own."""
    write(folder)
    (folder / "data").mkdir()
    options: dict[str, Any] = {"all_tensors_to_one_file": True, "location": "weights.bin"}
    onnx.save(network(), str(folder / "net.onnx"), save_as_external_data=True, size_threshold=0, **options)
    proto = onnx.load(str(folder / "net.onnx"), load_external_data=False)
    for tensor in proto.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = "data/weights.bin"
    os.replace(folder / "weights.bin", folder / "data" / "weights.bin")
    (folder / "net.onnx").write_bytes(proto.SerializeToString())
    return folder / "net.onnx"


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    graph = onnx.load(str(path), load_external_data=False).graph
    return {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


# --- compile ----------------------------------------------------------------------------------


def test_compile_writes_the_smaller_model(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path)
    before = path.read_bytes()
    code, out, err = run(capsys, "compile", path, "--no-restore")
    assert (code, err) == (0, "")
    folder = tmp_path / "net-pruned"
    assert sorted(p.name for p in folder.iterdir()) == FILES
    assert path.read_bytes() == before
    small = shapes(folder / "net.onnx")
    assert small["c1_w"] == (4, 3, 3, 3) and small["c2_w"] == (3, 4, 3, 3) and small["fc_w"] == (5, 3)
    onnx.checker.check_model(str(folder / "net.onnx"), full_check=True)
    assert "chosen by criterion l1 from" in out and "net.onnx; ratio 0.5" in out
    assert "multiply-adds  33.3%  41,502 -> 13,839" in out  # of one sample
    assert "fc            5    35 -> 20" in out
    plan = plan_of(folder)
    assert plan["parameters"] == plan["model"] and len(plan["groups"]) == 2
    assert json.loads((folder / "groups.json").read_text())["model"] == plan["model"]


def test_multiply_adds_are_counted_for_a_given_size(tmp_path: Path, capsys: Any) -> None:
    code, out, _ = run(capsys, "compile", write(tmp_path), "--input", "x=1,3,8,8", "--target", "macs=0.5")
    assert code == 0 and "multiply-adds  50.0%  " in out and "multiply-adds need" not in out


def test_the_diff_shows_what_changed(tmp_path: Path, capsys: Any) -> None:
    run(capsys, "compile", write(tmp_path))
    diff = (tmp_path / "net-pruned" / "changes.diff").read_text()
    assert diff.startswith("diff --git a/net.onnx.txt b/net.onnx.txt\n")
    assert re.search(r"^@@ -\d+,\d+ \+\d+,\d+ @@ c1_w$", diff, re.MULTILINE)
    assert "-constant c1_w: float32 (8, 3, 3, 3)\n" in diff
    assert "+constant c1_w: float32 (4, 3, 3, 3)\n" in diff
    assert "\n constant fc_b: float32 (5)\n" in diff


def test_the_diff_of_a_graph_that_grew_shows_what_was_added() -> None:
    from prunec.rewriting.unified_diff import unified_diff

    old = b"".join(b"line %d\n" % number for number in range(40))
    new = old.replace(b"line 20\n", b"line 20\nadded\n")
    diff = unified_diff("net.txt", old, new)
    assert b"@@ -19,6 +19,7 @@\n line 18\n" in diff and b" line 20\n+added\n line 21\n" in diff
    assert diff.count(b"\n+") == 2 and diff.count(b"\n-") == 1  # with the two lines of names


def test_the_script_makes_the_same_model(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path)
    run(capsys, "compile", path)
    folder = tmp_path / "net-pruned"
    command = [sys.executable, str(folder / "slice_params.py"), "net.onnx", "again.onnx"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "9 of 10 constants sliced, 259 of 729 elements kept" in ran.stdout
    assert (tmp_path / "again.onnx").read_bytes() == (folder / "net.onnx").read_bytes()


def test_same_inputs_same_files(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path)
    run(capsys, "compile", path, "--out", "one")
    run(capsys, "compile", path, "--out", "two")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_a_plan_is_carried_out_again(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path)
    assert run(capsys, "plan", path, "--ratio", "0.25", "--out", "plan.json")[0] == 0
    code, out, err = run(capsys, "compile", path, "--plan", "plan.json", "--out", "one")
    assert (code, err) == (0, "") and "chosen by the plan plan.json" in out
    assert shapes(tmp_path / "one" / "net.onnx")["c1_w"] == (6, 3, 3, 3)
    run(capsys, "compile", path, "--plan", "one/plan.json", "--out", "two")
    first, second = bytes_of(tmp_path / "one"), bytes_of(tmp_path / "two")
    assert first["net.onnx"] == second["net.onnx"] and first["plan.json"] == second["plan.json"]


def test_a_plan_of_another_model_is_refused(tmp_path: Path, capsys: Any) -> None:
    run(capsys, "plan", write(tmp_path), "--out", "plan.json")
    other = write(tmp_path / "other", batch=2)
    code, _, err = run(capsys, "compile", other, "--plan", "plan.json")
    assert code == 1 and "error[P504]: the plan was made for something else" in err
    assert "note: the model changed" in err


def test_report(tmp_path: Path, capsys: Any) -> None:
    code, out, _ = run(capsys, "compile", write(tmp_path), "--report")
    page = (tmp_path / "net-pruned" / "report.html").read_text("utf-8")
    assert code == 0 and "report.html" in out
    assert "constant c1_w: float32" in page and "conv2" in page


def test_external_data_go_where_they_were(tmp_path: Path, capsys: Any) -> None:
    path = write_external(tmp_path / "original")
    code, out, err = run(capsys, "compile", path, "--no-restore", "--out", "small")
    assert (code, err) == (0, "") and "plan.json, data/weights.bin" in out
    target = tmp_path / "small"
    assert sorted(p.name for p in target.iterdir()) == sorted([*FILES, "data"])
    assert [p.name for p in (target / "data").iterdir()] == ["weights.bin"]
    loaded = onnx.load(str(target / "net.onnx"))
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in loaded.graph.initializer}
    assert held["c2_w"].shape == (3, 4, 3, 3)
    plan = plan_of(target)
    assert plan["parameters"] != plan["model"]
    # Once more over prunec's own files, and never over those that were read.
    assert run(capsys, "compile", path, "--out", "small", "--force")[0] == 0
    code, _, err = run(capsys, "compile", path, "--out", "original", "--force")
    assert code == 1 and "error[P511]: the output would replace an input" in err


def test_changed_external_data_make_a_plan_stale(tmp_path: Path, capsys: Any) -> None:
    path = write_external(tmp_path / "original")
    run(capsys, "plan", path, "--out", "plan.json")
    weights = path.parent / "data" / "weights.bin"
    weights.write_bytes(bytes(len(weights.read_bytes())))
    code, _, err = run(capsys, "compile", path, "--plan", "plan.json")
    assert code == 1 and "the parameters changed" in err and "the model changed" not in err


def test_external_data_called_like_a_file_of_prunec(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "original"
    folder.mkdir()
    options: dict[str, Any] = {"all_tensors_to_one_file": True, "location": "plan.json"}
    onnx.save(network(), str(folder / "net.onnx"), save_as_external_data=True, size_threshold=0, **options)
    code, _, err = run(capsys, "compile", folder / "net.onnx")
    assert code == 1 and "error[P512]: two files would be called 'plan.json'" in err
    assert not (tmp_path / "net-pruned").exists()


def test_other_rules_can_be_added(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "own.prune").write_text(
        '## Kept.\nop Relu as own specialises Identity opaque because "we want it so"\n'
    )
    path = write(tmp_path)
    code, out, _ = run(capsys, "compile", path, "--rules", "onnx.prune", "--rules", "own.prune")
    assert code == 0 and "we want it so" in out


# --- verify -----------------------------------------------------------------------------------


def test_verify(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    path = write(tmp_path)
    code, out, err = run(capsys, "compile", path, "--no-restore", "--verify")
    assert (code, err) == (0, "") and "proved: " in out
    code, out, err = run(capsys, "verify", path, "net-pruned/net.onnx")
    assert (code, err) == (0, "")
    assert "proved: " in out and "on random inputs (seed 0): x (1, 3, 8, 8)" in out
    assert "proves little" not in out
    # Two channels of the last layer trade places: it is no longer the same.
    small = onnx.load("net-pruned/net.onnx")
    (weight,) = [tensor for tensor in small.graph.initializer if tensor.name == "fc_w"]
    values = numpy_helper.to_array(weight)[::-1].copy()
    weight.CopyFrom(numpy_helper.from_array(values, "fc_w"))
    onnx.save(small, "net-pruned/net.onnx")
    code, out, _ = run(capsys, "verify", path, "net-pruned/net.onnx")
    assert code == 1 and "the models differ" in out


def test_verify_with_external_data(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    path = write_external(tmp_path / "original")
    code, out, err = run(capsys, "compile", path, "--no-restore", "--verify", "--out", "small")
    assert (code, err) == (0, "") and "proved: " in out
    code, out, err = run(capsys, "verify", path, "small/net.onnx")
    assert (code, err) == (0, "") and "proved: " in out


def test_verify_looks_before_what_is_not_continuous(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    path = write(tmp_path, last="ArgMax")
    code, out, err = run(capsys, "compile", path, "--no-restore", "--verify")
    assert (code, err) == (0, "")
    assert "proved: " in out and "  last: relative error" in out
    assert "compared anew behind a node that may jump" in out


def test_verify_needs_sizes_that_are_open(tmp_path: Path, capsys: Any) -> None:
    proto = network()
    for axis in (2, 3):
        proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"size{axis}"
    onnx.save(proto, "net.onnx")
    code, _, err = run(capsys, "compile", "net.onnx", "--no-restore", "--verify")
    assert code == 4 and "error[P710]: a comparison needs the shape of x" in err
    assert "help: give them: --input x=1,3,HEIGHT,WIDTH" in err
    assert not Path("net-pruned").exists()


# --- other commands ---------------------------------------------------------------------------


def test_groups_explain_and_diff(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path)
    code, out, _ = run(capsys, "groups", path)
    assert code == 0 and "2 groups with 14 units" in out
    code, out, _ = run(capsys, "explain", path, "c1_w")
    assert code == 0 and "can go; group 0 with 8 units" in out and "rules/onnx.prune" in out
    run(capsys, "compile", path)
    code, out, err = run(capsys, "diff", path, "net-pruned/net.onnx", "--exit-code", "--input", "x=1,3,8,8")
    assert (code, err) == (1, "") and "group 0, c1_w: 8 -> 4 channels" in out
    assert run(capsys, "diff", path, path, "--exit-code")[0] == 0


def test_diff_of_models_of_two_kinds(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    code, _, err = run(capsys, "diff", write(tmp_path), "net-symbol.json")
    assert code == 2
    assert "argument B: A is an ONNX file, and B is an MXNet symbol file" in err


# --- what goes wrong --------------------------------------------------------------------------


def test_the_kind_of_a_file_shows_in_its_contents(tmp_path: Path, capsys: Any) -> None:
    code, out, _ = run(capsys, "groups", write(tmp_path, "network.bin"))
    assert code == 0 and "2 groups with 14 units" in out
    os.replace(write_network(tmp_path), "network.txt")
    code, out, _ = run(capsys, "groups", "network.txt", "--input", "data=1,3,8,8")
    assert code == 0 and "2 groups with 14 units" in out


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("net.onnx", b"no model at all", "error[P331]: not an ONNX model"),
        ("net.onnx", b"", "error[P331]: not an ONNX model"),
        ("net.bin", b"\x00\x01\x02", "error[P331]: not an ONNX model"),
        ("net.onnx", None, "error[P301]: cannot read the model"),
    ],
)
def test_not_an_onnx_model(capsys: Any, name: str, data: bytes, message: str) -> None:
    if data is not None:
        Path(name).write_bytes(data)
    for command in (["compile", name], ["groups", name], ["diff", name, name], ["verify", name, name]):
        code, out, err = run(capsys, *command)
        assert (code, out) == (4 if command[0] == "verify" else 1, "") and message in err


def test_parameters_are_in_the_file_itself(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path)
    code, _, err = run(capsys, "compile", path, "--params", "net.params")
    assert code == 2 and "argument --params: an ONNX file holds its parameters itself" in err
    code, _, err = run(capsys, "verify", path, path, "--pruned-params", "net.params")
    assert code == 2 and "argument --pruned-params: an ONNX file holds its parameters itself" in err


def test_without_the_onnx_package(tmp_path: Path) -> None:
    write(tmp_path)
    ran = run_process(tmp_path, "compile", "net.onnx", before="import sys; sys.modules['onnx'] = None")
    assert ran.returncode == 1 and ran.stderr.startswith("error[P330]: the package onnx is not installed")
    assert "help: pip install onnx" in ran.stderr and "Traceback" not in ran.stderr


def test_without_onnx_runtime(tmp_path: Path) -> None:
    write(tmp_path)
    before = "import sys; sys.modules['onnxruntime'] = None"
    ran = run_process(tmp_path, "compile", "net.onnx", "--verify", before=before)
    assert ran.returncode == 4 and "error[P700]: ONNX Runtime is not installed" in ran.stderr
    assert "help: pip install onnxruntime" in ran.stderr and "Traceback" not in ran.stderr


def test_gradients_are_not_to_be_had(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    path = write(tmp_path)
    np.savez("data.npz", x=np.zeros((4, 3, 8, 8), np.float32))
    code, out, err = run(capsys, "plan", path, "--data", "data.npz", "--criterion", "taylor")
    assert (code, out) == (1, "")
    assert err.startswith("error[P536]: ONNX Runtime gives no gradients\n")
    assert "help: choose another criterion from data, such as activation or reconstruction" in err


def test_front_ends_are_imported_when_they_are_needed(tmp_path: Path) -> None:
    write_network(tmp_path)
    program = (
        "import prunec.frontends.registry, sys\n"
        "print(*(f'prunec.frontends.{kind}' in sys.modules for kind in ('onnx', 'mxnet')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert ran.stdout == "False False\n", ran.stderr
