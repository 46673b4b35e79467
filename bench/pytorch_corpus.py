"""Exports real architectures as programs of PyTorch, prunes, proves, loads and trains them.

``python bench/pytorch_corpus.py [--write] [WORD…]``: needs PyTorch, torchvision, timm and transformers
(``bench/onnx_requirements.txt``).  Exports leave the batch open; those that PyTorch exports with a fixed one
alone are taken so.  Every export, compilation and use is a process of its own.  Results go to
``build/pytorch.jsonl``, and a run that broke off goes on from there; ``--again`` starts anew.  Where
``build/onnx.jsonl`` has the ONNX export of an architecture, and Torch-Pruning's result, they stand beside it.

Exit status 1 when prunec fails on a program, or what it writes is not proved or of no use.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import pytorch_coverage
from bench.networks import BUILD
from bench.onnx_corpus import process, read_results
from bench.onnx_networks import ARCHITECTURES

#: What stays open when a program is exported, tried in turn.
_LEFT_OPEN = (("batch",), ())


def main() -> int:
    """Runs what has no result yet, and prints everything."""
    parser = argparse.ArgumentParser(description="export programs of PyTorch, prune, prove, train")
    parser.add_argument("words", nargs="*", help="only architectures whose name holds one of these")
    parser.add_argument("--results", type=Path, default=BUILD / "pytorch.jsonl")
    parser.add_argument("--again", action="store_true", help="forget earlier results")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=1800.0, help="in seconds, for one process")
    parser.add_argument("--keep", type=Path, help="a folder to keep the programs in, and to take them from")
    parser.add_argument(
        "--write", action="store_true", help="write the part about PyTorch of docs/coverage.md"
    )
    options = parser.parse_args()
    if options.write and options.words:
        parser.error("--write describes all architectures: leave out the words")
    options.results.parent.mkdir(parents=True, exist_ok=True)
    if options.again and options.results.exists():
        options.results.unlink()
    known = {name: one for (name, _), one in read_results(options.results).items()}
    names = [one.name for one in ARCHITECTURES]
    chosen = [name for name in names if not options.words or any(word in name for word in options.words)]
    results = []
    with ThreadPoolExecutor(options.processes) as pool, open(options.results, "a", encoding="utf-8") as out:
        for one in pool.map(lambda name: known.get(name) or _one(name, options), chosen):
            if one["name"] not in known:
                out.write(json.dumps(one) + "\n")
                out.flush()
            print(pytorch_coverage.line(one), flush=True)
            results.append(one)
    beside = read_results(BUILD / "onnx.jsonl")
    print("\n".join(pytorch_coverage.totals(results, beside)))
    if options.write:
        pytorch_coverage.write_coverage(results, beside)
    return 1 if any(map(pytorch_coverage.is_wrong, results)) else 0


def _one(name: str, options: argparse.Namespace) -> dict[str, Any]:
    head: dict[str, Any] = {"name": name, "run": "pytorch"}
    with tempfile.TemporaryDirectory() as folder:
        for left_open in _LEFT_OPEN:
            path = (options.keep or Path(folder)) / ("-".join([name, *left_open]) + ".pt2")
            if not path.exists():
                head.update(process(["bench.pytorch_export", name, str(path), *left_open], options.timeout))
            if path.exists():
                used = process(["bench.pytorch_compile", name, str(path)], options.timeout)
                return {**head, "exported": True, "open": list(left_open), **used}
    return {**head, "exported": False, "reason": head.get("reason") or head.get("message")}


if __name__ == "__main__":
    sys.exit(main())
