"""What fails onnx's full check although the original passes it is never written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx import open_sizes  # noqa: E402
from frontends.onnx.test_isolation import _branch  # noqa: E402
from frontends.onnx.test_open_sizes import pruned_blindly  # noqa: E402
from frontends.onnx.test_script import external, prune_without_running, run  # noqa: E402
from prunec.cli.main import main  # noqa: E402
from prunec.frontends.onnx import full_check, rewriting  # noqa: E402
from prunec.frontends.onnx.full_check import check_written, finding_of  # noqa: E402
from prunec.frontends.onnx.model import read_model  # noqa: E402
from prunec.frontends.onnx.script import render_script  # noqa: E402
from prunec.support.diagnostics import PrunecError, render  # noqa: E402
from prunec.support.processes import by_command  # noqa: E402


def saved(folder: Path) -> Path:
    path = folder / "in.onnx"
    onnx.save(open_sizes.convolutions().proto, str(path))
    return path


@pytest.fixture()
def careless(monkeypatch):
    """Inner shapes stay as they were."""
    monkeypatch.setattr(rewriting._Rewriting, "_sizes", lambda self: {})


@pytest.mark.parametrize("name", ["Conv_0", "BatchNormalization_0", "Conv_1", "Flatten_0"])
def test_one_stale_shape_is_found(name, tmp_path):
    original = saved(tmp_path)
    data = pruned_blindly(onnx.load(str(original)))[0].model
    proto = onnx.load_from_string(data)
    written = tmp_path / "smaller.onnx"
    written.write_bytes(data)
    assert finding_of(written) is None
    check_written(written, original)
    old = {value.name: value for value in onnx.load(str(original)).graph.value_info}
    stale = next(value for value in proto.graph.value_info if value.name == name)
    stale.CopyFrom(old[name])
    onnx.save(proto, str(written))
    with pytest.raises(PrunecError) as caught:
        check_written(written, original)
    text = render(caught.value.diagnostics[0])
    assert text.startswith("error[P516]: the smaller model fails onnx's full check, and the original passes")
    assert "onnx says: " in text and "nothing was written" in text


def test_what_is_wrong_with_the_original_too_is_no_error(tmp_path):
    original = saved(tmp_path)
    proto = onnx.load(str(original))
    pooled = next(value for value in proto.graph.value_info if value.name == "GlobalAveragePool_0")
    pooled.type.tensor_type.shape.dim[2].dim_value = 7
    onnx.save(proto, str(original))
    assert finding_of(original) is not None
    assert main(["compile", str(original), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert finding_of(tmp_path / "out" / "in.onnx") is not None


def test_compile_writes_nothing_that_fails(tmp_path, capsys, careless):
    original = saved(tmp_path)
    assert main(["compile", str(original), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "error[P516]: " in said.err and said.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["in.onnx"]


def test_compile_leaves_what_an_earlier_run_wrote(tmp_path, careless):
    original, out = saved(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / "in.onnx").write_bytes(b"earlier")
    assert main(["compile", str(original), "--out", str(out), "--force", "--quiet"]) == 1
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("in.onnx", b"earlier")]


def test_the_script_writes_nothing_that_fails(tmp_path, careless):
    model = read_model(saved(tmp_path))
    script = render_script(model, prune_without_running(model)[1])
    ran = run(script, tmp_path, "in.onnx", "out.onnx")
    assert ran.returncode == 1 and ran.stdout.count("sliced") == 1
    assert ran.stderr.startswith("error: OUT.onnx fails onnx's full check, and IN.onnx passes it: ")
    assert "Traceback" not in ran.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.onnx", "slice_params.py"]


def test_external_data_are_looked_for_and_not_read(tmp_path):
    path = external(tmp_path / "original")
    assert finding_of(path) is None
    data = path.parent / "weights.bin"
    data.write_bytes(b"short")
    assert finding_of(path) is None
    data.unlink()
    assert "weights.bin" in str(finding_of(path))


def test_external_models_are_checked_when_they_are_compiled(tmp_path, monkeypatch):
    path = external(tmp_path / "original")
    proto = onnx.load(str(path), load_external_data=False)
    onnx.save(onnx.shape_inference.infer_shapes(proto), str(path))
    command = ["compile", str(path), "--quiet", "--out"]
    assert main([*command, str(tmp_path / "good")]) == 0
    assert finding_of(tmp_path / "good" / "in.onnx") is None
    monkeypatch.setattr(rewriting._Rewriting, "_sizes", lambda self: {})
    assert main([*command, str(tmp_path / "bad")]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good", "original"]


def test_a_file_that_ends_the_check_ends_nothing_else(tmp_path):
    hostile, sound = tmp_path / "hostile.onnx", saved(tmp_path)
    proto = _branch()
    bodies = [attribute.g for attribute in proto.graph.node[1].attribute]
    for graph in (proto.graph, *bodies):
        for _ in range(4):
            graph.output[0].type.tensor_type.shape.dim.add()
    hostile.write_bytes(proto.SerializeToString())
    assert finding_of(hostile) == "the check ended without an answer"
    check_written(hostile, hostile)
    with pytest.raises(PrunecError):
        check_written(hostile, sound)


def test_the_module_answers_as_the_function_does(tmp_path):
    path = saved(tmp_path)
    command = [sys.executable, "-m", full_check.__name__]
    assert by_command(command, os.fsencode(path), 60.0) == b"passed"
    path.write_bytes(b"nothing")
    assert by_command(command, os.fsencode(path), 60.0) == str(finding_of(path)).encode()


def test_the_original_is_never_touched(tmp_path):
    path = saved(tmp_path)
    before = path.read_bytes()
    finding_of(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["in.onnx"]
