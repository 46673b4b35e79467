"""The test networks themselves: they run, nothing in them is idle, and what they say of themselves holds."""

from __future__ import annotations

import numpy as np
import pytest

mx = pytest.importorskip("mxnet", reason="needs MXNet")

import networks  # noqa: E402

from prunec.frontends.mxnet.sessions import infer_shapes, run  # noqa: E402
from prunec.support.comparison import doubt_about, draw  # noqa: E402


def doubts(model, parameters, inputs):
    """What each output lacks that a comparison could rest on."""
    first, second = (run(model, parameters, draw(inputs, seed, others=bool(seed))) for seed in (0, 1))
    return [doubt_about(a, b) for a, b in zip(first, second)]


@pytest.mark.parametrize("build", networks.BUILDERS, ids=lambda build: build.__name__)
def test_network_runs_and_answers_to_its_inputs(build):
    case = build()
    assert case.name == build.__name__
    shapes = infer_shapes(case.json, case.inputs)
    assert shapes and all(all(size > 0 for size in shape) for shape in shapes.values())
    parameters = networks.random_parameters(case.symbol, case.inputs, seed=1)
    values = networks.random_inputs(case, seed=2)
    inputs = {name: values[name] if name in case.integers else shape for name, shape in case.inputs.items()}
    assert set(doubts(case.json, parameters, inputs)) == {None}


@pytest.mark.parametrize("build", networks.BUILDERS, ids=lambda build: build.__name__)
def test_network_speaks_of_parameters_it_has(build):
    case = build()
    parameters = networks.random_parameters(case.symbol, case.inputs, seed=1)
    groups = (set(case.removable), set(case.kept), set(case.approximate))
    for parameter, axis in set().union(*groups):
        assert parameter in parameters and 0 <= axis < parameters[parameter].ndim, (parameter, axis)
    for parameter, axis in {*case.removable, *case.approximate}:
        assert parameters[parameter].shape[axis] > 1, f"{parameter} has nothing to remove on axis {axis}"
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]
    assert groups[0] | groups[2]


def test_networks_are_named_apart_and_built_alike_each_time():
    assert len({build.__name__ for build in networks.BUILDERS}) == len(networks.BUILDERS)
    first, second = ([build().json for build in networks.BUILDERS[:5]] for _ in range(2))
    assert first == second


def test_random_parameters_are_distinct_and_neither_zero_nor_one():
    case = networks.BUILDERS[0]()
    parameters = networks.random_parameters(case.symbol, case.inputs, seed=3)
    values = np.concatenate([value.ravel() for value in parameters.values()])
    assert len(np.unique(values)) > 0.99 * len(values)
    assert not np.isin(values, (0.0, 1.0)).any()
    again = networks.random_parameters(case.symbol, case.inputs, seed=3)
    assert all((parameters[name] == again[name]).all() for name in parameters)


def test_zoo_has_every_network_of_the_model_zoo():
    assert len(networks.SMALLEST) == 34


@pytest.mark.parametrize("name", ["resnet18_v2", "mobilenetv2_0.25", "squeezenet1.1"])
def test_zoo_network_runs_at_its_smallest_size(name):
    symbol, inputs = networks.zoo(name)
    assert symbol.tojson() == networks.zoo(name)[0].tojson()
    parameters = networks.random_parameters(symbol, inputs, seed=1)
    model = symbol.tojson().encode()
    assert doubts(model, parameters, inputs) == [None]
    assert infer_shapes(model, inputs)[max(infer_shapes(model, inputs))] == (1, 1000)
