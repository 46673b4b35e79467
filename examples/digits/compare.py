"""Compare criteria at several budgets: ``python compare.py`` writes RESULTS.md and results.svg.

Everything is run: networks are pruned, compensated, measured and fine-tuned in MXNet, with fixed seeds, one
thread for each process.  ``--quick`` runs a small part of it.
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
from runs import Result, Task, network, original, run
from train import train

HERE = Path(__file__).resolve().parent
BUDGETS = (0.7, 0.5, 0.3)
CRITERIA = ("l1", "l2", "bn-scale", "fpgm", "lamp", "activation", "taylor", "reconstruction")
SEEDS = range(5)
QUICK_SEEDS = range(2)


def tasks(name: str) -> Iterator[Task]:
    """All that is run for a set; half of the multiply-adds fully, and on the digits with one ranking too."""
    both = ("plain", "means")
    for budget in BUDGETS:
        # Training on the harder set takes four times as long.
        tune = both if name == "digits" else ("means",)
        yield from _criteria(name, budget, False, tune)
    if name == "digits":
        yield from _criteria(name, 0.5, True, both)


def _criteria(name: str, budget: float, ranked: bool, tune: tuple[str, ...]) -> Iterator[Task]:
    for criterion in CRITERIA:
        yield Task(name, budget, criterion, ranked, 0, tune)
    for seed in SEEDS:
        yield Task(name, budget, "random", ranked, seed, tune)


def quick_tasks() -> Iterator[Task]:
    """Half of the multiply-adds, two criteria, two seeds; the first is fine-tuned."""
    yield Task("digits", 0.5, "l1", tune=("means",))
    for seed in QUICK_SEEDS:
        yield Task("digits", 0.5, "random", seed=seed)


def main() -> int:
    """Run everything and write the table and the plot."""
    parser = argparse.ArgumentParser(description="Compare criteria at several budgets.")
    parser.add_argument("--quick", action="store_true", help="half of the multiply-adds, l1 and random alone")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, default=HERE, help="for RESULTS.md, results.svg"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    options = parser.parse_args()
    sets = ("digits",) if options.quick else ("digits", "harder")
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        for file in ("digits-symbol.json", "digits-0000.params"):
            shutil.copy(HERE / file, models)
        originals, found = compare(models, sets, options.quick, options.jobs)
        channels = {name: network(models, name)[1].solution.unit_count for name in sets}
    options.out.mkdir(parents=True, exist_ok=True)
    save(options.out / "RESULTS.md", text(originals, found, channels))
    save(options.out / "results.svg", plot(originals, found))
    print(f"written to {options.out}: RESULTS.md, results.svg")
    return 0


def compare(
    models: Path, sets: tuple[str, ...], quick: bool, jobs: int
) -> tuple[dict[str, float], list[Result]]:
    """The accuracy of the networks as they were, and all results, in the order of the tasks."""
    # One thread for each process: faster on networks of this size, and sums are always taken in one order.
    os.environ.update(OMP_NUM_THREADS="1", MXNET_SUBGRAPH_VERBOSE="0")
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        # The harder set's network is trained while the digits are run.
        training = {name: pool.submit(train, models, name) for name in sets if name != "digits"}
        found = []
        originals = {}
        for name in sets:
            if name in training:
                training[name].result()
            measured = pool.submit(original, models, name)
            chosen = quick_tasks() if quick else tasks(name)
            runs = [pool.submit(run, models, task) for task in chosen]
            originals[name] = measured.result()
            print(f"{name}: accuracy {originals[name]:.4f}", flush=True)
            for pending in runs:
                found.append(pending.result())
                print(line(found[-1]), flush=True)
    return originals, found


def line(result: Result) -> str:
    """A result for the terminal."""
    task = result.task
    numbers = (result.plain, result.means, result.tuned_plain, result.tuned_means)
    shown = "".join(f"{'' if number is None else format(number, '.4f'):>8s}" for number in numbers)
    one = "one ranking" if task.ranked else ""
    return f"{task.images:8s}{task.budget:5.1f} {task.criterion:15s}{task.seed:2d}{shown}  {one}"


def save(path: Path, content: str) -> None:
    """Write a file; it appears when it is complete."""
    part = path.with_name(path.name + ".part")
    part.write_text(content, encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
