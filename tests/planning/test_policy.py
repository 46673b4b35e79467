"""Policies: what they say of channels, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import plan_of, run, write_arrays

from planning.models import RULES, corpus_model, parameters, small_analysis, write_model
from prunec.analysis.analyse import analyse
from prunec.channels.choices import choices_of
from prunec.channels.removal import illegal, uniform
from prunec.planning.choose import Options, Plan, make_plan
from prunec.planning.policy import read_policy, regrouped
from prunec.rewriting.emit import emit
from prunec.support.diagnostics import PrunecError, render, render_all


def planned(folder: Path, text: str, ratio: float = 0.5) -> tuple[Any, Plan]:
    (folder / "my.prune").write_text(text)
    analysis = small_analysis(folder, parameters())
    policy = read_policy(folder / "my.prune", analysis)
    return analysis, make_plan(analysis, options=Options(ratio=ratio, policy=policy))


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("", [4, 3]),
        ('policy "conv1" { hold }', [0, 3]),
        ('policy "bn_gamma" { hold because "they were hard to find" }', [0, 3]),
        ('policy "conv*" { hold }', [0, 0]),
        ('policy "conv?" { ratio 0.25 }', [2, 1]),
        ('policy "relu" { ratio 0 }  policy "conv2" { ratio 0.7 }', [0, 4]),
        ('policy "conv1", "conv2" { align 4 }', [4, 2]),
        ('policy "*" { max_ratio 0.2 }', [1, 1]),
        ('policy "*" { min_channels 5 }  policy "conv2" { min_channels 4 }', [3, 1]),
        ('policy "*" { ratio 0.7 }  policy "conv1" { ratio 0.25 }', [2, 4]),
    ],
)
def test_policies(tmp_path: Path, text: str, gone: list[int]) -> None:
    analysis, plan = planned(tmp_path, text)
    assert [int(plan.removed[g.units].sum()) for g in analysis.solution.groups] == gone
    assert plan.warnings == ()
    assert illegal(analysis.solution, plan.removed) == []


def test_targets_are_met_around_what_is_held(tmp_path: Path) -> None:
    from prunec.planning.targets import parse_target

    model = corpus_model("mobilenetv2_1.0")
    analysis = analyse(model, RULES)
    (tmp_path / "my.prune").write_text('policy "*bottleneck1_*" { hold }\npolicy "*conv1*" { ratio 0.25 }\n')
    policy = read_policy(tmp_path / "my.prune", analysis)
    plan = make_plan(analysis, options=Options(targets=(parse_target("macs=0.6"),), policy=policy))
    shapes = {own.name: own.new_shape for own in emit(analysis, plan.removed).slices}
    assert plan.warnings == ()
    assert plan.method["reached"]["macs"] / 300774272 == pytest.approx(0.6, rel=0.01)
    held = [node.name for node in model.graph.nodes if "bottleneck1_conv1_weight" in node.name]
    assert held and held[0] not in shapes


def test_a_pattern_that_matches_nothing_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "my.prune").write_text('policy "conv1", "cnv2" { hold }\n')
    analysis = small_analysis(tmp_path, parameters())
    (warning,) = read_policy(tmp_path / "my.prune", analysis).warnings
    assert render(warning).splitlines() == [
        "warning[P527]: this pattern matches no node of the model",
        f"  --> {tmp_path / 'my.prune'}:1:17",
        "   |",
        ' 1 | policy "conv1", "cnv2" { hold }',
        "   |                 ^^^^^^",
        "  help: did you mean conv2? `*` stands for any characters, `?` for one; names are those of the"
        " model file",
    ]


def test_a_policy_without_channels_is_a_warning(tmp_path: Path) -> None:
    _, plan = planned(tmp_path, 'policy "fc" { ratio 0.5 }')
    assert [w.headline for w in plan.warnings] == ["no channel of the nodes that this policy matches can go"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('policy "a" { ratio 1 }', "error[P528]: `ratio 1` is out of bounds"),
        ('policy "a" { max_ratio 1.5 }', "error[P528]: `max_ratio 1.5` is out of bounds"),
        ('policy "a" { align 0 }', "note: this counts channels"),
        ('policy "a" { hold for }', "error[P101]: `for` cannot stand here"),
        ("policy a { hold }", "expected a text in"),
        ('policy "a" { hold', "help: close it with `}`"),
        ("op x { a[c] -> b[c] }", "help: rules stand in files of their own, which --rules takes"),
    ],
)
def test_policies_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "my.prune").write_text(text)
    analysis = small_analysis(tmp_path, parameters())
    with pytest.raises(PrunecError) as caught:
        read_policy(tmp_path / "my.prune", analysis)
    assert words in render_all(caught.value.diagnostics)


def test_rows_go_whole(tmp_path: Path) -> None:
    analysis = analyse(corpus_model("resnext50_32x4d"), RULES)
    wide = [c for c in choices_of(analysis.solution) if len(c.cells) > 1]
    (tmp_path / "my.prune").write_text('policy "*" { whole rows because "groups are experts" }')
    policy = read_policy(tmp_path / "my.prune", analysis)
    changed = regrouped(analysis, policy)
    assert wide and all(len(c.cells) == 1 for c in choices_of(changed.solution))
    scores = np.random.default_rng(0).random(changed.solution.unit_count)
    removed = uniform(changed.solution, 0.5, scores)
    document = emit(changed, removed).model.decode()
    assert '"num_group": "16"' in document and '"num_group": "32"' not in document


def test_a_plan_of_whole_rows_needs_its_policy(tmp_path: Path, capsys: Any) -> None:
    values = parameters()
    values["conv2_weight"] = values["conv2_weight"][:, :4]
    path = write_model(tmp_path, values)
    document = json.loads(path.read_text())
    document["nodes"][11]["attrs"]["num_group"] = "2"
    path.write_text(json.dumps(document))
    (tmp_path / "whole.prune").write_text('policy "conv*" { whole rows  ratio 0.25 }')
    (tmp_path / "none.prune").write_text('policy "fc" { whole rows }')
    (tmp_path / "hold.prune").write_text('policy "conv1" { hold }')
    plan = tmp_path / "plan.json"
    for name, again in (("whole.prune", 1), ("none.prune", 0), ("hold.prune", 0)):
        code, out, _ = run(capsys, "plan", path, "--policy", tmp_path / name, "--out", plan, "--force")
        assert code == 0 and "conv1_weight" in out
        out = tmp_path / "out"
        code, _, err = run(capsys, "compile", path, "--plan", plan, "--out", out, "--force")
        assert code == again
        assert ("error[P504]" in err and "a policy says of whole rows" in err) == bool(again)
        arguments = ("--policy", tmp_path / name, "--out", out, "--force")
        assert run(capsys, "compile", path, "--plan", plan, *arguments)[0] == 0
        assert plan_of(out)["method"]["policy"]


@pytest.mark.parametrize("name", ["fused_attention", "grouped", "resnext_block", "deconvolution_grouped"])
def test_whole_rows_are_exact(tmp_path: Path, name: str) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    from exactness.pruning import Network, Trial
    from networks import BUILDERS, random_parameters

    from prunec.frontends.mxnet.model import read_model
    from prunec.rewriting.slicing import mask_array, slice_array

    case = next(case for case in (build() for build in BUILDERS) if case.name == name)
    values = random_parameters(case.symbol, case.inputs, 0)
    (tmp_path / "net-symbol.json").write_bytes(case.json)
    (tmp_path / "my.prune").write_text('policy "*" { whole rows }')
    write_arrays(tmp_path / "net-0000.params", values)
    model = read_model(tmp_path / "net-symbol.json", input_shapes=case.inputs)
    analysis = analyse(model, RULES)
    assert any((group.cells >= 0).any() for group in analysis.solution.groups)
    changed = regrouped(analysis, read_policy(tmp_path / "my.prune", analysis))
    assert not any((group.cells >= 0).any() for group in changed.solution.groups)
    scores = np.random.default_rng(0).random(changed.solution.unit_count)
    removed = uniform(changed.solution, 0.5, scores)
    pruned = emit(changed, removed)
    masked = {**values, **{own.name: mask_array(own, values[own.name]) for own in pruned.slices}}
    small = {**values, **{own.name: slice_array(own, values[own.name]) for own in pruned.slices}}
    network = Network(case.json, case.inputs, values, {})
    verdict = Trial(network, changed, removed, pruned, small, masked).verdict()
    assert pruned.slices and verdict.proved, str(verdict)


def test_whole_rows_that_change_nothing_are_a_warning(tmp_path: Path) -> None:
    analysis = analyse(corpus_model("resnext50_32x4d"), RULES)
    names = [node.name for node in analysis.model.graph.nodes if node.operator == "Convolution"]
    grouped = next(
        name
        for name, node in ((node.name, node) for node in analysis.model.graph.nodes)
        if node.operator == "Convolution" and node.attributes.get("num_group", 1) == 32
    )
    plain = next(name for name in names if name != grouped)
    for pattern, count in ((plain, 1), (grouped, 0)):
        (tmp_path / "my.prune").write_text(f'policy "{pattern}" {{ whole rows }}')
        changed = regrouped(analysis, read_policy(tmp_path / "my.prune", analysis))
        told = [own.headline for own in changed.warnings if own.code == "P529"]
        assert told == ["`whole rows` changes nothing at the nodes that this policy matches"] * count
