"""One export with an open batch size, compiled as users do, without ``--input``: does what comes out load?

``python -m bench.onnx_open NAME FILE``: a process of its own for each export, without PyTorch.  Prints one
line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from bench.onnx_compile import random_value
from bench.onnx_networks import Architecture, architecture

_RATIO = "0.5"
#: The sizes of the open batch that a model is run at.
BATCHES = (1, 3)
_SECONDS = 600


def main() -> int:
    """Compiles and checks; exit status 0 whatever comes out."""
    name, path = sys.argv[1:]
    print(json.dumps(examine(architecture(name), Path(path))))
    return 0


def examine(one: Architecture, path: Path) -> dict[str, Any]:
    """What came of one export."""
    found: dict[str, Any] = {"nodes": len(onnx.load(path, load_external_data=False).graph.node)}
    found["check_before"] = checked(path)
    found["run_before"], shapes = run(one, path)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "prunec", "compile", str(path), "--ratio", _RATIO, "--quiet"]
        done = subprocess.run([*command, "--out", f"{folder}/out"], capture_output=True, timeout=_SECONDS)
        found["exit"] = done.returncode
        if done.returncode:
            found["message"] = done.stderr.decode("utf-8", "replace").strip()[:2000]
            return found
        smaller = Path(folder) / "out" / path.name
        found["left"] = _elements(smaller) / max(1, _elements(path))
        found["check_after"] = checked(smaller)
        found["run_after"], after = run(one, smaller)
        if not found["run_after"] and shapes != after:
            found["run_after"] = f"shapes {shapes} became {after}"
    return found


def checked(path: Path) -> str:
    """What onnx's full check says; nothing where it has nothing to say."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:  # whatever the check raises is its finding
        return " ".join(str(error).split())[:300]
    return ""


def run(one: Architecture, path: Path) -> tuple[str, list[list[tuple[int, ...]]]]:
    """What ONNX Runtime says, nothing where all is well, and the shapes of the outputs for each batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    shapes = []
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for batch in BATCHES:
            random = np.random.default_rng(0)
            feeds = {own.name: random_value((batch, *own.shape), own.below, random) for own in one.inputs}
            shapes.append([tuple(array.shape) for array in session.run(None, feeds)])
    except Exception as error:  # whatever the runtime raises is its finding
        return " ".join(str(error).split())[-300:], shapes
    return "", shapes


def _elements(path: Path) -> int:
    """The elements of all parameters of floating point."""
    model = onnx.load(path, load_external_data=False)
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    held = [tensor for tensor in model.graph.initializer if tensor.data_type in kinds]
    held += [
        node.attribute[0].t for node in model.graph.node if node.op_type == "Constant" and node.attribute
    ]
    return sum(prod(tensor.dims) for tensor in held if tensor.data_type in kinds)


if __name__ == "__main__":
    sys.exit(main())
