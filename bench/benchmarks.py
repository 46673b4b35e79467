"""What prunec costs beside others: ``python bench/benchmarks.py [PART…]`` writes docs/benchmarks.md.

PART is ``whole`` (whole processes beside Torch-Pruning), ``growth`` or ``large``; all where none is named.
Figures of parts that were not run are those of the run before, which build/benchmarks.json keeps.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.benchmark_models import GROWING, large_file
from bench.benchmark_page import PAGE, page
from bench.children import Run, child
from bench.networks import BUILD, ROOT

NETWORKS = ("mobilenet_v2", "resnet18", "resnet50", "densenet121", "deit_tiny_patch16_224", "bert")
RESULTS = BUILD / "benchmarks.json"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}


def main() -> int:
    """Measures, and writes the page; exit status 0 whatever comes out."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], metavar="PART")
    parser.add_argument("--torch", help="a Python with PyTorch, Torch-Pruning, timm and transformers")
    parser.add_argument("--networks", nargs="*", default=NETWORKS, help="of bench/onnx_networks.py")
    parser.add_argument("--pairs", type=int, default=5, help="so many runs of each, in turn")
    parser.add_argument("--most", type=int, default=100_000, help="the most nodes of a model that grows")
    parser.add_argument("--bytes", type=int, default=2_000_000_000, help="the size of the large file")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for name in options.parts or _PARTS:
        with tempfile.TemporaryDirectory(prefix="prunec-bench-") as folder:
            rows = list(_PARTS[name](options, Path(folder)))
        if rows:
            results[name] = {"when": datetime.date.today().isoformat(), "machine": machine(), "rows": rows}
            BUILD.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


def machine() -> dict[str, str]:
    """What it was measured on."""
    import numpy

    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": processor,
        "processors": str(os.cpu_count()),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
    }


def compiling(path: Path, out: Path, options: Sequence[str] = ()) -> list[str]:
    """The usual command for a model."""
    words = ["compile", str(path), "--out", str(out), "--force", "--quiet", *options]
    return [sys.executable, "-m", "prunec", *words]


def _figures(run: Run) -> dict[str, Any]:
    return {"cpu": round(run.cpu, 3), "elapsed": round(run.elapsed, 3), "peak": run.peak}


def _in_turn(count: int, *commands: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The figures of commands that are run one after the other, so many times, after once for nothing."""
    for command in commands:
        child(command, _ONE_THREAD)
    rounds = [[_figures(child(command, _ONE_THREAD)) for command in commands] for _ in range(count)]
    return [list(own) for own in zip(*rounds)]


# --- whole processes -----------------------------------------------------------------------------


def _whole(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    python = _torch(options.torch)
    if python is None:
        print("whole processes are not compared: give a Python that has Torch-Pruning with --torch")
        return
    for name in options.networks:
        exported, saved = folder / f"{name}.onnx", folder / f"{name}.pt"
        made = [
            [python, "-m", "bench.onnx_export", name, "torchscript", str(exported)],
            [python, "-m", "bench.benchmark_torch_pruning", "--save", name, str(saved)],
        ]
        for command in made:
            child(command, _ONE_THREAD)
        other = [python, "-m", "bench.benchmark_torch_pruning", name, str(saved), str(folder / "out.pt")]
        ours, theirs = _in_turn(options.pairs, compiling(exported, folder / "out"), other)
        seconds = [min(run["cpu"] for run in runs) for runs in (ours, theirs)]
        print(f"{name}: {seconds[0]} s against {seconds[1]} s", flush=True)
        yield {"network": name, "prunec": ours, "torch-pruning": theirs}
        for path in (exported, saved):
            path.unlink()


def _torch(given: Optional[str]) -> Optional[str]:
    """A Python that has Torch-Pruning."""
    for python in (given, str(ROOT / ".venv-onnx" / "bin" / "python"), sys.executable):
        if python is not None and shutil.which(python):
            asked = subprocess.run([python, "-c", "import torch_pruning"], capture_output=True)
            if asked.returncode == 0:
                return python
    return None


# --- growth ----------------------------------------------------------------------------------------


def _growth(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    for kind, (make, name, words) in GROWING.items():
        nodes = 1000
        while nodes <= options.most:
            count = make(nodes, folder / name)
            command = compiling(folder / name, folder / "out", words)
            runs = [child(command, _ONE_THREAD) for _ in range(3 if nodes <= 10_000 else 1)]
            best = min(runs, key=lambda run: run.cpu)
            print(f"{kind}: {count} nodes, {best.cpu:.2f} s", flush=True)
            yield {"kind": kind, "nodes": count, **_figures(best)}
            nodes *= 10


# --- large files -----------------------------------------------------------------------------------


def _large(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    largest = large_file(folder, options.bytes)
    data = folder / "large.data"
    copy = shutil.which("cp") or "cp"
    criteria: dict[str, tuple[str, ...]] = {"l1": (), "position": ("--criterion", "position")}
    runs = _in_turn(
        min(options.pairs, 3),
        [copy, str(data), str(folder / "copy")],
        *(compiling(folder / "large.onnx", folder / "out", own) for own in criteria.values()),
    )
    print(f"{data.stat().st_size} bytes: done", flush=True)
    yield {
        "bytes": data.stat().st_size,
        "largest": largest,
        "cp": runs[0],
        **dict(zip(criteria, runs[1:])),
    }


_PARTS: dict[str, Callable[[argparse.Namespace, Path], Iterator[dict[str, Any]]]] = {
    "whole": _whole,
    "growth": _growth,
    "large": _large,
}

if __name__ == "__main__":
    sys.exit(main())
