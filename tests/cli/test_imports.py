"""What a plain compile does not use, it does not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What draws pages and tables, finds other packages, parses rules and starts processes, and the rooms that
#: other commands and options work in.
UNUSED = [
    "email",
    "importlib.metadata",
    "jinja2",
    "jsonschema",
    "lark",
    "multiprocessing",
    "prunec.authoring",
    "prunec.explaining",
    "prunec.planning.compensation",
    "prunec.planning.latency",
    "prunec.proving",
    "prunec.restoring",
    "prunec.scoring.sensitivity",
    "prunec.verifying",
    "rich",
]


@pytest.mark.parametrize("model", ["net-symbol.json", "net.onnx"])
def test_what_a_plain_compile_does_not_import(tmp_path: Path, model: str) -> None:
    write_model(tmp_path / model)
    # What the framework's package imports by itself is no matter of prunec's.
    own = "import onnx" if model.endswith(".onnx") else ""
    words = ["compile", model, "--out", "out", "--force", *options(model)]
    program = (
        f"import sys\n{own}\nbefore = set(sys.modules)\nfrom prunec.cli.main import main\n"
        f"code = main({words!r})\nassert code == 0, code\n"
        f"print(sorted(set({UNUSED!r}) & set(sys.modules) - before))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PRUNEC_CACHE": str(tmp_path / "cache")}
    for _ in range(2):  # rules that are new are parsed once
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def options(model: str) -> list[str]:
    return [] if model.endswith(".onnx") else ["--input", "data=1,3,8,8", "--criterion", "position"]


def write_model(path: Path) -> None:
    """A convolution, an activation, a convolution."""
    if path.suffix == ".json":
        attributes = '"attrs": {"kernel": "(1, 1)", "num_filter": "4", "no_bias": "True"}'
        path.write_text(
            '{"nodes": [{"op": "null", "name": "data", "inputs": []},'
            '{"op": "null", "name": "a_weight", "inputs": []},'
            f'{{"op": "Convolution", "name": "a", {attributes}, "inputs": [[0, 0, 0], [1, 0, 0]]}},'
            '{"op": "relu", "name": "r", "attrs": {}, "inputs": [[2, 0, 0]]},'
            '{"op": "null", "name": "b_weight", "inputs": []},'
            f'{{"op": "Convolution", "name": "b", {attributes}, "inputs": [[3, 0, 0], [4, 0, 0]]}}],'
            '"arg_nodes": [0, 1, 4], "heads": [[5, 0, 0]]}'
        )
        return
    pytest.importorskip("onnx")
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    weights = {
        name: numpy_helper.from_array(np.ones(shape, np.float32), name)
        for name, shape in {"a_weight": (4, 3, 1, 1), "b_weight": (4, 4, 1, 1)}.items()
    }
    nodes = [
        helper.make_node("Conv", ["data", "a_weight"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "b_weight"], ["b"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, size, 8, 8))
        for name, size in (("data", 3), ("b", 4))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], list(weights.values()))
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
