"""Compare ways of pruning at several budgets: ``python compare.py`` writes RESULTS.md and results.svg.

Everything is run: networks are trained, pruned, restored, measured and fine-tuned in MXNet, with fixed
seeds, one thread for each process.  ``--quick`` runs a small part of it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Iterator

from plot import plot
from results import text
from runs import AUTO, EXAMPLES, Result, Task, original, prepare, run

HERE = Path(__file__).resolve().parent
BUDGETS = (0.5, 0.25, 0.1)
CRITERIA = ("l1", "random", "reconstruction", "obs", AUTO)
#: What is fine-tuned on all images, by criterion, and down to which budget on the harder set, where that
#: takes fifteen times as long.
TUNE = {"l1": ("cut",), "obs": ("restored",), AUTO: ("cut", "restored")}
HARDER_TUNE, HARDER_DOWN_TO = {AUTO: ("cut", "restored")}, 0.25
#: Numbers of examples that are tried, and the budget.
COUNTS, COUNTS_AT = (32, 64, 128, 256, EXAMPLES, 1024), 0.25
#: Each seed trains a network of its own, and makes a random choice of its own.
SEEDS = range(5)
QUICK_SEEDS = range(2)


def tasks(name: str, quick: bool) -> Iterator[Task]:
    """All that is run for a set; quick is a quarter of the multiply-adds, two criteria and two networks, of
    which the first is fine-tuned."""
    if quick:
        for seed in QUICK_SEEDS:
            tune = {} if seed else {"obs": ("cut", "restored")}
            yield Task(name, 0.25, seed, ("l1", "obs"), tune, () if seed else ("obs",))
        return
    for budget in BUDGETS:
        for seed in SEEDS:
            tune = TUNE if name == "digits" else HARDER_TUNE if budget >= HARDER_DOWN_TO else {}
            yield Task(name, budget, seed, CRITERIA, tune, (AUTO,))
    if name == "digits":
        for count in COUNTS:
            if count != EXAMPLES:
                for seed in SEEDS:
                    yield Task(name, COUNTS_AT, seed, (AUTO,), examples=count)


def main() -> int:
    """Run everything and write the table and the plot."""
    parser = argparse.ArgumentParser(description="Compare ways of pruning at several budgets.")
    parser.add_argument("--quick", action="store_true", help="a quarter of the multiply-adds, two networks")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, default=HERE, help="for RESULTS.md, results.svg"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument(
        "--models", metavar="FOLDER", type=Path, help="keep trained networks here, and take those that are"
    )
    options = parser.parse_args()
    sets = ("digits",) if options.quick else ("digits", "harder")
    with tempfile.TemporaryDirectory() as folder:
        models = options.models or Path(folder)
        (models / "0").mkdir(parents=True, exist_ok=True)
        for file in ("digits-symbol.json", "digits-0000.params"):
            shutil.copy(HERE / file, models / "0")
        originals, found = compare(models, sets, options.quick, options.jobs)
    options.out.mkdir(parents=True, exist_ok=True)
    save(options.out / "RESULTS.md", text(originals, found))
    save(options.out / "results.svg", plot(originals, found))
    print(f"written to {options.out}: RESULTS.md, results.svg")
    return 0


def compare(
    models: Path, sets: tuple[str, ...], quick: bool, jobs: int
) -> tuple[dict[str, list[float]], list[Result]]:
    """The accuracies of the networks as they were, one for each seed, and all results, in the order of the
    tasks."""
    # One thread for each process: faster on networks of this size, and sums are always taken in one order.
    os.environ.update(OMP_NUM_THREADS="1", MXNET_SUBGRAPH_VERBOSE="0")
    seeds = QUICK_SEEDS if quick else SEEDS
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        # The networks of the harder set are trained while the digits are run.
        ready = {name: [pool.submit(prepare, models, name, seed) for seed in seeds] for name in sets}
        found = []
        originals = {}
        for name in sets:
            for pending in ready[name]:
                pending.result()
            measured = [pool.submit(original, models, name, seed) for seed in seeds]
            runs = [pool.submit(run, models, task) for task in tasks(name, quick)]
            originals[name] = [accuracy.result() for accuracy in measured]
            print(f"{name}: accuracy {', '.join(f'{own:.4f}' for own in originals[name])}", flush=True)
            for running in runs:
                for result in running.result():
                    found.append(result)
                    print(line(result), flush=True)
    return originals, found


def line(result: Result) -> str:
    """A result for the terminal."""
    task = result.task
    shown = " ".join(f"{way} {own:.4f}" for way, own in result.accuracies.items())
    tuned = " ".join(f"{way}, tuned {curve[-1]:.4f}" for way, curve in result.curves.items())
    head = f"{task.images:8s}{task.budget:5.2f}{task.examples:5d} {result.criterion:15s}{task.seed:2d}"
    return f"{head}  {shown} {tuned}  ({result.plan})"


def save(path: Path, content: str) -> None:
    """Write a file; it appears when it is complete."""
    part = path.with_name(path.name + ".part")
    part.write_text(content, encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
