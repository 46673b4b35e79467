"""A whole pass: what is kept, how often models are run, and examples of all kinds."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net
from onnx import TensorProto, helper

from prunec.examples import Data
from prunec.restoring import moments, passes, stages
from prunec.restoring.records import CUT, MEANS, RESTORED, Subject
from prunec.restoring.restore import in_blocks, restore
from prunec.support.diagnostics import PrunecError
from restoring.models import analysis_of, change_of, data_of, method_of, subject_of

SIDE = 6


def network(batch: Any = "n", seed: int = 0) -> Any:
    """Two convolutions with a residual block between, and a classifier."""
    net = Net(seed=seed)
    x = net.op("Relu", net.norm(net.conv(net.input("x", batch, 3, SIDE, SIDE), "c1", 3, 12), "bn", 12))
    inner = net.op("Relu", net.conv(x, "c2", 12, 16))
    x = net.op("Add", net.conv(inner, "c3", 16, 12), x)
    x = net.op("Relu", net.conv(x, "c4", 12, 10))
    net.head(x, 10)
    return net.proto()


#: In every group.
GONE = {"c1_w": (0, 3, 5, 8), "c2_w": (1, 2, 6, 9, 11), "c4_w": (0, 4, 9)}


def images(count: int, seed: int = 1) -> np.ndarray:
    """Smooth images: neighbours are alike."""
    random = np.random.default_rng(seed)
    small = random.standard_normal((count, 3, 3, 3))
    return np.kron(small, np.ones((1, 1, 2, 2))).astype(np.float32)


def small(**options: Any) -> Subject:
    return subject_of(analysis_of(network(**options)), GONE)


def test_the_best_at_the_outputs_comes_first() -> None:
    subject = small()
    found = restore(subject, data_of({"x": images(200)}, np.arange(200) % 5))
    changes = [own.quality.change for own in found.methods]
    assert changes == sorted(changes) and len({own.name for own in found.methods}) == 3
    assert found.best.name == RESTORED and found.held and found.examples == 200
    cut, best = method_of(found, CUT), found.best
    assert best.quality.change < cut.quality.change / 2
    # What is measured on the way is what the parameters that are handed out give.
    data = replace(in_blocks(subject.analysis, data_of({"x": images(200)})), labels=np.arange(200) % 5)
    blocks = list(data.batches())[passes._HELD - 1 :: passes._HELD]
    kept = {"x": np.concatenate([inputs["x"] for inputs, _ in blocks])}
    assert best.quality.change == pytest.approx(change_of(subject, best, kept), rel=1e-3)
    assert cut.quality.change == pytest.approx(change_of(subject, cut, kept), rel=1e-3)
    assert found.original.change == 0.0 and found.original.agreement == 1.0
    before, after = (
        runtime.session(kept).run(kept)[0].argmax(axis=1) for runtime in (subject.original, subject.smaller)
    )
    labels = np.concatenate([own for _, own in blocks])
    assert cut.quality.agreement == pytest.approx((before == after).mean())
    assert cut.quality.accuracy == pytest.approx((after == labels).mean())
    assert found.original.accuracy == pytest.approx((before == labels).mean())


def test_where_restoring_is_worse_the_cut_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    right = moments.Moments.predict

    def wrong(own: Any, weight: Any, shifted: bool, copying: bool = False) -> Any:
        found = right(own, weight, shifted, copying)
        return replace(found, matrix=found.matrix * 5, shift=found.shift + 100)

    monkeypatch.setattr(moments.Moments, "predict", wrong)
    found = restore(small(), data_of({"x": images(200)}))
    assert found.best.name == CUT and not found.best.parameters and not found.best.fits


def test_no_number_is_worse_than_any(monkeypatch: pytest.MonkeyPatch) -> None:
    right = moments.Moments.predict

    def wrong(own: Any, weight: Any, shifted: bool, copying: bool = False) -> Any:
        found = right(own, weight, shifted, copying)
        return found if copying else replace(found, matrix=found.matrix * np.nan)

    monkeypatch.setattr(moments.Moments, "predict", wrong)
    found = restore(small(), data_of({"x": images(200)}))
    assert [own.name for own in found.methods][-1] == RESTORED and found.best.name != RESTORED


# --- how often models are run ---


@dataclass
class Counted:
    """A runtime that counts the examples that each of its sessions is run on, by what the sessions give."""

    own: Any
    runs: Counter[Any]
    name: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    def session(self, inputs: Any, *others: Any, **options: Any) -> Any:
        return _Session(self.own.session(inputs, *others, **options), self, "whole")

    def segment(self, feeds: Any, fetches: Any, parameters: Any = ()) -> Any:
        return _Session(self.own.segment(feeds, fetches, dict(parameters)), self, tuple(fetches))


@dataclass
class _Session:
    own: Any
    runtime: Counted
    fetches: Any

    def run(self, inputs: Mapping[Any, Any]) -> Any:
        self.runtime.runs[self.runtime.name, self.fetches, len(inputs["x"])] += 1
        return self.own.run(inputs)


def test_each_model_is_run_once_over_the_examples() -> None:
    subject = small()
    runs: Counter[Any] = Counter()
    counted = replace(
        subject,
        original=Counted(subject.original, runs, "original"),
        smaller=Counted(subject.smaller, runs, "smaller"),
    )
    data = data_of({"x": images(256)})
    found = restore(counted, data)
    blocks = len(list(in_blocks(subject.analysis, data).batches()))
    assert blocks == 16
    readers = {fit.layer for fit in found.best.fits}
    smaller = {key: count for key, count in runs.items() if key[0] == "smaller"}
    # Two ways of making up, each stage once for each block, but for the last, that of the outputs: there as
    # the cut model, on what is held back alone.
    whole = sum(count for key, count in smaller.items() if key[1] == "whole")
    assert whole == blocks // passes._HELD
    seen: Counter[Any] = Counter()
    for (_, fetches, examples), count in smaller.items():
        if fetches != "whole":
            seen[fetches] += examples * count
    outputs = tuple(subject.analysis.model.graph.outputs)
    assert seen.pop(outputs) == 2 * 256 // passes._HELD
    assert seen and set(seen.values()) == {2 * 256}
    parts = {own for _, own, _ in smaller if own != "whole"}
    # The original: the same stages once (the first block in two), and trials of single layers, on the first
    # few examples alone.
    total = sum(count for key, count in runs.items() if key[0] == "original")
    trials = total - (blocks + 1) * (len(parts) - 1) - blocks // passes._HELD
    assert 0 < trials <= 16 * len(readers)


@pytest.mark.parametrize("added", [True, False])
def test_where_nothing_is_added_means_are_as_the_cut_model(added: bool) -> None:
    """It is not run twice for that."""
    net = Net()
    x = net.input("x", "n", 6)
    for name, i, o in (("first", 6, 12), ("second", 12, 12), ("third", 12, 4)):
        x = net.op("MatMul", x, net.weight(f"{name}_w", i, o))
        x = net.op("Add", x, net.weight(f"{name}_b", o)) if added and name == "second" else x
        x = net.op("Relu", x)
    net.output(x, 2)
    subject = subject_of(analysis_of(net.proto()), {"first_w": (0, 3, 5), "second_w": (1, 2)}, axis=1)
    runs: Counter[Any] = Counter()
    counted = replace(subject, smaller=Counted(subject.smaller, runs, "smaller"))
    random = np.random.default_rng(0)
    found = restore(counted, data_of({"x": random.standard_normal((256, 6)).astype(np.float32)}))
    means, cut = method_of(found, MEANS), method_of(found, CUT)
    assert (means.quality.change == cut.quality.change) is not added
    assert bool(means.parameters) is added and found.best.name == RESTORED
    seen: Counter[Any] = Counter()
    for (_, fetches, examples), count in runs.items():
        seen[fetches] += (
            examples * count if fetches not in ("whole", subject.analysis.model.graph.outputs) else 0
        )
    assert set(filter(None, seen.values())) == {512 if added else 256}


# --- examples of all kinds ---


def test_a_model_that_takes_so_many_examples_at_a_time() -> None:
    subject = small(batch=4)
    found = restore(subject, data_of({"x": images(90)}, batch=4, whole=True))
    assert found.best.name == RESTORED and found.held


def test_a_last_block_that_is_shorter() -> None:
    """One of those held back, too."""
    data = in_blocks(small().analysis, data_of({"x": images(245)}, batch=16))
    sizes = [len(inputs["x"]) for inputs, _ in data.batches()]
    assert len(sizes) % passes._HELD == 0 and sizes[-1] < sizes[0]
    found = restore(small(), data_of({"x": images(245)}, batch=16))
    assert found.best.name == RESTORED


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_few_examples(count: int) -> None:
    """None are held back where there are too few; the result is at least no worse on those given."""
    found = restore(small(), data_of({"x": images(count)}))
    assert found.held == (count >= passes._HELD)
    assert found.best.quality.change <= method_of(found, CUT).quality.change
    assert all(np.isfinite(values).all() for own in found.methods for values in own.parameters.values())


def test_examples_that_are_all_the_same() -> None:
    found = restore(small(), data_of({"x": np.repeat(images(1), 64, axis=0)}))
    for own in found.methods:
        assert all(
            np.isfinite(values).all() and np.abs(values).max() < 1e3 for values in own.parameters.values()
        )
    assert found.best.quality.change <= method_of(found, CUT).quality.change


def test_examples_that_are_zero() -> None:
    found = restore(small(), data_of({"x": np.zeros((64, 3, SIDE, SIDE), dtype=np.float32)}))
    assert all(np.isfinite(values).all() for own in found.methods for values in own.parameters.values())


def test_two_inputs() -> None:
    net = Net()
    x, z = net.input("x", "n", 6), net.input("z", "n", 4)
    hidden = net.op("Relu", net.dense(x, "first", 6, 16))
    hidden = net.op("Add", net.dense(hidden, "second", 16, 8), net.dense(z, "other", 4, 8))
    net.output(net.dense(net.op("Relu", hidden), "last", 8, 3), 2)
    subject = subject_of(analysis_of(net.proto()), {"first_w": (1, 2, 5, 8, 9)}, axis=1)
    random = np.random.default_rng(0)
    inputs = {
        "x": random.standard_normal((200, 6)).astype(np.float32),
        "z": random.standard_normal((200, 4)).astype(np.float32),
    }
    found = restore(subject, data_of(inputs))
    assert found.best.name == RESTORED
    assert found.best.quality.change < 0.8 * method_of(found, CUT).quality.change


def test_weights_of_several_layers_are_left_with_a_reason() -> None:
    net = Net()
    x = net.op("Relu", net.dense(net.input("x", "n", 6), "first", 6, 8))
    weight = net.weight("tied_w", 8, 8)
    hidden = net.op("Relu", net.op("MatMul", x, weight))
    y = net.op("MatMul", net.op("Add", hidden, x), weight)
    net.output(net.dense(y, "last", 8, 3), 2)
    subject = subject_of(analysis_of(net.proto()), {"first_w": (1, 2, 5)}, axis=1)
    data = data_of({"x": np.random.default_rng(0).standard_normal((64, 6)).astype(np.float32)})
    found = restore(subject, data)
    assert [why for _, why in found.unreadable] == ["several layers read its parameter tied_w"] * 2
    assert all("tied_w" not in own.parameters for own in found.methods)


def test_a_layer_whose_first_output_nobody_takes() -> None:
    """It need not even have a name."""
    net = Net()
    made = net.dense(net.input("x", 5, "n", 4), "made", 4, 8)
    weights = [net.weight("w", 1, 9, 8), net.weight("r", 1, 9, 3), net.weight("b", 1, 18)]
    net.nodes.append(helper.make_node("GRU", [made, *weights], ["", "last"], hidden_size=3))
    net.output(net.op("Squeeze", "last", net.numbers("axes", [0])), 2)
    subject = subject_of(analysis_of(net.proto()), {"made_w": (1, 2, 5)}, axis=1)
    inputs = np.random.default_rng(1).standard_normal((5, 40, 4)).astype(np.float32)
    found = restore(subject, Data("d", {"x": inputs}, None, "", 5, True))
    assert [own.parameter for own in method_of(found, RESTORED).fits] == ["w"]


def test_a_branch_that_takes_what_is_outside_of_it() -> None:
    """What a graph inside a node takes crosses from stage to stage as well."""
    net = Net()
    x = net.input("x", "n", 6)
    first = net.op("Relu", net.dense(x, "first", 6, 8))
    second = net.op("Relu", net.dense(first, "second", 8, 8))

    def branch(name: str) -> Any:
        inside = helper.make_node("Add", [second, x2], [f"{name}_y"])
        out = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        return helper.make_graph([inside], name, [], [out])

    x2 = net.op("MatMul", x, net.weight("wide_w", 6, 8))
    condition = net.op("Greater", net.op("ReduceSum", x, keepdims=0), net.numbers("zero", 0.0, dtype="f"))
    y = net.op("If", condition, then_branch=branch("then"), else_branch=branch("other"))
    net.output(net.dense(y, "last", 8, 3), 2)
    subject = subject_of(analysis_of(net.proto()), {"first_w": (1, 2, 5)}, axis=1)
    data = data_of({"x": np.random.default_rng(0).standard_normal((64, 6)).astype(np.float32)})
    assert restore(subject, data).best.name == RESTORED


# --- what is left behind ---


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(passes, "Walk", _in_files)
    return tmp_path


def _in_files(runtime: Any, shelf: int) -> Any:
    return stages.Walk(runtime, 1000)


def test_values_in_files_give_the_same(folder: Path) -> None:
    data = data_of({"x": images(64)})
    seen: list[int] = []
    found = restore(small(), data, lambda done, total: seen.append(len(list(folder.iterdir()))))
    assert max(seen) == 3 and not list(folder.iterdir())
    again = restore(small(), data)
    assert found.best.quality == again.best.quality


@pytest.mark.parametrize("error", [KeyboardInterrupt, PrunecError, ValueError])
def test_nothing_is_left_behind(folder: Path, error: type[BaseException]) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            assert list(folder.iterdir())
            raise error()

    with pytest.raises(error):
        restore(small(), data_of({"x": images(64)}), stop)
    assert not list(folder.iterdir())


def test_memory_does_not_grow_with_the_examples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limit = 50_000
    shelves: list[Measured] = []
    most: list[int] = []

    class Measured(stages.Shelf):
        def __init__(self, limit: int) -> None:
            super().__init__(limit)
            shelves.append(self)

        def put(self, block: int, tensor: Any, array: Any) -> None:
            super().put(block, tensor, array)
            most.append(sum(own.nbytes for shelf in shelves for own in shelf._arrays.values()))

    monkeypatch.setattr(stages, "Shelf", Measured)
    monkeypatch.setattr(passes, "IN_MEMORY", limit)
    restore(small(), data_of({"x": images(150)}))
    assert limit / 2 < max(most) <= limit


def test_the_same_again() -> None:
    first, second = (restore(small(), data_of({"x": images(80)})) for _ in range(2))
    for one, other in zip(first.methods, second.methods):
        assert one.name == other.name and one.quality == other.quality and one.fits == other.fits
        assert all(np.array_equal(one.parameters[name], other.parameters[name]) for name in one.parameters)
