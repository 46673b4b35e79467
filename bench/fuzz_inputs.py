"""Hostile and careless inputs of every kind: good files with something wrong in them, and a command line."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    255,
    65536,
    10**6,
    2**31 - 1,
    2**31,
    2**62,
    2**63 - 1,
    -(2**63),
    2**64,
    10**30,
)
TEXTS = (
    "",
    "()",
    "(3,)",
    "(0, 0)",
    "(-1, 2**3)",
    "None",
    "True",
    "nan",
    "inf",
    "-1",
    "1e400",
    "9" * 40,
    "(" * 300,
    "../x",
    "/dev/null",
    "\x1b[31m",
    "\u202eabc",
    "\x9b1m",
    "name with spaces",
    "[1, [2]]",
    "(1L, 2L)",
    "relu",
    "valid",
    "float16",
    "*",
    "a" * 5000,
    "\ud83d\ude00",
)
SHAPES = (
    "1,3,8,8",
    "1,3,1,1",
    "2,3,2,9",
    "0,3,8,8",
    "1,3,8",
    "1,3,8,8,1",
    "1,-3,8,8",
    "x",
    "",
    "1,3,999999999,999999999",
)


@dataclass(frozen=True)
class Case:
    """A folder of files and a command line to run in it; ``outputs`` are what may appear or change there."""

    kind: str
    files: Mapping[str, bytes]
    command: tuple[str, ...]
    outputs: frozenset[str] = frozenset()
    text: str = ""
    """What stands in the standard input."""


Draw = random.Random


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass
class Good:
    """Files without a fault, made once."""

    symbols: Sequence[bytes]
    parameters: bytes
    models: Sequence[bytes]
    plans: Mapping[str, bytes]
    tables: Sequence[bytes]
    rules: Sequence[str] = field(default_factory=list)
    operators: Sequence[str] = field(default_factory=list)


# --- good files ------------------------------------------------------------------------------


def _node(op: str, name: str, inputs: Sequence[int] = (), **attributes: object) -> dict[str, Any]:
    entry: dict[str, Any] = {"op": op, "name": name, "inputs": [[index, 0, 0] for index in inputs]}
    if attributes:
        entry["attrs"] = {key: str(value) for key, value in attributes.items()}
    return entry


def _document(*nodes: dict[str, Any]) -> bytes:
    variables = [index for index, node in enumerate(nodes) if node["op"] == "null"]
    return json.dumps(
        {
            "nodes": nodes,
            "arg_nodes": variables,
            "node_row_ptr": list(range(len(nodes) + 1)),
            "heads": [[len(nodes) - 1, 0, 0]],
            "attrs": {"mxnet_version": ["int", 10901]},
        },
        indent=1,
    ).encode()


_CONVOLUTION = {"kernel": (3, 3), "pad": (1, 1)}


def _symbols() -> list[bytes]:
    chain = _document(
        _node("null", "data"),
        _node("null", "conv1_weight", __shape__=(8, 3, 3, 3)),
        _node("null", "conv1_bias"),
        _node("Convolution", "conv1", (0, 1, 2), num_filter=8, **_CONVOLUTION),
        _node("null", "bn_gamma"),
        _node("null", "bn_beta"),
        _node("null", "bn_moving_mean"),
        _node("null", "bn_moving_var"),
        _node("BatchNorm", "bn", (3, 4, 5, 6, 7), fix_gamma=False, eps=1e-3),
        _node("Activation", "relu", (8,), act_type="relu"),
        _node("null", "conv2_weight"),
        _node("null", "conv2_bias"),
        _node("Convolution", "conv2", (9, 10, 11), num_filter=6, **_CONVOLUTION),
        _node("Pooling", "pool", (12,), kernel=(2, 2), stride=(2, 2), pool_type="max"),
        _node("Flatten", "flatten", (13,)),
        _node("null", "fc_weight"),
        _node("null", "fc_bias"),
        _node("FullyConnected", "fc", (14, 15, 16), num_hidden=4),
    )
    branches = _document(
        _node("null", "data"),
        _node("null", "a_weight"),
        _node("Convolution", "a", (0, 1), num_filter=8, no_bias=True, **_CONVOLUTION),
        _node("null", "b_weight"),
        _node("Convolution", "b", (2, 3), num_filter=8, num_group=2, no_bias=True, **_CONVOLUTION),
        _node("elemwise_add", "sum", (2, 4)),
        _node("Concat", "concat", (5, 2), dim=1),
        _node("slice_axis", "cut", (6,), axis=1, begin=2, end=10),
        _node("Reshape", "reshape", (7,), shape=(0, -4, 2, -1, -2)),
        _node("transpose", "turn", (8,), axes=(0, 2, 1, 3, 4)),
        _node("Reshape", "back", (9,), shape=(0, -3, -2)),
        _node("Pooling", "pool", (10,), global_pool=True, pool_type="avg", kernel=(1, 1)),
        _node("null", "fc_weight"),
        _node("FullyConnected", "fc", (11, 12), num_hidden=4, no_bias=True),
    )
    return [chain, branches]


SHAPES_OF_PARAMETERS = {
    "conv1_weight": (8, 3, 3, 3),
    "conv1_bias": (8,),
    "bn_gamma": (8,),
    "bn_beta": (8,),
    "bn_moving_mean": (8,),
    "bn_moving_var": (8,),
    "conv2_weight": (6, 8, 3, 3),
    "conv2_bias": (6,),
    "fc_weight": (4, 96),
    "fc_bias": (4,),
}


def _parameters() -> bytes:
    """A parameter file of version 2, as MXNet writes it."""
    draw = np.random.default_rng(0)
    parts = [struct.pack("<QQQ", 0x112, 0, len(SHAPES_OF_PARAMETERS))]
    for shape in SHAPES_OF_PARAMETERS.values():
        parts.append(struct.pack(f"<IiI{len(shape)}q", 0xF993FAC9, 0, len(shape), *shape))
        parts.append(struct.pack("<iii", 1, 0, 0))
        parts.append(draw.standard_normal(shape).astype("<f4").tobytes())
    parts.append(struct.pack("<Q", len(SHAPES_OF_PARAMETERS)))
    for name in SHAPES_OF_PARAMETERS:
        text = ("aux:" if "moving" in name else "arg:").encode() + name.encode()
        parts.append(struct.pack("<Q", len(text)) + text)
    return b"".join(parts)


def _models() -> list[bytes]:
    """ONNX files; none where the package is not installed."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return []
    draw = np.random.default_rng(0)

    def held(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(draw.standard_normal(shape).astype(np.float32), name)

    def numbers(name: str, *values: int) -> Any:
        return numpy_helper.from_array(np.array(values, np.int64), name)

    def saved(nodes: Any, *constants: Any, shape: Any = (1, 3, 8, 8), functions: Any = ()) -> bytes:
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        return bytes(
            helper.make_model(
                graph, opset_imports=imports, functions=list(functions), ir_version=8
            ).SerializeToString()
        )

    node = helper.make_node
    chain = saved(
        [
            node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
            node("Relu", ["c1"], ["r1"]),
            node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", ["p1", "w2"], ["c2"], group=2, pads=[1, 1, 1, 1]),
            node("Add", ["c2", "p1"], ["s"]),
            node("Shape", ["s"], ["size"]),
            node("Gather", ["size", "zero"], ["n"], axis=0),
            node("Unsqueeze", ["n", "axes"], ["n1"]),
            node("Concat", ["n1", "rest"], ["to"], axis=0),
            node("Reshape", ["s", "to"], ["f"]),
            node("Gemm", ["f", "w3", "b3"], ["y"], transB=1),
        ],
        held("w1", 8, 3, 3, 3),
        held("b1", 8),
        held("w2", 8, 4, 3, 3),
        held("w3", 5, 128),
        held("b3", 5),
        numpy_helper.from_array(np.array(0), "zero"),
        numbers("axes", 0),
        numbers("rest", -1),
    )
    function = helper.make_function(
        "own", "F", ["a"], ["b"], [node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    value = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    branch = helper.make_graph([node("Relu", ["h"], ["z"])], "branch", [], [value])
    mixed = saved(
        [
            node("MatMul", ["x", "w1"], ["h"]),
            node("LayerNormalization", ["h", "scale"], ["l"]),
            node("F", ["l"], ["m"], domain="own"),
            node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
            node("If", ["yes"], ["i"], then_branch=branch, else_branch=branch),
            node("Einsum", ["m", "w2"], ["e"], equation="bsd,de->bse"),
            node("Concat", ["e", "i"], ["k"], axis=2),
            node("Split", ["k"], ["k1", "k2"], axis=2),
            node("Pad", ["k1", "pads"], ["q"]),
            node("Slice", ["q", "from", "to", "ax"], ["t"]),
            node("Transpose", ["t"], ["u"], perm=[0, 2, 1]),
            node("ReduceMean", ["u"], ["y"], axes=[2], keepdims=0),
        ],
        held("w1", 6, 8),
        held("w2", 8, 8),
        held("scale", 8),
        numbers("pads", 0, 0, 1, 0, 0, 1),
        numbers("from", 1),
        numbers("to", 7),
        numbers("ax", 2),
        shape=("batch", 4, 6),
        functions=[function],
    )
    return [chain, mixed]


def good(planned: Callable[[Mapping[str, bytes], Sequence[str]], bytes]) -> Good:
    """Good files; ``planned`` makes a plan of files by a command line that writes plan.json."""
    symbols, parameters, models = _symbols(), _parameters(), _models()
    files = {"net-symbol.json": symbols[0], "net-0000.params": parameters}
    plans = {
        "net-symbol.json": planned(files, ("plan", "net-symbol.json", "--input", "data=1,3,8,8", "--quiet"))
    }
    if models:
        plans["net.onnx"] = planned({"net.onnx": models[0]}, ("plan", "net.onnx", "--quiet"))
    head = "group,name,units,removed,ratio,change,accuracy,criterion,measured_for\n"
    rows = ",,,0,0,0,0.9,l1,k\n0,conv1_weight,8,2,0.25,0.1,0.8,l1,k\n0,conv1_weight,8,4,0.5,0.2,,l1,k\n"
    text = "\n".join((ROOT / "rules" / f"{name}.prune").read_text("utf-8") for name in ("default", "onnx"))
    rules = [f"op {part}" for part in text.split("\nop ")[1:]]
    operators = sorted(
        {name.strip() for rule in rules for name in rule[3:].split("(")[0].split("{")[0].split(",")}
    )
    operators = [name for name in operators if name.isidentifier()]
    return Good(symbols, parameters, models, plans, [(head + rows).encode()], rules, operators)


# --- faults ----------------------------------------------------------------------------------


def bytes_changed(draw: Draw, data: bytes) -> bytes:
    """A few bytes changed, taken out, put in, doubled, or the end cut off."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5))):
        at, length = draw.randrange(len(changed) + 1), draw.choice((1, 1, 2, 4, 8, 40))
        fault = draw.randrange(7)
        if fault == 0:
            changed[at : at + length] = bytes(draw.randrange(256) for _ in range(length))
        elif fault == 1:
            del changed[at : at + length]
        elif fault == 2:
            changed[at:at] = bytes(draw.randrange(256) for _ in range(length))
        elif fault == 3:
            changed[at:at] = changed[at : at + length] * draw.choice((1, 2, 50))
        elif fault == 4:
            changed[at:] = b""
        elif fault == 5:
            changed[at : at + 8] = struct.pack("<q", draw.choice(NUMBERS) % 2**63)
        else:
            changed[at:at] = draw.choice(TEXTS).encode("utf-8", "surrogatepass")
    return bytes(changed)


def anything(draw: Draw) -> Any:
    """A value that JSON can hold."""
    kind = draw.randrange(8)
    if kind < 3:
        return draw.choice(NUMBERS)
    if kind < 6:
        return draw.choice(TEXTS)
    return draw.choice((None, True, False, 1.5, [], {}, [[]], [0, 0, 0], {"a": 1}, [1, 2, [3]], -0.0, 1e308))


def document_changed(draw: Draw, document: Any) -> Any:
    """Something in a JSON document changed, wherever a walk through it ends."""
    if draw.random() < 0.02 or not isinstance(document, (dict, list)) or not document:
        return anything(draw)
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key = draw.choice(keys)
    if draw.random() < 0.6 and isinstance(document[key], (dict, list)) and document[key]:
        document[key] = document_changed(draw, document[key])
        return document
    fault = draw.randrange(5)
    if fault == 0:
        del document[key]
    elif fault == 1 and isinstance(document, list):
        document.insert(key, document[draw.choice(keys)])
    elif fault == 2:
        other = draw.choice(keys)
        document[key], document[other] = document[other], document[key]
    else:
        document[key] = anything(draw)
    return document


def text_changed(draw: Draw, text: str, tokens: Sequence[str]) -> str:
    """Words of a text changed, moved, doubled or taken out."""
    words = text.split(" ")
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(words))
        fault = draw.randrange(5)
        if fault == 0:
            words[at] = draw.choice((*tokens, *TEXTS))
        elif fault == 1:
            words.insert(at, draw.choice(tokens))
        elif fault == 2 and len(words) > 1:
            del words[at]
        elif fault == 3:
            words.insert(at, draw.choice(words))
        else:
            other = draw.randrange(len(words))
            words[at], words[other] = words[other], words[at]
    return " ".join(words)


def message_changed(draw: Draw, data: bytes, operators: Sequence[str]) -> bytes:
    """An ONNX message with some of its parts changed."""
    import onnx

    model = onnx.ModelProto.FromString(data)
    for _ in range(draw.choice((1, 1, 2, 3))):
        try:
            draw.choice(_MESSAGE_FAULTS)(draw, model.graph, operators)
        except (ValueError, TypeError, IndexError, OverflowError):
            pass  # a value that the message cannot hold
    return bytes(model.SerializeToString())


def _another_operator(draw: Draw, graph: Any, operators: Sequence[str]) -> None:
    draw.choice(graph.node).op_type = draw.choice((*operators, *TEXTS[:6]))


def _another_attribute(draw: Draw, graph: Any, operators: Sequence[str]) -> None:
    from onnx import helper

    node = draw.choice(graph.node)
    names = [attribute.name for attribute in node.attribute] or ["axis", "perm", "group"]
    name = draw.choice((*names, "axes", "to", "value"))
    for attribute in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(attribute)
    some = [n for n in NUMBERS if abs(n) < 2**63]
    value: Any = draw.choice(
        (draw.choice(some), draw.choices(some, k=draw.randrange(1, 9)), draw.choice(TEXTS), 1.5)
    )
    node.attribute.append(helper.make_attribute(name, value))


def _another_input(draw: Draw, graph: Any, operators: Sequence[str]) -> None:
    names = [name for node in graph.node for name in (*node.input, *node.output)]
    node = draw.choice(graph.node)
    if draw.random() < 0.5:
        node.input[draw.randrange(len(node.input))] = draw.choice((*names, "", *TEXTS[-6:]))
    elif draw.random() < 0.5:
        node.input.extend(draw.choices(names, k=draw.choice((1, 2, 300))))
    else:
        node.output[draw.randrange(len(node.output))] = draw.choice((*names, ""))


def _another_tensor(draw: Draw, graph: Any, operators: Sequence[str]) -> None:
    import onnx

    tensor = draw.choice(graph.initializer)
    fault = draw.randrange(6)
    if fault == 0:
        tensor.dims[:] = draw.choices([n for n in NUMBERS if abs(n) < 2**63], k=draw.randrange(6))
    elif fault == 1:
        tensor.data_type = draw.choice((*range(-1, 25), 99))
    elif fault == 2:
        tensor.raw_data = bytes_changed(draw, tensor.raw_data)
    elif fault == 3:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key in ("location", "offset", "length"):
            entry = tensor.external_data.add()
            entry.key, entry.value = (
                key,
                draw.choice(("data.bin", "canary", "../canary/file", "0", "96", *TEXTS[:12])),
            )
    elif fault == 4:
        dtype = draw.choice((np.int64, np.int8, np.float16, np.float64, np.bool_, np.complex64))
        shape = draw.choice(((), (0,), (1,), (3,), (2, 3), (8, 3, 3, 3), (8, 0, 1)))
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones(shape, dtype), tensor.name))
    else:
        node = draw.choice(graph.node)
        node.attribute.append(onnx.helper.make_attribute(draw.choice(("value", "v")), tensor))


def _another_size(draw: Draw, graph: Any, operators: Sequence[str]) -> None:
    value = draw.choice((*graph.input, *graph.output))
    kind = value.type.tensor_type
    if draw.random() < 0.3:
        kind.elem_type = draw.choice((*range(-1, 25), 99))
    elif kind.shape.dim and draw.random() < 0.8:
        dim = draw.choice(kind.shape.dim)
        dim.Clear()
        if draw.random() < 0.3:
            dim.dim_param = draw.choice(TEXTS)
        else:
            dim.dim_value = draw.choice([n for n in NUMBERS if abs(n) < 2**63])
    else:
        value.name = draw.choice(TEXTS)


def _another_order(draw: Draw, graph: Any, operators: Sequence[str]) -> None:
    node = draw.choice(graph.node)
    copy = type(node)()
    copy.CopyFrom(node)
    if draw.random() < 0.5:
        graph.node.remove(node)
    if draw.random() < 0.7:
        graph.node.insert(draw.randrange(len(graph.node) + 1), copy)


_MESSAGE_FAULTS = (
    _another_operator,
    _another_operator,
    _another_attribute,
    _another_attribute,
    _another_input,
    _another_tensor,
    _another_size,
    _another_order,
)


def symbol_changed(draw: Draw, data: bytes, operators: Sequence[str]) -> bytes:
    """A symbol file with some of its parts changed."""
    document = json.loads(data)
    for _ in range(draw.choice((1, 1, 2, 3))):
        try:
            node = draw.choice(document["nodes"])
            fault = draw.randrange(7)
            if fault == 0:
                node["op"] = draw.choice(operators)
            elif fault in (1, 2) and node.get("attrs"):
                node["attrs"][draw.choice(list(node["attrs"]))] = str(
                    draw.choice((*TEXTS, *NUMBERS, (3, 3), (0, 1, 2)))
                )
            elif fault == 3:
                node["inputs"] = [draw.choice(document["nodes"])["inputs"] or [0, 0, 0]] + node["inputs"][1:]
                node["inputs"] = [[draw.randrange(len(document["nodes"])), draw.choice((0, 0, 0, 1)), 0]]
            elif fault == 4:
                node["name"] = draw.choice((*TEXTS, *(other["name"] for other in document["nodes"])))
            elif fault == 5:
                node["inputs"] = node["inputs"] * draw.choice((2, 3, 40))
            else:
                document = document_changed(draw, document)
        except (KeyError, TypeError, IndexError, AttributeError):
            pass  # an earlier fault left no such part
    text = json.dumps(document, indent=draw.choice((None, 1)))
    return text.encode("utf-8", "surrogatepass")


def arrays(draw: Draw) -> bytes:
    """An archive of examples, right or wrong."""
    held = io.BytesIO()
    packing = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(held, "w", packing) as archive:
        for name in draw.choice(
            (("data",), ("x",), ("data", "label"), ("data", "label"), ("label",), ("data", "y", "z"), ())
        ):
            shape = draw.choice(
                ((2, 3, 8, 8), (2, 3, 8, 8), (2,), (0,), (2, 1), (), (0, 3, 8, 8), (2, 3, 9, 9))
            )
            dtype = draw.choice(("<f4", "<f8", "<i8", "|b1", ">f4", "<f2", "<c8", "|S3"))
            data = io.BytesIO()
            np.save(data, np.zeros(shape, dtype), allow_pickle=False)
            raw = data.getvalue()
            if draw.random() < 0.1:
                raw = bytes_changed(draw, raw)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), raw, compress_type=packing)
    return bytes_changed(draw, held.getvalue()) if draw.random() < 0.3 else held.getvalue()


_WORDS = _split(
    """
op when opaque because keep mixes zero out if as specialises policy hold ratio max_ratio min_channels
align whole rows { } ( ) [ ] -> , ; : * *x n c == != and or not in = + - / ? ~ data weight out "" "x" #
## 0 1 -1 0.5 1e999 999999999999999999999 window( unwindow( count( pick( balanced each
"""
)
_POLICIES = (
    'policy "conv1*" { hold because "x" }',
    'policy "*" { ratio 0.5 align 2 min_channels 2 max_ratio 0.9 }',
    'policy "conv?", "fc*" { whole rows }',
)


# --- cases -----------------------------------------------------------------------------------

#: Commands that read a model, with what they write.
_READERS = (
    (("groups",), ()),
    (("groups", "--json"), ()),
    (("explain", "--kept"), ()),
    (("explain", "conv1"), ()),
    (("explain", "c1", "--format", "json"), ()),
    (("explain", "--kept", "--format", "mermaid"), ()),
    (("plan",), ("plan.json",)),
    (("plan", "--global", "--target", "params=0.5"), ("plan.json",)),
    (("plan", "--target", "macs=0.6", "--strict"), ("plan.json",)),
    (("compile", "--out", "o", "--report"), ("o",)),
    (("compile", "--out", "o", "--json"), ("o",)),
)


def _on_model(draw: Draw, name: str, others: Sequence[str] = ()) -> tuple[tuple[str, ...], frozenset[str]]:
    command, outputs = draw.choice(_READERS)
    more = list(others)
    if name.endswith(".json") and draw.random() < 0.8:
        more += ["--input", f"data={draw.choice(SHAPES[:4] if draw.random() < 0.8 else SHAPES)}"]
    return (command[0], name, *command[1:], *more), frozenset(outputs)


def _symbol_case(draw: Draw, made: Good) -> Case:
    data = draw.choice(made.symbols)
    data = bytes_changed(draw, data) if draw.random() < 0.2 else symbol_changed(draw, data, made.operators)
    if draw.random() < 0.1:
        files = {"a-symbol.json": data, "b-symbol.json": draw.choice(made.symbols)}
        form = draw.choice(("text", "json", "markdown"))
        return Case("symbol", files, ("diff", *sorted(files, reverse=draw.random() < 0.5), "--format", form))
    return Case("symbol", {"net-symbol.json": data}, *_on_model(draw, "net-symbol.json"))


def _params_case(draw: Draw, made: Good) -> Case:
    files = {"net-symbol.json": made.symbols[0], "net-0000.params": bytes_changed(draw, made.parameters)}
    return Case("params", files, *_on_model(draw, "net-symbol.json"))


def _onnx_case(draw: Draw, made: Good) -> Case:
    data = draw.choice(made.models)
    data = bytes_changed(draw, data) if draw.random() < 0.25 else message_changed(draw, data, made.operators)
    files = {"net.onnx": data, "data.bin": bytes(96)}
    if draw.random() < 0.1:
        files["b.onnx"] = draw.choice(made.models)
        form = draw.choice(("text", "json", "markdown"))
        return Case("onnx", files, ("diff", "net.onnx", "b.onnx", "--format", form))
    return Case("onnx", files, *_on_model(draw, "net.onnx"))


def _rules_case(draw: Draw, made: Good) -> Case:
    text = "\n".join(draw.choices(made.rules, k=draw.choice((1, 1, 2))))
    text = text_changed(draw, text, _WORDS) if draw.random() < 0.8 else text
    data = text.encode("utf-8", "surrogatepass")
    data = bytes_changed(draw, data) if draw.random() < 0.3 else data
    files = {"my.prune": data}
    command = draw.choice(("check", "fmt", "list", "doc", "model", "stdin"))
    if command == "check":
        form = draw.choice(("full", "concise", "json", "github"))
        return Case(
            "rules", files, ("rules", "check", "my.prune", "--format", form, *draw.choice(((), ("--alone",))))
        )
    if command == "model":
        files["net-symbol.json"] = made.symbols[0]
        return Case("rules", files, *_on_model(draw, "net-symbol.json", ("--rules", "my.prune")))
    if command == "stdin":
        return Case("rules", {}, ("rules", "fmt", "-"), text=data.decode("utf-8", "replace"))
    changes = frozenset(("my.prune",)) if command == "fmt" else frozenset()
    return Case("rules", files, ("rules", command, "my.prune"), changes)


def _policy_case(draw: Draw, made: Good) -> Case:
    text = text_changed(draw, " ".join(draw.choices(_POLICIES, k=draw.choice((1, 2)))), _WORDS)
    data = text.encode("utf-8", "surrogatepass")
    files = {
        "net-symbol.json": made.symbols[0],
        "p.prune": bytes_changed(draw, data) if draw.random() < 0.2 else data,
    }
    if draw.random() < 0.3:
        command = draw.choice((("check", "--alone"), ("fmt", "--check")))
        return Case("policy", files, ("rules", command[0], "p.prune", *command[1:]))
    command = ("plan", "net-symbol.json", "--policy", "p.prune", "--input", "data=1,3,8,8")
    return Case("policy", files, command, frozenset(("plan.json",)))


def _plan_case(draw: Draw, made: Good) -> Case:
    name = draw.choice(list(made.plans))
    model = {"net-symbol.json": made.symbols[0], "net.onnx": made.models[0] if made.models else b""}[name]
    plan = made.plans[name]
    if draw.random() < 0.3:
        plan = bytes_changed(draw, plan)
    else:
        plan = json.dumps(document_changed(draw, json.loads(plan))).encode("utf-8", "surrogatepass")
    more = ("--input", "data=1,3,8,8") if name.endswith(".json") else ()
    files = {name: model, "p.json": plan}
    if draw.random() < 0.3:
        command: tuple[str, ...] = ("plan", name, "--from", "p.json", *more)
        return Case("plan", files, command, frozenset(("plan.json",)))
    return Case("plan", files, ("compile", name, "--plan", "p.json", "--out", "o", *more), frozenset(("o",)))


def _data_case(draw: Draw, made: Good) -> Case:
    files = {"net-symbol.json": made.symbols[0], "net-0000.params": made.parameters, "d.npz": arrays(draw)}
    criterion = draw.choice(("activation", "apoz", "taylor", "reconstruction"))
    command = (
        "plan",
        "net-symbol.json",
        "--criterion",
        criterion,
        "--data",
        "d.npz",
        "--input",
        "data=1,3,8,8",
    )
    return Case("npz", files, command, frozenset(("plan.json",)))


def _table_case(draw: Draw, made: Good) -> Case:
    text = draw.choice(made.tables).decode()
    cells = [line.split(",") for line in text.splitlines()]
    for _ in range(draw.choice((1, 1, 2, 4))):
        row = draw.choice(cells)
        row[draw.randrange(len(row))] = str(
            draw.choice((*TEXTS, *NUMBERS, '"', '"a\nb"', "k" * 140_000, "1e400", "0.5"))
        )
    data = "\n".join(",".join(row) for row in cells).encode("utf-8", "surrogatepass")
    data = bytes_changed(draw, data) if draw.random() < 0.3 else data
    files = {"net-symbol.json": made.symbols[0], "net-0000.params": made.parameters, "s.csv": data}
    command = (
        "plan",
        "net-symbol.json",
        "--criterion",
        "sensitivity",
        "--sensitivity",
        "s.csv",
        "--input",
        "data=1,3,8,8",
    )
    return Case("table", files, command, frozenset(("plan.json",)))


_FLAGS = _split(
    """
--ratio --target --criterion --align --max-ratio --min-channels --aggregate --normalise --policy --data
--sensitivity --from --seed --out --params --rules --input --channel --axis --format --plan --register
--verify --global --strict --force --quiet --json --report --kept --compensate --means --check --alone
--against
"""
)
_VALUES = _split(
    """
0 1 -1 0.5 1.0 1e400 nan inf 99999999999999999999 l1 l2 bn-scale lamp fpgm random position macs=0.5
params=1 size=1KB macs=0 params=-1 data=1,3,8,8 data=1 x=1,3,8,8 conv1 conv1_weight fc sum mean max json
text dot net-symbol.json p.json net-0000.params my.prune absent . .. o default onnx
"""
)


def _flags_case(draw: Draw, made: Good) -> Case:
    files = {
        "net-symbol.json": made.symbols[0],
        "net-0000.params": made.parameters,
        "p.json": made.plans["net-symbol.json"],
        "my.prune": draw.choice(made.rules).encode(),
    }
    if made.models:
        files["net.onnx"] = made.models[0]
    command = draw.choice(("plan", "compile", "groups", "explain", "diff", "rules", "compensate", "verify"))
    words = [command]
    if command == "rules":
        words.append(draw.choice(("check", "fmt", "list", "doc", "absent")))
    words.append(draw.choice((*files, "net-symbol.json", "net-symbol.json")))
    for _ in range(draw.randrange(6)):
        words.append(draw.choice(_FLAGS))
        if draw.random() < 0.8:
            words.append(draw.choice(_VALUES))
    if draw.random() < 0.5 and command in ("plan", "compile", "groups", "explain"):
        words += ["--input", "data=1,3,8,8"]
    # What a command line names as its output may be written, and nothing that was read.
    outs = {words[n + 1] for n, word in enumerate(words[:-1]) if word.startswith("--out")}
    changes = {"plan.json", "net-pruned", "net-compensated", *(outs - set(files))}
    changes |= {"my.prune"} if words[:2] == ["rules", "fmt"] else set()
    # --force replaces what a command wrote itself, and also a file that is no input of the run.
    changes |= outs if "--force" in words else set()
    changes |= (
        {"changes.diff", "slice_params.py", "groups.json", "report.html", "compensation.json"}
        if {".", ".."} & outs
        else set()
    )
    return Case("flags", files, tuple(words), frozenset(changes))


KINDS: Sequence[tuple[Callable[[Draw, Good], Case], int]] = (
    (_symbol_case, 26),
    (_onnx_case, 26),
    (_rules_case, 14),
    (_params_case, 8),
    (_policy_case, 6),
    (_plan_case, 8),
    (_data_case, 4),
    (_table_case, 3),
    (_flags_case, 5),
)


def case(made: Good, seed: int, number: int) -> Case:
    """The case of a number: the same for the same seed, whatever was made before."""
    draw = random.Random(f"{seed}:{number}")
    kinds = [(make, weight) for make, weight in KINDS if made.models or make is not _onnx_case]
    (make,) = draw.choices([make for make, _ in kinds], [weight for _, weight in kinds])
    return make(draw, made)
