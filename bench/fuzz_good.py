"""Files without a fault, which hostile and careless inputs are made of."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
#: Where small exported programs are.
_PROGRAMS = "tests/frontends/pytorch/fixtures"
_RULES = ("default", "onnx", "aten")


@dataclass
class Good:
    """Files without a fault, made once."""

    symbols: Sequence[bytes]
    parameters: bytes
    models: Sequence[bytes]
    programs: Sequence[bytes]
    plans: Mapping[str, bytes]
    tables: Sequence[bytes]
    rules: Sequence[str] = field(default_factory=list)
    operators: Sequence[str] = field(default_factory=list)


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
    programs = [path.read_bytes() for path in sorted((ROOT / _PROGRAMS).glob("*.pt2"))]
    files = {"net-symbol.json": symbols[0], "net-0000.params": parameters}
    plans = {
        "net-symbol.json": planned(files, ("plan", "net-symbol.json", "--input", "data=1,3,8,8", "--quiet"))
    }
    if models:
        plans["net.onnx"] = planned({"net.onnx": models[0]}, ("plan", "net.onnx", "--quiet"))
    head = "group,name,units,removed,ratio,change,accuracy,criterion,measured_for\n"
    rows = ",,,0,0,0,0.9,l1,k\n0,conv1_weight,8,2,0.25,0.1,0.8,l1,k\n0,conv1_weight,8,4,0.5,0.2,,l1,k\n"
    text = "\n".join((ROOT / "rules" / f"{name}.prune").read_text("utf-8") for name in _RULES)
    rules = [f"op {part}" for part in text.split("\nop ")[1:]]
    operators = sorted(
        {name.strip() for rule in rules for name in rule[3:].split("(")[0].split("{")[0].split(",")}
    )
    operators = [name for name in operators if name.isidentifier()]
    return Good(symbols, parameters, models, programs, plans, [(head + rows).encode()], rules, operators)
