"""Exports real architectures to ONNX, prunes each at random and compares in ONNX Runtime.

``python bench/onnx_corpus.py [--write] [WORD…]``: needs PyTorch, torchvision, timm and transformers
(``bench/onnx_requirements.txt``), not MXNet.  Both of PyTorch's exporters are used, and where Torch-Pruning
is installed it prunes the same networks.  Every export, every compilation and every run of Torch-Pruning is
a process of its own.  Results go to ``build/onnx.jsonl``, and a run that broke off goes on from there;
``--again`` starts anew.

With ``--open`` exports leave the batch size open, and ``prunec compile`` is not told it: what it writes has
to pass onnx's full check, to load and to run (``build/onnx_open.jsonl``).

With ``--closed`` all architectures are exported twice, with closed sizes and with an open batch and length:
groups have to be the same, and the open one's smaller model has to be exact at three other sizes
(``build/onnx_closed.jsonl``).

With ``--proofs`` four transformers are exported with an open batch and length, and pruned with their residual
widths: proofs have to name the nodes with statistics and no other, and to refuse damage to any parameter
(``build/onnx_proofs.jsonl``).

Exit status 1 when prunec fails on an export, or when what it writes differs from the masked original.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import onnx_closed_coverage, onnx_coverage, onnx_open_coverage, onnx_proofs_coverage
from bench.networks import BUILD, ROOT
from bench.onnx_coverage import EXPORTERS, PATIENCE, TORCH_PRUNING, Result
from bench.onnx_networks import ARCHITECTURES
from bench.proof_coverage import kinds_of, outcome_of


@dataclass(frozen=True)
class Work:
    """What becomes of exports: the ``module`` that runs on them, the ``page`` that tells of it, and the file
    for ``results``.  For each of the ``exports`` stand the sizes that are left open, and others to try where
    PyTorch does not export it with these."""

    exports: tuple[tuple[tuple[str, ...], ...], ...]
    module: str
    page: Any
    results: str
    names: tuple[str, ...] = tuple(one.name for one in ARCHITECTURES)


CLOSED = Work((((),),), "bench.onnx_compile", onnx_coverage, "onnx.jsonl")
OPEN = Work(((("batch",),),), "bench.onnx_open", onnx_open_coverage, "onnx_open.jsonl")
PROOFS = Work(
    ((("batch", "length"),),),
    "bench.onnx_proofs",
    onnx_proofs_coverage,
    "onnx_proofs.jsonl",
    onnx_proofs_coverage.NAMES,
)
BOTH = Work(
    (((),), (("batch", "length"), ("batch",))),
    "bench.onnx_closed",
    onnx_closed_coverage,
    "onnx_closed.jsonl",
    onnx_closed_coverage.NAMES,
)
#: One core for each process: two run at once.
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TIMM_FUSED_ATTN": "0"}


def main() -> int:
    """Runs what has no result yet, and prints everything."""
    parser = argparse.ArgumentParser(description="export to ONNX, prune at random, compare")
    parser.add_argument("words", nargs="*", help="only architectures whose name holds one of these")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--open",
        action="store_const",
        dest="work",
        const=OPEN,
        help="exports whose batch size is open: do they load?",
    )
    kind.add_argument(
        "--closed",
        action="store_const",
        dest="work",
        const=BOTH,
        help="exports with open sizes beside closed ones: are the groups the same?",
    )
    kind.add_argument(
        "--proofs",
        action="store_const",
        dest="work",
        const=PROOFS,
        help="transformers that lose residual channels: is damage refused?",
    )
    parser.add_argument("--results", type=Path, help="(default: a file in build)")
    parser.add_argument("--again", action="store_true", help="forget earlier results")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=900.0, help="in seconds, for one process")
    parser.add_argument(
        "--keep", type=Path, help="a folder to keep the exported models in, and to take them from"
    )
    parser.add_argument("--write", action="store_true", help="write the part of docs/coverage.md about ONNX")
    parser.set_defaults(work=CLOSED)
    options = parser.parse_args()
    work: Work = options.work
    if options.write and options.words:
        parser.error("--write describes all architectures: leave out the words")
    if options.results is None:
        options.results = BUILD / work.results
    options.results.parent.mkdir(parents=True, exist_ok=True)
    if options.again and options.results.exists():
        options.results.unlink()
    known = read_results(options.results)
    runs = [*EXPORTERS]
    if work is CLOSED and importlib.util.find_spec("torch_pruning") is not None:
        runs.append(TORCH_PRUNING)
    elif work is CLOSED:
        print("Torch-Pruning is not installed: it is skipped")
    chosen = [name for name in work.names if not options.words or any(word in name for word in options.words)]
    items = [(name, run) for name in chosen for run in runs]
    results = []
    with ThreadPoolExecutor(options.processes) as pool, open(options.results, "a", encoding="utf-8") as out:
        for one in pool.map(lambda item: known.get(item) or _one(item[0], item[1], options), items):
            if (one["name"], one["run"]) not in known:
                out.write(json.dumps(one) + "\n")
                out.flush()
            print(line(one) if work is CLOSED else work.page.line(one), flush=True)
            results.append(one)
    print("\n".join(work.page.totals(results)))
    if options.write:
        work.page.write_coverage(results)
    return 1 if any(map(work.page.is_wrong, results)) else 0


def read_results(path: Path) -> dict[tuple[str, str], Result]:
    """The results of earlier runs; of several for one network the last counts."""
    if not path.exists():
        return {}
    results = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text]
    return {(one["name"], one["run"]): one for one in results}


def _one(name: str, run: str, options: argparse.Namespace) -> Result:
    head: Result = {"name": name, "run": run}
    if run == TORCH_PRUNING:
        return {**head, **process(["bench.onnx_torch_pruning", name], options.timeout)}
    with tempfile.TemporaryDirectory() as folder:
        work: Work = options.work
        paths = []
        for choices in work.exports:
            for left_open in choices:
                path = (options.keep or Path(folder)) / ("-".join([name, run, *left_open]) + ".onnx")
                made = _exported(name, run, path, left_open, options.timeout)
                if made["exported"]:
                    break
            head.update(made)
            if not made["exported"]:
                return head
            paths.append(str(path))
        head.update(process([work.module, name, *paths], options.timeout))
    return head


def _exported(name: str, run: str, path: Path, left_open: tuple[str, ...], timeout: float) -> Result:
    """What came of exporting a network, and how long it took; one that is there is taken."""
    if path.exists():
        return {"exported": True}
    made = process(["bench.onnx_export", name, run, str(path), *left_open], timeout)
    return made if "exported" in made else {"exported": False, "reason": made["message"]}


def process(arguments: list[str], timeout: float) -> Result:
    """What a process prints as JSON, or a ``message`` why not; ``arguments`` are a module and its own."""
    command = [sys.executable, "-m", *arguments]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **_QUIET}, capture_output=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return _failed(f"not done after {timeout:.0f} s")
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if done.returncode == 0 and lines:
        found: Result = json.loads(lines[-1])
        return found
    if done.returncode == -signal.SIGXCPU:
        return _failed(f"not done after {PATIENCE} s")
    error = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return _failed(f"exit status {done.returncode}: {error[-1] if error else ''}"[:300])


def _failed(message: str) -> Result:
    return {"outcome": "traceback", "message": message, "runs": False, "reason": message}


def line(one: Result) -> str:
    """One result in one line, and the message where there is one."""
    name = f"{one['name']:32s} {one['run']:13s}"
    if one["run"] == TORCH_PRUNING:
        if not one["runs"]:
            return f"{name} does not run: {one['reason']}"
        return f"{name} left {one['left']:.3f} {one['seconds']} s {one['memory']} MB"
    if not one["exported"]:
        return f"{name} not exported: {one['reason']}"
    if one["outcome"] in ("refused", "traceback"):
        return f"{name} {one['outcome'].upper()}\n    " + "\n    ".join(one["message"].splitlines()[-12:])
    strict, free = one["strict"], one["free"]
    outcome = outcome_of(strict)
    shown = outcome.upper() if outcome == "differs" else outcome
    text = f"{name} {shown} {strict['error']:.1e} left {one['left']:.3f}"
    text += f" ({one['left_strict']:.3f} strictly) groups {one['groups']} approximate {one['approximate']}"
    text += f" {one['seconds']} s {one['memory']} MB"
    doubts = strict["unwitnessed"] or free["unwitnessed"]
    return text + (f" ({'; '.join(kinds_of(doubts))})" if doubts else "")


if __name__ == "__main__":
    sys.exit(main())
