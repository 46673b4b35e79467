"""Inputs and outputs of MXNet models that a policy lets change their width."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import node, run, write_arrays

H = 8
#: Gates of an LSTM: input, forget, new values, output.
GATES = 4


def unrolled(steps: int = 3) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """An LSTM as ``mxnet.rnn`` unrolls it, its first states inputs and its last ones outputs; and the shapes
    of its parameters."""
    nodes: list[dict[str, Any]] = []
    number: dict[str, int] = {}

    def add(op: str, name: str, *inputs: Any, **attributes: Any) -> str:
        pairs = [(own, 0) if isinstance(own, str) else own for own in inputs]
        entry = node(op, name, [], **attributes)
        nodes.append({**entry, "inputs": [[number[own], k, 0] for own, k in pairs]})
        number[name] = len(nodes) - 1
        return name

    shapes = {
        "x2h_weight": (GATES * H, 5),
        "h2h_weight": (GATES * H, H),
        "h2h_bias": (GATES * H,),
        "y_weight": (3, H),
    }
    for name in ("data", *shapes):
        add("null", name)
    c = add("null", "l0_init_c", __shape__=f"(0, {H})")
    h = add("null", "l0_init_h", __shape__=f"(0, {H})")
    for t in range(steps):
        x = add("slice_axis", f"t{t}_x", "data", axis=1, begin=t, end=t + 1)
        x = add("Flatten", f"t{t}_flat", x)
        x = add("FullyConnected", f"t{t}_i2h", x, "x2h_weight", num_hidden=GATES * H, no_bias=True)
        r = add("FullyConnected", f"t{t}_h2h", h, "h2h_weight", "h2h_bias", num_hidden=GATES * H)
        gates = add("SliceChannel", f"t{t}_gates", add("elemwise_add", f"t{t}_sum", x, r), num_outputs=GATES)
        kinds = ("sigmoid", "sigmoid", "tanh", "sigmoid")
        i, f, new, o = (
            add("Activation", f"t{t}_{name}", (gates, k), act_type=kinds[k]) for k, name in enumerate("ifno")
        )
        kept, taken = add("elemwise_mul", f"t{t}_kept", f, c), add("elemwise_mul", f"t{t}_in", i, new)
        c = add("elemwise_add", f"t{t}_c" if t + 1 < steps else "l0_last_c", kept, taken)
        seen = add("Activation", f"t{t}_seen", c, act_type="tanh")
        h = add("elemwise_mul", f"t{t}_h" if t + 1 < steps else "l0_last_h", o, seen)
    y = add("FullyConnected", "y", h, "y_weight", num_hidden=3, no_bias=True)
    heads = [[number[name], 0, 0] for name in (y, c, h)]
    variables = [n for n, entry in enumerate(nodes) if entry["op"] == "null"]
    return {
        "nodes": nodes,
        "arg_nodes": variables,
        "heads": heads,
        "attrs": {"mxnet_version": ["int", 10901]},
    }, shapes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    network, shapes = unrolled()
    Path("net-symbol.json").write_text(json.dumps(network, indent=2))
    random = np.random.default_rng(0)
    arrays = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    write_arrays(tmp_path / "net-0000.params", arrays)
    return tmp_path


SIZES = ("--input", "data=2,3,5", "--input", f"l0_init_c=2,{H}", "--input", f"l0_init_h=2,{H}")


def test_states_of_an_unrolled_network(folder: Path, capsys: Any) -> None:
    (folder / "my.prune").write_text('interface "l*_init_*" from "l*_last_*"\n')
    options = (
        "compile",
        "net-symbol.json",
        "--policy",
        "my.prune",
        "--ratio",
        "0.5",
        "--json",
        "--out",
        "small",
    )
    code, out, err = run(capsys, *options, *SIZES)
    assert code == 0, err
    changed = {
        own["name"]: (own["axis"], own["before"], own["after"]) for own in json.loads(out)["interface"]
    }
    names = [f"l0_{at}_{part}" for at in ("init", "last") for part in "ch"]
    assert changed == dict.fromkeys(names, (1, H, H // 2))
    assert len({own["kept"] for own in json.loads(out)["interface"]}) == 1
    small = json.loads((folder / "small" / "net-symbol.json").read_text())
    hints = {own["name"]: own["attrs"]["__shape__"] for own in small["nodes"] if "init" in own["name"]}
    assert hints == dict.fromkeys(("l0_init_c", "l0_init_h"), f"(0, {H // 2})")


def test_the_smaller_network_computes_the_same(folder: Path, capsys: Any) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    (folder / "my.prune").write_text('interface "l*_init_*", "l*_last_*"\n')
    options = ("--policy", "my.prune", *SIZES)
    code, out, err = run(
        capsys, "compile", "net-symbol.json", "--ratio", "0.5", "--verify", "--out", "small", *options
    )
    assert code == 0, out + err
    assert "proved: " in out and "l0_init_c  input, fed from l0_last_c" in out
    code, out, _ = run(capsys, "verify", "net-symbol.json", "small/net-symbol.json", *options)
    assert code == 0 and out.startswith("proved: ")


def test_inputs_alone_stay_while_an_output_keeps_them(folder: Path, capsys: Any) -> None:
    (folder / "my.prune").write_text('interface "l*_init_*"\n')
    code, out, err = run(capsys, "plan", "net-symbol.json", "--policy", "my.prune", "--ratio", "0.5", *SIZES)
    assert code == 0 and "no channel of these inputs and outputs can go" in err and "narrower" not in out
