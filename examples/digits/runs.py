"""One line of the comparison: a network is pruned to one budget in several ways, restored, measured and
fine-tuned."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Mapping, Sequence

import mxnet as mx
import numpy as np
from data import SETS, Split
from train import train
from training import accuracy, fit, settled

from prunec.analysis.analyse import Analysis, analyse
from prunec.examples import BATCH, Data
from prunec.frontends.mxnet.model import read_model
from prunec.frontends.mxnet.model_runtime import MXNetRuntime
from prunec.language.library import load
from prunec.planning.choose import Options, Plan, make_plan
from prunec.planning.targets import parse_target
from prunec.restoring.records import CUT, MEANS, RESTORED, Restoration, Subject
from prunec.restoring.restore import restore
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.layers import layers
from prunec.rewriting.slicing import slice_array

#: Examples without labels for criteria, means and restoring.
EXAMPLES = 512
#: Epochs of fine-tuning and their first rate: on all training images, and on as few as there are examples.
EPOCHS, RATE = 4, 0.02
FEW_EPOCHS, FEW_RATE = 8, 0.005
#: What is done for what goes: nothing, its means, all that can be predicted.
WAYS = (CUT, MEANS, RESTORED)
#: The best of four plans at the outputs, as `prunec compile --data` chooses.
AUTO = "auto"
TRIED = (("obs", False), ("reconstruction", False), ("obs", True), ("reconstruction", True))


@dataclass(frozen=True)
class Task:
    """What to do.

    ``budget`` is the share of multiply-adds to come down to, ``seed`` that of the network's training, and of
    a random choice; ``tune`` says for criteria from what the smaller network is fine-tuned, ``few`` for
    which it is, from the cut and the restored one, on few images as well.
    """

    images: str
    budget: float
    seed: int
    criteria: tuple[str, ...]
    tune: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    few: tuple[str, ...] = ()
    examples: int = EXAMPLES


@dataclass(frozen=True)
class Result:
    """What came out: the plan (for ``auto`` the one kept), the share of multiply-adds left, accuracies in
    [0, 1] by what was done for what goes, those before and after each epoch of fine-tuning on all images,
    those of fine-tuning on few, and the seconds that restoring took."""

    task: Task
    criterion: str
    plan: str
    left: float
    accuracies: Mapping[str, float]
    curves: Mapping[str, Sequence[float]]
    few: Mapping[str, Sequence[float]]
    seconds: float


@dataclass(frozen=True, eq=False)
class _Smaller:
    plan: str
    pruned: Pruned
    found: Restoration
    seconds: float


@cache
def images(name: str) -> Split:
    """A set, made once."""
    return SETS[name]()


def prepare(folder: Path, name: str, seed: int) -> None:
    """Train a network, unless it is there."""
    own = folder / str(seed)
    own.mkdir(exist_ok=True)
    if not (own / f"{name}-0000.params").exists():
        train(own, name, seed)


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


def run(folder: Path, task: Task) -> list[Result]:
    """Prune, restore, measure, fine-tune; a result for each criterion."""
    data = Data("training images", {"data": images(task.images)[0][: task.examples]}, None, "", BATCH)
    plans = {(name, False): None for name in task.criteria if name != AUTO}
    if AUTO in task.criteria:
        plans.update(dict.fromkeys(TRIED))
    made = {key: _smaller(folder, task, *key, data) for key in plans}
    found = {name: made[name, False] for name in task.criteria if name != AUTO}
    if AUTO in task.criteria:
        best = min(TRIED, key=lambda key: made[key].found.best.quality.change)
        found[AUTO] = made[best]
    return [_measured(folder, task, name, found[name]) for name in task.criteria]


def _smaller(folder: Path, task: Task, criterion: str, ranked: bool, data: Data) -> _Smaller:
    analysis = network(folder, task.images, task.seed)
    target = parse_target(f"macs={task.budget}")
    options = Options(targets=(target,), criterion=criterion, ranked=ranked, seed=task.seed, data=data)
    plan = make_plan(analysis, options=options)
    pruned = emit(analysis, plan.removed)
    start = time.perf_counter()
    found = restore(_subject(analysis, plan, pruned), data)
    name = f"{criterion}, one ranking" if ranked else criterion
    return _Smaller(name, pruned, found, time.perf_counter() - start)


def _subject(analysis: Analysis, plan: Plan, pruned: Pruned) -> Subject:
    model = analysis.model
    cuts = {own.name: own for own in pruned.slices}
    arrays = {name: model.parameter(name) for name in model.parameter_shapes or {}}
    small = {name: slice_array(cuts[name], own) if name in cuts else own for name, own in arrays.items()}
    smaller = MXNetRuntime(pruned.model, model.graph, small)
    return Subject(analysis, plan.removed, pruned, model.runtime(), smaller)


def _measured(folder: Path, task: Task, criterion: str, smaller: _Smaller) -> Result:
    symbol = mx.sym.load_json(smaller.pruned.model.decode())
    saved = mx.nd.load(str(folder / str(task.seed) / f"{task.images}-0000.params"))
    changed = {own.name: own.parameters for own in smaller.found.methods}
    ready = {way: sliced(saved, smaller.pruned, changed[way]) for way in WAYS}
    before = {way: accuracy(symbol, own, images(task.images)) for way, own in ready.items()}
    curves = {
        way: _tuned(symbol, ready[way], before[way], task, images(task.images), EPOCHS, RATE)
        for way in task.tune.get(criterion, ())
    }
    few = {}
    if criterion in task.few:
        train_images, test, labels, test_labels = images(task.images)
        some = (train_images[: task.examples], test, labels[: task.examples], test_labels)
        start = {**ready, RESTORED: settled(symbol, ready[RESTORED], some[0])}
        few = {
            way: _tuned(symbol, start[way], before[way], task, some, FEW_EPOCHS, FEW_RATE)
            for way in (CUT, RESTORED)
        }
    total, left = layers(network(folder, task.images, task.seed), smaller.pruned)[1].multiply_adds
    assert total and left is not None
    return Result(task, criterion, smaller.plan, left / total, before, curves, few, smaller.seconds)


def _tuned(
    symbol: mx.sym.Symbol,
    parameters: dict[str, mx.nd.NDArray],
    before: float,
    task: Task,
    used: Split,
    epochs: int,
    rate: float,
) -> list[float]:
    """The accuracy before, and after each epoch of fine-tuning."""
    reached = [before]
    fit(
        symbol,
        parameters,
        epochs,
        rate,
        used,
        task.seed,
        lambda own: reached.append(accuracy(symbol, own, used)),
    )
    return reached


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
