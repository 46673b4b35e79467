"""What a task is: a trained model, unlabelled examples, and a test set that says how good a model file is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import onnxruntime

from bench.networks import BUILD

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]

FOLDER = BUILD / "restoring"
#: Inputs that are run at a time where a model takes any number.
_BATCH = 32


@dataclass(frozen=True)
class Task:
    """A task of a trained model.

    ``model`` says where the model lies, after fetching or training it where it is not there.  ``examples``
    draws what goes into ``examples.npz``: unlabelled, by the names of the model's inputs.  ``test`` draws
    the labelled test set, which shares nothing with the examples.  ``measure`` runs a model on a test set and
    says how good it is, each measure in per cent, the one that counts first.  ``sizes`` are those of the
    inputs, as ``--input`` takes them, ``about`` says in a line where the labels come from.
    """

    name: str
    about: str
    model: Callable[[], Path]
    sizes: tuple[str, ...]
    examples: Callable[[], Arrays]
    test: Callable[[], Arrays]
    measure: Callable[[onnxruntime.InferenceSession, Arrays], dict[str, float]]

    @property
    def folder(self) -> Path:
        """Where the task's data lie."""
        return FOLDER / self.name

    @property
    def examples_path(self) -> Path:
        """The file of unlabelled examples."""
        return self.folder / "examples.npz"

    @property
    def test_path(self) -> Path:
        """The file of the test set, labels included."""
        return self.folder / "test.npz"

    def prepare(self) -> None:
        """Fetches or trains the model and writes the examples and the test set, the same each time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model()
        np.savez(self.examples_path, **self.examples())
        np.savez(self.test_path, **self.test())

    def accuracy(self, path: Path) -> dict[str, float]:
        """How good the model in a file is on the test set, in per cent, run on one thread.

        Raises what ONNX Runtime raises where it cannot load or run the file.
        """
        with np.load(self.test_path) as held:
            return self.measure(session(path), {name: held[name] for name in held.files})


def session(path: Path) -> onnxruntime.InferenceSession:
    """A model to run on one thread, which keeps its warnings to itself."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def outputs(
    model: onnxruntime.InferenceSession, inputs: Arrays, wanted: Optional[str] = None, batch: int = _BATCH
) -> Iterator[Array]:
    """An output, the first unless named, of one batch of the inputs after the other."""
    names = [own.name for own in model.get_outputs()]
    count = len(next(iter(inputs.values())))
    for start in range(0, count, batch):
        part = {name: array[start : start + batch] for name, array in inputs.items()}
        yield model.run([wanted or names[0]], part)[0]


def accuracy(model: onnxruntime.InferenceSession, name: str, test: Arrays) -> dict[str, float]:
    """The share of a classifier's inputs ``test[name]`` whose class is the one in ``test["labels"]``."""
    scores = np.concatenate(list(outputs(model, {name: test[name]})))
    return {"accuracy": 100.0 * float(np.mean(scores.argmax(axis=1) == test["labels"]))}
