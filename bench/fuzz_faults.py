"""Something wrong in a good file: bytes, words, parts of documents and of messages changed."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from typing import Any, Sequence

import numpy as np

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
Draw = random.Random


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


def archive_changed(draw: Draw, data: bytes) -> bytes:
    """An exported program with some of its parts changed: a text, the elements of a tensor, or what the
    archive says of its members."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    texts = [name for name in parts if name.endswith(".json")]
    for name in draw.sample(texts, draw.choice((0, 1, 1, 1, 2))):
        document = json.loads(parts[name])
        for _ in range(draw.choice((1, 2, 5))):
            document = document_changed(draw, document)
        parts[name] = json.dumps(document).encode("utf-8", "surrogatepass")
    name, fault = draw.choice(sorted(parts)), draw.randrange(8)
    if fault == 0:
        parts[name] = bytes_changed(draw, parts[name])
    elif fault == 1:
        del parts[name]
    elif fault == 2:
        parts[draw.choice(("net/../x", "/x", "x", "net//x", "other/x", "net/x\\y"))] = parts[name]
    out = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if draw.random() < 0.05 else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


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
