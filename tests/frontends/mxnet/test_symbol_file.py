"""Symbol files: every dialect is read, and written back byte for byte but for what changed."""

from __future__ import annotations

import csv
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunec.frontends.mxnet import symbol
from prunec.frontends.mxnet.symbol import is_hidden, read_symbol, read_symbol_file, to_graph
from prunec.frontends.mxnet.symbol_writing import rewrite
from prunec.graph import Tensor
from prunec.support.diagnostics import PrunecError, render

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"


def node(name: str, op: str = "null", inputs: Any = (), **keys: Any) -> dict[str, Any]:
    return {"op": op, "name": name, "inputs": [list(entry) for entry in inputs], **keys}


def encode(*nodes: dict[str, Any], heads: Any = None, **keys: Any) -> bytes:
    heads = [[len(nodes) - 1, 0, 0]] if heads is None else heads
    return json.dumps({"nodes": list(nodes), "arg_nodes": [0], "heads": heads, **keys}, indent=2).encode()


def failure(data: bytes) -> str:
    with pytest.raises(PrunecError) as caught:
        read_symbol(data, "model-symbol.json")
    return render(caught.value.diagnostics[0])


CONVOLUTION = {"kernel": "(3, 3)", "num_filter": "64"}


# --- dialects ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["attrs", "attr", "param"])
@pytest.mark.parametrize("version", [[], [0]])
def test_each_key_style_and_entry_length(key: str, version: list[int]) -> None:
    data = encode(
        node("data"),
        node("w", backward_source_id=-1),
        node("c", "Convolution", [[0, 0, *version], [1, 0, *version]], **{key: CONVOLUTION}),
        heads=[[2, 0, *version]],
    )
    graph = to_graph(read_symbol(data, "m"))
    assert graph.nodes[2].attributes == {"kernel": (3, 3), "num_filter": 64}
    assert graph.nodes[2].inputs == (Tensor(0, 0), Tensor(1, 0))
    assert graph.nodes[0].operator is None
    assert graph.outputs == (Tensor(2, 0),)


MERGES = [
    ({"param": {"a": "1", "b": "2"}, "attr": {"a": "3"}}, {"a": 3, "b": 2}),
    ({"attr": {"a": "3"}, "param": {"a": "1", "b": "2"}}, {"a": 3, "b": 2}),
    ({"attr": {"a": "1"}, "attrs": {"a": "2"}}, {"a": 2}),
    ({"attrs": {"a": "2"}, "attr": {"a": "1"}}, {"a": 1}),
    ({"attr": {"a": "1", "b": "5"}, "attrs": {"a": "2"}}, {"a": 2}),
]


@pytest.mark.parametrize(("keys", "expected"), MERGES)
def test_dictionaries_merge_as_in_the_framework(keys: dict[str, Any], expected: dict[str, int]) -> None:
    graph = to_graph(read_symbol(encode(node("x"), node("y", "relu", [[0, 0]], **keys)), "m"))
    assert graph.nodes[1].attributes == expected


def test_the_framework_agrees_on_merging() -> None:
    mx = pytest.importorskip("mxnet", reason="needs MXNet")
    variants = [
        {"param": {"act_type": "tanh"}, "attr": {"act_type": "relu"}},
        {"attr": {"act_type": "relu"}, "attrs": {"act_type": "tanh"}},
        {"attrs": {"act_type": "tanh"}, "attr": {"act_type": "relu"}},
        {"param": {"act_type": "tanh"}, "attr": {"ctx_group": "a"}},
    ]
    for keys in variants:
        data = encode(node("x"), node("y", "Activation", [[0, 0]], **keys))
        ours = to_graph(read_symbol(data, "m")).nodes[1].attributes
        theirs = mx.sym.load_json(data.decode()).attr_dict()["y"]
        assert ours == {key: value for key, value in theirs.items() if not is_hidden(key)}


