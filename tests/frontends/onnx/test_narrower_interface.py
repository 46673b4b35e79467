"""Inputs and outputs that a policy lets change their width: states that a caller carries along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
ort = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from cli.tools import run  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

from frontends.onnx.network import Net  # noqa: E402
from prunec.rewriting.slicing import expand  # noqa: E402

W = 12


def stated(net: Net, **shapes: Any) -> Any:
    """The message, with outputs renamed and their shapes stated, by what makes them."""
    for made, (name, shape) in shapes.items():
        net.nodes.append(helper.make_node("Identity", [made], [name], name=f"{name}_node"))
        net.outputs.append(helper.make_tensor_value_info(name, 1, shape))
    return net.proto()


def cell(batch: Any = "n") -> Any:
    """One step of a recurrent network: nothing but the caller ties its state's rows and columns."""
    net = Net()
    x = net.op("MatMul", net.input("x", batch, 5), net.weight("w_x", 5, W))
    h = net.op("MatMul", net.input("h_init", batch, W), net.weight("w_h", W, W))
    h = net.op("Tanh", net.op("Add", net.op("Add", x, h), net.weight("b", W)))
    y = net.dense(h, "fc", W, 3)
    return stated(net, **{h: ("h_last", [batch, W]), y: ("y", [batch, 3])})


def lstm(batch: Any = "n") -> Any:
    """Two layers of an LSTM over three steps, the states of each an input and an output."""
    net = Net()
    x, wide, ends = net.input("x", 3, batch, 5), 5, {}
    for layer in range(2):
        states = [net.input(f"l{layer}_init_{part}", 1, batch, W) for part in "hc"]
        weights = [net.weight(f"l{layer}_w", 1, 4 * W, wide), net.weight(f"l{layer}_r", 1, 4 * W, W)]
        y, h, c = net.op(
            "LSTM", x, *weights, net.weight(f"l{layer}_b", 1, 8 * W), "", *states, outputs=3, hidden_size=W
        )
        x, wide = net.op("Squeeze", y, net.numbers(f"direction_{layer}", [1])), W
        ends.update({h: (f"l{layer}_last_h", [1, batch, W]), c: (f"l{layer}_last_c", [1, batch, W])})
    return stated(net, **ends, **{net.dense(x, "fc", W, 3): ("y", [3, batch, 3])})


def streaming() -> Any:
    """A convolution over time that keeps the last two frames of what it reads for the next call."""
    net = Net()
    x = net.op("Conv", net.input("x", 2, 4, 6), net.weight("c1_w", W, 4, 1), net.weight("c1_b", W))
    x = net.op("Concat", net.input("cache", 2, W, 2), net.op("Relu", x), axis=2)
    y = net.op("Conv", x, net.weight("c2_w", 5, W, 3), net.weight("c2_b", 5))
    last = net.op("Slice", x, net.numbers("from", [-2]), net.numbers("to", [99]), net.numbers("at", [2]))
    return stated(net, **{y: ("y", [2, 5, 6]), last: ("cache_out", [2, W, 2])})


