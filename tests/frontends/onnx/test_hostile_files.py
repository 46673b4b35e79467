"""Files that are damaged, or made to do harm: refused with a message, and nothing else happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from prunec.frontends.onnx.graph import attributes_of  # noqa: E402
from prunec.frontends.onnx.model import model_of, read_model  # noqa: E402
from prunec.frontends.onnx.sessions import open_session  # noqa: E402
from prunec.frontends.onnx.text import graph_text  # noqa: E402
from prunec.support.diagnostics import PrunecError, render_all  # noqa: E402

HERE = Path("model.onnx")


def proto(*initializers, nodes=None, inputs=None):
    nodes = nodes or [helper.make_node("Relu", ["x"], ["y"])]
    inputs = inputs or [helper.make_tensor_value_info("x", 1, [2, 3])]
    outputs = [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def message(data, path=HERE, shapes=()):
    with pytest.raises(PrunecError) as caught:
        if data is None:
            read_model(path)
        else:
            model_of(data if isinstance(data, bytes) else data.SerializeToString(), path, dict(shapes))
    return render_all(caught.value.diagnostics)


def tensor(**changes):
    made = numpy_helper.from_array(np.ones((2, 3), np.float32), "w")
    for name, value in changes.items():
        if name == "dims":
            made.dims[:] = value
        else:
            setattr(made, name, value)
    return made


def test_files_that_cannot_be_read(tmp_path):
    assert "error[P301]: cannot read the model" in message(None, tmp_path / "missing.onnx")
    assert "it is not a file" in message(None, Path("/dev/null"))
    (tmp_path / "big.onnx").touch()
    os.truncate(tmp_path / "big.onnx", (1 << 31) + 1)
    text = message(None, tmp_path / "big.onnx")
    assert "error[P302]: the model file is too large" in text and "external data" in text


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"PK\x03\x04 a zip file", b"{}"])
def test_bytes_that_are_no_model(data):
    assert "error[P331]: not an ONNX model" in message(data)


def test_empty_file_and_file_without_operators():
    assert "it holds no graph" in message(b"")
    model = proto()
    del model.opset_import[:]
    assert "it does not say which version of the operators it uses" in message(model)


@pytest.mark.parametrize("cut", [10, 50, 90])
def test_truncated_file(cut):
    data = proto(tensor(), nodes=[helper.make_node("Add", ["x", "w"], ["y"])]).SerializeToString()
    text = message(data[: len(data) * cut // 100])
    assert text.startswith("error[P3")


@pytest.mark.parametrize(("version", "advice"), [(6, "version_converter"), (999, "install a newer onnx")])
def test_versions_that_are_not_read(version, advice):
    model = proto()
    model.opset_import[0].version = version
    text = message(model)
    assert "error[P332]: the model's operators are of a version that is not read" in text and advice in text


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"dims": [1 << 40, 1 << 40]}, "is none that an array can have"),
        ({"dims": [-1, 3]}, "is none that an array can have"),
        ({"dims": [0, 1 << 62, 1 << 62]}, "is none that an array can have"),
        ({"dims": [1 << 62, 0]}, "is none that an array can have"),
        ({"dims": [1] * 40}, "is none that an array can have"),
        ({"dims": [2, 4]}, "it has 24 bytes, its shape and type need 32"),
        ({"dims": [1 << 30, 1 << 10]}, "its shape and type need 4398046511104"),
        ({"data_type": 77}, "the element type 77 is not known"),
        ({"data_type": 0}, "the element type 0 is not known"),
        ({"data_type": TensorProto.DOUBLE}, "it has 24 bytes, its shape and type need 48"),
    ],
)
def test_tensors_that_cannot_be(changes, note):
    text = message(proto(tensor(**changes)))
    assert "error[P333]: a tensor that cannot be read" in text and note in text and "tensor 'w'" in text


@pytest.mark.parametrize("number", [99, -1])
def test_inputs_of_an_unknown_type(number):
    model = proto()
    model.graph.input[0].type.tensor_type.elem_type = number
    assert f"the element type {number} is not known" in message(model)
    model = proto()
    model.graph.output[0].type.tensor_type.elem_type = number
    assert f"output y: type {number}\n" in graph_text(model.SerializeToString())


def test_typed_fields_are_counted():
    made = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])
    made.dims[:] = [1 << 33]
    assert "it has 4 elements, its shape needs 8589934592" in message(proto(made))


def external(location, **entries):
    made = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        made.external_data.add(key=key, value=value)
    return made


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "../secret.bin",
        "a/../../secret.bin",
        "C:\\secret.bin",
        "\\\\host\\share",
        "..\\secret",
        "",
    ],
)
def test_external_data_outside_of_the_folder(location, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(24))
    opened = []
    monkeypatch.setattr(os, "stat", lambda *a, **k: opened.append(a) or (_ for _ in ()).throw(OSError()))
    text = message(proto(external(location)), tmp_path / "model" / "model.onnx")
    assert "error[P334]: external data outside of the model's folder" in text
    assert not opened


def test_external_data_behind_a_link(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(24))
    (tmp_path / "model" / "w.bin").symlink_to(tmp_path / "secret.bin")
    text = message(proto(external("w.bin")), tmp_path / "model" / "model.onnx")
    assert "error[P334]" in text and "is a link that leads elsewhere" in text


def test_external_data_that_are_missing_or_short(tmp_path):
    path = tmp_path / "model.onnx"
    assert "error[P335]: external data are missing" in message(proto(external("w.bin")), path)
    (tmp_path / "w.bin").write_bytes(bytes(20))
    assert "w.bin has 20 bytes, 24 are needed" in message(proto(external("w.bin")), path)
    (tmp_path / "w.bin").write_bytes(bytes(30))
    assert "34 are needed" in message(proto(external("w.bin", offset="10")), path)
    assert "the offset of its external data is '-1'" in message(proto(external("w.bin", offset="-1")), path)
    text = message(proto(external("w.bin", length="99999999999")), path)
    assert "its external data have 99999999999 bytes, its shape and type need 24" in text
    (tmp_path / "folder").mkdir()
    assert "error[P335]" in message(proto(external("folder")), path)


def holding(tensor):
    """Models that have a tensor anywhere but among the constants of the graph."""
    shape = numpy_helper.from_array(np.array([2, 3]), "shape")
    value = helper.make_tensor_value_info("z", 1, None)
    branch = helper.make_graph([helper.make_node("Relu", ["w"], ["z"])], "b", [], [value], [tensor])
    places = numpy_helper.from_array(np.zeros(1, np.int64), "places")
    sparse = onnx.SparseTensorProto(values=tensor, indices=places, dims=[2, 3])
    relu = helper.make_node("Relu", ["x"], ["y"])
    opset = [helper.make_opsetid("", 17)]
    yield proto(shape, nodes=[helper.make_node("ConstantOfShape", ["shape"], ["y"], value=tensor)])
    yield proto(nodes=[helper.make_node("Own", ["x"], ["y"], domain="my.own", any=tensor)])
    yield proto(nodes=[helper.make_node("Own", ["x"], ["y"], domain="my.own", any=[tensor])])
    yield proto(nodes=[helper.make_node("Own", [], ["k"], domain="my.own", value=tensor), relu])
    yield proto(nodes=[helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)])
    yield proto(nodes=[helper.make_node("Constant", [], ["k"], sparse_value=sparse), relu])
    nodes = [helper.make_node("ConstantOfShape", ["a"], ["b"], value=tensor)]
    model = proto(nodes=[relu])
    model.functions.append(helper.make_function("my.own", "F", ["a"], ["b"], nodes, opset))
    yield model
    model = proto()
    model.graph.sparse_initializer.append(sparse)
    yield model
    model = proto()
    model.training_info.add().initialization.initializer.append(tensor)
    yield model


@pytest.mark.parametrize("location", ["pipe", "../pipe", "/dev/zero", "file"])
def test_no_other_tensors_have_external_data(tmp_path, monkeypatch, location):
    """A library would look for them in the current folder, and wait for a pipe for ever."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    for place in (tmp_path, tmp_path / "sub"):
        os.mkfifo(place / "pipe")
        (place / "file").write_bytes(b"\0\0\x80?")
    stray = external(location, offset="0", length="4")
    stray.dims[:] = [1]
    for model in holding(stray):
        assert "error[P334]: external data in a place where they are not read" in message(model)
        with pytest.raises(PrunecError, match="P334"):
            open_session(model.SerializeToString())