def test_hidden_attributes_are_left_out_and_still_there_to_be_read() -> None:
    attributes = {
        "num_filter": "8",
        "ctx_group": "stage1",
        "lr_mult": "0.2",
        "weight_lr_mult": "1.2",
        "bias_wd_mult": "0",
        "__layout__": "LNC",
        "force_mirroring": "True",
    }
    file = read_symbol(encode(node("x"), node("y", "Convolution", [[0, 0]], attr=attributes)), "m")
    assert to_graph(file).nodes[1].attributes == {"num_filter": 8}
    assert file.attributes(1)["weight_lr_mult"] == 1.2
    assert not is_hidden("multi_output")


def test_numbers_and_truth_values_that_are_not_text() -> None:
    file = read_symbol(
        encode(node("x"), node("y", "op", [[0, 0]], attrs={"a": 3, "b": True, "c": None})), "m"
    )
    assert to_graph(file).nodes[1].attributes == {"a": 3, "b": True, "c": None}


def test_operators_of_one_name_stay_apart() -> None:
    file = read_symbol(encode(node("x"), node("y", "a", [[0, 0]]), node("y", "b", [[1, 0]])), "m")
    assert [entry.inputs for entry in to_graph(file).nodes] == [(), (Tensor(0, 0),), (Tensor(1, 0),)]


def test_variables_of_one_name_are_one() -> None:
    file = read_symbol(
        encode(
            node("x"),
            node("x", attrs=GLUON),
            node("y", "op", [[0, 0], [1, 0]]),
            node("x"),
            heads=[[2, 0], [3, 0]],
        ),
        "m",
    )
    graph = to_graph(file)
    assert graph.parameters == {0} and graph.shapes == {0: (64, None, 3, 3)}
    assert graph.nodes[2].inputs == (Tensor(0, 0), Tensor(0, 0))
    assert graph.outputs == (Tensor(2, 0), Tensor(0, 0))


def test_variables_take_nothing() -> None:
    text = failure(encode(node("x"), node("y", "null", [[0, 0]])))
    assert "error[P305]" in text and "a variable has inputs, as only operators do" in text


def test_subgraphs_are_seen_and_left_alone() -> None:
    data = encode(node("x"), node("y", "op", [[0, 0]], subgraphs=[{"nodes": []}]), node("z", "op", [[1, 0]]))
    assert read_symbol(data, "m").has_subgraphs == {1}


# --- parameters, inputs, shapes ------------------------------------------------------------

GLUON = {"__init__": '["zero", {}]', "__lr_mult__": "1.0", "__shape__": "(64, 0, 3, 3)", "__dtype__": "0"}


def _variables() -> bytes:
    return encode(
        node("data", attrs={"__dtype__": "0"}),
        node("weight", attrs=GLUON),
        node("bias"),
        node("constant", attrs={"__shape__": "(1L, 3L)"}),
        node("deferred", attrs={"__shape__": "()"}),
        node("y", "op", [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0]]),
    )


def test_parameters_told_by_their_marks() -> None:
    file = read_symbol(_variables(), "m")
    graph = to_graph(file)
    assert graph.parameters == {1}
    assert graph.shapes == {1: (64, None, 3, 3), 3: (1, 3)}
    assert to_graph(file, input_shapes={"weight": (1,)}).parameters == frozenset()


def test_parameters_told_by_name() -> None:
    graph = to_graph(
        read_symbol(_variables(), "m"),
        ["bias", "weight", "elsewhere"],
        {"data": (1, 3, 8, 8), "bias": (7,)},
        {"bias": (64,), "weight": (64, 3, 3, 3)},
    )
    assert graph.parameters == {1}
    assert graph.shapes == {0: (1, 3, 8, 8), 1: (64, 3, 3, 3), 2: (7,), 3: (1, 3)}


def test_numpy_shapes_mean_what_they_say() -> None:
    data = encode(
        node("a", attrs={"__shape__": "()"}),
        node("b", attrs={"__shape__": "(0, -1, 2)"}),
        node("c", attrs={"__shape__": "None"}),
        node("y", "op", [[0, 0], [1, 0], [2, 0]]),
        attrs={"is_np_shape": ["int", 1]},
    )
    assert to_graph(read_symbol(data, "m")).shapes == {0: (), 1: (0, None, 2)}