def attention() -> Any:
    """Keys and values of the steps before, by heads; an output gives them with the new one."""
    net, heads = Net(), 3
    x = net.input("x", 2, 1, 7)
    split = net.numbers("split", [2, 1, heads, W // heads])
    parts, ends = {}, {}
    for part in "qkv":
        own = net.op("Reshape", net.dense(x, part, 7, W), split)
        own = net.op("Transpose", own, perm=[0, 2, 1, 3])
        if part != "q":
            past = net.input(f"past.{part}", 2, heads, 4, W // heads)
            own = net.op("Concat", past, own, axis=2)
            ends[own] = (f"present.{part}", [2, heads, 5, W // heads])
        parts[part] = own
    scores = net.op("MatMul", parts["q"], net.op("Transpose", parts["k"], perm=[0, 1, 3, 2]))
    mixed = net.op("MatMul", net.op("Softmax", scores, axis=-1), parts["v"])
    flat = net.op("Reshape", net.op("Transpose", mixed, perm=[0, 2, 1, 3]), net.numbers("flat", [2, 1, W]))
    return stated(net, **ends, **{net.dense(flat, "fc", W, 3): ("y", [2, 1, 3])})


def shape_of(value: Any) -> list[Any]:
    return [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]


def sizes(proto: Any) -> list[str]:
    """Options that give the inputs' shapes, two for an open size."""
    shapes = {
        value.name: [size if isinstance(size, int) else 2 for size in shape_of(value)]
        for value in proto.graph.input
    }
    return [f"--input={name}={','.join(map(str, shape))}" for name, shape in shapes.items()]


def compiled(capsys: Any, proto: Any, policy: str, *more: str) -> tuple[Any, dict[str, Any]]:
    """The smaller model, proved, and what is said of it."""
    onnx.save(proto, "net.onnx")
    Path("my.prune").write_text(policy)
    code, out, err = run(
        capsys,
        "compile",
        "net.onnx",
        "--policy",
        "my.prune",
        "--verify",
        "--json",
        "--force",
        "--ratio",
        "0.5",
        *more,
    )
    assert code == 0, out + err
    return onnx.load("net-pruned/net.onnx"), json.loads(out)


@pytest.mark.parametrize(
    ("proto", "policy", "widths"),
    [
        (cell, 'interface "h_init" from "h_last"', {"h_init": ["n", 6], "h_last": ["n", 6], "y": ["n", 3]}),
        (cell, 'interface "h_*" because "states"', {"h_init": ["n", 6], "h_last": ["n", 6]}),
        (
            lstm,
            'interface "l*_init_*" from "l*_last_*"',
            {f"l{n}_{at}_{part}": [1, "n", 6] for n in range(2) for at in ("init", "last") for part in "hc"},
        ),
        (
            lstm,
            'interface "l1_*"',
            {"l1_init_h": [1, "n", 6], "l1_last_c": [1, "n", 6], "l0_init_h": [1, "n", W]},
        ),
        (streaming, 'interface "cache" from "cache_out"', {"cache": [2, 6, 2], "cache_out": [2, 6, 2]}),
        (
            attention,
            'interface "past.*" from "present.*"',
            {
                "past.k": [2, 3, 4, 2],
                "past.v": [2, 3, 4, 2],
                "present.k": [2, 3, 5, 2],
                "present.v": [2, 3, 5, 2],
            },
        ),
    ],
    ids=["cell", "cell in order", "lstm", "one layer", "streaming", "attention"],
)
def test_states_become_narrower(
    tmp_path: Path, capsys: Any, monkeypatch: Any, proto: Any, policy: str, widths: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    made, said = compiled(capsys, proto(), policy, *(sizes(proto()) if proto is lstm else ()))
    assert said["verification"]["outcome"] == "proved"
    found = {value.name: shape_of(value) for value in (*made.graph.input, *made.graph.output)}
    assert {name: found[name] for name in widths} == widths


@pytest.mark.parametrize("proto", [cell, lstm])
def test_a_batch_that_is_closed_is_no_width(
    tmp_path: Path, capsys: Any, monkeypatch: Any, proto: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    made, said = compiled(capsys, proto(4), 'interface "*init*" from "*last*"')
    assert said["verification"]["outcome"] == "proved"
    shapes = {value.name: shape_of(value) for value in made.graph.input if "init" in value.name}
    assert shapes and all(shape[-2:] == [4, 6] for shape in shapes.values())


def without(proto: Any, gone: dict[str, list[int]]) -> Any:
    """A copy of a model with columns of some weights zero, by the weight's name."""
    masked = onnx.ModelProto()
    masked.CopyFrom(proto)
    for tensor in masked.graph.initializer:
        if tensor.name in gone:
            values = numpy_helper.to_array(tensor).copy()
            values[..., gone[tensor.name]] = 0
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return masked


def test_states_that_are_carried_stay_what_they_were(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """Five steps with the positions that the plan gives: a wrong one shows in the next step."""
    monkeypatch.chdir(tmp_path)
    made, said = compiled(capsys, cell(), 'interface "h_init" from "h_last"')
    plan = json.loads(Path("net-pruned/plan.json").read_text())
    assert plan["interface"] == said["interface"]
    (given, back) = plan["interface"]
    assert (given["kind"], given["name"], given["from"]) == ("input", "h_init", "h_last")
    assert (back["kind"], back["name"], back["from"]) == ("output", "h_last", None)
    assert given["kept"] == back["kept"] and (given["axis"], given["before"], given["after"]) == (1, W, 6)
    kept = expand(given["kept"])
    gone = sorted(set(range(W)) - set(kept.tolist()))
    sessions = [
        ort.InferenceSession(own.SerializeToString(), providers=["CPUExecutionProvider"])
        for own in (without(cell(), {"w_x": gone, "w_h": gone, "b": gone}), made)
    ]
    random = np.random.default_rng(0)
    state = random.standard_normal((2, W)).astype(np.float32)
    # What the caller holds of channels that go counts for nothing once they are masked.
    state[:, gone] = 0
    small = state[:, kept]
    for _ in range(5):
        x = random.standard_normal((2, 5)).astype(np.float32)
        state, y = sessions[0].run(None, {"x": x, "h_init": state})
        small, other = sessions[1].run(None, {"x": x, "h_init": small})
        np.testing.assert_allclose(small, state[:, kept], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(other, y, rtol=1e-5, atol=1e-6)


def test_without_the_policy_they_stay(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    made, said = compiled(capsys, cell(), "")
    assert made == cell() and said["interface"] == []
    plan = json.loads(Path("net-pruned/plan.json").read_text())
    assert "interface" not in plan


def test_a_pair_loses_the_same_channels(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """Nothing in one step ties the two sides of a recurrent weight: unpaired, each loses its own."""
    monkeypatch.chdir(tmp_path)
    _, said = compiled(capsys, cell(), 'interface "h_init"\ninterface "h_last"')
    first, second = said["interface"]
    assert first["kept"] != second["kept"] and first["from"] is None
    assert said["verification"]["outcome"] == "proved"


def test_a_plan_needs_its_policy(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    policy = ("--policy", "my.prune")
    compiled(capsys, cell(), 'interface "h_init" from "h_last"')
    code, out, _ = run(capsys, "verify", "net.onnx", "net-pruned/net.onnx", *policy)
    assert code == 0 and "h_init (1, 12)" in out
    assert run(capsys, "verify", "net.onnx", "net-pruned/net.onnx")[0] == 4
    code, out, _ = run(capsys, "plan", "net.onnx", *policy, "--ratio", "0.25", "--out", "other.json")
    assert code == 0 and "h_init  input, fed from h_last     1  12 -> 9" in out
    code, out, _ = run(capsys, "diff", "net.onnx", "net-pruned/net.onnx")
    assert "  h_init (input): (?, 12) -> (?, 6)\n" in out


def test_a_wrong_position_is_refused(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """The plan of other channels of the state, so that a caller would hold others than the model takes."""
    monkeypatch.chdir(tmp_path)
    compiled(capsys, cell(), 'interface "h_init" from "h_last"')
    plan = json.loads(Path("net-pruned/plan.json").read_text())
    gone = plan["groups"][0]["remove"]
    plan["groups"][0]["remove"] = [gone[0] + 1 if gone[0] + 1 not in gone else gone[0] - 1, *gone[1:]]
    Path("other.json").write_text(json.dumps(plan))
    code, out, _ = run(
        capsys, "verify", "net.onnx", "net-pruned/net.onnx", "--policy", "my.prune", "--plan", "other.json"
    )
    assert code == 1 and "the models differ" in out


@pytest.mark.parametrize(
    ("policy", "code", "words"),
    [
        ('interface "state*"', "P547", "its inputs are x, h_init; its outputs are h_last, y"),
        (
            'interface "h_init" from "state"',
            "P547",
            "no output of the model is named so that 'h_init' is fed",
        ),
        ('interface "h_last" from "h_last"', "P547", "no input of the model has such a name"),
        ('interface "x", "h_init" from "h_last"', "P547", "not every pattern has its counterpart"),
        ('interface "h_*" from "*_last"', "P547", "wildcards behind `from` stand for the same characters"),
        ('interface "h_*", "y"', "P548", "inputs: h_init; outputs: h_last, y"),
        ('interface "y"', None, ""),
    ],
)
def test_what_a_policy_cannot_say(
    tmp_path: Path, capsys: Any, monkeypatch: Any, policy: str, code: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(cell(), "net.onnx")
    Path("my.prune").write_text(policy)
    status, _, err = run(capsys, "plan", "net.onnx", "--policy", "my.prune", "--ratio", "0.5")
    assert (status == 1) == (code == "P547")
    assert (f"[{code}]" in err and words in err) if code else "P5" not in err


def test_examples_are_as_wide_as_before(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    shapes = {"x": (96, 5), "h_init": (96, W)}
    np.savez(
        "data.npz",
        **{name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()},
    )
    for more in (("--criterion", "obs"), ("--no-restore", "--criterion", "activation")):
        made, said = compiled(capsys, cell(), 'interface "h_init" from "h_last"', "--data", "data.npz", *more)
        assert said["verification"]["outcome"] == "proved"
        cut = next(own for own in said["quality"]["models"] if own["name"] == "cut")
        assert 0 < cut["change"] < 2
        assert shape_of(made.graph.input[1]) == ["n", 6]


def test_latency_of_a_narrower_model(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(cell(), "net.onnx")
    Path("my.prune").write_text('interface "h_init" from "h_last"')
    more = ("--policy", "my.prune", "--target", "latency=0.99", "--global")
    code, _, err = run(capsys, "plan", "net.onnx", *more, "--input=x=1,5", "--input=h_init=1,12")
    # What so small a model takes is no more than chance; that it runs at all is what counts.
    assert code == 0 or "P523" in err


def test_an_input_whose_channels_reach_an_output_stays(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(lstm(), "net.onnx")
    Path("my.prune").write_text('interface "l0_init_?"\ninterface "l1_init_c" from "l1_last_c"\n')
    code, out, err = run(capsys, "plan", "net.onnx", "--policy", "my.prune", "--ratio", "0.5")
    assert code == 0 and "narrower" not in out
    assert err.count("no channel of these inputs and outputs can go") == 2
    assert "my.prune:1:1" in err and "my.prune:2:1" in err