def test_a_single_element_is_not_looked_for_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"\0\0\x80?")
    stray = external("file", offset="0", length="4")
    stray.dims[:] = [1]
    node = helper.make_node("ConstantOfShape", ["x"], ["y"], value=stray)
    assert attributes_of(node) == {}
    del stray.external_data[:]
    stray.data_location = TensorProto.DEFAULT
    stray.raw_data = b"\0\0\x80?"
    assert attributes_of(helper.make_node("ConstantOfShape", ["x"], ["y"], value=stray)) == {"value": 1.0}


def test_a_session_opens_nothing_outside_of_its_folder(tmp_path):
    model = proto(external("../w.bin"), nodes=[helper.make_node("Add", ["x", "w"], ["y"])])
    (tmp_path / "w.bin").write_bytes(bytes(24))
    (tmp_path / "sub").mkdir()
    with pytest.raises(PrunecError, match="P334"):
        open_session(model.SerializeToString(), tmp_path / "sub")


def test_nodes_in_a_circle():
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    nodes.append(helper.make_node("Relu", ["b"], ["y"]))
    text = message(proto(nodes=nodes))
    assert "error[P337]: the nodes of the model form a circle" in text and 'the node "a"' in text


def test_values_that_are_defined_twice_or_nowhere():
    twice = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["x"], ["y"])]
    assert 'error[P336]: the value "y" is defined twice' in message(proto(nodes=twice))
    nowhere = [helper.make_node("Relu", ["ghost"], ["y"], name="n")]
    text = message(proto(nodes=nowhere))
    assert 'error[P336]: the value "ghost" is defined nowhere' in text and 'the node "n" refers to it' in text
    again = [helper.make_node("Relu", ["x"], ["w"]), helper.make_node("Relu", ["w"], ["y"])]
    assert 'the value "w" is defined twice' in message(proto(tensor(), nodes=again))


