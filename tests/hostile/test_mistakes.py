"""Models that no framework minds, or that it minds as much: pruned, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import node, run, write_arrays


def write(path: Path, *nodes: dict[str, Any]) -> Path:
    """A symbol file whose last node is its output."""
    document = {"nodes": list(nodes), "arg_nodes": [], "heads": [[len(nodes) - 1, 0, 0]]}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def shared_by_name(folder: Path) -> Path:
    """Two layers whose weights are variables of one name, between two of their own."""
    shape = {"__shape__": "(8, 8)"}
    path = write(
        folder / "net-symbol.json",
        node("null", "data", []),
        node("null", "first_weight", []),
        node("FullyConnected", "first", [[0, 0], [1, 0]], num_hidden=8, no_bias=True),
        node("null", "shared_weight", [], **shape),
        node("FullyConnected", "a", [[2, 0], [3, 0]], num_hidden=8, no_bias=True),
        node("Activation", "between", [[4, 0]], act_type="tanh"),
        node("null", "shared_weight", [], **shape),
        node("FullyConnected", "b", [[5, 0], [6, 0]], num_hidden=8, no_bias=True),
        node("null", "last_weight", []),
        node("FullyConnected", "last", [[7, 0], [8, 0]], num_hidden=3, no_bias=True),
    )
    draw = np.random.default_rng(0).standard_normal
    shapes = {"first_weight": (8, 5), "shared_weight": (8, 8), "last_weight": (3, 8)}
    write_arrays(folder / "net-0000.params", {name: draw(own).astype("f") for name, own in shapes.items()})
    return path


def test_a_weight_shared_by_name_is_one_parameter(tmp_path: Path, capsys: Any) -> None:
    options = ("--input", "data=2,5", "--out", tmp_path / "out")
    code, _, err = run(capsys, "compile", shared_by_name(tmp_path), "--no-restore", *options)
    assert (code, err) == (0, "")
    groups = json.loads((tmp_path / "out" / "groups.json").read_text())
    assert groups["parameter_views"]["shared_weight"]["shape"] == [8, 8]
    (group,) = groups["groups"]
    assert {(m["parameter"], m["axis"]) for m in group["members"]} == {
        ("first_weight", 0),
        ("shared_weight", 0),
        ("shared_weight", 1),
        ("last_weight", 1),
    }
    smaller = json.loads((tmp_path / "out" / "net-symbol.json").read_text())
    hints = [entry["attrs"] for entry in smaller["nodes"] if entry["name"] == "shared_weight"]
    assert hints == [{"__shape__": "(4, 4)"}] * 2


def test_a_weight_shared_by_name_is_pruned_exactly(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    path = shared_by_name(tmp_path)
    options = ("--verify", "--input", "data=2,5", "--out", tmp_path / "out")
    code, out, err = run(capsys, "compile", path, "--no-restore", *options)
    assert (code, err) == (0, "") and "last: relative error" in out


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("convention", ["valid", "full"])
def test_an_input_too_small_for_its_windows(
    tmp_path: Path, capsys: Any, monkeypatch: Any, size: int, convention: str
) -> None:
    monkeypatch.chdir(tmp_path)
    window = {"kernel": (3, 3), "stride": (2, 2), "pool_type": "max", "pooling_convention": convention}
    write(
        tmp_path / "net-symbol.json",
        node("null", "data", []),
        node("null", "conv_weight", []),
        node("Convolution", "conv", [[0, 0], [1, 0]], kernel=(1, 1), num_filter=8, no_bias=True),
        node("Pooling", "pool", [[2, 0]], **window),
        node("null", "fc_weight", []),
        node("FullyConnected", "fc", [[3, 0], [4, 0]], num_hidden=3, no_bias=True),
    )
    shape = f"data=1,3,{size},{size}"
    for command in ("plan", "groups", "compile"):
        code, _, err = run(capsys, command, "net-symbol.json", "--input", shape)
        if convention == "full" and size == 2:
            assert code == 0  # the framework rounds up: the window stands there once
        else:
            assert code == 1 and err.startswith("error[P416]: *y = window") and "leaves nothing" in err
            assert "'pool' (Pooling)" in err and f"x.0 = {size}" in err
