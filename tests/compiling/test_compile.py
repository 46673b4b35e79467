"""One call from Python: what it gives is what the command gives."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from cli.tools import DIGITS, FILES, ROOT, arrays, bytes_of, run, write_network
from core.small import Builder, solved

import prunec

SHAPE = {"data": (2, 3, 8, 8)}
needs_mxnet = pytest.mark.skipif(find_spec("mxnet") is None, reason="needs MXNet")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "model")


def test_the_files_are_those_of_the_command(network: Path, tmp_path: Path, capsys: object) -> None:
    result = prunec.compile(str(network), ratio=0.25)
    assert sorted(result.files) == FILES
    assert result.save(tmp_path / "called") == tmp_path / "called"
    run(capsys, "compile", network, "--ratio", "0.25", "--out", tmp_path / "command")
    assert bytes_of(tmp_path / "called") == bytes_of(tmp_path / "command")
    before = sum(array.size for array in arrays().values())
    assert result.parameters[0] == before > (result.parameters[1] or before)
    assert [warning.code for warning in result.warnings] == ["P565"]


def test_a_folder_is_saved_into_once(network: Path, tmp_path: Path) -> None:
    result = prunec.compile(network, ratio=0.25)
    result.save(str(tmp_path / "out"))
    with pytest.raises(prunec.PrunecError, match="P510"):
        result.save(tmp_path / "out")
    (tmp_path / "out" / "report.html").write_text("of another model")
    result.save(tmp_path / "out", force=True)
    assert sorted(bytes_of(tmp_path / "out")) == FILES
    with pytest.raises(prunec.PrunecError, match="P51[01]"):
        result.save(network.parent, force=True)


def test_what_it_keeps_goes_with_it(network: Path) -> None:
    result = prunec.compile(network, ratio=0.25)
    folder = result._compiled.result.folder
    assert folder.is_dir()
    del result
    gc.collect()
    assert not folder.exists()


def test_an_algorithm_of_ones_own(network: Path, tmp_path: Path) -> None:
    def first_of_each(analysis: prunec.Analysis) -> np.ndarray:
        removed = np.zeros(analysis.solution.unit_count, dtype=bool)
        for group in prunec.groups(analysis):
            removed[group.units[0]] = True
        return removed

    result = prunec.compile(network, plan=first_of_each)
    assert result.plan.method["criterion"] == "first_of_each"
    assert [result.plan.removed[group.units].tolist() for group in result.groups] == [
        [True] + [False] * 7,
        [True] + [False] * 5,
    ]
    again = prunec.compile(network, plan=result.save(tmp_path / "out") / "plan.json")
    np.testing.assert_array_equal(again.plan.removed, result.plan.removed)


def test_mistakes(network: Path) -> None:
    with pytest.raises(ValueError, match="--ratio"):
        prunec.compile(network, ratio=1.5)
    with pytest.raises(ValueError, match="leave out --ratio"):
        prunec.compile(network, ratio=0.5, target="macs=0.5")
    with pytest.raises(prunec.PrunecError, match="P506"):
        prunec.compile(network, plan=lambda analysis: np.ones(analysis.solution.unit_count, dtype=bool))
    with pytest.raises(prunec.PrunecError, match="P505"):
        prunec.compile(network, plan=lambda analysis: np.zeros(3, dtype=bool))
    with pytest.raises(prunec.PrunecError, match="P520"):
        prunec.compile(network, criterion="none_such")


@needs_mxnet
def test_a_restored_model_is_proved() -> None:
    images = np.random.default_rng(0).random((64, 1, 8, 8), dtype=np.float32)
    result = prunec.compile(DIGITS / "digits-symbol.json", ratio=0.5, criterion="l1", data=images)
    assert result.quality["kept"] == "restored"
    proof = result.verify()
    assert proof.proved and proof.outcome == "proved" and proof.error < 1e-3
    assert str(proof).startswith("proved") and repr(proof).startswith("<Proof: proved")
    page = result.report(proof)
    assert page.startswith("<!DOCTYPE html>") and str(proof).splitlines()[0].split(" (")[0] in page
    assert os.path.join(gettempdir(), "prunec-") not in page and "--data=examples.npz" in page
    cut = prunec.compile(DIGITS / "digits-symbol.json", ratio=0.5, criterion="l1", data=images, restore=False)
    assert cut.quality["kept"] == "cut"


def test_a_choice_is_checked_as_a_plan_is(network: Path) -> None:
    analysis = prunec.analyse(prunec.read_model(str(network)), prunec.load_rules("default"))
    none = np.zeros(analysis.solution.unit_count, dtype=bool)
    assert prunec.emit(analysis, none).model == network.read_bytes()
    for wrong in (none[1:], none.astype(int), none.reshape(-1, 1), list(none) + [True]):
        with pytest.raises(prunec.PrunecError, match="P505"):
            prunec.emit(analysis, wrong)
    with pytest.raises(prunec.PrunecError) as caught:
        prunec.emit(analysis, ~none)
    assert [d.code for d in caught.value.diagnostics] == ["P506"]
    assert len(caught.value.diagnostics[0].notes) == len(analysis.solution.groups) == 2


def test_rules_by_name_by_path_and_several() -> None:
    path = ROOT / "rules" / "default.prune"
    one = prunec.load_rules("default")
    assert (
        one.digest
        == prunec.load_rules(["default"]).digest
        == prunec.load_rules(["default", "default"]).digest
    )
    assert prunec.load_rules(path).operators() == prunec.load_rules(str(path)).operators() == one.operators()


def test_groups_say_which_elements_go_with_a_unit(network: Path) -> None:
    result = prunec.compile(network, ratio=0.25)
    first, second = result.groups
    assert [len(group.units) for group in result.groups] == [8, 6]
    found = {(own.parameter, own.axis): own for own in first.members}
    assert set(found) == {("conv1_weight", 0), ("conv1_bias", 0), ("conv2_weight", 1)}
    elements = found["conv2_weight", 1].elements(3)
    expected = np.zeros((6, 8, 3, 3), dtype=bool)
    expected[:, 3] = True
    np.testing.assert_array_equal(elements, expected)
    assert first.cost == sum(int(own.elements(0).sum()) for own in first.members)
    assert first.cells is None and second.approximate == ()


def test_elements_of_a_table_are_those_that_go() -> None:
    """A parameter whose axis is split: its units stand in rows that are not next to each other."""
    b = Builder()
    layer = b.grouped(b.grouped(b.input(2, 4), 8, groups=1), 8, groups=2)
    analysis = solved(b.finish(b.dense(layer, 3)))
    scores = np.random.default_rng(0).random(analysis.solution.unit_count)
    removed = prunec.uniform(analysis.solution, 0.5, scores)
    pruned = prunec.emit(analysis, removed)
    gone = {own.name: np.zeros(own.shape, dtype=bool) for own in analysis.parameters}
    for group in prunec.groups(analysis):
        for own in group.members:
            for unit in np.flatnonzero(removed[group.units]):
                gone[own.parameter] |= own.elements(unit)
    assert len(pruned.slices) > 3
    for piece in pruned.slices:
        masked = prunec.masked(piece, np.full(gone[piece.name].shape, 7.0, dtype=np.float32)) != 7
        np.testing.assert_array_equal(masked, gone[piece.name])
    assert any(own.view != own.shape for group in prunec.groups(analysis) for own in group.members)


def test_what_a_notebook_shows(network: Path) -> None:
    named = write_network(network.parent / "odd", None, None)
    result = prunec.compile(named, ratio=0.25, input_shapes=SHAPE)
    page = result._repr_html_()
    assert "<td>conv1</td>" in page and f"<td>{result.parameters[0]:,}</td>" in page
    assert "<td>conv1_weight</td>" in result.groups._repr_html_()
    assert "<td>(6, 8, 3, 3)</td>" in result.groups[0]._repr_html_()


def test_records_are_shown_in_a_line(network: Path) -> None:
    result = prunec.compile(network, ratio=0.25)
    shown = [result, result.plan, result.analysis, result.pruned, result.groups, *result.groups]
    shown += [result.groups[0].members[0], result.analysis.model, prunec.load_rules("default")]
    for record in shown:
        text = repr(record)
        assert "\n" not in text and len(text) < 200 and text.startswith("<"), text
    assert repr(result.groups) == "<2 groups, 14 units>"
    assert "2 of 8" not in repr(result.plan) and "3 of 14 units go" in repr(result.plan)


def test_the_package_lists_what_it_has_and_stays_light() -> None:
    assert set(prunec.__all__) <= set(dir(prunec))
    assert all(getattr(prunec, name) is not None for name in prunec.__all__)
    with pytest.raises(AttributeError, match="none_such"):
        _ = prunec.none_such
    code = "import sys, prunec; dir(prunec); print([m for m in ('numpy', 'prunec.cli') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