@pytest.mark.parametrize("hint", ["(a, b)", "(1.5,)", "(-7, 2)", "True", "((1,),)"])
def test_a_hint_that_is_no_shape_says_nothing(hint: str) -> None:
    assert to_graph(read_symbol(encode(node("a", attrs={"__shape__": hint})), "m")).shapes == {}


def test_an_input_the_model_does_not_have() -> None:
    with pytest.raises(PrunecError) as caught:
        to_graph(read_symbol(_variables(), "m"), input_shapes={"dat": (1,)})
    text = render(caught.value.diagnostics[0])
    assert 'error[P307]: the model has no input "dat"' in text
    assert "data, bias, constant, deferred" in text
    assert "weight" not in text


# --- writing back --------------------------------------------------------------------------


def test_only_the_changed_value_changes() -> None:
    text = """
{ "nodes" : [
  {"op":"null","name":"data \\u00e9","inputs":[], "attrs":{"__shape__":"[64,0, 3, 3]"}},
 {"op":"Convolution", "param":{"num_filter":"64", "w\\/":"a\\/b"},"name":"ü","inputs":[[0,0]] ,
 "attr" : {"num_filter":
   "64L" , "k": 5, "deep": "{\\"num_filter\\": \\"64\\"}"}, "note": {"num_filter": "64"}}],
  "heads":[[1,0]],"nodes_":[{}]}\t
"""
    file = read_symbol(text.encode(), "m")
    changes = {(1, "num_filter"): 32, (0, "__shape__"): (32, 0, 3, 3), (1, "k"): 6}
    expected = text.replace('"param":{"num_filter":"64"', '"param":{"num_filter":"32"')
    expected = (
        expected.replace('"64L"', '"32L"').replace("[64,0, 3, 3]", "[32,0, 3, 3]").replace(": 5", ": 6")
    )
    assert rewrite(file, changes).decode() == expected


def test_all_of_duplicate_keys_change_and_the_last_one_is_read() -> None:
    text = """{"nodes": [], "nodes": [{"op": "null", "name": "x", "inputs": []},
      {"op": "op", "name": "y", "inputs": [[0, 0]], "attrs": 3, "attrs": {"a": "1", "a": "2"}}],
      "heads": [[1, 0]]}"""
    file = read_symbol(text.encode(), "m")
    assert to_graph(file).nodes[1].attributes == {"a": 2}
    assert rewrite(file, {(1, "a"): 7}).decode() == text.replace('"1"', '"7"').replace('"2"', '"7"')


def test_byte_order_mark_and_line_ends_stay() -> None:
    data = b"\xef\xbb\xbf" + encode(node("x"), node("y", "op", [[0, 0]], attr={"a": "1"})).replace(
        b"\n", b"\r\n"
    )
    file = read_symbol(data, "m")
    assert rewrite(file, {}) == data
    assert rewrite(file, {(1, "a"): 2}) == data.replace(b'"a": "1"', b'"a": "2"')


def test_values_without_quotes() -> None:
    data = encode(node("x", attrs={"a": 1, "b": True, "c": None, "d": 2.5}))
    changed = rewrite(read_symbol(data, "m"), {(0, "a"): (1, 2), (0, "b"): False, (0, "c"): 4, (0, "d"): 2.5})
    assert json.loads(changed)["nodes"][0]["attrs"] == {"a": "(1, 2)", "b": False, "c": 4, "d": 2.5}


def test_a_change_that_cannot_be_made_is_the_callers_mistake() -> None:
    file = read_symbol(encode(node("x", attrs={"a": "1"})), "m")
    with pytest.raises(ValueError, match=r'm: node 0 "x" \(variable\) has no attribute b'):
        rewrite(file, {(0, "b"): 1})
    with pytest.raises(ValueError, match="m has no node 4"):
        rewrite(file, {(4, "a"): 1})


