"""Targets are met, limits hold, balance stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planning.models import RULES, corpus_model, parameters, small_analysis
from prunec.analysis.analyse import analyse
from prunec.channels.choices import choices_of
from prunec.channels.removal import illegal
from prunec.frontends.mxnet.model import read_model
from prunec.planning.choose import Options, make_plan
from prunec.planning.costs import CostModel
from prunec.planning.targets import Limits, parse_target
from prunec.rewriting.emit import emit
from prunec.rewriting.layers import layers
from prunec.support.diagnostics import PrunecError, render

NETWORKS = ["resnet50_v1b", "mobilenetv2_1.0", "densenet121", "shufflenet_v2", "resnext50_32x4d"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_targets_are_met(name: str) -> None:
    model = corpus_model(name)
    for number, share in enumerate((0.3, 0.5, 0.7)):
        for ranked, align in ((False, 1), (True, 1), (number % 2 == 0, 8)):
            criterion = ("l1", "l2", "lamp")[number]
            analysis = analyse(model, RULES)
            options = Options(
                targets=(parse_target(f"macs={share}"),),
                criterion=criterion,
                ranked=ranked,
                limits=Limits(align=align),
            )
            plan = make_plan(analysis, options=options)
            assert plan.warnings == ()
            assert illegal(analysis.solution, plan.removed) == []
            found, totals = layers(analysis, emit(analysis, plan.removed))
            before, after = totals.multiply_adds
            assert before is not None and after is not None
            assert abs(after / before / share - 1) <= 0.01
            assert plan.method["reached"] == {"macs": after}
            for layer in found:
                if layer.channels and layer.channels[0] != layer.channels[1]:
                    assert layer.channels[1] is not None and layer.channels[1] % align == 0, layer


def test_two_targets_hold_together() -> None:
    analysis = analyse(corpus_model("mobilenetv2_1.0"), RULES)
    targets = (parse_target("macs=0.8"), parse_target("params=1.5M"))
    plan = make_plan(analysis, options=Options(targets=targets))
    assert plan.method["targets"] == ["macs=0.8", "params=1.5M"]
    assert plan.method["reached"]["params"] == pytest.approx(1.5e6, rel=0.01)
    assert plan.method["reached"]["macs"] < 0.8 * 301e6


def test_the_size_is_that_of_the_file(tmp_path: Path) -> None:
    from cli.tools import run_process

    small_analysis(tmp_path, parameters())
    arguments = ("compile", "net-symbol.json", "--input", "data=1,3,8,8", "--target", "size=0.6")
    assert run_process(tmp_path, *arguments, "--criterion", "l2").returncode == 0
    before = (tmp_path / "net-0000.params").stat().st_size
    after = (tmp_path / "net-pruned" / "net-0000.params").stat().st_size
    analysis = analyse(read_model(tmp_path / "net-symbol.json"), RULES)
    plan = make_plan(analysis, options=Options(targets=(parse_target("size=0.6"),), criterion="l2"))
    assert plan.method["reached"] == {"size": after}
    assert after < 0.75 * before


def test_limits_hold(tmp_path: Path) -> None:
    analysis = small_analysis(tmp_path, parameters())
    for limits, expected in (
        (Limits(max_ratio=0.25), [2, 1]),
        (Limits(min_channels=6), [2, 0]),
        (Limits(align=4), [4, 2]),
        (Limits(align=8), [0, 0]),
        (Limits(), [6, 4]),
    ):
        plan = make_plan(analysis, options=Options(ratio=0.8, limits=limits))
        assert [int(plan.removed[g.units].sum()) for g in analysis.solution.groups] == expected, limits


def test_a_global_ranking_takes_from_where_least_is(tmp_path: Path) -> None:
    values = parameters()
    values["conv2_weight"][:4] *= 1e-3
    values["conv2_bias"][:4] *= 1e-3
    values["fc_weight"][:, :4] *= 1e-3
    analysis = small_analysis(tmp_path, values)
    options = Options(ratio=4 / 14, criterion="l2", normalise="none", ranked=True)
    plan = make_plan(analysis, options=options)
    assert [int(plan.removed[g.units].sum()) for g in analysis.solution.groups] == [0, 4]
    assert plan.method == {"criterion": "l2", "ratio": 4 / 14, "global": True, "normalise": "none"}


def test_balanced_groups_stay_balanced() -> None:
    analysis = analyse(corpus_model("resnext50_32x4d"), RULES)
    choices = choices_of(analysis.solution)
    widest = max(choices, key=lambda choice: len(choice.cells))
    assert len(widest.cells) == 32
    options = Options(targets=(parse_target("macs=0.6"),), ranked=True, criterion="random", seed=3)
    removed = make_plan(analysis, options=options).removed
    for choice in choices:
        assert len({int(removed[cell].sum()) for cell in choice.cells}) == 1


def test_a_target_out_of_reach_says_what_is_not(tmp_path: Path) -> None:
    analysis = small_analysis(tmp_path, parameters())
    choices = choices_of(analysis.solution)
    model = CostModel(analysis, choices)
    least = model.parameters(np.array([choice.size - 1 for choice in choices]))
    with pytest.raises(PrunecError) as caught:
        make_plan(analysis, options=Options(targets=(parse_target("params=5"), parse_target("macs=1e-4"))))
    texts = [render(d) for d in caught.value.diagnostics]
    assert texts[0].startswith("error[P523]: the target params=5 is out of reach\n")
    assert f"the smallest that can be reached is {least} parameters" in texts[0]
    assert texts[1].startswith("error[P523]: the target macs=1e-4 is out of reach\n")


def test_a_target_between_two_steps_is_explained(tmp_path: Path) -> None:
    analysis = small_analysis(tmp_path, parameters())
    plan = make_plan(analysis, options=Options(targets=(parse_target("params=0.93"),)))
    (warning,) = plan.warnings
    text = render(warning)
    assert text.startswith("warning[P524]: the target params=0.93 is not met within 1 %\n")
    assert "channels go in steps, and no step leads nearer" in text


def test_a_target_that_is_met_already_removes_nothing(tmp_path: Path) -> None:
    analysis = small_analysis(tmp_path, parameters())
    plan = make_plan(analysis, options=Options(targets=(parse_target("params=5M"),)))
    assert not plan.removed.any()
    assert "the target params=5M asks for nothing" in plan.warnings[0].headline


def test_costs_that_are_not_known(tmp_path: Path) -> None:
    small_analysis(tmp_path, parameters())
    analysis = analyse(read_model(tmp_path / "net-symbol.json"), RULES)
    with pytest.raises(PrunecError) as caught:
        make_plan(analysis, options=Options(targets=(parse_target("macs=0.5"),)))
    text = render(caught.value.diagnostics[0])
    assert text.startswith("error[P525]: the multiply-adds of the model are not known\n  --> ")
    assert "--input data=1,3,HEIGHT,WIDTH" in text


@pytest.mark.parametrize(
    ("text", "cost", "value", "relative"),
    [
        ("macs=0.5", "macs", 0.5, True),
        ("macs=40%", "macs", 0.4, True),
        ("macs=1.2G", "macs", 1.2e9, False),
        ("params=10M", "params", 1e7, False),
        ("size=20MB", "size", 2e7, False),
        ("size=1MiB", "size", 2**20, False),
        ("latency=0.6", "latency", 0.6, True),
        ("latency=5ms", "latency", 5e-3, False),
    ],
)
def test_targets_are_read(text: str, cost: str, value: float, relative: bool) -> None:
    target = parse_target(text)
    assert (target.cost, target.relative) == (cost, relative)
    assert target.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flops=0.5", "'flops=0.5' is no target: targets are macs=…, params=…, size=…, latency=…"),
        ("macs=-1", "'-1' in 'macs=-1' is no number above 0"),
        ("macs=0", "'0' in 'macs=0' is no number above 0"),
        ("macs=150%", "'macs=150%' is more than the whole model"),
        ("size=20", "'' in 'size=20' is no unit of size: those are B, KB, MB, GB, KiB, MiB, GiB, or a share"),
    ],
)
def test_targets_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_target(text)
    assert str(caught.value).startswith(message)


def test_latency_is_measured(tmp_path: Path, monkeypatch: Any) -> None:
    from prunec.planning import latency

    analysis = small_analysis(tmp_path, parameters())

    def costs(runtime: Any, inputs: Any, arrays: Any, network: bytes) -> float:
        weights = [
            arrays.get(name, analysis.model.parameter(name)) for name in ("conv1_weight", "conv2_weight")
        ]
        return 1e-3 * sum(weight.shape[0] for weight in weights)

    monkeypatch.setattr(latency, "measure", costs)
    plan = make_plan(analysis, options=Options(targets=(parse_target("latency=10ms"),)))
    assert plan.method["reached"] == {"latency": 0.01} and plan.warnings == ()
    with pytest.raises(PrunecError) as caught:
        make_plan(analysis, options=Options(targets=(parse_target("latency=0.05"),)))
    assert "the smallest that can be reached is 2 ms (0.1429 of the model)" in render(
        caught.value.diagnostics[0]
    )


def test_latency_runs_the_model(tmp_path: Path) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    from prunec.frontends.runtime import runtime_of
    from prunec.planning.latency import measure, random_inputs

    analysis = small_analysis(tmp_path, parameters())
    assert 0 < measure(runtime_of(analysis.model), random_inputs(analysis), seconds=0.05) < 5