def test_inputs_that_are_none():
    text = message(proto(), shapes={"data": (1, 3)})
    assert 'error[P307]: the model has no input "data"' in text and "its inputs are x" in text
    text = message(proto(), shapes={"x": (1, 4)})
    assert 'the shape given for the input "x" is not the model\'s' in text
    assert "the model declares (2, 3), given was (1, 4)" in text


def test_nodes_out_of_order_are_read_in_order():
    nodes = [helper.make_node("Relu", ["a"], ["y"]), helper.make_node("Tanh", ["x"], ["a"])]
    model = model_of(proto(nodes=nodes).SerializeToString(), HERE)
    assert [node.operator for node in model.graph.nodes if node.operator] == ["Tanh", "Relu"]


def test_names_with_control_characters_are_shown_harmless():
    nodes = [helper.make_node("Relu", ["gh\x1b[31most"], ["y"])]
    text = message(proto(nodes=nodes))
    assert "\x1b" not in text and "gh\\u001b[31most" in text


def test_huge_values_are_not_computed():
    """A shape of a billion times a billion elements is a number in a file, no array."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Range", ["zero", "limit", "one"], ["row"]),
        helper.make_node("ReduceMax", ["row"], ["last"], keepdims=0),
        helper.make_node("Cast", ["last"], ["number"], to=1),
        helper.make_node("Add", ["sum", "number"], ["offset"]),
        helper.make_node("Add", ["x", "offset"], ["y"]),
    ]
    made = [
        numpy_helper.from_array(np.array([10**9, 10**9]), "shape"),
        numpy_helper.from_array(np.array(0), "zero"),
        numpy_helper.from_array(np.array(10**15), "limit"),
        numpy_helper.from_array(np.array(1), "one"),
    ]
    from prunec.analysis.analyse import analyse
    from prunec.language.library import load

    model = model_of(proto(*made, nodes=nodes).SerializeToString(), HERE)
    with pytest.raises(PrunecError) as caught:
        analyse(model, load(["onnx.prune"]))
    text = render_all(caught.value.diagnostics)
    assert "error[P408]: the model has more channels than can be analysed" in text


def test_deep_nesting_is_refused():
    graph = b""
    for _ in range(300):
        # A graph holds a node, which holds an attribute, which holds a graph.
        graph = _field(1, _field(5, _field(6, graph)))
    assert "error[P331]: not an ONNX model" in message(_field(8, b"\x10\x11") + _field(7, graph))


def _field(number: int, payload: bytes) -> bytes:
    length, size = b"", len(payload)
    while True:
        length += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
        if not size:
            return bytes([number << 3 | 2]) + length + payload


def test_sparse_tensors_that_cannot_be():
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "places")
    model = proto()
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 40, 1 << 40]))
    text = message(model)
    assert "error[P333]: a tensor that cannot be read" in text and "tensor 's'" in text


def _groups(tmp_path, nodes, initializers=(), shape=(2, 6), command=("groups",)):
    """The exit status of a command on a model of some nodes from ``x`` to ``y``, and what it said."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializers,
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    command, *options = command
    words = [sys.executable, "-m", "prunec", command, str(path), *options]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert "P999" not in ran.stderr, ran.stderr
    return ran


def _weight(name, *shape):
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def test_a_size_that_no_number_of_the_model_holds(tmp_path):
    """How many elements a tensor has may be more than any integer of a model."""
    count = [helper.make_node("Size", ["x"], ["n"]), helper.make_node("Reshape", ["w", "n"], ["y"])]
    ran = _groups(tmp_path, count, [_weight("w", 4)], shape=(1 << 40, 1 << 40))
    assert ran.returncode in (0, 1)


def test_an_operator_that_has_no_body_with_one(tmp_path):
    """What the body takes from outside counts as an input of the node, whatever the operator."""
    inner = helper.make_graph(
        [helper.make_node("Relu", ["h"], ["r"])],
        "inner",
        [],
        [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Max", ["x"], ["y"], then_branch=inner),
    ]
    ran = _groups(tmp_path, nodes, [_weight("w", 6, 6)])
    assert ran.returncode in (0, 1)


def test_a_target_for_a_model_that_costs_nothing(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "v"], ["y"])]
    weights = [_weight("w", 6, 8), _weight("v", 8, 4)]
    ran = _groups(tmp_path, nodes, weights, (0, 6), ("plan", "--target", "macs=0.6"))
    assert ran.returncode == 0 and "warning[P524]: the target macs=0.6 asks for nothing" in ran.stderr
    ran = _groups(tmp_path, nodes, weights, (0, 6), ("compile", "--target", "macs=0.6", "--report"))
    assert ran.returncode == 0, ran.stderr
