"""What prunec costs, as CPU time of one core: ``python bench/cost.py``.  Prints a table with limits, and what
pruning saves in MXNet (``bench/latency.py``)."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.children import Run, child
from bench.networks import ROOT
from prunec.analysis.analyse import analyse
from prunec.channels.removal import uniform
from prunec.frontends.mxnet.model import MXNetModel
from prunec.frontends.mxnet.params import ParameterRecord, ParameterWriter
from prunec.frontends.mxnet.symbol import read_symbol, to_graph
from prunec.language.library import load
from prunec.rewriting.emit import emit

Shapes = dict[str, tuple[int, ...]]
_SLICE_WIDTH = 2560
_SLICE_LAYERS = 20


@dataclass(frozen=True)
class Figure:
    """One line of the table; ``limit`` is in the same unit as ``value``."""

    what: str
    value: Optional[float]
    limit: float
    unit: str
    note: str = ""


def main() -> int:
    """Measures everything and prints the table; exit status 0 whatever comes out."""
    parser = argparse.ArgumentParser(description="measure what prunec costs")
    parser.add_argument("--repeat", type=int, default=3, help="the least of so many runs counts")
    options = parser.parse_args()
    print(f"{'':58s}{'measured':>12s}{'limit':>10s}")
    for figure in figures(options.repeat):
        value = "" if figure.value is None else f"{figure.value:.2f} {figure.unit}"
        flag = "  over" if figure.value is not None and figure.value > figure.limit else ""
        limit = f"{figure.limit:g} {figure.unit}"
        print(f"{figure.what:58s}{value:>12s}{limit:>10s}{flag}  {figure.note}", flush=True)
    print(flush=True)
    # A process of its own: how many threads MXNet takes is settled when it is loaded.
    return subprocess.run([sys.executable, str(ROOT / "bench" / "latency.py")]).returncode


def figures(repeat: int) -> Iterator[Figure]:
    """All figures, one after the other."""
    resnet, densenet = _zoo("resnet50_v1"), _zoo("densenet201")
    for name, data, limit in (("ResNet-50", resnet, 0.1), ("DenseNet-201", densenet, 0.4)):
        yield _bind_and_solve(name, data, limit, repeat)
    yield _command(resnet, repeat)
    for kind in ("plain", "residual"):
        yield from _chains(kind, repeat)
    yield from _slicing()


def least(action: Callable[[], Any], repeat: int) -> float:
    """The CPU seconds of the quickest of several runs."""
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    return best


# --- analysis ---


def _zoo(name: str) -> Optional[bytes]:
    try:
        import mxnet as mx
    except Exception:  # an MXNet that does not fit its numpy fails in many ways
        return None
    network = getattr(mx.gluon.model_zoo.vision, name)()
    return str(network(mx.sym.var("data")).tojson()).encode()


def _model(data: bytes, inputs: Shapes) -> MXNetModel:
    file = read_symbol(data, "model-symbol.json")
    return MXNetModel(Path("model-symbol.json"), file, to_graph(file, None, inputs), None, inputs)


def _bind_and_solve(name: str, data: Optional[bytes], limit: float, repeat: int) -> Figure:
    what = f"bind and solve, {name}"
    if data is None:
        return Figure(what, None, limit, "s", "MXNet is not installed")
    model = _model(data, {"data": (1, 3, 224, 224)})
    rules = load(["default.prune"])
    start = time.process_time()
    analyse(model, rules)
    first = time.process_time() - start
    seconds = least(lambda: analyse(model, rules), repeat)
    return Figure(what, seconds, limit, "s", f"the first time, rules parsed as well: {first:.2f} s")


def _command(data: Optional[bytes], repeat: int) -> Figure:
    what = "the whole command, ResNet-50's symbol alone"
    if data is None:
        return Figure(what, None, 0.7, "s", "MXNet is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50-symbol.json"
        path.write_bytes(data)
        out = str(Path(folder) / "out")
        command = [sys.executable, "-m", "prunec", "compile", str(path), "--input", "data=1,3,224,224"]
        runs = [child([*command, "--out", out, "--force", "--quiet"]) for _ in range(repeat)]
    return Figure(what, min(run.cpu for run in runs), 0.7, "s")


def _chains(kind: str, repeat: int) -> Iterator[Figure]:
    seconds = {}
    for length in (1000, 3000):
        data = chain(length, kind == "residual")
        rules = load(["default.prune"])

        def run(data: bytes = data, rules: Any = rules) -> None:
            model = _model(data, {"data": (1, 16, 8, 8)})
            analysis = analyse(model, rules)
            count = analysis.solution.unit_count
            emit(analysis, uniform(analysis.solution, 0.5, np.zeros(count)))

        seconds[length] = least(run, repeat)
    yield Figure(f"{kind} chain of 3,000 convolutions, read to written", seconds[3000], 2.0, "s")
    yield Figure(f"{kind} chain, 3,000 against 1,000", seconds[3000] / seconds[1000], 3.5, "times")


def chain(length: int, residual: bool, width: int = 16) -> bytes:
    """A symbol file: so many 3x3 convolutions in a row, every second one with a shortcut around it."""
    nodes: list[dict[str, Any]] = [{"op": "null", "name": "data", "inputs": []}]
    attributes = {"kernel": "(3, 3)", "pad": "(1, 1)", "num_filter": str(width), "no_bias": "True"}
    last = shortcut = 0
    for number in range(length):
        nodes.append({"op": "null", "name": f"conv{number}_weight", "inputs": []})
        inputs = [[last, 0, 0], [len(nodes) - 1, 0, 0]]
        nodes.append({"op": "Convolution", "name": f"conv{number}", "attrs": attributes, "inputs": inputs})
        last = len(nodes) - 1
        if residual and number % 2 == 0:
            shortcut = last
        elif residual:
            ends = [[last, 0, 0], [shortcut, 0, 0]]
            nodes.append({"op": "elemwise_add", "name": f"add{number}", "attrs": {}, "inputs": ends})
            last = shortcut = len(nodes) - 1
    arguments = [index for index, node in enumerate(nodes) if node["op"] == "null"]
    return json.dumps({"nodes": nodes, "arg_nodes": arguments, "heads": [[last, 0, 0]]}).encode()


# --- slicing ---


def _slicing() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        symbol, parameters = folder / "wide-symbol.json", folder / "wide.params"
        symbol.write_bytes(_dense_chain())
        largest = _write_parameters(parameters)
        size = parameters.stat().st_size
        inputs = ["--input", f"data=1,{_SLICE_WIDTH}"]
        out = folder / "out"
        child([sys.executable, "-m", "prunec", "compile", str(symbol), *inputs, "--out", str(out), "--quiet"])
        copy = shutil.which("cp") or "cp"
        script = [sys.executable, str(out / "slice_params.py"), str(parameters), str(folder / "small.params")]
        # Both once beforehand, so that the file is in memory for both.
        copying = min((child([copy, str(parameters), str(folder / "copy")]) for _ in range(3)), key=_cpu)
        slicing = min((child(script) for _ in range(3)), key=_cpu)
    note = f"{slicing.cpu:.2f} s against {copying.cpu:.2f} s; by the clock {slicing.elapsed:.2f} s"
    yield Figure(
        f"slice_params.py on {size / 1e6:.0f} MB against cp, CPU time",
        slicing.cpu / copying.cpu,
        2.5,
        "times",
        f"{note} against {copying.elapsed:.2f} s",
    )
    limit = (3 * largest + 60e6) / 1e6
    yield Figure("slice_params.py, peak memory", slicing.peak / 1e6, limit, "MB")


def _cpu(run: Run) -> float:
    return run.cpu


def _dense_chain() -> bytes:
    nodes: list[dict[str, Any]] = [{"op": "null", "name": "data", "inputs": []}]
    attributes = {"num_hidden": str(_SLICE_WIDTH), "no_bias": "True"}
    for number in range(_SLICE_LAYERS):
        nodes.append({"op": "null", "name": f"dense{number}_weight", "inputs": []})
        inputs = [[len(nodes) - 2, 0, 0], [len(nodes) - 1, 0, 0]]
        nodes.append(
            {"op": "FullyConnected", "name": f"dense{number}", "attrs": attributes, "inputs": inputs}
        )
    arguments = [index for index, node in enumerate(nodes) if node["op"] == "null"]
    return json.dumps({"nodes": nodes, "arg_nodes": arguments, "heads": [[len(nodes) - 1, 0, 0]]}).encode()


def _write_parameters(path: Path) -> int:
    """Writes the weights of the dense chain; gives the size of the largest in bytes."""
    array = np.random.default_rng(0).standard_normal((_SLICE_WIDTH, _SLICE_WIDTH), dtype=np.float32)
    with ParameterWriter(path, _SLICE_LAYERS) as writer:
        for number in range(_SLICE_LAYERS):
            record = ParameterRecord(f"dense{number}_weight", "arg:", array.shape, array.dtype, 2, 0, (1, 0))
            writer.add(record, array)
    return array.nbytes


if __name__ == "__main__":
    sys.exit(main())
