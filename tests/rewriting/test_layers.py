"""The channels that tables speak of a layer by."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net, prune

from prunec.rewriting.layers import layers


@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_layers_have_the_channels_of_their_state(directions: int, state: bool) -> None:
    """Not those of directions or samples, whether the state is given or not."""
    net = Net()
    way = "forward" if directions == 1 else "bidirectional"
    weights = [net.weight("w", directions, 32, 3), net.weight("r", directions, 32, 8)]
    first = [net.input("h", directions, 2, 8), net.input("c", directions, 2, 8)] if state else []
    x = net.input("x", 5, 2, 3)
    y, *_ = net.op("LSTM", x, *weights, "", "", *first, outputs=3, hidden_size=8, direction=way)
    net.output(net.op("MatMul", y, net.weight("fc_w", 8, 5)), 4)
    result = prune(net.proto(), strict=True)
    found = {own.operator: own.channels for own in layers(result.analysis, result.pruned)[0]}
    assert found == {"LSTM": (8, 8 if state else 4), "MatMul": (5, 5)}
