"""How good a trained network still is when a part of its cost is gone: cut, with means, restored.

``python bench/restoring.py [--target 0.8,0.5] [--write] [TASK…]``: the tasks of ``bench/restoring_tasks`` are
prepared below ``build/restoring``: a trained model (most come from packages, see ``bench/packages.py``),
unlabelled examples, and a test set whose labels were made with it.  The original is measured; then
``prunec compile`` brings each model to each share of its multiply-adds in each of the ways below, with
nothing but the examples, and what comes out is proved and measured on the test set.

Results go to ``build/restoring.jsonl``; ``--write`` brings the table to ``docs/restoring.md``.  Exit status 1
where a model was not compiled or not proved.  Needs Pillow and, to train the networks of two tasks once,
PyTorch and timm: ``bench/onnx_requirements.txt``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import restoring_table
from bench.command import prunec
from bench.networks import BUILD
from bench.restoring_tasks.table import TASKS
from bench.restoring_tasks.task import Task

RESULTS = BUILD / "restoring.jsonl"
ORIGINAL = "original"
#: What to compile with, by what it is called in tables.
WAYS: Mapping[str, tuple[str, ...]] = {
    "cut": ("--criterion", "l1", "--no-restore"),
    "cut by reconstruction": ("--criterion", "reconstruction", "--no-restore"),
    "means": ("--criterion", "reconstruction", "--means"),
    "restored, obs": ("--criterion", "obs"),
    "restored": (),
}
_TARGETS = "0.8,0.5"


def main() -> int:
    """Prepares, compiles and measures what was asked for, and prints everything."""
    options = _options()
    tasks = [task for task in TASKS if not options.tasks or task.name in options.tasks]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, Any]] = []
    with open(RESULTS, "a", encoding="utf-8") as out:
        for task in tasks:
            for one in _measured(task, options):
                out.write(json.dumps(one) + "\n")
                out.flush()
                print(restoring_table.line(one), flush=True)
                results.append(one)
    print()
    print(restoring_table.table(results))
    if options.write:
        restoring_table.write(results, {task.name: task.about for task in tasks})
    return 1 if any(one["exit"] for one in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="measure what smaller networks are still good for")
    parser.add_argument("tasks", nargs="*", help=f"of {', '.join(task.name for task in TASKS)}; default: all")
    parser.add_argument(
        "--target", default=_TARGETS, help=f"shares of the multiply-adds (default {_TARGETS})"
    )
    parser.add_argument("--way", action="append", choices=list(WAYS), help="repeatable; default: all")
    parser.add_argument("--timeout", type=float, default=1800.0, help="in seconds, for one process")
    parser.add_argument("--write", action="store_true", help="write docs/restoring.md")
    options = parser.parse_args()
    known = {task.name for task in TASKS}
    for name in options.tasks:
        if name not in known:
            parser.error(f"there is no task {name!r}; there are {', '.join(sorted(known))}")
    try:
        options.targets = [float(part) for part in options.target.split(",")]
    except ValueError:
        parser.error(f"--target takes shares such as {_TARGETS}, not {options.target!r}")
    if not all(0 < target < 1 for target in options.targets):
        parser.error("--target takes shares between 0 and 1")
    if options.write and (options.tasks or options.way):
        parser.error("--write describes everything: leave out tasks and --way")
    return options


def _measured(task: Task, options: argparse.Namespace) -> Sequence[dict[str, Any]]:
    """The original, then each way at each target."""
    task.prepare()
    start = time.monotonic()
    measures = task.accuracy(task.model())
    seconds = round(time.monotonic() - start, 1)
    original = {"task": task.name, "way": ORIGINAL, "target": 1.0, "left": 1.0, "parameters": 1.0}
    found = [{**original, "exit": 0, "message": "", "seconds": seconds, "proof": "", "measures": measures}]
    for target in options.targets:
        for way in options.way or WAYS:
            found.append(_compiled(task, way, target, options.timeout))
    return found


def _compiled(task: Task, way: str, target: float, timeout: float) -> dict[str, Any]:
    """What came of one way: how it ended and how long it took, what is left, and what that is good for."""
    model = task.model()
    out = task.folder / f"{way.replace(',', '').replace(' ', '-')}-{target}"
    sizes = [word for size in task.sizes for word in ("--input", size)]
    data = ["--data", str(task.examples_path)]
    command = ["compile", str(model), "--target", f"macs={target}", *WAYS[way], *data, *sizes]
    done = prunec([*command, "--out", str(out), "--force", "--json"], timeout)
    smaller = out / model.name
    result = {"task": task.name, "way": way, "target": target, "left": None, "parameters": None}
    result.update({key: done[key] for key in ("exit", "message", "seconds")}, proof="", measures={})
    if done["exit"] != 0:
        return result
    totals = done["document"]["totals"]
    result.update(left=_share(totals["multiply_adds"]), parameters=_share(totals["parameters"]))
    # Where something was made up for, the smaller model is that of parameters that lie beside it.
    changed = [path for path in out.glob(f"*{model.suffix}") if path != smaller]
    (masked,) = changed or [model]
    proof = prunec(["verify", str(masked), str(smaller), *sizes, *data, "--json"], timeout)
    result["proof"] = (proof["document"] or {}).get("outcome") or f"exit {proof['exit']}"
    result["exit"], result["message"] = proof["exit"], proof["message"]
    result["measures"] = task.accuracy(smaller)
    return result


def _share(change: Mapping[str, Optional[float]]) -> Optional[float]:
    """What is left of a cost."""
    before, after = change["before"], change["after"]
    return round(after / before, 3) if before and after is not None else None


if __name__ == "__main__":
    sys.exit(main())
