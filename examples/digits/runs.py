"""One line of the comparison: a network is pruned by one criterion to one budget, measured and fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Mapping, Optional

import mxnet as mx
import numpy as np
from data import SETS, Split
from train import train
from training import accuracy, fit

from prunec.analysis.analyse import Analysis, analyse
from prunec.cli.main import main as prunec
from prunec.examples import Data
from prunec.frontends.mxnet.model import read_model
from prunec.language.library import load
from prunec.planning.choose import Options, make_plan
from prunec.planning.compensation import compensate
from prunec.planning.targets import parse_target
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.layers import layers
from prunec.rewriting.slicing import slice_array
from prunec.scoring.sensitivity import read_table

#: Examples for criteria and means; epochs of fine-tuning, fewer where there are more images.
EXAMPLES = 256
EPOCHS = {"digits": 5, "harder": 3}
RATE = 0.02
#: How sensitivities are measured: which channels of a group go first, and the shares of it.
ORDER, RATIOS = "reconstruction", "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9"


@dataclass(frozen=True)
class Task:
    """What to do.

    ``budget`` is the share of multiply-adds to come down to, ``ranked`` one ranking over the whole network in
    place of the same share of each group; ``seed`` is that of the network's training, and of a random choice;
    ``tune`` says which of the two smaller networks are fine-tuned:
    ``"plain"``, the one without compensation, and ``"means"``, the one with.
    """

    images: str
    budget: float
    criterion: str
    ranked: bool = False
    seed: int = 0
    tune: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What came out: the share of multiply-adds left, and accuracies in [0, 1], before (``plain`` without
    compensation, ``means`` with) and after fine-tuning."""

    task: Task
    left: float
    plain: float
    means: float
    tuned_plain: Optional[float] = None
    tuned_means: Optional[float] = None


@cache
def images(name: str) -> Split:
    """A set, made once."""
    return SETS[name]()


def prepare(folder: Path, name: str, seed: int, sensitivity: bool) -> None:
    """Train a network, unless it is there, and measure its sensitivities, if asked."""
    own = folder / str(seed)
    own.mkdir(exist_ok=True)
    symbol = own / f"{name}-symbol.json"
    if not symbol.exists():
        train(own, name, seed)
    if sensitivity:
        train_images, _, labels, _ = images(name)
        np.savez(own / f"{name}.npz", data=train_images[:EXAMPLES], label=labels[:EXAMPLES])
        shape = ",".join(map(str, (1, *train_images.shape[1:])))
        arguments = ("--data", own / f"{name}.npz", "--out", own / f"{name}.csv", "--criterion", ORDER)
        more = ("--input", f"data={shape}", "--ratios", RATIOS, "--jobs", "1", "--quiet")
        if prunec(["sensitivity", str(symbol), *map(str, arguments), *more]) != 0:
            raise RuntimeError(f"the sensitivities of {symbol} cannot be measured")


@cache
def network(folder: Path, name: str, seed: int) -> Analysis:
    """The trained network for a set, analysed."""
    shape = images(name)[0].shape
    model = read_model(folder / str(seed) / f"{name}-symbol.json", None, {"data": (1, *shape[1:])})
    return analyse(model, load(["default.prune"]))


def original(folder: Path, name: str, seed: int) -> float:
    """The accuracy of the network as it was trained."""
    own = folder / str(seed)
    symbol = mx.sym.load(str(own / f"{name}-symbol.json"))
    return accuracy(symbol, mx.nd.load(str(own / f"{name}-0000.params")), images(name))


def run(folder: Path, task: Task) -> Result:
    """Prune, compensate, measure, fine-tune."""
    own = folder / str(task.seed)
    analysis = network(folder, task.images, task.seed)
    train_images, _, labels, _ = images(task.images)
    classes = labels[:EXAMPLES].astype(np.int64)
    data = Data("training images", {"data": train_images[:EXAMPLES]}, classes, "", 64)
    measured = read_table(own / f"{task.images}.csv") if task.criterion == "sensitivity" else None
    options = Options(
        targets=(parse_target(f"macs={task.budget}"),),
        criterion=task.criterion,
        ranked=task.ranked,
        seed=task.seed,
        data=data,
        sensitivity=measured,
    )
    plan = make_plan(analysis, options=options)
    pruned = emit(analysis, plan.removed)
    changed, _ = compensate(analysis, plan.removed, data, means=True)
    symbol = mx.sym.load_json(pruned.model.decode())
    saved = mx.nd.load(str(own / f"{task.images}-0000.params"))
    smaller = {"plain": sliced(saved, pruned, {}), "means": sliced(saved, pruned, changed)}
    before = {kind: accuracy(symbol, cut, images(task.images)) for kind, cut in smaller.items()}
    tuned: dict[str, Optional[float]] = {"plain": None, "means": None}
    for kind in task.tune:
        better = fit(symbol, smaller[kind], EPOCHS[task.images], RATE, images(task.images), task.seed)
        tuned[kind] = accuracy(symbol, better, images(task.images))
    total, left = layers(analysis, pruned)[1].multiply_adds
    assert total and left is not None
    return Result(task, left / total, before["plain"], before["means"], tuned["plain"], tuned["means"])


def sliced(
    saved: Mapping[str, mx.nd.NDArray], pruned: Pruned, changed: Mapping[str, np.ndarray]
) -> dict[str, mx.nd.NDArray]:
    """The parameters of the smaller network, keyed as in the file; ``changed`` replaces some beforehand."""
    cuts = {own.name: own for own in pruned.slices}
    result = {}
    for key, value in saved.items():
        name = key[4:]  # without arg: or aux:
        array = changed.get(name, value.asnumpy())
        result[key] = mx.nd.array(slice_array(cuts[name], array) if name in cuts else array)
    return result
