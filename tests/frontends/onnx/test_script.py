"""The slicing script: it makes of the original file what the compiler makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")


from frontends.onnx import constants, patterns, transformers  # noqa: E402
from frontends.onnx.network import prune, subject_of  # noqa: E402
from prunec.frontends.onnx.model import read_model  # noqa: E402
from prunec.frontends.onnx.model_runtime import OnnxRuntime  # noqa: E402
from prunec.frontends.onnx.preparing import prepared_like  # noqa: E402
from prunec.frontends.onnx.protobuf import read_file  # noqa: E402
from prunec.frontends.onnx.script import render_script  # noqa: E402
from prunec.frontends.onnx.writer import Constants  # noqa: E402
from prunec.verifying.contents import unlike_the_plan  # noqa: E402
from prunec.verifying.proof import prove  # noqa: E402
from prunec.verifying.running import Examples  # noqa: E402

#: Between them these make every kind of change.
SOME = (
    patterns.chain,
    patterns.grouped,
    patterns.shape_shared_by_unlike_reshapes,
    patterns.shape_computed,
    patterns.weights_in_nodes,
    patterns.split_by_input,
    patterns.pad_channels,
    constants.first_state_that_is_not_zero,
    constants.fresh_statistics,
    constants.standardised_weights,
    transformers.grouped_queries,
    transformers.computed_shapes,
)


def run(script: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "slice_params.py").write_text(script, "ascii")
    command = [sys.executable, str(folder / "slice_params.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize("build", SOME, ids=lambda build: build.__name__)
def test_script_gives_the_same_bytes(build, tmp_path):
    pattern = build()
    result = prune(pattern.proto, pattern.inputs, strict=True)
    onnx.save(pattern.proto, tmp_path / "in.onnx")
    script = render_script(result.model, result.pruned)
    assert script == render_script(result.model, result.pruned)
    ran = run(script, tmp_path, "in.onnx", "out.onnx")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out.onnx").read_bytes() == result.pruned.model
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.onnx", "out.onnx", "slice_params.py"]


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_script_moves_other_element_types(dtype, tmp_path):
    proto = patterns.chain().proto
    kind = {"float16": 10, "float64": 11, "bfloat16": 16}[dtype]
    for tensor in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        new = onnx.helper.make_tensor(tensor.name, kind, values.shape, values.reshape(-1).tolist())
        tensor.CopyFrom(new)
    proto.graph.input[0].type.tensor_type.elem_type = kind
    proto.graph.output[0].type.tensor_type.elem_type = kind
    onnx.save(proto, tmp_path / "in.onnx")
    model = read_model(tmp_path / "in.onnx")
    _, pruned = prune_without_running(model)
    ran = run(render_script(model, pruned), tmp_path, "in.onnx", "out.onnx")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out.onnx").read_bytes() == pruned.model


def prune_without_running(model):
    from frontends.onnx.network import RULES
    from prunec.analysis.analyse import analyse
    from prunec.channels.removal import uniform
    from prunec.rewriting.emit import emit

    analysis = analyse(model, RULES)
    scores = np.random.default_rng(0).random(analysis.solution.unit_count)
    return analysis, emit(analysis, uniform(analysis.solution, 0.5, scores))


def external(folder: Path, one_file: bool = True) -> Path:
    folder.mkdir()
    path = folder / "in.onnx"
    proto = patterns.concat_of_everything().proto
    onnx.save(
        proto,
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=one_file,
        location="weights.bin" if one_file else None,
        size_threshold=0,
    )
    return path


@pytest.mark.parametrize("one_file", [True, False])
def test_external_data_are_streamed_and_keep_their_files(one_file, tmp_path):
    path = external(tmp_path / "original", one_file)
    model = read_model(path)
    analysis, pruned = prune_without_running(model)
    assert pruned.slices
    target = tmp_path / "pruned"
    target.mkdir()
    ran = run(render_script(model, pruned), tmp_path, "original/in.onnx", "pruned/in.onnx")
    assert ran.returncode == 0, ran.stderr
    assert (target / "in.onnx").read_bytes() == pruned.model
    files = {p.name for p in path.parent.iterdir()}
    assert {p.name for p in target.iterdir()} == files
    again = tmp_path / "again"
    again.mkdir()
    assert set(model.write_external(pruned.edits, again)) == files - {"in.onnx"}
    for name in files - {"in.onnx"}:
        assert (again / name).read_bytes() == (target / name).read_bytes()
    assert (target / "in.onnx").stat().st_size < 20_000
    onnx.checker.check_model(str(target / "in.onnx"), full_check=True)
    before = [t.name for t in model.file.proto.graph.initializer]
    after = onnx.load(str(target / "in.onnx"), load_external_data=False).graph.initializer
    assert [t.name for t in after] == before
    assert all(t.data_location == onnx.TensorProto.EXTERNAL for t in after)
    smaller = read_file(target / "in.onnx")
    subject = subject_of(model, analysis, pruned, OnnxRuntime(smaller, model.content))
    draw = model.runtime().draw
    assert prove(subject, Examples(*(draw({"x": (2, 3, 8, 8)}, seed) for seed in (0, 1)))).proved
    held = Constants(smaller)
    assert unlike_the_plan(list(held), pruned.slices, model.parameter, held.get) == ()


@pytest.mark.parametrize("build", [constants.fresh_statistics, constants.standardised_weights])
def test_prepared_constants_may_be_external(build, tmp_path):
    (tmp_path / "original").mkdir()
    (tmp_path / "pruned").mkdir()
    path = tmp_path / "original" / "in.onnx"
    data = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(build().proto, path, **data)
    model = read_model(path)
    analysis, pruned = prune_without_running(model)
    prepared = analysis.model.file.preparation
    assert prepared.copies or prepared.folded
    ran = run(render_script(analysis.model, pruned), tmp_path, "original/in.onnx", "pruned/in.onnx")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "pruned" / "in.onnx").read_bytes() == pruned.model
    (tmp_path / "again").mkdir()
    analysis.model.write_external(pruned.edits, tmp_path / "again")
    written = (tmp_path / "pruned" / "weights.bin").read_bytes()
    assert (tmp_path / "again" / "weights.bin").read_bytes() == written
    smaller = prepared_like(read_file(tmp_path / "pruned" / "in.onnx"), analysis.model.file)
    subject = subject_of(analysis.model, analysis, pruned, OnnxRuntime(smaller, analysis.model.content))
    draw = analysis.model.runtime().draw
    assert prove(subject, Examples(*(draw({"x": (2, 3, 8, 8)}, seed) for seed in (0, 1)))).proved


def test_tied_external_data_are_written_once(tmp_path):
    path = external(tmp_path / "original")
    proto = onnx.load(str(path), load_external_data=False)
    first = next(t for t in proto.graph.initializer if t.name == "fc_b")
    tied = proto.graph.initializer.add()
    tied.CopyFrom(first)
    tied.name = "tied"
    path.write_bytes(proto.SerializeToString())
    model = read_model(path)
    _, pruned = prune_without_running(model)
    (tmp_path / "pruned").mkdir()
    model.write_external(pruned.edits, tmp_path / "pruned")
    (tmp_path / "pruned" / "in.onnx").write_bytes(pruned.model)
    after = onnx.load(str(tmp_path / "pruned" / "in.onnx"))
    held = {t.name: onnx.numpy_helper.to_array(t) for t in after.graph.initializer}
    assert np.array_equal(held["tied"], held["fc_b"])
    assert np.array_equal(held["tied"], model.parameter("fc_b"))


def test_script_says_what_does_not_fit(tmp_path):
    pattern = patterns.chain()
    result = prune(pattern.proto)
    onnx.save(pattern.proto, tmp_path / "in.onnx")
    script = render_script(result.model, result.pruned)
    assert run(script, tmp_path, "--check", "in.onnx").stdout.startswith("all of the ")
    dry = run(script, tmp_path, "--dry-run", "in.onnx")
    assert "'c2_w': (6, 8, 3, 3) -> (3, 4, 3, 3)" in dry.stdout
    run(script, tmp_path, "in.onnx", "out.onnx")
    again = run(script, tmp_path, "out.onnx", "third.onnx")
    assert again.returncode == 1 and "(it is sliced already)" in again.stderr
    assert "nothing was written; the model must be 'network.onnx'" in again.stderr
    (tmp_path / "text.onnx").write_text("no model")
    other = run(script, tmp_path, "text.onnx", "third.onnx")
    assert other.returncode == 1 and "this is not an ONNX model" in other.stderr
    same = run(script, tmp_path, "in.onnx", "in.onnx")
    assert same.returncode == 1 and "the output is the input" in same.stderr
    assert not os.path.exists(tmp_path / "third.onnx")


def test_script_does_not_replace_the_external_data_of_its_input(tmp_path):
    path = external(tmp_path / "original")
    model = read_model(path)
    script = render_script(model, prune_without_running(model)[1])
    ran = run(script, tmp_path, "original/in.onnx", "original/out.onnx")
    assert ran.returncode == 1 and "write into another folder" in ran.stderr
    assert sorted(p.name for p in path.parent.iterdir()) == ["in.onnx", "weights.bin"]
