"""Print accuracy, size and latency of models, beside those of the first: ``python compare.py MODEL …``.

Latencies are medians over rounds in which each model has its turn, so that what else the machine does
meets all of them; they are of one thread, and of a batch of 64 images.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession, SessionOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "digits"))
from data import digits

BATCH = 64


def session(path: str) -> InferenceSession:
    """A model, to be run by one thread."""
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return InferenceSession(path, options, providers=["CPUExecutionProvider"])


def latencies(models: list[InferenceSession], images: np.ndarray, rounds: int) -> list[float]:
    """The median seconds of one run of each."""
    seconds: list[list[float]] = [[] for _ in models]
    for number in range(rounds + 3):
        for model, own in zip(models, seconds):
            start = time.perf_counter()
            model.run(None, {model.get_inputs()[0].name: images})
            if number >= 3:
                own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in seconds]


def main() -> None:
    """Measure the models."""
    parser = argparse.ArgumentParser(description="Compare models of the digits.")
    parser.add_argument("models", metavar="MODEL", nargs="+")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    _, images, _, labels = digits()
    models = [session(path) for path in options.models]
    times = latencies(models, images[:BATCH], options.rounds)
    sizes = [Path(path).stat().st_size for path in options.models]
    print("| model | accuracy | size | latency |")
    print("|---|---|---|---|")
    for path, model, size, seconds in zip(options.models, models, sizes, times):
        (scores,) = model.run(None, {model.get_inputs()[0].name: images})
        accuracy = (scores.argmax(axis=1) == labels).mean()
        print(f"| `{path}` | {accuracy:.1%} | {size / sizes[0]:.2f} | {seconds / times[0]:.2f} |")


if __name__ == "__main__":
    main()
