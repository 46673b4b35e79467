"""Exports real architectures to ONNX, prunes each at random and compares in ONNX Runtime.

``python bench/onnx_corpus.py [--write] [WORD…]``: needs PyTorch, torchvision, timm and transformers
(``bench/onnx_requirements.txt``), not MXNet.  Both of PyTorch's exporters are used, and where Torch-Pruning
is installed it prunes the same networks.  Every export, every compilation and every run of Torch-Pruning is
a process of its own.  Results go to ``build/onnx.jsonl``, and a run that broke off goes on from there;
``--again`` starts anew.

Exit status 1 when prunec fails on an export, or when what it calls exact is not.
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
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.networks import BUILD, ROOT
from bench.onnx_coverage import EXPORTERS, PATIENCE, TORCH_PRUNING, Result, is_wrong, totals, write_coverage
from bench.onnx_networks import ARCHITECTURES

#: One core for each process: two run at once.
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TIMM_FUSED_ATTN": "0"}


def main() -> int:
    """Runs what has no result yet, and prints everything."""
    parser = argparse.ArgumentParser(description="export to ONNX, prune at random, compare")
    parser.add_argument("words", nargs="*", help="only architectures whose name holds one of these")
    parser.add_argument("--results", type=Path, default=BUILD / "onnx.jsonl")
    parser.add_argument("--again", action="store_true", help="forget earlier results")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=900.0, help="in seconds, for one process")
    parser.add_argument("--keep", type=Path, help="a folder to keep the exported models in")
    parser.add_argument("--write", action="store_true", help="write the part of docs/coverage.md about ONNX")
    options = parser.parse_args()
    if options.write and options.words:
        parser.error("--write describes all architectures: leave out the words")
    options.results.parent.mkdir(parents=True, exist_ok=True)
    if options.again and options.results.exists():
        options.results.unlink()
    known = _read(options.results)
    runs = [*EXPORTERS]
    if importlib.util.find_spec("torch_pruning") is not None:
        runs.append(TORCH_PRUNING)
    else:
        print("Torch-Pruning is not installed: it is skipped")
    names = [one.name for one in ARCHITECTURES]
    chosen = [name for name in names if not options.words or any(word in name for word in options.words)]
    work = [(name, run) for name in chosen for run in runs]
    results = []
    with ThreadPoolExecutor(options.processes) as pool, open(options.results, "a", encoding="utf-8") as out:
        for one in pool.map(lambda item: known.get(item) or _one(*item, options), work):
            if (one["name"], one["run"]) not in known:
                out.write(json.dumps(one) + "\n")
                out.flush()
            print(line(one), flush=True)
            results.append(one)
    print("\n".join(totals(results)))
    if options.write:
        write_coverage(results)
    return 1 if any(map(is_wrong, results)) else 0


def _read(path: Path) -> dict[tuple[str, str], Result]:
    """The results of earlier runs; of several for one network the last counts."""
    if not path.exists():
        return {}
    results = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text]
    return {(one["name"], one["run"]): one for one in results}


def _one(name: str, run: str, options: argparse.Namespace) -> Result:
    head: Result = {"name": name, "run": run}
    if run == TORCH_PRUNING:
        return {**head, **_process(["bench.onnx_torch_pruning", name], options.timeout)}
    with tempfile.TemporaryDirectory() as folder:
        path = (options.keep or Path(folder)) / f"{name}-{run}.onnx"
        head.update(_process(["bench.onnx_export", name, run, str(path)], options.timeout))
        if "exported" not in head:
            head = {"name": name, "run": run, "exported": False, "reason": head["message"]}
        if head["exported"]:
            head.update(_process(["bench.onnx_compile", name, str(path)], options.timeout))
    return head


def _process(arguments: list[str], timeout: float) -> Result:
    """What a process prints as JSON, or a ``message`` why it did not."""
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
    text = (
        f"{name} {'exact' if strict['exact'] else 'NOT EXACT'} {strict['error']:.1e} left {one['left']:.3f}"
    )
    text += f" ({one['left_strict']:.3f} strictly) groups {one['groups']} approximate {one['approximate']}"
    text += f" {one['seconds']} s {one['memory']} MB"
    doubts: Optional[list[str]] = strict["doubts"] or free["doubts"]
    return text + (f" (proves little: {', '.join(doubts)})" if doubts else "")


if __name__ == "__main__":
    sys.exit(main())
