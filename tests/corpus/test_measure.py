"""The measurements: on small networks they can be counted by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.cost import chain  # noqa: E402
from bench.measure import Measurement, measure  # noqa: E402
from bench.networks import Network, networks  # noqa: E402


def symbol(*layers: tuple[str, dict[str, Any], int]) -> bytes:
    """A chain of nodes, each with as many parameters as the last number says."""
    nodes: list[dict[str, Any]] = [{"op": "null", "name": "data", "inputs": []}]
    last = 0
    for number, (operator, attributes, count) in enumerate(layers):
        first = len(nodes)
        nodes += [{"op": "null", "name": f"p{number}_{k}", "inputs": []} for k in range(count)]
        nodes.append(
            {
                "op": operator,
                "name": f"node{number}",
                "attrs": {key: str(value) for key, value in attributes.items()},
                "inputs": [[last, 0, 0], *([first + k, 0, 0] for k in range(count))],
            }
        )
        last = len(nodes) - 1
    return json.dumps({"nodes": nodes, "arg_nodes": [], "heads": [[last, 0, 0]]}).encode()


def measured(path: Path, data: bytes, floor: float | None = None) -> Measurement:
    path.write_bytes(data)
    inputs = {"data": (1, 3, 8, 8)}
    return measure(Network(path.name, "net", "zoo", path, inputs, None, True, "", floor))


CONVOLUTION = ("Convolution", {"kernel": (1, 1), "num_filter": 8, "no_bias": True}, 1)
RELU = ("Activation", {"act_type": "relu"}, 0)
HEAD = ("Convolution", {"kernel": (1, 1), "num_filter": 5, "no_bias": True}, 1)


def test_two_layers(tmp_path: Path) -> None:
    found = measured(tmp_path / "net-symbol.json", symbol(CONVOLUTION, RELU, HEAD))
    assert (found.outcome, found.channels, found.removable) == ("pruned", 13, 8)
    assert found.reasons == {"model output": 5}
    assert found.parameters == 3 * 8 + 8 * 5
    assert found.left == 0.5
    assert (found.groups, found.approximate, found.barriers) == (1, 0, {})


def test_an_unknown_operator_keeps_what_it_touches(tmp_path: Path) -> None:
    unknown = ("mystery", {}, 0)
    found = measured(tmp_path / "net-symbol.json", symbol(CONVOLUTION, unknown))
    assert (found.outcome, found.channels, found.removable) == ("kept", 8, 0)
    assert found.barriers == {"mystery (unknown operator)": 1}
    assert found.reasons == {"barrier mystery: no rule knows the operator mystery": 8}


def test_what_is_refused(tmp_path: Path) -> None:
    found = measured(tmp_path / "net-symbol.json", b"{")
    assert (found.outcome, found.code) == ("refused", "P303")
    assert "error[P303]" in found.message


def test_the_floor(tmp_path: Path) -> None:
    data = symbol(CONVOLUTION, RELU, HEAD)
    assert not measured(tmp_path / "net-symbol.json", data, 0.495).above_floor
    assert measured(tmp_path / "net-symbol.json", data, 0.48).above_floor


def test_chains_of_the_cost_table_are_networks(tmp_path: Path) -> None:
    for residual, groups in ((False, 5), (True, 2)):
        path = tmp_path / "net-symbol.json"
        path.write_bytes(chain(6, residual, width=4))
        found = measure(Network("net", "net", "zoo", path, {"data": (1, 4, 8, 8)}, None, True, "", None))
        assert (found.outcome, found.groups) == ("pruned", groups), found.message


def test_a_missing_corpus_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as failure:
        networks(tmp_path)
    assert f"there is no corpus in {tmp_path}: give its folder with --corpus" in str(failure.value)
