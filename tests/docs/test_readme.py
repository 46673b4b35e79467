"""Every command and program in the README is run here, in its order."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import prunec.pytorch
from tests.frontends.pytorch.archives import NEWEST

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for language, text in BLOCKS
    if not language
    for line in text.splitlines()
    if re.match(r"(prunec|python) ", line)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits example, its compiled form, and a network with the README's own operator."""
    path = tmp_path_factory.mktemp("readme")
    for name in ("digits-symbol.json", "digits-0000.params"):
        shutil.copy(ROOT / "examples" / "digits" / name, path)
    rule = next(text for _, text in BLOCKS if text.startswith("## Scales every channel"))
    (path / "my_gate.prune").write_text(rule, encoding="utf-8")
    (path / "model-symbol.json").write_text(_GATED, encoding="utf-8")
    shutil.copy(NEWEST, path / "net.pt2")
    _write_examples(path / "examples.npz")
    if find_spec("onnx"):
        _write_onnx(path / "net.onnx")
    return path


def _write_examples(path: Path) -> None:
    """As many images as a user would give, with smooth random contents."""
    import numpy as np

    coarse = np.random.default_rng(0).random((128, 1, 4, 4), dtype=np.float32)
    np.savez(path, data=coarse.repeat(2, axis=2).repeat(2, axis=3))


def _write_onnx(path: Path) -> None:
    """A convolution, a rectifier, a mean over positions and a dense layer, with random weights."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    shapes = {"conv.weight": (8, 3, 3, 3), "conv.bias": (8,), "fc.weight": (4, 8), "fc.bias": (4,)}
    weights = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["image", "conv.weight", "conv.bias"], ["a"], name="conv"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("GlobalAveragePool", ["b"], ["c"], name="pool"),
        helper.make_node("Flatten", ["c"], ["d"], name="flatten"),
        helper.make_node("Gemm", ["d", "fc.weight", "fc.bias"], ["scores"], name="fc", transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4])
    graph = helper.make_graph(nodes, "small", [image], [scores], weights)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


_GATED = """{
 "nodes": [
  {"op": "null", "name": "data", "attrs": {"__shape__": "(1, 3, 8, 8)"}, "inputs": []},
  {"op": "null", "name": "conv_weight", "inputs": []},
  {"op": "Convolution", "name": "conv",
   "attrs": {"kernel": "(3, 3)", "num_filter": "8", "no_bias": "True"}, "inputs": [[0, 0, 0], [1, 0, 0]]},
  {"op": "null", "name": "gate_gate", "inputs": []},
  {"op": "Custom", "name": "gate", "attrs": {"op_type": "my_gate"}, "inputs": [[2, 0, 0], [3, 0, 0]]},
  {"op": "null", "name": "fc_weight", "inputs": []},
  {"op": "FullyConnected", "name": "fc",
   "attrs": {"num_hidden": "4", "no_bias": "True"}, "inputs": [[4, 0, 0], [5, 0, 0]]}
 ],
 "arg_nodes": [0, 1, 3, 5],
 "heads": [[6, 0, 0]]
}
"""


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a README command with this checkout's prunec in the place of an installed one."""
    words = command.split()
    start = [sys.executable, "-m", "prunec"] if words[0] == "prunec" else [sys.executable]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        start + words[1:], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_every_command_runs(folder: Path) -> None:
    """In one test, since later commands use the files of earlier ones."""
    assert len(COMMANDS) == 15
    for command in COMMANDS:
        if re.match("prunec verify|prunec compile .* --data", command) and find_spec("mxnet") is None:
            continue
        if ".onnx" in command and not (find_spec("onnx") and find_spec("onnxruntime")):
            continue
        if ".pt2" in command and find_spec("torch") is None:
            # Without PyTorch all but running works.
            command = command.replace(" --verify", "")
        done = run(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    pruned, replayed = (folder / name / "digits-symbol.json" for name in ("digits-pruned", "replayed"))
    assert pruned.read_bytes() == replayed.read_bytes()
    assert (folder / "small.params").read_bytes() == (
        folder / "digits-pruned/digits-0000.params"
    ).read_bytes()
    assert '"num_filter": "4"' in (folder / "model-pruned" / "model-symbol.json").read_text(encoding="utf-8")


def test_programs_run(folder: Path) -> None:
    """One call, and a choice of one's own, each in a process of its own."""
    programs = [text for _, text in BLOCKS if "import prunec\n" in text]
    assert len(programs) == 2
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    for name in ("called", "mine"):
        small = (folder / name / "digits-symbol.json").read_text(encoding="utf-8")
        assert '"num_filter": "16"' in small


def test_call_from_python_is_that_of_the_interface() -> None:
    """The arguments in the README are those of the function."""
    (call,) = re.findall(r"^smaller = (prune\(.*\))$", README, re.MULTILINE)
    given = ast.parse(call, mode="eval").body
    assert isinstance(given, ast.Call)
    names = inspect.signature(prunec.pytorch.prune).parameters
    assert {keyword.arg for keyword in given.keywords} <= set(names)
    assert list(names)[: len(given.args)] == ["model", "example_inputs", "dynamic_shapes"]


def test_change_shown_is_real(folder: Path) -> None:
    """The diff in the README is one that the first command writes."""
    shown = next(text for language, text in BLOCKS if language == "diff")
    assert shown in (folder / "digits-pruned" / "changes.diff").read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert link.startswith("http") or (ROOT / link).exists(), link
