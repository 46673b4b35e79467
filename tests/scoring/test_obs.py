"""Optimal Brain Surgeon against brute force: the error after the best prediction, written down directly."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Optional

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net
from restoring.models import analysis_of, data_of, reader_of, units_of, with_values

from prunec.analysis.analyse import Analysis
from prunec.scoring import obs as module
from prunec.scoring.criteria import Settings, unit_scores
from prunec.scoring.obs import BEYOND, obs

CELLS = 6


@pytest.fixture(autouse=True)
def no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs as they are."""
    monkeypatch.setattr(module, "_MOST", 1e9)


def images(count: int = 60, channels: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {"x": random.standard_normal((count, channels, 2, 2)).astype(np.float32)}


def scores_of(analysis: Analysis, inputs: Any) -> np.ndarray:
    return obs(analysis, Settings("sum", "none", data=data_of(inputs)))


class Layer:
    """What a layer loses without some of its cells, by shared combination; ``owner`` has the channel of each
    cell."""

    def __init__(self, analysis: Analysis, parameter: str, inputs: Any, units: np.ndarray) -> None:
        reader = reader_of(analysis, parameter)
        model: Any = analysis.model
        (value,) = model.runtime().session(inputs, [reader.source]).run(inputs)
        table = reader.data.table(value).astype(np.float64)
        rows = table.reshape(len(table), -1, table.shape[-1])
        weight = reader.weight.table(model.parameter(parameter)).astype(np.float64)
        self.parts = []
        self.energy = 0.0
        for x, w, own in zip(rows, weight, reader.units[0]):
            w = w.reshape(-1, w.shape[-1])
            covariance = np.cov(x.T, bias=True).reshape(x.shape[1], x.shape[1])
            self.energy += float(np.trace(w @ covariance @ w.T))
            ridge = 0.1 * np.diag(covariance).mean()
            covariance = covariance + ridge * np.eye(len(covariance))
            self.parts.append((covariance, w, np.searchsorted(units, own)))

    def error(self, gone: tuple[int, ...]) -> float:
        total = 0.0
        for covariance, w, owner in self.parts:
            lost = np.isin(owner, gone)
            if lost.all():
                continue
            s, k = covariance[np.ix_(lost, lost)], covariance[np.ix_(lost, ~lost)]
            left = s - k @ np.linalg.inv(covariance[np.ix_(~lost, ~lost)]) @ k.T
            total += float(np.trace(w[:, lost] @ left @ w[:, lost].T))
        return total / self.energy


def greedy(layers: list[Layer], count: int) -> tuple[list[int], np.ndarray]:
    """The order in which channels go, and what each step costs, all but the last."""
    gone: tuple[int, ...] = ()
    costs = []
    for _ in range(count - 1):
        before = sum(own.error(gone) for own in layers)
        found = {
            n: sum(own.error((*gone, n)) for own in layers) - before for n in range(count) if n not in gone
        }
        best = min(found, key=lambda n: found[n])
        gone = (*gone, best)
        costs.append(found[best])
    return list(gone), np.array(costs)


def agree(analysis: Analysis, parameters: list[str], inputs: Any, units: np.ndarray) -> list[int]:
    scores = scores_of(analysis, inputs)[units]
    layers = [Layer(analysis, name, inputs, np.sort(units)) for name in parameters]
    order, costs = greedy(layers, len(units))
    assert np.argsort(scores)[:-1].tolist() == order
    assert np.allclose(scores[order], np.maximum.accumulate(costs), rtol=1e-3)
    if (np.diff(costs) >= 0).all():
        assert scores[order].sum() == pytest.approx(sum(own.error(tuple(order)) for own in layers), rel=1e-3)
    # The first one is the least of all.
    singles = [sum(own.error((n,)) for own in layers) for n in range(len(units))]
    assert order[0] == int(np.argmin(singles))
    return order


def made(net: Net, channels: int = CELLS, group: int = 1) -> str:
    return str(net.op("Relu", net.conv(net.input("x", "n", 3, 2, 2), "made", 3, channels, 1)))


def ended(net: Net, y: str) -> Analysis:
    net.output(y, 4)
    return analysis_of(net.proto())


@pytest.mark.parametrize("seed", range(4))
def test_costs_are_those_of_the_best_prediction(seed: int) -> None:
    net = Net(seed=seed)
    analysis = ended(net, net.conv(made(net), "read", CELLS, 4))
    agree(analysis, ["read_w"], images(), units_of(analysis, "made_w"))


def test_costs_of_several_layers_are_added() -> None:
    net = Net(seed=2)
    x = made(net)
    first, second = net.conv(x, "read", CELLS, 4), net.conv(x, "other", CELLS, 4, 1)
    analysis = ended(net, net.op("Add", first, second))
    agree(analysis, ["read_w", "other_w"], images(), units_of(analysis, "made_w"))


def test_twins_go_first_and_one_of_them_stays() -> None:
    """Where magnitudes see the largest channel, its twin does all it did."""
    net = Net(seed=1)
    x = made(net)
    net.output(net.conv(x, "read", CELLS, 4), 4)
    values = {own: np.random.default_rng(3).standard_normal(s) for own, s in (("made_w", (CELLS, 3, 1, 1)),)}
    values["made_w"][4] = values["made_w"][1] = 3 * values["made_w"][1]
    values["made_b"] = np.full(CELLS, 0.2)
    analysis = analysis_of(with_values(net.proto(), values))
    units = units_of(analysis, "made_w")
    order = agree(analysis, ["read_w"], images(), units)
    assert len({1, 4} & set(order[:3])) == 1


def test_grouped_convolutions() -> None:
    """Each group predicts from its own; one channel of each goes in a step, the cheapest of each."""
    net = Net(seed=3)
    y = net.conv(made(net, 12), "read", 12, 4, group=2)
    analysis = ended(net, y)
    units = units_of(analysis, "made_w")
    scores = scores_of(analysis, images())[units]
    layer = Layer(analysis, "read_w", images(), np.sort(units))
    singles = [layer.error((n,)) for n in range(12)]
    first = [int(np.argmin(singles[:6])), 6 + int(np.argmin(singles[6:]))]
    assert sorted(np.argsort(scores)[:2].tolist()) == first
    assert np.allclose(scores[first], np.mean([singles[n] for n in first]), rtol=1e-3)
    # Both cells of a step have one score: as many of each go.
    assert np.allclose(np.sort(scores[:6]), np.sort(scores[6:]))
    # What has gone in the end is what the steps add up to, of all but the last.
    gone = tuple(np.argsort(scores)[:10].tolist())
    assert scores[list(gone)].sum() >= layer.error(gone) * 0.999


def test_a_depthwise_convolution_loses_nothing() -> None:
    """What is made of a channel goes with it: only the layer behind counts."""
    net = Net(seed=5)
    between = net.conv(made(net), "deep", CELLS, CELLS, 1, group=CELLS)
    analysis = ended(net, net.conv(between, "read", CELLS, 4))
    agree(analysis, ["read_w"], images(), units_of(analysis, "made_w"))


def test_positions_of_a_channel_go_together() -> None:
    net = Net(seed=6)
    flat = net.op("Flatten", made(net))
    net.output(net.op("Gemm", flat, net.weight("read_w", 4 * CELLS, 5)), 2)
    analysis = analysis_of(net.proto())
    units = units_of(analysis, "made_w")
    reader = reader_of(analysis, "read_w")
    assert reader.shape == (1, CELLS)
    layer = Layer(analysis, "read_w", images(), np.sort(units))
    # The weight of each position is one of its own.
    model: Any = analysis.model
    w = reader.weight.table(model.parameter("read_w"))[0].reshape(-1, CELLS)
    assert np.array_equal(layer.parts[0][1], w)
    agree(analysis, ["read_w"], images(), units)


@pytest.mark.parametrize("pair", list(combinations(range(3), 2)))
def test_tied_channels_go_together(pair: tuple[int, int]) -> None:
    """A unit with several cells of one layer: their joint cost, not the sum of single ones."""
    net = Net(seed=7)
    x = made(net, 3)
    joined = net.op("Concat", x, net.op("Sigmoid", x), axis=1)
    analysis = ended(net, net.conv(joined, "read", 6, 4))
    units = units_of(analysis, "made_w")
    reader = reader_of(analysis, "read_w")
    cells = np.max(reader.units, axis=0)[0]
    assert cells.tolist() == [*units.tolist(), *units.tolist()]
    scores = scores_of(analysis, images())[units]

    class Joined(Layer):
        def __init__(self) -> None:
            super().__init__(analysis, "read_w", images(), np.sort(units))
            covariance, w, _ = self.parts[0]
            self.parts = [(covariance, w, np.array([0, 1, 2, 0, 1, 2]))]

    order, costs = greedy([Joined()], 3)
    assert np.argsort(scores)[:-1].tolist() == order
    if set(order) == set(pair):
        assert np.allclose(scores[order], np.maximum.accumulate(costs), rtol=1e-3)


def test_what_nothing_reads_costs_nothing_that_is_seen() -> None:
    net = Net(seed=8)
    x = net.input("x", "n", 3, 2, 2)
    hidden = net.conv(x, "made", 3, CELLS, 1)
    analysis = ended(net, net.op("ReduceSum", net.op("Relu", hidden), net.numbers("axes", [1])))
    units = units_of(analysis, "made_w")
    assert np.isnan(scores_of(analysis, images())[units]).all()
    found = unit_scores(analysis, "obs", Settings("mean", "none", data=data_of(images())))
    l1 = unit_scores(analysis, "l1", Settings("mean", "mean"))
    assert np.allclose(found[units], l1[units])


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e5])
def test_costs_do_not_depend_on_the_scale_of_what_is_read(scale: float) -> None:
    net = Net(seed=1)
    x = made(net)
    net.output(net.conv(x, "read", CELLS, 4), 4)
    random = np.random.default_rng(0)
    weight, bias = random.standard_normal((CELLS, 3, 1, 1)), random.standard_normal(CELLS)
    found = []
    for factor in (1.0, scale):
        values = {"made_w": weight * factor, "made_b": bias * factor}
        analysis = analysis_of(with_values(net.proto(), values))
        found.append(scores_of(analysis, images())[units_of(analysis, "made_w")])
    assert np.allclose(found[1], found[0], rtol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_layer_that_sees_nothing_change_loses_nothing(value: float) -> None:
    """One whose inputs are zero, or always the same, does not outweigh others."""
    net = Net(seed=9)
    x = net.input("x", "n", 3, 2, 2)
    live = net.op("Relu", net.conv(x, "made", 3, CELLS, 1))
    dead = net.op("Mul", live, net.numbers("zero", np.float32(0), dtype="f"))
    dead = net.op("Add", dead, net.numbers("value", np.float32(value), dtype="f"))
    y = net.op("Add", net.conv(live, "read", CELLS, 4), net.conv(dead, "other", CELLS, 4))
    analysis = ended(net, y)
    agree(analysis, ["read_w"], images(), units_of(analysis, "made_w"))


def test_what_costs_too_much_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 0.05)
    net = Net(seed=1)
    analysis = ended(net, net.conv(made(net), "read", CELLS, 4))
    units = units_of(analysis, "made_w")
    scores = scores_of(analysis, images())[units]
    layer = Layer(analysis, "read_w", images(), np.sort(units))
    order = np.argsort(scores).tolist()
    for step in range(1, CELLS):
        beyond = layer.error(tuple(order[:step])) > 0.05
        # No share of what a layer computes is anywhere near.
        assert beyond == (scores[order[step - 1]] > BEYOND / 1e4)


@pytest.mark.parametrize("rounds", [None, 3])
def test_the_same_again(rounds: Optional[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where several go in a round, every unit has a score, and the order of rounds is kept."""
    if rounds:
        monkeypatch.setattr(module, "_ROUNDS", rounds)
    net = Net(seed=1)
    analysis = ended(net, net.conv(made(net, 10), "read", 10, 4))
    units = units_of(analysis, "made_w")
    first, second = (scores_of(analysis, images()) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.isfinite(first[units]).all() and len(set(first[units].tolist())) == 10
