"""Sensitivity: measured, written down, interrupted, continued, planned by."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import plan_of, run
from planning.models import parameters, small_analysis, write_model

from prunec.planning.choose import Options, make_plan
from prunec.scoring.sensitivity import COLUMNS, Entry, SensitivityTable, read_table, write_table
from prunec.support.diagnostics import PrunecError, render

pytestmark = pytest.mark.slow

HEAD = ",".join(COLUMNS)


def table(*entries: tuple[int, int, int, float]) -> SensitivityTable:
    own = tuple(Entry(group, "conv", units, gone, change, None) for group, units, gone, change in entries)
    return SensitivityTable("l1", "abc", own, 0.75)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    first = table((0, 8, 2, 0.1), (0, 8, 4, 0.25), (1, 6, 3, 0.5))
    write_table(tmp_path / "s.csv", first)
    assert read_table(tmp_path / "s.csv") == first
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"]


def test_curves_are_interpolated_and_do_not_fall() -> None:
    own = table((0, 8, 2, 0.1), (0, 8, 4, 0.3), (1, 8, 2, 0.3), (1, 8, 6, 0.2))
    assert np.allclose(own.curve(0, 6, 8, 1), [0.05, 0.1, 0.2, 0.3, 0.375, 0.45])
    assert np.allclose(own.curve(1, 6, 8, 1), [0.15, 0.3, 0.3, 0.3, 0.3, 0.3])
    assert np.allclose(own.curve(0, 3, 4, 2), [0.1, 0.3, 0.45])
    with pytest.raises(KeyError):
        own.curve(2, 1, 1, 1)


def test_what_changes_least_goes_first(tmp_path: Path) -> None:
    analysis = small_analysis(tmp_path, parameters())
    first, second = (group.number for group in analysis.solution.groups)
    own = table((first, 8, 4, 1.0), (first, 8, 7, 3.0), (second, 6, 3, 0.01), (second, 6, 5, 0.02))
    options = Options(ratio=5 / 14, criterion="sensitivity", sensitivity=own)
    plan = make_plan(analysis, options=options)
    assert [int(plan.removed[g.units].sum()) for g in analysis.solution.groups] == [0, 5]
    assert plan.method["order"] == "l1" and plan.method["measured_for"] == "abc"
    with pytest.raises(PrunecError) as caught:
        make_plan(analysis, options=Options(ratio=0.5, criterion="sensitivity", sensitivity=table()))
    assert "error[P543]: the sensitivity of group 0 was not measured" in render(caught.value.diagnostics[0])
    with pytest.raises(PrunecError, match="P543: the criterion sensitivity needs measurements"):
        make_plan(analysis, criterion="sensitivity")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the first row is not group,name"),
        (f"{HEAD}\n,,,0,0,0,,l1,{'k' * 131_073}\n", "field larger than field limit (131072)"),
        ("a,b\n1,2\n", "the first row is not group,name"),
        (f"{HEAD}\n,,,0,0,0,,l1,k\n0,c,8,2,0.25,x,,l1,k\n", "row 3 does not hold a measurement"),
        (f"{HEAD}\n,,,0,0,0,,l1,k\n0,c,8,9,1.1,0.1,,l1,k\n", "row 3 does not hold a measurement"),
        (f"{HEAD}\n,,,0,0,0,,l1,k\n0,c,8,2\n", "row 3 does not hold a measurement"),
        (f"{HEAD}\n,,,0,0,0,,l1,k\n0,c,8,2,0.25,nan,,l1,k\n", "row 3 does not hold a measurement"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(PrunecError) as caught:
        read_table(tmp_path / "s.csv")
    shown = render(caught.value.diagnostics[0])
    assert shown.startswith("error[P541]: these are no sensitivities\n") and words in shown
    with pytest.raises(PrunecError, match="P541: cannot read the sensitivities"):
        read_table(tmp_path / "absent.csv")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pytest.importorskip("mxnet", reason="needs MXNet")
    generator = np.random.default_rng(1)
    inputs = generator.standard_normal((12, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "d.npz", data=inputs, label=np.arange(12) % 4)
    return write_model(tmp_path, parameters())


def measured(capsys: Any, model: Path, *more: object) -> tuple[int, str, str]:
    folder = model.parent
    # One process unless a test asks for more: each has to load MXNet first.
    arguments = (
        "--data",
        folder / "d.npz",
        "--out",
        folder / "s.csv",
        "--input",
        "data=1,3,8,8",
        "--jobs",
        1,
    )
    return run(capsys, "sensitivity", model, *arguments, *more)


def test_measuring(model: Path, capsys: Any) -> None:
    code, out, _ = measured(capsys, model, "--ratios", "0.25,0.5", "--plot", model.parent / "s.svg")
    assert code == 0 and "accuracy of the original: 0." in out
    rows = list(csv.DictReader((model.parent / "s.csv").open()))
    assert [(r["group"], r["units"], r["removed"]) for r in rows] == [
        ("", "", "0"),
        ("0", "8", "2"),
        ("0", "8", "4"),
        ("1", "6", "1"),
        ("1", "6", "3"),
    ]
    assert all(0 < float(row["change"]) < 10 and 0 <= float(row["accuracy"]) <= 1 for row in rows[1:])
    picture = ElementTree.parse(model.parent / "s.svg").getroot()
    assert picture.tag.endswith("svg") and "conv1_weight" in (model.parent / "s.svg").read_text()


def test_measuring_after_restoring(model: Path, capsys: Any) -> None:
    given = ("--ratios", "0.25,0.5", "--criterion", "obs")
    for more in ((), ("--restore",)):
        assert measured(capsys, model, *given, *more, "--force")[0] == 0
        rows = list(csv.DictReader((model.parent / "s.csv").open()))[1:]
        assert [(r["group"], r["removed"]) for r in rows] == [("0", "2"), ("0", "4"), ("1", "1"), ("1", "3")]
        if not more:
            cut = [float(row["change"]) for row in rows]
    assert all(float(row["change"]) < before for row, before in zip(rows, cut))
    # Such a table goes on with its own kind, and with no other.
    assert measured(capsys, model, "--ratios", "0.25,0.5,0.75", *given[2:], "--restore")[0] == 0
    code, _, err = measured(capsys, model, *given)
    assert code == 1 and "error[P542]" in err


def test_any_number_of_processes_measures_the_same(model: Path, capsys: Any) -> None:
    texts = []
    for jobs in (1, 3):
        assert measured(capsys, model, "--quiet", "--force", "--jobs", jobs) == (0, "", "")
        texts.append((model.parent / "s.csv").read_text())
    assert texts[0] == texts[1] and len(texts[0].splitlines()) > 8


def test_an_interrupted_run_goes_on(model: Path, capsys: Any, monkeypatch: Any) -> None:
    from prunec.scoring import sensitivity

    assert measured(capsys, model, "--ratios", "0.25,0.5")[0] == 0
    whole = (model.parent / "s.csv").read_text()
    (model.parent / "s.csv").unlink()
    counts: list[int] = []
    write = sensitivity.write_table

    def limited(path: Path, table: SensitivityTable) -> None:
        write(path, table)
        counts.append(len(table.entries))
        if counts == [0, 1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(sensitivity, "write_table", limited)
    assert measured(capsys, model, "--ratios", "0.25,0.5")[0] == 130
    assert len(read_table(model.parent / "s.csv").entries) == 2
    assert measured(capsys, model, "--ratios", "0.25,0.5")[0] == 0
    assert counts == [0, 1, 2, 2, 3, 4]
    assert (model.parent / "s.csv").read_text() == whole


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs groups of processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_a_run_leaves_the_table_and_no_process(model: Path, number: signal.Signals) -> None:
    folder = model.parent
    generator = np.random.default_rng(1)
    np.savez(folder / "many.npz", data=generator.standard_normal((6000, 3, 8, 8)).astype(np.float32))
    arguments = ("--data", "many.npz", "--input", "data=1,3,8,8", "--jobs", "2", "--quiet")
    command = [sys.executable, "-m", "prunec", "sensitivity", model.name, *arguments]
    # In its own session, as behind a terminal: Ctrl-C goes to the command and to its processes.
    started = subprocess.Popen(
        command,
        cwd=folder,
        start_new_session=True,
        # A process started in the background may ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stderr=subprocess.PIPE,
        env=environment(),
    )
    until(lambda: (folder / "sensitivity.csv").exists() and read_table(folder / "sensitivity.csv").entries)
    if number == signal.SIGINT:
        os.killpg(started.pid, number)
    else:
        os.kill(started.pid, number)
    _, errors = started.communicate(timeout=60)
    until(lambda: nobody_in(started.pid))
    codes = {signal.SIGINT: 130, signal.SIGTERM: 128 + signal.SIGTERM, signal.SIGKILL: -signal.SIGKILL}
    assert (started.returncode, errors) == (codes[number], b"")
    assert 1 <= len(read_table(folder / "sensitivity.csv").entries) < 8


def environment() -> dict[str, str]:
    """That of a process which finds this package."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def until(true: Any) -> None:
    """Waits, a minute at most."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def nobody_in(group: int) -> bool:
    """Whether no process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_table_of_something_else_is_refused(model: Path, capsys: Any) -> None:
    assert measured(capsys, model, "--ratios", "0.5")[0] == 0
    code, _, err = measured(capsys, model, "--ratios", "0.5", "--criterion", "l2")
    assert code == 1 and err.startswith("error[P542]: the table was measured for something else\n")
    assert measured(capsys, model, "--ratios", "0.5", "--criterion", "l2", "--force")[0] == 0


def test_planning_by_what_was_measured(model: Path, capsys: Any) -> None:
    assert measured(capsys, model, "--quiet") == (0, "", "")
    out = model.parent / "out"
    arguments = ("--input", "data=1,3,8,8", "--target", "macs=0.5", "--out", out)
    options = ("--criterion", "sensitivity", "--sensitivity", model.parent / "s.csv")
    assert run(capsys, "compile", model, *arguments, *options)[0] == 0
    method = plan_of(out)["method"]
    assert method["criterion"] == "sensitivity" and method["targets"] == ["macs=0.5"]


def test_usage(model: Path, capsys: Any) -> None:
    code, _, err = measured(capsys, model, "--jobs", "0")
    assert code == 2 and "argument --jobs: '0' is not a whole number from 1 on" in err
    code, _, err = measured(capsys, model, "--ratios", "0.5,2")
    assert code == 2 and "argument --ratios: '2' is not a share" in err
    code, _, err = run(capsys, "plan", model, "--criterion", "sensitivity")
    assert code == 2 and "argument --criterion: sensitivity needs --sensitivity FILE" in err
