"""Policies with ``uniform``: what looks alike loses the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import node, write_arrays

from planning.models import RULES
from prunec.analysis.analyse import analyse
from prunec.channels.removal import illegal
from prunec.frontends.mxnet.model import read_model
from prunec.planning.choose import Options, make_plan
from prunec.planning.policy import read_policy
from prunec.planning.targets import parse_target
from prunec.support.diagnostics import render

#: The widths of the layers, each read by the next: the groups of the first and the second do not look like
#: any other, since other layers read other widths; those of four to six do.
WIDTHS = (3, 16, 12, 12, 12, 12, 12, 5)


def chain(folder: Path, scales: dict[int, float]) -> Any:
    """Dense layers; the weights of some are multiplied, so that a ranking prefers others."""
    generator = np.random.default_rng(1)
    nodes, arrays = [node("null", "data", [])], {}
    for number, (before, width) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        weight = f"fc{number}_weight"
        nodes.append(node("null", weight, []))
        below = len(nodes) - 2
        nodes.append(
            node(
                "FullyConnected",
                f"fc{number}",
                [[below, 0], [len(nodes) - 1, 0]],
                num_hidden=width,
                no_bias=True,
            )
        )
        values = generator.standard_normal((width, before)) * scales.get(number, 1.0)
        arrays[weight] = values.astype(np.float32)
    variables = [index for index, entry in enumerate(nodes) if entry["op"] == "null"]
    document = {
        "nodes": nodes,
        "arg_nodes": variables,
        "heads": [[len(nodes) - 1, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10901]},
    }
    (folder / "net-symbol.json").write_text(json.dumps(document))
    write_arrays(folder / "net-0000.params", arrays)
    return analyse(read_model(folder / "net-symbol.json", input_shapes={"data": (2, 3)}), RULES)


def gone(analysis: Any, folder: Path, policy: str, **options: Any) -> list[int]:
    (folder / "my.prune").write_text(policy)
    read = read_policy(folder / "my.prune", analysis)
    plan = make_plan(analysis, options=Options(policy=read, **options))
    assert illegal(analysis.solution, plan.removed) == []
    return [int(plan.removed[group.units].sum()) for group in analysis.solution.groups]


SCALES = {2: 0.3, 3: 0.5, 4: 0.2, 5: 0.1}


@pytest.mark.parametrize("options", [{"ratio": 0.5}, {"targets": (parse_target("params=0.5"),)}])
def test_a_ranking_takes_the_same_from_what_looks_alike(tmp_path: Path, options: Any) -> None:
    analysis = chain(tmp_path, SCALES)
    apart = gone(analysis, tmp_path, "", ranked=True, normalise="none", **options)
    same = gone(analysis, tmp_path, 'policy "fc*" { uniform }', ranked=True, normalise="none", **options)
    assert len(analysis.solution.groups) == 6 and len(set(apart[2:5])) > 1
    assert len(set(same[2:5])) == 1 and same[2] > 0


def test_a_target_by_shares_never_stops_between_two_of_them(tmp_path: Path) -> None:
    analysis = chain(tmp_path, {})
    for share in ("0.85", "0.7", "0.62", "0.45"):
        targets = (parse_target(f"params={share}"),)
        same = gone(analysis, tmp_path, 'policy "fc*" { uniform }', targets=targets)
        assert len(set(same[2:5])) == 1


def test_what_is_said_of_one_holds_for_all_that_look_alike(tmp_path: Path) -> None:
    analysis = chain(tmp_path, {})
    text = 'policy "fc*" { uniform }\n'
    assert gone(analysis, tmp_path, text + 'policy "fc3" { hold }', ratio=0.5) == [8, 6, 0, 0, 0, 6]
    text += 'policy "fc3" { ratio 0.25 }  policy "fc4" { max_ratio 0.1 }'
    assert gone(analysis, tmp_path, text, ratio=0.5) == [8, 6, 1, 1, 1, 6]


def test_only_matched_nodes_are_tied(tmp_path: Path) -> None:
    analysis = chain(tmp_path, SCALES)
    text = 'policy "fc2", "fc4" { uniform }'
    found = gone(analysis, tmp_path, text, ratio=0.5, ranked=True, normalise="none")
    apart = gone(analysis, tmp_path, "", ratio=0.5, ranked=True, normalise="none")
    assert found[2] == found[4] != found[3] and apart[2] != apart[4]


def test_two_policies_that_share_a_group_tie_all(tmp_path: Path) -> None:
    analysis = chain(tmp_path, SCALES)
    text = 'policy "fc2", "fc3" { uniform }\npolicy "fc3", "fc4" { uniform }'
    found = gone(analysis, tmp_path, text, ratio=0.5, ranked=True, normalise="none")
    assert len(set(found[2:5])) == 1


def test_a_policy_that_ties_nothing_is_a_warning(tmp_path: Path) -> None:
    analysis = chain(tmp_path, {})
    (tmp_path / "my.prune").write_text('policy "fc0", "fc1" { ratio 0.5  uniform because "why" }\n')
    plan = make_plan(analysis, options=Options(policy=read_policy(tmp_path / "my.prune", analysis)))
    (warning,) = plan.warnings
    assert warning.code == "P529" and "uniform" in render(warning)


def test_the_plan_names_the_policy(tmp_path: Path) -> None:
    analysis = chain(tmp_path, {})
    (tmp_path / "my.prune").write_text('policy "fc*" { uniform }\n')
    policy = read_policy(tmp_path / "my.prune", analysis)
    assert make_plan(analysis, options=Options(ratio=0.5, policy=policy)).method["policy"] == policy.digest
