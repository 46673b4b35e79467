"""A small network that needs no MXNet to be made, and running the command line on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prunec.cli.main import main
from prunec.frontends.mxnet.params import ParameterRecord, write_params

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits"
FILES = ["changes.diff", "groups.json", "net-0000.params", "net-symbol.json", "plan.json", "slice_params.py"]
#: The shapes of the parameters of :func:`symbol`.
SHAPES = {
    "conv1_weight": (8, 3, 3, 3),
    "conv1_bias": (8,),
    "conv2_weight": (6, 8, 3, 3),
    "conv2_bias": (6,),
    "fc_weight": (4, 6),
    "fc_bias": (4,),
}


def node(op: str, name: str, inputs: list[list[int]], **attributes: object) -> dict[str, Any]:
    """A node as MXNet writes it; ``inputs`` are pairs."""
    entry: dict[str, Any] = {"op": op, "name": name}
    if attributes:
        entry["attrs"] = {key: str(value) for key, value in attributes.items()}
    return {**entry, "inputs": [[*pair, 0] for pair in inputs]}


def symbol(operator: str = "Activation", names: Optional[dict[str, str]] = None) -> dict[str, Any]:
    """Two convolutions, ``operator`` between them, the mean over all positions, and a dense layer."""
    middle = {"act_type": "relu"} if operator == "Activation" else {}
    nodes = [
        node("null", "data", []),
        node("null", "conv1_weight", []),
        node("null", "conv1_bias", []),
        node("Convolution", "conv1", [[0, 0], [1, 0], [2, 0]], kernel=(3, 3), num_filter=8, pad=(1, 1)),
        node(operator, "middle", [[3, 0]], **middle),
        node("null", "conv2_weight", []),
        node("null", "conv2_bias", []),
        node("Convolution", "conv2", [[4, 0], [5, 0], [6, 0]], kernel=(3, 3), num_filter=6, pad=(1, 1)),
        node("Pooling", "pool", [[7, 0]], global_pool=True, pool_type="avg", kernel=(1, 1)),
        node("null", "fc_weight", []),
        node("null", "fc_bias", []),
        node("FullyConnected", "fc", [[8, 0], [9, 0], [10, 0]], num_hidden=4),
    ]
    for entry in nodes:
        entry["name"] = (names or {}).get(entry["name"], entry["name"])
    variables = [index for index, entry in enumerate(nodes) if entry["op"] == "null"]
    version = {"mxnet_version": ["int", 10901]}
    return {"nodes": nodes, "arg_nodes": variables, "heads": [[11, 0, 0]], "attrs": version}


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Random parameters for :func:`symbol`."""
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def write_arrays(path: Path, values: dict[str, np.ndarray]) -> None:
    """A parameter file."""
    records = [ParameterRecord(name, "arg:", array.shape, array.dtype) for name, array in values.items()]
    write_params(path, records, lambda record: values[record.name])


def write_network(
    folder: Path, document: Optional[dict[str, Any]] = None, values: Optional[dict[str, np.ndarray]] = None
) -> Path:
    """``net-symbol.json`` and, unless ``values`` is empty, ``net-0000.params`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "net-symbol.json"
    path.write_text(json.dumps(document or symbol(), indent=2))
    values = arrays() if values is None else values
    if values:
        write_arrays(folder / "net-0000.params", values)
    return path


def run(capsys: Any, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and messages of a command line, run in this process."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def run_process(
    folder: Path, *arguments: object, before: str = "", **options: Any
) -> subprocess.CompletedProcess[str]:
    """A command line in a process of its own; ``before`` is Python to run first."""
    program = f"{before}\nimport sys\nfrom prunec.cli.main import main\nsys.exit(main())"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("environment", {})}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, **options
    )


def plan_of(folder: Path) -> dict[str, Any]:
    """The plan.json of a folder."""
    plan: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    return plan


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The contents of all files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
