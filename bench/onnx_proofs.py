"""One export with open sizes: pruned with its residual width, proved, and damaged to see the proof refuse it.

``python -m bench.onnx_proofs NAME FILE``: a process of its own for each export, without PyTorch.  Prints one
line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping

from bench.onnx_compile import left_of
from bench.onnx_networks import Architecture, architecture
from prunec.analysis.analyse import analyse
from prunec.frontends.onnx.model import read_model
from prunec.frontends.onnx.model_runtime import OnnxRuntime
from prunec.frontends.onnx.protobuf import read_file
from prunec.frontends.onnx.writer import with_constants
from prunec.language.library import load
from prunec.planning.planfile import Origin, plan_for, read_plan
from prunec.rewriting.emit import emit
from prunec.rewriting.slicing import mask_array
from prunec.verifying.proof import prove
from prunec.verifying.running import Examples, Subject
from prunec.verifying.verdict import Evidence
from tests.damage import damages, survivors

_RATIO = "0.5"
_BATCH = 2
_SECONDS = 600
#: What a damaged parameter has to be seen by: not those that no comparison speaks for.
_UNHEARD = (Evidence.IGNORED, Evidence.STATISTICS)


def main() -> int:
    """Compiles without the sizes of the inputs and with them, and proves both; exit status 0 whatever comes
    out."""
    name, path = sys.argv[1:]
    one = architecture(name)
    print(json.dumps({"without": examine(one, Path(path), False), "with": examine(one, Path(path), True)}))
    return 0


def examine(one: Architecture, path: Path, sized: bool) -> dict[str, Any]:
    """What came of one export, its sizes given to ``compile`` or not."""
    shapes = {own.name: (_BATCH, *own.shape) for own in one.inputs}
    given = [
        option
        for name, shape in shapes.items()
        for option in ("--input", f"{name}={','.join(map(str, shape))}")
    ]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        sizes = given if sized else []
        done = _prunec("compile", str(path), "--ratio", _RATIO, *sizes, "--out", str(out), "--quiet")
        if done.returncode:
            return {"exit": done.returncode, "message": _last(done.stderr)}
        smaller = out / path.name
        done = _prunec("verify", str(path), str(smaller), *given, "--json")
        if done.returncode not in (0, 1, 3):
            return {"exit": done.returncode, "message": _last(done.stderr)}
        return {
            "exit": done.returncode,
            **_said(json.loads(done.stdout)),
            **damaged(path, smaller, shapes if sized else {}, shapes),
        }


def _prunec(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "prunec", *arguments], capture_output=True, timeout=_SECONDS)


def _last(error: bytes) -> str:
    return error.decode("utf-8", "replace").strip()[-1000:]


def _said(document: Mapping[str, Any]) -> dict[str, Any]:
    """What ``prunec verify --json`` says, in figures."""
    return {
        "outcome": document["outcome"],
        "error": document["error"],
        "compared": len(document["compared"]),
        "evidence": dict(Counter(own["evidence"] for own in document["parameters"])),
        "others": [f"{own['node']}: {own['why']}" for own in document["restarts"] if not own["statistics"]],
        "statistics": [own["node"] for own in document["restarts"] if own["statistics"]],
        "quality": document["quality"],
    }


def damaged(
    path: Path,
    smaller: Path,
    known: Mapping[str, tuple[int, ...]],
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, Any]:
    """Every sliced parameter damaged in several ways: how often, and what running the models does not show.
    ``known`` are the shapes that the plan was made with."""
    model = read_model(path, input_shapes=known)
    rules = load(["onnx.prune"])
    analysis = analyse(model, rules)
    plan = plan_for(
        read_plan(smaller.with_name("plan.json")), analysis, Origin(model.digest, rules.digest, None, False)
    )
    pruned = emit(analysis, plan.removed)
    file = read_file(smaller)
    originals = {own.name: model.parameter(own.name) for own in pruned.slices}
    masked = {own.name: mask_array(own, originals[own.name]) for own in pruned.slices}
    subject = Subject(analysis, pruned, model.runtime(), OnnxRuntime(file, model.content), masked)
    examples = Examples(*(model.runtime().draw(shapes, seed) for seed in (0, 1)))

    def with_damage(name: str, array: Any) -> OnnxRuntime:
        return OnnxRuntime(replace(file, proto=with_constants(file.proto, {name: array})), model.content)

    verdict = prove(subject, examples)
    nodes = {node.name: node.operator for node in analysis.model.graph.nodes}
    unheard = {own.parameter for own in verdict.witnesses if own.evidence in _UNHEARD}
    return {
        "operators": dict(Counter(nodes[own.node] for own in verdict.restarts if own.statistics)),
        "left": left_of(model, pruned),
        "damages": sum(
            len(list(damages(own, originals[own.name]))) for own in pruned.slices if own.name not in unheard
        ),
        "unseen": survivors(subject, verdict, originals, [examples], with_damage),
    }


if __name__ == "__main__":
    sys.exit(main())
