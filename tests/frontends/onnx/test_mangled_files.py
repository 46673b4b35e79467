"""Files with a few bytes changed, and models with a few parts changed: pruned, or refused with a message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

from frontends.onnx import patterns, transformers  # noqa: E402
from frontends.onnx.network import RULES, Net  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.channels.removal import uniform  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402
from prunec.frontends.onnx.text import graph_text  # noqa: E402
from prunec.rewriting.emit import emit  # noqa: E402
from prunec.support.diagnostics import PrunecError, render_all  # noqa: E402

BUILDERS = (
    patterns.shuffle,
    patterns.slice_channels,
    patterns.split_by_input,
    patterns.pad_some_axes,
    patterns.resize,
    patterns.deconvolution,
    patterns.shape_computed,
    patterns.flatten_map,
    patterns.tile_and_expand,
    patterns.lstm,
    transformers.computed_shapes,
    transformers.grouped_queries,
)
MODELS = [build().proto for build in BUILDERS]
OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain})
SIZES = st.sampled_from([0, 1, -1, 2, -2, 3, 7, 100, 10**6, 2**31 - 1, 2**62, 2**63 - 1, -(2**63)])
VALUES = st.one_of(
    SIZES,
    st.lists(SIZES, min_size=1, max_size=8),
    st.sampled_from([1.5, float("nan"), float("inf"), "text", [1.0, 2.5], ["text"]]),
)
ATTRIBUTES = st.sampled_from(
    ["axis", "axes", "perm", "group", "pads", "kernel_shape", "split", "scales", "to"]
)

GENTLE = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def prune_or_refuse(data: bytes) -> str:
    """What becomes of a file: the message with which it is refused, nothing where it is pruned."""
    try:
        analysis = analyse(model_of(data, Path("model.onnx")), RULES)
        pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
        assert graph_text(pruned.model).startswith("model ")
        return ""
    except PrunecError as error:
        text = render_all(error.diagnostics)
        assert text.startswith("error[P") and "\n  help: " in text, text
        return text


@GENTLE
@given(
    st.sampled_from([proto.SerializeToString() for proto in MODELS]),
    st.lists(
        st.tuples(st.integers(0, 1500), st.integers(0, 2), st.binary(max_size=3)), min_size=1, max_size=3
    ),
)
def test_bytes_changed(data, changes):
    mangled = bytearray(data)
    for place, gone, new in changes:
        mangled[place : place + gone] = new
    prune_or_refuse(bytes(mangled))


def choose(data, values):
    return data.draw(st.sampled_from(list(values)))


def names(graph):
    return [
        "",
        "x",
        *(t.name for t in graph.initializer),
        *(name for node in graph.node for name in node.output),
    ]


def another_attribute(data, graph, node):
    existing = [a.name for a in node.attribute]
    name = choose(data, existing) if existing else data.draw(ATTRIBUTES)
    kept = [a for a in node.attribute if a.name != name]
    new = [helper.make_attribute(name, data.draw(VALUES))] if data.draw(st.booleans()) else []
    copies = [onnx.AttributeProto.FromString(a.SerializeToString()) for a in [*kept, *new]]
    del node.attribute[:]
    node.attribute.extend(copies)


def another_input(data, graph, node):
    kept = list(node.input)[: data.draw(st.integers(0, len(node.input)))]
    node.input[:] = [*kept, *data.draw(st.lists(st.sampled_from(names(graph)), max_size=2))]


def another_operator(data, graph, node):
    node.op_type = choose(data, OPERATORS)


def another_constant(data, graph, node):
    tensor = choose(data, graph.initializer)
    if tensor.data_type == onnx.TensorProto.INT64:
        array = np.array(data.draw(st.lists(SIZES, max_size=5)), np.int64)
    else:
        shape = choose(data, [(), (0,), (1,), (3,), (2, 3), (8, 3, 3, 3), (8, 0, 1), (1, 1, 1, 1, 1)])
        array = np.ones(shape, choose(data, [np.float32, np.float16, np.int64, np.bool_, np.complex64]))
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def another_size(data, graph, node):
    shape = graph.input[0].type.tensor_type.shape
    dim = choose(data, shape.dim)
    dim.Clear()
    dim.dim_value = data.draw(SIZES)


def one_node_less(data, graph, node):
    graph.node.remove(node)


CHANGES = (
    another_attribute,
    another_input,
    another_operator,
    another_constant,
    another_size,
    one_node_less,
)


@settings(GENTLE, max_examples=150)
@given(st.data())
def test_parts_changed(data):
    proto = onnx.ModelProto()
    proto.CopyFrom(choose(data, MODELS))
    for change in data.draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)):
        change(data, proto.graph, choose(data, proto.graph.node))
    prune_or_refuse(proto.SerializeToString())


def test_names_that_are_not_text():
    data = patterns.chain().proto.SerializeToString()
    text = prune_or_refuse(data.replace(b"Relu_1", b"Relu\xff\xfe"))
    assert "error[P331]: not an ONNX model" in text and "note: a name in it is not UTF-8 text" in text


@pytest.mark.parametrize(
    ("operator", "attributes", "headline"),
    [
        ("Flatten", {"axis": 2**63 - 1}, "*a would stand for 9,223,372,036,854,775,807 axes"),
        ("Split", {"num_outputs": 2**40, "axis": 1}, "outputs would stand for 1,099,511,627,776 tensors"),
    ],
)
def test_attributes_beyond_any_model(operator, attributes, headline):
    net = Net(opset=18)
    x = net.op(operator, patterns.start(net), **attributes)
    net.output(x, 4)
    graph = helper.make_graph(net.nodes, "network", net.inputs, net.outputs, net.initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    assert f"error[P404]: {headline}" in prune_or_refuse(proto.SerializeToString())


def test_more_channels_than_can_be_followed():
    """Channels flattened together with more samples than any memory holds."""
    net = Net()
    x = net.conv(net.input("x", 2**36, 3, 8, 8), "c1", 3, 8)
    x = net.op("Flatten", x, axis=2)
    net.output(net.op("Concat", x, x, axis=0), 2)
    text = prune_or_refuse(net.proto().SerializeToString())
    assert "error[P408]: the model has more channels than can be analysed" in text


def test_steps_of_zero_and_permutations_of_nothing():
    net = Net()
    x = patterns.start(net)
    numbers = [net.numbers(n, v) for n, v in (("s", [0]), ("e", [4]), ("axis", [2]), ("step", [0]))]
    net.output(net.op("Slice", x, *numbers), 4)
    net.output(net.op("Transpose", net.op("ReduceSum", x, keepdims=0), perm=[0]), 1)
    graph = helper.make_graph(net.nodes, "network", net.inputs, net.outputs, net.initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    assert "error[P404]: (0,) is not an order of 0 axes" in prune_or_refuse(proto.SerializeToString())
