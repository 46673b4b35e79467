"""Breaks: behind them, beside them and at them, damage to the smaller model is refused."""

from __future__ import annotations

from typing import Callable

import numpy as np
import pytest

mx = pytest.importorskip("mxnet", reason="needs MXNet")

from damage import damages  # noqa: E402
from exactness.pruning import Network, Trial, at_ratio, prune  # noqa: E402
from networks.parameters import random_parameters  # noqa: E402

from prunec.verifying.proof import prove  # noqa: E402
from prunec.verifying.running import Examples, Subject  # noqa: E402
from prunec.verifying.verdict import Evidence, Outcome  # noqa: E402

INPUTS = {"x": (3, 6)}


def dense(x, name, units):
    return mx.sym.FullyConnected(x, name=name, num_hidden=units)


def branch(x, name, width=5):
    """Two dense layers; what is between them can go."""
    return dense(mx.sym.relu(dense(x, f"{name}_inner", 12)), f"{name}_outer", width)


def beside_a_test_of_the_input(x):
    total = mx.sym.sum(x, axis=1, keepdims=True)
    return mx.sym.broadcast_add(branch(x, "a"), mx.sym.broadcast_equal(total, mx.sym.zeros_like(total)))


def gate(x):
    return branch(x, "a") * (branch(x, "b") > 0)


def choice(x):
    condition = mx.sym.broadcast_greater(dense(x, "s", 5), mx.sym.zeros((1, 5)))
    return mx.sym.where(condition, branch(x, "b"), mx.sym.zeros_like(condition))


def rounded_beside(x):
    return mx.sym.concat(branch(x, "a"), mx.sym.round(3 * x), dim=1)


def behind_rounding(x):
    return branch(mx.sym.round(branch(x, "a", 6)), "b")


def behind_the_largest(x):
    found = mx.sym.topk(branch(x, "a", 6), axis=1, k=4, ret_typ="value")
    return branch(found, "b")


def behind_a_softmax(x):
    """A softmax over channels that go: not exact there, and exact behind it."""
    return dense(mx.sym.softmax(dense(x, "a", 12), axis=1), "b", 5)


EXACT = [beside_a_test_of_the_input, gate, choice, rounded_beside, behind_rounding, behind_the_largest]


def trial(build: Callable, strict: bool = True) -> Trial:
    with mx.name.NameManager():
        symbol = build(mx.sym.var("x"))
    parameters = random_parameters(symbol, INPUTS, 3)
    return prune(Network(symbol.tojson().encode(), INPUTS, parameters, {}), at_ratio(0.5), strict)


@pytest.mark.parametrize("build", EXACT)
def test_the_smaller_model_is_proved(build):
    verdict = trial(build).verdict()
    assert verdict.proved, verdict
    assert {own.evidence for own in verdict.witnesses} <= {Evidence.WITNESSED}
    assert not any(own.statistics for own in verdict.restarts)


@pytest.mark.parametrize("build", EXACT)
def test_every_damage_is_refused(build):
    made = trial(build)
    assert len(made.pruned.slices) >= 3
    for piece in made.pruned.slices:
        for name, array in damages(piece, made.network.parameters[piece.name]):
            runtime = made.runtime({**made.sliced, piece.name: array})
            subject = made.subject()
            hurt = Subject(subject.analysis, subject.pruned, subject.original, runtime, subject.masked)
            assert prove(hurt, made.examples()).outcome is Outcome.DIFFERS, (piece.name, name)


def test_a_break_is_one_only_where_what_is_sliced_arrives():
    assert trial(beside_a_test_of_the_input).verdict().restarts == ()
    assert trial(rounded_beside).verdict().restarts == ()
    (restart,) = trial(behind_rounding).verdict().restarts
    assert restart.why == "it is not continuous" and not restart.statistics


def test_statistics_are_named_and_measured_and_nothing_else_is_left_out():
    made = trial(behind_a_softmax, strict=False)
    verdict = made.verdict()
    assert verdict.proved and verdict.quality is not None and verdict.quality > 1e-3
    assert [own.statistics for own in verdict.restarts] == [True]
    for piece in made.pruned.slices:
        for name, array in damages(piece, made.network.parameters[piece.name]):
            subject = made.subject()
            runtime = made.runtime({**made.sliced, piece.name: array})
            hurt = Subject(subject.analysis, subject.pruned, subject.original, runtime, subject.masked)
            assert prove(hurt, made.examples()).outcome is Outcome.DIFFERS, (piece.name, name)


def test_numbers_drawn_at_random_are_no_difference():
    def noisy(x):
        return branch(x, "a") + mx.sym.random.normal(shape=(3, 5))

    assert trial(noisy).verdict().proved


# --- what cannot be seen ---------------------------------------------------------------------------


def test_a_parameter_that_its_operator_does_not_read_is_named():
    def fixed(x):
        image = mx.sym.reshape(x, shape=(0, 6, 1, 1))
        conv = mx.sym.Convolution(image, name="c", num_filter=8, kernel=(1, 1), no_bias=True)
        norm = mx.sym.BatchNorm(conv, name="n", fix_gamma=True)
        return dense(mx.sym.flatten(mx.sym.relu(norm)), "d", 5)

    verdict = trial(fixed).verdict()
    told = {own.parameter: own.evidence for own in verdict.witnesses}
    assert told["n_gamma"] is Evidence.IGNORED
    assert {own for name, own in told.items() if name != "n_gamma"} == {Evidence.WITNESSED}
    assert verdict.proved


def test_what_is_the_same_everywhere_has_no_wrong_slice():
    made = trial(gate)
    name = "a_inner_bias"
    parameters = {**made.network.parameters, name: np.zeros(12, np.float32)}
    again = prune(Network(made.network.json, INPUTS, parameters, {}), at_ratio(0.5))
    verdict = again.verdict()
    told = {own.parameter: own.evidence for own in verdict.witnesses}
    assert told[name] is Evidence.UNIFORM and verdict.proved


@pytest.mark.parametrize("scale", [1e-9, 1e-20])
def test_parameters_too_small_to_be_seen_are_given_larger_values(scale):
    made = trial(gate)
    parameters = {**made.network.parameters}
    parameters["a_inner_bias"] = (parameters["a_inner_bias"] * scale).astype(np.float32)
    verdict = prune(Network(made.network.json, INPUTS, parameters, {}), at_ratio(0.5)).verdict()
    (own,) = (own for own in verdict.witnesses if own.parameter == "a_inner_bias")
    assert own.evidence is Evidence.WITNESSED and "with larger values in its place" in own.reason
    assert verdict.proved


def test_dead_channels_are_witnessed_by_their_node_alone():
    made = trial(gate)
    parameters = {**made.network.parameters, "a_inner_bias": np.full(12, -100, np.float32)}
    parameters["a_inner_bias"][:2] = (0.1, 0.2)
    again = prune(Network(made.network.json, INPUTS, parameters, {}), at_ratio(0.5))
    (own,) = (own for own in again.verdict().witnesses if own.parameter == "a_outer_weight")
    assert own.evidence is Evidence.WITNESSED


def test_nothing_is_proved_where_no_value_arrives():
    def unused(x):
        return mx.sym.concat(branch(x, "a") * 0, x, dim=1)

    made = trial(unused)
    if made.pruned.slices:
        subject = made.subject()
        constant = {"x": np.zeros((3, 6), np.float32)}
        verdict = prove(subject, Examples(constant, constant))
        assert verdict.outcome is Outcome.NOT_PROVED
