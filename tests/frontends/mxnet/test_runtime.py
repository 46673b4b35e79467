"""Running models in MXNet, and comparing arrays."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest

from prunec.frontends.mxnet.sessions import infer_shapes, run
from prunec.support.comparison import doubt_about, relative_error
from prunec.support.diagnostics import PrunecError, render

NAN, INFINITY = float("nan"), float("inf")


def message(error: pytest.ExceptionInfo[PrunecError]) -> str:
    return render(error.value.diagnostics[0])


# --- comparing arrays: no MXNet needed -------------------------------------------------------


def array(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("expected", "actual", "error"),
    [
        (array(1, -4), array(1, -4), 0.0),
        (array(1, -4), array(1, -3), 0.25),
        (array(1, NAN), array(1, NAN), 0.0),
        (array(1, NAN), array(1, 2), INFINITY),
        (array(1, 2), array(1, NAN), INFINITY),
        (array(2, INFINITY), array(1, INFINITY), 0.5),
        (array(2, INFINITY), array(2, -INFINITY), INFINITY),
        (array(3e38), array(-3e38), 2.0),
    ],
)
def test_relative_error(expected, actual, error):
    assert relative_error(expected, actual) == pytest.approx(error, rel=1e-6)


def test_relative_error_of_zeros_is_not_hidden():
    assert relative_error(array(0, 0), array(0, 1e-3)) > 1


@pytest.mark.parametrize(
    ("expected", "other", "doubt"),
    [
        (array(0, 0, 0), array(1, 2, 3), "all its values are 0"),
        (array(7, 7, 7), array(1, 2, 3), "all its values are 7"),
        (array(0, 1, 0, 0), array(1, 2, 3, 4), "all its values are 0 or 1"),
        (array(NAN, INFINITY), array(1, 2), "it holds no finite value"),
        (array(), array(), "it holds no value"),
        (array(1, 2, 3), array(1, 2, 3), "it does not depend on the inputs"),
        (array(0), array(0), "all its values are 0"),
        (array(0.7), array(0.4), None),
        (array(0.7, 0.2, 0.1), array(0.4, 0.5, 0.1), None),
    ],
)
def test_doubt(expected, other, doubt):
    assert doubt_about(expected, other) == doubt


def test_without_mxnet_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mxnet", None)
    with pytest.raises(PrunecError) as error:
        run(b"{}", {}, {})
    assert "error[P700]: MXNet is not installed" in message(error)
    assert "pip install mxnet==1.9.1 'numpy<1.24', with Python 3.11 or older" in message(error)


# --- with MXNet ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mx():
    return pytest.importorskip("mxnet", reason="needs MXNet")


@pytest.fixture(scope="module")
def chain(mx):
    import networks

    case = networks.BUILDERS[0]()
    assert case.name == "chain"
    return case


@pytest.fixture
def parameters(chain):
    import networks

    return networks.random_parameters(chain.symbol, chain.inputs, seed=5)


@pytest.fixture
def data(chain):
    return {"data": np.random.default_rng(6).standard_normal(chain.inputs["data"]).astype(np.float32)}


def node(model: bytes, name: str) -> int:
    return [entry["name"] for entry in json.loads(model)["nodes"]].index(name)


def test_selected_values_of_the_graph(chain, parameters, data):
    shapes = infer_shapes(chain.json, chain.inputs)
    assert shapes[(node(chain.json, "conv2"), 0)] == (2, 10, 8, 8)
    assert shapes[(node(chain.json, "bn2"), 2)] == (10,)
    assert shapes[(node(chain.json, "bn1_moving_mean"), 0)] == (12,)
    selected = [*shapes]
    values = run(chain.json, parameters, data, selected)
    assert [value.shape for value in values] == [shapes[tensor] for tensor in selected]
    np.testing.assert_array_equal(values[selected.index((node(chain.json, "data"), 0))], data["data"])
    np.testing.assert_array_equal(values[-1], run(chain.json, parameters, data)[0])


def test_repeated_node_names(mx):
    x = mx.sym.var("x")
    symbol = mx.sym.broadcast_mul(mx.sym.sin(x, name="same"), mx.sym.cos(x, name="same"), name="same")
    value = np.linspace(0.5, 1.5, 6, dtype=np.float32)
    one, two = run(symbol.tojson().encode(), {}, {"x": value}, [(1, 0), (2, 0)])
    np.testing.assert_allclose(one, np.sin(value), rtol=1e-6)
    np.testing.assert_allclose(two, np.cos(value), rtol=1e-6)


def test_old_file_without_auxiliary_states(chain, parameters, data):
    document = json.loads(chain.json)
    gone = [i for i, entry in enumerate(document["nodes"]) if "_moving_" in entry["name"]]
    renumbered = {}
    for index in range(len(document["nodes"])):
        if index not in gone:
            renumbered[index] = len(renumbered)
    nodes = [document["nodes"][index] for index in renumbered]
    for entry in nodes:
        entry["inputs"] = [[renumbered[i], k, 0] for i, k, _ in entry["inputs"] if i in renumbered]
        if "attrs" in entry:
            entry["param" if entry["op"] != "null" else "attr"] = entry.pop("attrs")
    heads = [[renumbered[i], k] for i, k, *_ in document["heads"]]
    old = json.dumps({"nodes": nodes, "arg_nodes": [], "heads": heads}).encode()
    expected = run(chain.json, parameters, data, [(node(chain.json, "conv2"), 0)])
    actual = run(old, parameters, data, [(node(old, "conv2"), 0)])
    np.testing.assert_array_equal(actual[0], expected[0])
    assert infer_shapes(old, chain.inputs)[(node(old, "conv2"), 0)] == (2, 10, 8, 8)


def test_half_precision_parameters_run_in_single(chain, parameters, data):
    half = {name: value.astype(np.float16) for name, value in parameters.items()}
    output = run(chain.json, half, {"data": data["data"].astype(np.float64)})[0]
    assert output.dtype == np.float32
    assert 0 < relative_error(run(chain.json, parameters, data)[0], output) < 0.05


def test_environment_is_left_as_it_was(chain, parameters, data, monkeypatch):
    monkeypatch.setenv("MXNET_SUBGRAPH_BACKEND", "MKLDNN")
    monkeypatch.delenv("MXNET_SUBGRAPH_VERBOSE", raising=False)
    run(chain.json, parameters, data)
    assert os.environ["MXNET_SUBGRAPH_BACKEND"] == "MKLDNN"
    assert "MXNET_SUBGRAPH_VERBOSE" not in os.environ


# --- errors ----------------------------------------------------------------------------------


def test_missing_parameters_are_named(chain, parameters, data):
    del parameters["conv2_bias"], parameters["bn1_moving_var"]
    with pytest.raises(PrunecError) as error:
        run(chain.json, parameters, data)
    assert 'error[P702]: 2 parameter(s) are missing: "conv2_bias", "bn1_moving_var"' in message(error)


def test_parameters_of_a_wrong_shape_are_named(chain, parameters, data):
    parameters["bn1_moving_mean"] = parameters["bn1_moving_mean"][:5]
    parameters["fc_weight"] = parameters["fc_weight"].T
    with pytest.raises(PrunecError) as error:
        run(chain.json, parameters, data)
    assert "error[P703]: 2 parameter(s) do not fit the model" in message(error)
    assert '"fc_weight" has shape (10, 5), the model needs (5, 10)' in message(error)
    assert '"bn1_moving_mean" has shape (5,), the model needs (12,)' in message(error)


def test_unknown_input_is_named(chain, parameters, data):
    with pytest.raises(PrunecError) as error:
        run(chain.json, parameters, {"picture": data["data"]})
    assert 'error[P307]: the model has no input "picture"' in message(error)
    assert 'its inputs are "data"' in message(error)


def test_forgotten_input_is_named(chain, parameters):
    with pytest.raises(PrunecError) as error:
        run(chain.json, parameters, {})
    assert 'error[P705]: nothing is given for "data", and its shape is not known' in message(error)
    assert 'help: give the shape of the input "data"' in message(error)


@pytest.mark.parametrize(
    ("output", "reason"),
    [((1000, 0), "nodes, counted from 0"), ((3, 7), 'node 3, "conv1", has 1 output(s)'), ((-1, 0), "nodes")],
)
def test_output_that_does_not_exist(chain, parameters, data, output, reason):
    with pytest.raises(PrunecError) as error:
        run(chain.json, parameters, data, [output])
    assert f"error[P704]: output {output[1]} of node {output[0]} does not exist" in message(error)
    assert reason in message(error)


def test_unknown_operator(mx):
    model = {
        "nodes": [{"op": "Frobnicate", "name": "n", "inputs": []}],
        "arg_nodes": [],
        "heads": [[0, 0, 0]],
    }
    with pytest.raises(PrunecError) as error:
        run(json.dumps(model).encode(), {}, {})
    assert "error[P701]: MXNet cannot load the model" in message(error)
    assert "Operator Frobnicate is not registered" in message(error)
    assert ".cc" not in message(error) and "Traceback" not in message(error)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (b"{", "this is not an MXNet symbol file"),
        (b"\xff\xfe\x00", "this is not an MXNet symbol file"),
        (b"[1]", "it has no list of nodes"),
        (b'{"heads": []}', "it has no list of nodes"),
        (b'{"nodes": []}', "the model does not say what its outputs are"),
        (b'{"nodes": [], "heads": [[1]]}', "the model does not say what its outputs are"),
    ],
)
def test_not_a_model(mx, model, text):
    with pytest.raises(PrunecError) as error:
        run(model, {}, {})
    assert message(error).startswith("error[P701]: ") and text in message(error)


def test_input_shape_that_does_not_fit(chain, parameters):
    with pytest.raises(PrunecError) as error:
        run(chain.json, parameters, {"data": np.zeros((2, 3), np.float32)})
    assert "error[P701]: MXNet cannot infer the model's shapes" in message(error)
    assert "Error in operator conv1" in message(error)
