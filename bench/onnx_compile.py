"""One exported model pruned at random and compared with its masked original in ONNX Runtime.

``python -m bench.onnx_compile NAME FILE``: a process of its own for each export, and PyTorch is not in it, so
that time and memory are prunec's.  Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from math import prod
from pathlib import Path
from typing import Any, Container, Mapping, Optional

import numpy as np

from bench.evidence import evidence
from bench.measure import barriers, layer_channels
from bench.onnx_networks import Architecture, architecture
from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import illegal, uniform
from prunec.frontends.onnx.model import OnnxModel, model_of
from prunec.frontends.onnx.model_runtime import OnnxRuntime
from prunec.frontends.onnx.preparing import prepared_like
from prunec.frontends.onnx.protobuf import parse_file
from prunec.language.library import load
from prunec.model import Model
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.slicing import mask_array
from prunec.support.diagnostics import PrunecError, render_all
from prunec.verifying.proof import prove
from prunec.verifying.running import Examples, Subject

_RATIO = 0.5
_SEED = 0


def main() -> int:
    """Prunes twice, freely and strictly, and compares; exit status 0 whatever comes out."""
    name, path = sys.argv[1:]
    try:
        found = examine(architecture(name), Path(path))
    except PrunecError as error:
        first = error.diagnostics[0]
        found = {"outcome": "refused", "code": first.code, "message": render_all(error.diagnostics[:3])}
    except Exception:  # the point of the run: nothing may get here
        found = {"outcome": "traceback", "message": traceback.format_exc()}
    print(json.dumps(found))
    return 0


def examine(one: Architecture, path: Path) -> dict[str, Any]:
    """The figures of one export: what prunec did to it, what that cost, and how the results compare."""
    data = path.read_bytes()
    shapes = {own.name: (1, *own.shape) for own in one.inputs}
    start = time.process_time()
    model, analysis, free = _pruned(data, path, shapes, strict=False)
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    channels, removable, reasons = layer_channels(analysis)
    strict_model, strictly, strict = _pruned(data, path, shapes, strict=True)
    approximate = sum(bool(group.approximate) for group in analysis.solution.groups)
    return {
        "outcome": "pruned" if free.slices else "kept",
        "nodes": len(model.file.proto.graph.node),
        "channels": channels,
        "removable": removable,
        "reasons": reasons,
        "groups": len(analysis.solution.groups),
        "approximate": approximate,
        "barriers": barriers(analysis),
        "left": left_of(model, free),
        "left_learned": left_of(model, free, learned(analysis)),
        "left_strict": left_of(strict_model, strict),
        "seconds": round(seconds, 2),
        "memory": round(memory),
        "free": _compared(model, analysis, free, one),
        "strict": _compared(strict_model, strictly, strict, one),
    }


def _pruned(
    data: bytes, path: Path, shapes: Mapping[str, tuple[int, ...]], strict: bool
) -> tuple[OnnxModel, Analysis, Pruned]:
    model = model_of(data, path, shapes)
    analysis = analyse(model, load(["onnx.prune"]), strict)
    # What is computed from constants alone may have been computed.
    model = analysis.model if isinstance(analysis.model, OnnxModel) else model
    random = np.random.default_rng(_SEED)
    removed = uniform(analysis.solution, _RATIO, random.random(analysis.solution.unit_count))
    problems = illegal(analysis.solution, removed)
    assert not problems, f"the plan is illegal: {problems[0]}"
    return model, analysis, emit(analysis, removed)


def learned(analysis: Analysis) -> frozenset[str]:
    """The constants that are parameters of the network: those that have its names, statistics of
    normalisations aside, and those that layers take and an exporter computed from some.  Masks, tables of
    positions and sizes are none."""
    graph = analysis.lowered.graph
    taken = {
        graph.nodes[tensor.node].name
        for index, node in enumerate(graph.nodes)
        if analysis.lowered.is_costly(index)
        for tensor in node.inputs
    }
    return frozenset(
        name
        for name in analysis.model.parameter_shapes or ()
        if name in taken or name.startswith("network.") and not name.endswith(("running_mean", "running_var"))
    )


def left_of(model: Model, pruned: Pruned, among: Optional[Container[str]] = None) -> float:
    """The share of the parameters' elements that stays, of all or of those ``among`` some; the parameters are
    at hand."""
    shapes = model.parameter_shapes or {}
    sizes = {name: prod(shape) for name, shape in shapes.items() if among is None or name in among}
    new = {piece.name: prod(piece.sizes(shapes[piece.name])[1]) for piece in pruned.slices}
    return sum(new.get(name, size) for name, size in sizes.items()) / max(1, sum(sizes.values()))


def _compared(model: OnnxModel, analysis: Analysis, pruned: Pruned, one: Architecture) -> dict[str, Any]:
    """Checks the smaller model with ONNX's own checker, runs it, and compares."""
    import onnx

    onnx.checker.check_model(onnx.load_from_string(pruned.model), full_check=True)
    masked = {own.name: mask_array(own, model.parameter(own.name)) for own in pruned.slices}
    written = prepared_like(parse_file(pruned.model, Path("smaller.onnx")), model.file)
    smaller = OnnxRuntime(written, model.content)
    drawn = [
        {i.name: random_value((1, *i.shape), i.below, np.random.default_rng(seed)) for i in one.inputs}
        for seed in (_SEED, _SEED + 1)
    ]
    verdict = prove(Subject(analysis, pruned, model.runtime(), smaller, masked), Examples(*drawn))
    return {
        "error": float(min(verdict.error, 1e30)),
        "outcome": verdict.outcome.value,
        **evidence(verdict),
    }


def random_value(shape: tuple[int, ...], below: Any, random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Normally distributed numbers, or whole numbers from zero up to ``below``."""
    if below is not None:
        return random.integers(0, below, shape)
    return random.standard_normal(shape).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
