"""Criteria against their definitions, written down a second time; groups and errors."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planning.models import parameters, scores_of, small_analysis

from prunec.planning.choose import make_plan
from prunec.scoring import channel_axes
from prunec.scoring.channel_axes import ChannelAxis
from prunec.scoring.criteria import CRITERIA, Criterion, Settings, find_criterion, unit_scores
from prunec.support.diagnostics import PrunecError, render


def settings(**changes: Any) -> Settings:
    return Settings(**{"aggregate": "mean", "normalise": "none", **changes})


def test_l1_is_the_mean_over_all_weights_of_a_group(tmp_path: Path) -> None:
    values = parameters()
    analysis = small_analysis(tmp_path, values)
    found = scores_of(analysis, unit_scores(analysis, "l1", settings()), "conv1_weight")
    made = np.abs(values["conv1_weight"]).sum(axis=(1, 2, 3))
    read = np.abs(values["conv2_weight"]).sum(axis=(0, 2, 3))
    assert np.allclose(found, (made + np.abs(values["bn_gamma"]) + read) / 3, rtol=1e-5)
    summed = scores_of(analysis, unit_scores(analysis, "l1", settings(aggregate="sum")), "conv1_weight")
    assert np.allclose(summed, 3 * found)
    greatest = scores_of(analysis, unit_scores(analysis, "l1", settings(aggregate="max")), "conv1_weight")
    assert np.allclose(greatest, np.maximum(made, read), rtol=1e-5)


@pytest.mark.parametrize("name", ["l1", "l2", "lamp"])
def test_large_parameters_are_scored_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    analysis = small_analysis(tmp_path, parameters())
    whole = unit_scores(analysis, name, settings())
    lengths: list[int] = []
    blocks = ChannelAxis.blocks

    def counted(axis: ChannelAxis, array: Any) -> Any:
        found = list(blocks(axis, array))
        assert np.array_equal(np.concatenate(found), axis.values(array))
        lengths.append(len(found))
        return found

    monkeypatch.setattr(channel_axes, "_BLOCK", 100)
    monkeypatch.setattr(ChannelAxis, "blocks", counted)
    assert np.allclose(unit_scores(analysis, name, settings()), whole, rtol=1e-6)
    assert max(lengths) > 3


def test_normalised_scores_do_not_depend_on_the_scale_of_a_layer(tmp_path: Path) -> None:
    values = parameters()
    usual = settings(normalise="mean")
    before = small_analysis(tmp_path / "a", values)
    values["conv1_weight"] = values["conv1_weight"] * 100
    after = small_analysis(tmp_path / "b", values)
    first, second = (unit_scores(analysis, "l2", usual) for analysis in (before, after))
    assert np.allclose(first, second, rtol=1e-5)
    for group in before.solution.groups:
        assert first[group.units].mean() == pytest.approx(1.0)


def test_scales_rank_the_groups_that_have_some(tmp_path: Path) -> None:
    values = parameters()
    analysis = small_analysis(tmp_path, values)
    scores = unit_scores(analysis, "bn-scale", settings())
    gamma = np.abs(values["bn_gamma"])
    assert np.allclose(scores_of(analysis, scores, "conv1_weight"), gamma)
    assert scores_of(analysis, scores, "conv2_bias").mean() == pytest.approx(gamma.mean(), rel=1e-5)


def test_lamp_divides_by_what_is_not_smaller(tmp_path: Path) -> None:
    values = parameters()
    analysis = small_analysis(tmp_path, values)
    found = scores_of(analysis, unit_scores(analysis, "lamp", Settings("sum", "lamp")), "conv1_weight")
    square = (values["conv1_weight"] ** 2).sum(axis=(1, 2, 3)) + values["bn_gamma"] ** 2
    square += (values["conv2_weight"] ** 2).sum(axis=(0, 2, 3))
    expected = [own / square[square >= own].sum() for own in square]
    assert np.allclose(found, expected, rtol=1e-5)


def test_fpgm_is_the_sum_of_distances_between_filters(tmp_path: Path) -> None:
    values = parameters()
    analysis = small_analysis(tmp_path, values)
    found = scores_of(analysis, unit_scores(analysis, "fpgm", settings()), "conv1_weight")
    filters = values["conv1_weight"].reshape(8, -1).astype(float)
    expected = np.linalg.norm(filters[:, None] - filters[None], axis=2).sum(axis=1)
    assert np.allclose(found, expected, rtol=1e-4)


def test_random_follows_its_seed(tmp_path: Path) -> None:
    analysis = small_analysis(tmp_path, parameters())
    first, again, other = (unit_scores(analysis, "random", settings(seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_least_go_first(tmp_path: Path) -> None:
    values = parameters()
    for small in (1, 4):
        values["conv1_weight"][small] *= 0.01
        values["bn_gamma"][small] = 0.001
        values["conv2_weight"][:, small] *= 0.01
    analysis = small_analysis(tmp_path, values)
    for name in ("l1", "l2", "lamp", "bn-scale"):
        removed = make_plan(analysis, ratio=0.25, criterion=name).removed
        assert np.flatnonzero(scores_of(analysis, removed, "conv1_weight")).tolist() == [1, 4], name


def test_every_criterion_has_a_summary_with_its_source() -> None:
    for name, criterion in CRITERIA.items():
        assert name in ("random", "position", "sensitivity") or criterion.summary[-5:-1].isdigit()


def test_an_unknown_criterion(tmp_path: Path) -> None:
    with pytest.raises(PrunecError) as caught:
        find_criterion("lapm")
    text = render(caught.value.diagnostics[0])
    assert text.startswith("error[P520]: no criterion is called 'lapm'\n  note: there are l1, l2, bn-scale")
    assert text.endswith("help: did you mean lamp?")


def test_infinities_name_every_parameter(tmp_path: Path) -> None:
    values = parameters()
    values["conv1_weight"][2, 0, 0, 0] = np.inf
    values["bn_beta"][3] = np.nan
    analysis = small_analysis(tmp_path, values)
    with pytest.raises(PrunecError) as caught:
        make_plan(analysis, criterion="l2")
    headlines = [d.headline for d in caught.value.diagnostics]
    assert headlines == [
        "the parameter 'conv1_weight' holds NaN or infinity",
        "the parameter 'bn_beta' holds NaN or infinity",
    ]
    make_plan(analysis, criterion="position")


def test_a_criterion_from_data_asks_for_some(tmp_path: Path) -> None:
    analysis = small_analysis(tmp_path, parameters())
    with pytest.raises(PrunecError, match="P507: the criterion taylor needs data, and there are none"):
        make_plan(analysis, criterion="taylor")


# --- criteria that packages bring --------------------------------------------------------------


class Point:
    """An entry point."""

    value = "package:name"

    def __init__(self, name: str, loaded: Any) -> None:
        self.name = name
        self.loaded = loaded

    def load(self) -> Any:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def installed(monkeypatch: Any, **found: Any) -> None:
    points = [Point(name, loaded) for name, loaded in found.items()]
    monkeypatch.setattr(metadata, "entry_points", lambda: {"prunec.criteria": points})


def test_a_function_of_arrays_is_a_criterion(tmp_path: Path, monkeypatch: Any) -> None:
    seen = []

    def largest(values: np.ndarray, role: str) -> np.ndarray:
        seen.append((values.shape, role))
        return np.abs(values).max(axis=1)

    installed(monkeypatch, largest=largest)
    values = parameters()
    analysis = small_analysis(tmp_path, values)
    found = scores_of(analysis, unit_scores(analysis, "largest", settings(aggregate="max")), "conv2_bias")
    made, read = np.abs(values["conv2_weight"]).max(axis=(1, 2, 3)), np.abs(values["fc_weight"]).max(axis=0)
    assert np.allclose(found, np.maximum(made, read))
    assert ((8, 27), "filters") in seen and ((8, 54), "inputs") in seen and ((8, 1), "scale") in seen
    assert make_plan(analysis, criterion="largest").method["criterion"] == "largest"


def test_a_criterion_of_ones_own_sees_the_whole_model(tmp_path: Path, monkeypatch: Any) -> None:
    own = Criterion(lambda analysis, settings: np.arange(analysis.solution.unit_count), "nothing", "mine")
    installed(monkeypatch, mine=own)
    analysis = small_analysis(tmp_path, parameters())
    assert unit_scores(analysis, "mine", settings()).tolist() == list(range(analysis.solution.unit_count))


@pytest.mark.parametrize(
    ("function", "note"),
    [
        (lambda values, role: values[:1, 0], "1 scores for the 8 channels of 'conv1_weight'"),
        (lambda values, role: values[:, 0] * np.nan, "scores of 'conv1_weight' that are no numbers"),
        (lambda values, role: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_criterion_that_fails(tmp_path: Path, monkeypatch: Any, function: Any, note: str) -> None:
    installed(monkeypatch, broken=function)
    analysis = small_analysis(tmp_path, parameters())
    with pytest.raises(PrunecError) as caught:
        make_plan(analysis, criterion="broken")
    text = render(caught.value.diagnostics[0])
    assert text.startswith("error[P522]: the criterion broken gives no usable scores")
    assert note in text


def test_a_criterion_that_cannot_be_loaded(monkeypatch: Any) -> None:
    installed(monkeypatch, gone=ImportError("no module named 'gone'"), odd=7)
    with pytest.raises(PrunecError) as caught:
        find_criterion("gone")
    text = render(caught.value.diagnostics[0])
    assert text.startswith("error[P521]: the criterion gone cannot be loaded\n  --> entry point package:name")
    assert "ImportError: no module named 'gone'" in text
    with pytest.raises(PrunecError, match="P521: the criterion odd cannot be loaded"):
        find_criterion("odd")
