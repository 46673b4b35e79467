"""Compare criteria at several budgets: ``python compare.py`` writes RESULTS.md and results.svg.

Everything is run: networks are trained, pruned, compensated, measured and fine-tuned in MXNet, with fixed
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
from runs import Result, Task, network, original, prepare, run

HERE = Path(__file__).resolve().parent
BUDGETS = (0.7, 0.5, 0.3)
CRITERIA = (
    *("l1", "l2", "bn-scale", "fpgm", "lamp", "activation", "apoz", "taylor", "reconstruction"),
    *("sensitivity", "random"),
)
#: Each seed trains a network of its own, and makes a random choice of its own.
SEEDS = range(5)
QUICK_SEEDS = range(2)


def tasks(name: str) -> Iterator[Task]:
    """All that is run for a set: on the digits, half of the multiply-adds most thoroughly."""
    for budget in BUDGETS:
        half, digits = budget == 0.5, name == "digits"
        # Training on the harder set takes four times as long.
        tune = ("plain", "means") if half and digits else ("means",) if half or digits else ()
        yield from _criteria(name, budget, False, tune)
    if name == "digits":
        yield from _criteria(name, 0.5, True, ())


def _criteria(name: str, budget: float, ranked: bool, tune: tuple[str, ...]) -> Iterator[Task]:
    for criterion in CRITERIA:
        # Sensitivity is one ranking, however it is asked for.
        if not (ranked and criterion == "sensitivity"):
            for seed in SEEDS:
                yield Task(name, budget, criterion, ranked, seed, tune)


def quick_tasks() -> Iterator[Task]:
    """Half of the multiply-adds, two criteria, two seeds; the first network is fine-tuned."""
    for criterion in ("l1", "random"):
        for seed in QUICK_SEEDS:
            yield Task("digits", 0.5, criterion, seed=seed, tune=() if seed else ("means",))


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
        (models / "0").mkdir()
        for file in ("digits-symbol.json", "digits-0000.params"):
            shutil.copy(HERE / file, models / "0")
        originals, found = compare(models, sets, options.quick, options.jobs)
        channels = {name: network(models, name, 0).solution.unit_count for name in sets}
    options.out.mkdir(parents=True, exist_ok=True)
    save(options.out / "RESULTS.md", text(originals, found, channels))
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
        ready = {
            name: [pool.submit(prepare, models, name, seed, not quick) for seed in seeds] for name in sets
        }
        found = []
        originals = {}
        for name in sets:
            for pending in ready[name]:
                pending.result()
            measured = [pool.submit(original, models, name, seed) for seed in seeds]
            runs = [pool.submit(run, models, task) for task in (quick_tasks() if quick else tasks(name))]
            originals[name] = [accuracy.result() for accuracy in measured]
            print(f"{name}: accuracy {', '.join(f'{own:.4f}' for own in originals[name])}", flush=True)
            for running in runs:
                found.append(running.result())
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
