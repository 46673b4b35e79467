"""Networks with open sizes, pruned without being told any: what is written states no shape that is stale."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from masked import masked_model  # noqa: E402

from frontends.onnx import open_sizes  # noqa: E402
from frontends.onnx.network import RULES  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.channels.layout import Layout  # noqa: E402
from prunec.channels.propagate import Channels  # noqa: E402
from prunec.channels.removal import uniform  # noqa: E402
from prunec.embedded.onnx_edits import MessageEdits, apply_edits  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402
from prunec.language.library import load  # noqa: E402
from prunec.rewriting.emit import emit  # noqa: E402
from prunec.rewriting.shrink import Shrinker  # noqa: E402

TOLERANCE = 1e-4


def pruned_blindly(proto, strict=True, seed=0):
    """The smaller model, the masked original, and the axes that became shorter."""
    model = model_of(proto.SerializeToString(), Path("network.onnx"))
    analysis = analyse(model, RULES, strict)
    scores = np.random.default_rng(seed).random(analysis.solution.unit_count)
    pruned = emit(analysis, uniform(analysis.solution, 0.5, scores))
    cut = {
        (own.name, axis)
        for own in pruned.slices
        for axis, (before, after) in enumerate(zip(own.shape, own.new_shape))
        if before != after
    }
    return pruned, masked_model(model, pruned.slices), cut


def session(data):
    return onnxruntime.InferenceSession(data, open_sizes.quiet(), providers=["CPUExecutionProvider"])


def stated(data):
    """The shapes that a file states of inner values."""
    return {
        value.name: tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in onnx.load_from_string(data).graph.value_info
    }


@pytest.mark.parametrize("build", open_sizes.BUILDERS, ids=lambda build: build.__name__)
def test_no_shape_is_stale(build):
    pattern = build()
    pruned, masked, cut = pruned_blindly(pattern.proto)
    assert not [pair for pair in pattern.removable if pair not in cut], cut
    assert not [pair for pair in pattern.kept if pair in cut], cut
    onnx.checker.check_model(pruned.model, full_check=True)
    smaller, original = session(pruned.model), session(masked)
    assert len(pattern.others) == 3
    for shapes in pattern.others:
        feeds = open_sizes.feeds(pattern.proto, shapes, seed=1)
        for expected, actual in zip(original.run(None, feeds), smaller.run(None, feeds)):
            assert expected.shape == actual.shape
            assert np.abs(expected).max() > 1e-3
            assert np.abs(expected - actual).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("build", open_sizes.BUILDERS, ids=lambda build: build.__name__)
def test_every_stated_shape_is_that_of_a_run(build):
    """Stricter than onnx, which does not look behind what it cannot infer."""
    pattern = build()
    data = pruned_blindly(pattern.proto)[0].model
    shapes = stated(data)
    watched = onnx.load_from_string(data)
    outputs = {value.name for value in watched.graph.output}
    names = [name for name in shapes if name not in outputs]
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    runs = [
        session(watched.SerializeToString()).run(names, open_sizes.feeds(pattern.proto, own))
        for own in pattern.others
    ]
    before = stated(pattern.proto.SerializeToString())
    for name, *arrays in zip(names, *runs):
        for axis, size in enumerate(shapes[name]):
            seen = {array.shape[axis] for array in arrays}
            assert not isinstance(size, int) or size == 0 or seen == {size}, name
        open_before = [size if isinstance(size, str) else None for size in before[name]]
        assert [size for size in shapes[name] if isinstance(size, str)] == [
            old for old, new in zip(open_before, shapes[name]) if old is not None and new == old
        ]


def test_an_open_size_keeps_its_name():
    pattern = open_sizes.flatten_operator()
    shapes = stated(pruned_blindly(pattern.proto)[0].model)
    assert shapes["Relu_0"] == ("n", 4, 8, 8)
    assert shapes["Flatten_0"] == ("n", 16)


def test_the_size_of_a_product_with_an_open_factor_is_not_known():
    """Axes: open times eight that are cut, an even number that is open, an open one, eight that are cut."""
    solution = SimpleNamespace(unit_of_atom=np.arange(8))
    shrinker = Shrinker(solution, np.arange(8) % 4 == 0)
    layout = Layout(((None, 8), (2, None), (None,), (8,)), ((1,), (5,)), (True, True))
    channels = Channels(layout, (np.arange(8), np.arange(8)), (-1,) * 6)
    assert shrinker.shrunk_axes(channels) == {0: None, 3: 6}


def test_sizes_that_are_not_known_are_left_out_and_none_is_added():
    proto = open_sizes.convolutions().proto
    value = proto.graph.value_info[0]
    dims = value.type.tensor_type.shape.dim
    dims[2].Clear()
    apply_edits(proto, MessageEdits(shapes={value.name: {0: None, 1: 3, 2: 4, 9: 5}}, unstated=["Relu_0"]))
    assert [dim.WhichOneof("value") for dim in dims] == [None, "dim_value", None, "dim_param"]
    assert dims[1].dim_value == 3
    assert "Relu_0" not in [value.name for value in proto.graph.value_info]
    assert "Relu_1" in [value.name for value in proto.graph.value_info]


def test_what_functions_state_of_inner_shapes_goes_where_they_shrink(tmp_path):
    """Two functions of the model, of which a rule describes one; it calls a third."""
    net = open_sizes.Net(opset=18)
    x = net.op("Twice", open_sizes.image(net), domain="own")
    x = net.op("Other", net.conv(x, "c2", 8, 6), domain="own")
    net.output(x, 4)
    proto = net.proto(["own"])
    imports = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("own", 1)]
    for name, kind, domain in (("Twice", "Inner", "own"), ("Inner", "Relu", ""), ("Other", "Neg", "")):
        nodes = [
            onnx.helper.make_node(kind, ["a"], ["b"], domain=domain),
            onnx.helper.make_node("Abs", ["b"], ["c"]),
        ]
        own = onnx.helper.make_function("own", name, ["a"], ["c"], nodes, imports)
        own.value_info.append(onnx.helper.make_tensor_value_info("b", 1, ["n", 8, 8, 8]))
        proto.functions.append(own)
    rules = tmp_path / "own.prune"
    rules.write_text("## Applied to each element.\nop own::Twice { x[*n] -> y[*n]  zero y if x }\n")
    model = model_of(proto.SerializeToString(), Path("network.onnx"))
    analysis = analyse(model, load(["onnx.prune", str(rules)]))
    removed = uniform(analysis.solution, 0.5, np.arange(analysis.solution.unit_count, dtype=float))
    smaller = onnx.load_from_string(emit(analysis, removed).model)
    assert {own.name: len(own.value_info) for own in smaller.functions} == {
        "Twice": 0,
        "Inner": 0,
        "Other": 1,
    }
