"""Which layers can be restored, and how they see what they read."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx")

from frontends.onnx.network import Net

from prunec.analysis.analyse import Analysis
from prunec.restoring.readers import Reader, find_readers
from restoring.models import analysis_of, reader_of, units_of


def read(analysis: Analysis, made: str = "made_w", axis: int = 0) -> tuple[Reader, np.ndarray]:
    """The reader of ``read_w``, and the units of what is made."""
    return reader_of(analysis, "read_w"), units_of(analysis, made, axis)


def check(
    reader: Reader,
    value: Sequence[int],
    weight: Sequence[int],
    tables: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    """The tables of a value and of the weight have these sizes, and both see the same cells."""
    assert reader.data.table(np.zeros(value)).shape == tables[0]
    assert reader.weight.table(np.zeros(weight)).shape == tables[1]
    shared, cells = reader.shape
    assert (tables[0][0], tables[0][3]) == (tables[1][0], tables[1][3]) == (shared, cells)
    assert tables[0][2] == tables[1][2] or tables[0][2] == 1


def image(net: Net, channels: int = 8, inputs: int = 3) -> str:
    return net.conv(net.input("x", "n", inputs, 4, 4), "made", inputs, channels, 1)


def closed(net: Net, y: str, rank: int) -> Analysis:
    net.output(y, rank)
    return analysis_of(net.proto())


def test_a_convolution() -> None:
    net = Net()
    reader, units = read(closed(net, net.conv(image(net), "read", 8, 5), 4))
    check(reader, (7, 8, 4, 4), (5, 8, 3, 3), ((1, 112, 1, 8), (1, 45, 1, 8)))
    assert [own.tolist() for own in reader.units] == [[units.tolist()]]
    gone = np.zeros(units.max() + 1, dtype=bool)
    gone[units[[1, 5]]] = True
    assert np.flatnonzero(reader.gone(gone)).tolist() == [1, 5]


@pytest.mark.parametrize("groups", [2, 4])
def test_a_grouped_convolution(groups: int) -> None:
    net = Net()
    y = net.conv(image(net), "read", 8, 12, group=groups)
    reader, units = read(closed(net, y, 4))
    each = 8 // groups
    sizes = ((groups, 112, 1, each), (groups, 9 * 12 // groups, 1, each))
    check(reader, (7, 8, 4, 4), (12, each, 3, 3), sizes)
    assert np.array_equal(reader.units[0], units.reshape(groups, each))
    x = np.broadcast_to(np.arange(8)[None, :, None, None], (1, 8, 4, 4))
    assert np.array_equal(reader.data.table(x)[:, 0, 0], np.arange(8).reshape(groups, each))
    w = np.broadcast_to(np.arange(12)[:, None, None, None], (12, each, 3, 3))
    assert np.array_equal(
        reader.weight.table(w)[:, :, 0, 0], np.repeat(np.arange(12).reshape(groups, -1), 9, axis=1)
    )


def test_a_depthwise_convolution() -> None:
    net = Net()
    y = net.conv(image(net), "read", 8, 8, group=8)
    reader, units = read(closed(net, net.conv(y, "next", 8, 2, 1), 4))
    check(reader, (7, 8, 4, 4), (8, 1, 3, 3), ((8, 112, 1, 1), (8, 9, 1, 1)))
    assert np.array_equal(reader.units[0][:, 0], units)


def test_transposed_convolutions() -> None:
    for groups in (1, 2):
        net = Net()
        weights = net.weight("read_w", 8, 6 // groups, 3, 3), net.weight("read_b", 6)
        y = net.op("ConvTranspose", image(net), *weights, group=groups)
        reader, units = read(closed(net, y, 4))
        each = 8 // groups
        sizes = ((groups, 112, 1, each), (groups, 54 // groups, 1, each))
        check(reader, (7, 8, 4, 4), (8, 6 // groups, 3, 3), sizes)
        assert np.array_equal(reader.units[0], units.reshape(groups, each))


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_dense_layer_on_what_was_flattened(transposed: int) -> None:
    """One matrix for all positions of a channel, whichever way the weight is stored."""
    net = Net()
    flat = net.op("Flatten", image(net))
    shape = (5, 128) if transposed else (128, 5)
    y = net.op("Gemm", flat, net.weight("read_w", *shape), transB=transposed)
    reader, units = read(closed(net, y, 2))
    check(reader, (7, 128), shape, ((1, 7, 16, 8), (1, 5, 16, 8)))
    assert np.array_equal(reader.units[0], units[None])
    rows = np.arange(128)
    assert np.array_equal(reader.data.table(rows[None])[0, 0], rows.reshape(8, 16).T)
    w = np.broadcast_to(rows if transposed else rows[:, None], shape)
    assert np.array_equal(reader.weight.table(w)[0, 3], rows.reshape(8, 16).T)


def test_products_with_a_constant_on_either_side() -> None:
    net = Net()
    made = net.dense(net.input("x", "n", 4, 3), "made", 3, 8)
    y = net.op("MatMul", made, net.weight("read_w", 8, 5))
    reader, units = read(closed(net, y, 3), axis=1)
    check(reader, (7, 4, 8), (8, 5), ((1, 28, 1, 8), (1, 5, 1, 8)))
    assert np.array_equal(reader.units[0], units[None])
    net = Net()
    made = net.op("MatMul", net.weight("made_w", 8, 3), net.input("x", "n", 3, 4))
    y = net.op("MatMul", net.weight("read_w", 5, 8), made)
    reader, units = read(closed(net, y, 3))
    check(reader, (7, 8, 4), (5, 8), ((1, 28, 1, 8), (1, 5, 1, 8)))
    assert np.array_equal(reader.units[0], units[None])


def test_the_values_of_attention_across_heads() -> None:
    net = Net()
    x = net.input("x", "n", 4, 6)
    parts = {}
    for name in ("query", "key", "value"):
        split = net.op("Reshape", net.dense(x, name, 6, 12), net.numbers(f"{name}_shape", [0, 4, 2, 6]))
        parts[name] = net.op("Transpose", split, perm=[0, 2, 3, 1] if name == "key" else [0, 2, 1, 3])
    scores = net.op("Softmax", net.op("MatMul", parts["query"], parts["key"]), axis=-1)
    mixed = net.op("Transpose", net.op("MatMul", scores, parts["value"]), perm=[0, 2, 1, 3])
    joined = net.op("Reshape", mixed, net.numbers("joined", [0, 4, 12]))
    analysis = closed(net, net.dense(joined, "read", 12, 5), 3)
    reader, units = read(analysis, "value_w", 1)
    check(reader, (7, 4, 12), (12, 5), ((1, 28, 1, 12), (1, 5, 1, 12)))
    assert np.array_equal(reader.units[0].reshape(-1), units)
    # The product of scores and values has no parameter, and is no reader.
    names = {own.parameter for own in find_readers(analysis)[0]}
    assert names == {"query_w", "key_w", "value_w", "read_w"}


def test_several_readers_of_one_tensor() -> None:
    net = Net()
    x = image(net)
    first, second = net.conv(x, "read", 8, 5, 1), net.conv(x, "other", 8, 5, 3)
    analysis = closed(net, net.op("Add", first, second), 4)
    one, other = reader_of(analysis, "read_w"), reader_of(analysis, "other_w")
    assert one.source == other.source and one.data == other.data
    assert one.weight.table(np.zeros((5, 8, 1, 1))).shape == (1, 5, 1, 8)
    assert other.weight.table(np.zeros((5, 8, 3, 3))).shape == (1, 45, 1, 8)


def test_what_is_joined_has_the_units_of_both() -> None:
    net = Net()
    x = net.input("x", "n", 3, 4, 4)
    joined = net.op("Concat", net.conv(x, "made", 3, 6, 1), net.conv(x, "more", 3, 4, 1), axis=1)
    analysis = closed(net, net.conv(joined, "read", 10, 5), 4)
    reader, units = read(analysis)
    both = np.concatenate([units, units_of(analysis, "more_w")])
    assert np.array_equal(np.max(reader.units, axis=0)[0], both)


def test_weights_of_several_layers_are_refused() -> None:
    net = Net()
    x = net.dense(net.input("x", "n", 6), "first", 6, 8)
    weight = net.weight("tied_w", 8, 8)
    y = net.op("MatMul", net.op("Relu", net.op("MatMul", x, weight)), weight)
    readers, others = find_readers(closed(net, y, 2))
    assert "tied_w" not in {own.parameter for own in readers}
    assert [own.reason for own in others] == ["several layers read its parameter tied_w"] * 2


def test_too_wide_a_layer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prunec.restoring.readers.WIDEST", 7)
    net = Net()
    readers, others = find_readers(closed(net, net.conv(image(net), "read", 8, 5), 4))
    assert [own.parameter for own in readers] == ["made_w"]
    assert [own.reason for own in others] == ["it reads 8 channels at once; at most 7 are fitted"]


#: Layers whose tables, multiplied, have to be what they compute.
BUILDERS: Mapping[str, Any] = {
    "pointwise": lambda net, x: net.conv(x, "read", 8, 6, 1),
    "grouped": lambda net, x: net.conv(x, "read", 8, 6, 1, group=2),
    "transposed": lambda net, x: net.op("ConvTranspose", x, net.weight("read_w", 8, 3, 1, 1), group=2),
    "flattened": lambda net, x: net.op("Gemm", net.op("Flatten", x), net.weight("read_w", 128, 5)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_tables_multiplied_are_what_a_layer_computes(name: str) -> None:
    pytest.importorskip("onnxruntime")
    net = Net()
    y = BUILDERS[name](net, image(net))
    analysis = closed(net, y, 4 if name != "flattened" else 2)
    reader = reader_of(analysis, "read_w")
    model: Any = analysis.model
    inputs = {"x": np.random.default_rng(0).standard_normal((3, 3, 4, 4)).astype(np.float32)}
    tensors = [reader.source, analysis.model.graph.outputs[0]]
    source, output = model.runtime().session(inputs, tensors).run(inputs)
    found = np.einsum(
        "snpc,sopc->nso", reader.data.table(source), reader.weight.table(model.parameter("read_w"))
    )
    bias = model.parameter("read_b") if "read_b" in model.parameter_shapes else 0.0
    rows = output if output.ndim == 2 else np.moveaxis(output, 1, -1)
    assert np.allclose(found.reshape(-1, rows.shape[-1]) + bias, rows.reshape(-1, rows.shape[-1]), atol=1e-4)