# --- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "P303.*model-symbol.json:1:1.*Expecting value"),
        (b'{"nodes": [}', "P303.*model-symbol.json:1:12"),
        (b"\xff\xfe{}", "P303.*not UTF-8 text: byte 0 is 0xff"),
        (b'{"nodes": [NaN], "heads": []}', "P303.*NaN stands where a number should"),
        (b'{"nodes": [' + b"9" * 5000 + b"]}", "P30[35]"),
        (b'{"nodes": ["\\ud800"]}', "P303.*half a surrogate pair"),
        (b"version https://git-lfs.github.com/spec/v1\n", "P303.*Git LFS pointer"),
        (b'{"nodes":' + b"[" * 200_000, "P304.*nested too deeply"),
        (b"[]", 'P305.*object with a list "nodes"'),
        (b'{"nodes": {}}', 'P305.*object with a list "nodes"'),
        (encode(node("x"), heads=[]), 'P305.*no list "heads"'),
        (encode(node("x"), heads=[[0]]), 'P305.*an entry of "heads" is not a list of two or three'),
        (encode(node("x"), heads=[[3, 0]]), "P306.*an output refers to node 3, and there are 1 nodes"),
        (encode(node("x"), heads=[[0, 2]]), "P306.*an output refers to output 2 of node 0"),
        (b'{"nodes": [1], "heads": [[0,0]]}', "P305.*node 0 is not a JSON object"),
        (b'{"nodes": [{"op": 1, "name": "x"}]}', 'P305.*node 0 lacks a string "name" or "op"'),
        (b'{"nodes": [{"op": "null", "name": "x"}]}', r'P305.*node 0 "x" \(variable\).*no list "inputs"'),
    ],
)
def test_files_that_are_no_symbol_files(data: bytes, expected: str) -> None:
    assert re.search(expected, failure(data), re.DOTALL)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"inputs": [0]}, "P305.*an input is not a list of two or three whole numbers"),
        ({"inputs": [[0, True]]}, "P305.*an input is not"),
        ({"inputs": [[0, -1]]}, "P305.*an input is not"),
        ({"inputs": [[0, 10**12]]}, "P305.*an input is not"),
        ({"inputs": [[0, 0, 0, 0]]}, "P305.*an input is not"),
        ({"inputs": [[0, 1]]}, "P306.*an input refers to output 1 of node 0, and that is a variable"),
        ({"inputs": [[1, 0]]}, 'P306.*node 1 "y" .op..*node 1, which does not come before.*form a cycle'),
        ({"inputs": [[9, 0]]}, "P306.*an input refers to node 9, and there are 2 nodes"),
        ({"attrs": []}, 'P305.*"attrs" is not a JSON object'),
        ({"param": {"a": {}}}, 'P305.*the attribute "a" is a list or an object'),
        ({"subgraphs": 1}, 'P305.*"subgraphs" is not a list'),
    ],
)
def test_nodes_that_are_wrong(change: dict[str, Any], expected: str) -> None:
    data = encode(node("x"), {**node("y", "op", [[0, 0]]), **change})
    assert re.search(expected, failure(data), re.DOTALL)


def test_a_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(symbol, "MAXIMUM_BYTES", 100)
    path = tmp_path / "m.json"
    path.write_bytes(b" " * 101)
    assert "P302" in failure(b" " * 101)
    with pytest.raises(PrunecError, match="P302: the model file is too large"):
        read_symbol_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "[" + '{"op": "null", "name": "x", "inputs": [[0, 0]], "attrs": {"a": "1"}},' * 2000 + "0]",
        "[" + "[]," * 20000 + "0]",
        "[" + "{}," * 20000 + "0]",
        "[" + '{"":0},' * 20000 + "0]",
        "[" + "99999," * 20000 + "0]",
        "[" + '"ab",' * 20000 + "0]",
        "{" + ",".join(f'"{n:x}":0' for n in range(20000)) + "}",
        "[" + "[[[[[[1]]]]]]," * 5000 + "0]",
        '["' + "a" * 100000 + "\U0001f600" + '"]',
        '["' + "\u20ac" * 100000 + '"]',
    ],
)  # fmt: skip
def test_what_json_takes_up_is_bounded_before(text: str) -> None:
    data = text.encode("utf-8")
    tracemalloc.start()
    json.loads(data)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < symbol.memory_of(data)


