"""What a few bytes can ask for: time and memory stay in proportion to the file."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")

from frontends.onnx.network import RULES  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.channels.execute import MAXIMUM_ATOMS, Room  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402
from prunec.support.diagnostics import PrunecError  # noqa: E402

WEIGHT = numpy_helper.from_array(np.ones((8, 3, 1, 1), np.float32), "w")
CONV = helper.make_node("Conv", ["x", "w"], ["p0"])


def model(nodes: list[Any], *held: Any) -> Any:
    inputs = [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(held))
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return model_of(proto.SerializeToString(), Path("model.onnx"))


def doubled(times: int) -> list[Any]:
    return [helper.make_node("Concat", [f"p{n}"] * 2, [f"p{n + 1}"], axis=1) for n in range(times)]


def padded(times: int) -> list[Any]:
    return [helper.make_node("Pad", [f"p{n}", "pads"], [f"p{n + 1}"]) for n in range(times)]


@pytest.mark.parametrize(
    ("nodes", "held"),
    [
        ([CONV, *doubled(22), helper.make_node("Relu", ["p22"], ["y"])], [WEIGHT]),
        (
            [*doubled(22), helper.make_node("Reshape", ["x", "p22"], ["y"])],
            [numpy_helper.from_array(np.array([[1, 2]]), "p0")],
        ),
        (
            [CONV, *padded(30), helper.make_node("Relu", ["p30"], ["y"])],
            [WEIGHT, numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 1 << 20, 0, 0]), "pads")],
        ),
    ],
)
def test_sizes_that_grow_and_grow(nodes: list[Any], held: list[Any]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PrunecError, match="P408"):
        analyse(model(nodes, *held), RULES)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KB


def test_models_with_many_parameters_have_more_room() -> None:
    assert Room(0).most == Room(1000).most < Room(4_000_000).most < Room(10**12).most == MAXIMUM_ATOMS
    room = Room(0)
    room.take(room.most)
    with pytest.raises(PrunecError, match="P408"):
        room.take(1)


MANY = 4000


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Concat", ["p0"] * MANY, ["y"], axis=1)],
        [helper.make_node("Sum", ["p0"] * MANY, ["y"])],
        [
            helper.make_node("Concat", ["p0"] * MANY, ["c"], axis=1),
            helper.make_node("Split", ["c"], [f"s{n}" for n in range(MANY)], axis=1),
            helper.make_node("Sum", [f"s{n}" for n in range(MANY)], ["y"]),
        ],
    ],
)
def test_nodes_of_thousands_of_tensors(nodes: list[Any]) -> None:
    start = time.process_time()
    analyse(model([CONV, *nodes], WEIGHT), RULES)
    # Quadratic work took minutes.
    assert time.process_time() - start < 20
