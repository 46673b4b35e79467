"""Archives: what is read, and what is refused before anything is loaded."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunec.embedded.pt2_archive import blocks_of, members_of, write_archive
from prunec.embedded.slices import Problem
from prunec.frontends.pytorch.model import read_model
from prunec.frontends.pytorch.program import read_program
from prunec.support.diagnostics import PrunecError
from tests.frontends.pytorch.archives import FIXTURES, NEWEST, archive, changed, members


def refused(tmp_path, data, code):
    """The note of the message with which an archive is refused."""
    path = tmp_path / "net.pt2"
    path.write_bytes(data)
    with pytest.raises(PrunecError) as caught:
        read_model(path)
    assert [one.code for one in caught.value.diagnostics] == [code]
    return " ".join(caught.value.diagnostics[0].notes)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_programs_of_all_versions_are_read(path):
    model = read_model(path)
    shapes = model.parameter_shapes
    assert shapes["first.weight"] == (8, 3, 3, 3) and shapes["last.bias"] == (4,)
    operators = [node.operator for node in model.graph.nodes if node.operator]
    assert operators[:4] == ["conv2d", "batch_norm", "relu_", "conv2d"] and operators[-1] == "linear"


def test_tensors_of_one_place_are_one_variable():
    model = read_model(NEWEST)
    ((other, first),) = model.content.tied.items()
    assert {other, first} == {"mix.weight", "again.weight"}
    assert first in model.parameter_shapes and other not in model.parameter_shapes
    layers = [node for node in model.graph.nodes if node.operator == "linear"]
    assert layers[0].inputs[1] == layers[1].inputs[1]


def test_tensors_that_share_a_member_have_their_own_elements():
    program = read_program(NEWEST)
    scale, shift = program.tensors["scale"], program.tensors["shift"]
    assert (scale.offset, shift.offset) == (0, 6) and scale.sizes == shift.sizes == (6,)
    assert not np.array_equal(program.array("scale"), program.array("shift"))
    data = members()["data/weights/" + shift.member.rsplit("/", 1)[1]]
    assert program.array("shift").tolist() == list(struct.unpack("<12f", data))[6:]


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (b"", "P340", "zip"),
        (b"PK\x03\x04 and more", "P340", "zip"),
        (archive(members(), compression=zipfile.ZIP_DEFLATED), "P341", "compressed"),
        (archive({**members(), "../outside": b""}), "P340", "name"),
        (archive({"serialized_exported_program.json": b"{}"}), "P341", "older"),
        (archive({**members(), "data/weights/model.pt": b"\x80\x02."}), "P341", "pickle"),
        (archive({**members(), "data/aotinductor/model/a.so": b""}), "P341", "compiled"),
        (archive({**members(), "byteorder": b"big"}), "P341", "order of bytes"),
        (archive({**members(), "models/other.json": b"{}"}), "P341", "2 programs"),
        (archive({"archive_format": b"pt2"}), "P340", "no program"),
        (archive({**members(), "models/model.json": b"[" * 100_000}), "P340", "JSON"),
        (archive({**members(), "models/model.json": b"[]"}), "P340", "table"),
        (archive({k: v for k, v in members().items() if "weights_config" not in k}), "P340", "does not hold"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_program_is_refused(tmp_path, data, code, word):
    assert word in refused(tmp_path, data, code)


def tensor(name, **entries):
    def change(document):
        document["config"][name]["tensor_meta"].update(entries)

    return change


def sizes(*numbers):
    return [{"as_int": number} for number in numbers]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (tensor("first.bias", sizes=sizes(9)), "P333"),
        (tensor("first.bias", sizes=sizes(1 << 62), strides=sizes(0)), "P333"),
        (tensor("first.bias", sizes=sizes(-8)), "P333"),
        (tensor("first.bias", sizes=sizes(2, 4), strides=sizes(1, 1)), "P333"),
        (tensor("first.bias", storage_offset={"as_int": 1 << 70}), "P333"),
        (tensor("first.bias", storage_offset={"as_int": True}), "P333"),
        (tensor("first.bias", dtype=99), "P333"),
        (tensor("first.bias", dtype=None), "P333"),
        (tensor("first.bias", sizes=None), "P333"),
        (lambda document: document["config"].update({"first.bias": 3}), "P333"),
        (lambda document: document["config"]["first.bias"].update(path_name="../x"), "P333"),
        (lambda document: document["config"]["first.bias"].update(use_pickle=True), "P341"),
        (lambda document: document["config"].pop("first.bias"), "P340"),
        (lambda document: document.pop("config"), "P340"),
    ],
)
def test_tensors_that_lie_are_refused(tmp_path, change, code):
    refused(tmp_path, changed(weights=change), code)


def graph_of(document):
    return document["graph_module"]["graph"]


def circle(document):
    graph_of(document)["nodes"][0]["inputs"][0]["arg"] = {"as_tensor": {"name": "linear_2"}}


def unknown_value(document):
    graph_of(document)["nodes"][-1]["inputs"][0]["arg"] = {"as_tensor": {"name": "nowhere"}}


def twice(document):
    for node in graph_of(document)["nodes"]:
        node["outputs"] = [{"as_tensor": {"name": "same"}}]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (circle, "P337"),
        (unknown_value, "P336"),
        (twice, "P336"),
        (lambda document: document.update(schema_version={"major": 9, "minor": 0}), "P341"),
        (lambda document: document.update(schema_version=None), "P341"),
        (lambda document: document["graph_module"].pop("signature"), "P340"),
        (lambda document: document["graph_module"]["signature"]["input_specs"].pop(), "P340"),
        (lambda document: graph_of(document)["nodes"].append(7), "P340"),
        (lambda document: graph_of(document)["nodes"][0].update(inputs=[{"name": "x", "arg": {}}]), "P340"),
        (lambda document: graph_of(document).update(tensor_values={"x": 3}), "P340"),
    ],
)
def test_programs_that_cannot_be_are_refused(tmp_path, change, code):
    refused(tmp_path, changed(text=change), code)


def test_no_pickle_is_loaded(tmp_path):
    """A pickle that writes a file when it is loaded, in every place where PyTorch has one."""
    trace = tmp_path / "loaded"
    pickle = f"cbuiltins\nopen\n(S'{trace}'\nS'w'\ntR.".encode()
    parts = {**members(), "data/sample_inputs/model.pt": pickle, "extra/more.pt": pickle}
    path = tmp_path / "net.pt2"
    path.write_bytes(archive(parts))
    assert read_model(path).graph.nodes and not trace.exists()


def test_overlapping_members_are_refused():
    """The second entry of the directory is made to point at the data of the first."""
    data = bytearray(archive({"a": b"x" * 100, "b": b"y" * 100}))
    first, second = (place for place in range(len(data)) if data[place : place + 4] == b"PK\x01\x02")
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    with pytest.raises(Problem) as caught:
        members_of(io.BytesIO(bytes(data)))
    assert caught.value.facts["kind"] in ("place", "zip")


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text("abcdefgh/", min_size=1, max_size=8).map(lambda name: f"r/{name.strip('/') or 'a'}x"),
        st.binary(max_size=300),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_written_is_read(parts):
    parts = {name: data for name, data in parts.items() if "//" not in name}
    out = io.BytesIO()
    write_archive(out, {name: (len(data), [data]) for name, data in parts.items()})
    found = members_of(out)
    assert {name: b"".join(blocks_of(out, member)) for name, member in found.items()} == parts
    assert all(member.offset % 64 == 0 for member in found.values())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_archives_are_refused_or_read(tmp_path_factory, data):
    """No other error, whatever byte is changed."""
    content = bytearray(NEWEST.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "net.pt2"
    path.write_bytes(bytes(content))
    try:
        read_model(path)
    except PrunecError as error:
        assert error.diagnostics


def test_text_of_a_program_survives_the_round_trip():
    text = members()["models/model.json"]
    assert json.dumps(json.loads(text)).encode() == text