def test_a_file_that_takes_up_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(node("x"), node("y", "op", [[0, 0]]))
    monkeypatch.setattr(symbol, "MAXIMUM_MEMORY", symbol.memory_of(data))
    read_symbol(data, "m.json")
    monkeypatch.setattr(symbol, "MAXIMUM_MEMORY", symbol.memory_of(data) - 1)
    assert "P302" in failure(data)


@pytest.mark.parametrize("name", ["absent.json", "", "a\0b"])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(PrunecError, match="P301: cannot read the model"):
        read_symbol_file(str(tmp_path / name))


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    text = failure(encode(node("x"), node("\x1b[31m", "op", [[9, 0]])))
    assert "\x1b" not in text
    assert "\\u001b[31m" in text


# --- the corpus and what can be made of it -------------------------------------------------


@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the corpus of public models")
def test_public_models_are_read_and_written_back() -> None:
    rows = [
        row
        for table in ("WILD.tsv", "ZOO.tsv")
        for row in csv.DictReader((CORPUS / table).open(encoding="utf-8"), delimiter="\t")
    ]
    assert len(rows) == 360
    for row in rows:
        name = row["file"]
        data = (CORPUS / name).read_bytes()
        file = read_symbol(data, name)
        assert rewrite(file, {}) == data
        graph = to_graph(file)
        # What marks a variable as a parameter never stands on an input that is known to be one.
        inputs = json.loads(row["inputs"].replace('""', '"')) if row["inputs"] else {}
        assert not {graph.nodes[i].name for i in graph.parameters} & inputs.keys(), name
        # Writing every value of some nodes anew, unchanged, is the hard way to the same bytes.
        chosen = range(0, len(graph.nodes), 37)
        same = {(i, key): value for i in chosen for key, value in file.attributes(i).items()}
        assert rewrite(file, same) == data, name


SAMPLE = encode(
    node("data"),
    node("w", attrs=GLUON),
    node("c", "Convolution", [[0, 0, 0], [1, 0]], attr=CONVOLUTION, param={"a": "[1L, (2, None)]"}),
    node("s", "op", [[2, 3]], subgraphs=[{"nodes": []}]),
    attrs={"mxnet_version": ["int", 10901]},
)


def is_read_or_refused(data: bytes) -> bool:
    """Whether a file is read, and can be written with other values and read again, or else is refused by a
    message about model files."""
    try:
        file = read_symbol(data, "m")
        graph = to_graph(file)
        changes = {(i, key): 7 for i, n in enumerate(graph.nodes) for key in n.attributes}
        again = to_graph(read_symbol(rewrite(file, changes), "m"))
    except PrunecError as error:
        return error.diagnostics[0].code.startswith("P3") and bool(render(error.diagnostics[0]))
    return [(n.name, n.inputs) for n in again.nodes] == [(n.name, n.inputs) for n in graph.nodes]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mangled_bytes_raise_nothing_but_our_errors(data: st.DataObject) -> None:
    mangled = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(mangled) - 1))
        stop = start + data.draw(st.integers(0, 6))
        mangled[start:stop] = data.draw(
            st.sampled_from([b"", b'"', b"[", b"}", b"9", b"-1", b"null", b"\xff", b",", b"{"])
        )
    assert is_read_or_refused(bytes(mangled[: data.draw(st.integers(len(mangled) // 2, len(mangled)))]))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.floats()
    | st.sampled_from(["null", "x", "(1, 2)", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["op", "name", "inputs", "attrs", "param", "subgraphs"]), inner, max_size=6
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_JSON, max_size=4), _JSON)
def test_wrong_structures_raise_nothing_but_our_errors(nodes: list[Any], heads: Any) -> None:
    assert is_read_or_refused(json.dumps({"nodes": [node("x"), *nodes], "heads": heads}).encode())
    assert is_read_or_refused(json.dumps({"nodes": [node("x")], "heads": [[0, 0]], "attrs": heads}).encode())
