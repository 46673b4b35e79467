"""Sensitivity: measured, written down, interrupted, continued, planned by."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import plan_of, run
from planning.models import parameters, small_analysis, write_model

from prunec.planning.choose import Options, make_plan
from prunec.scoring.parts import Part, Sweep, join, write_part
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


def joined(capsys: Any, folder: Path, names: list[Path], *more: object) -> tuple[int, str, str]:
    return run(capsys, "sensitivity", "--join", *names, "--out", folder / "joined.csv", "--quiet", *more)


def test_sixteen_parts_make_the_same_table(model: Path, capsys: Any) -> None:
    folder = model.parent
    assert measured(capsys, model, "--quiet") == (0, "", "")
    whole = (folder / "s.csv").read_bytes()
    # More parts than measurements would leave some empty: of 10, sixteen parts do.
    assert len(read_table(folder / "s.csv").entries) < 16
    parts = [folder / f"p{number}.csv" for number in range(1, 17)]
    for number, path in enumerate(parts, 1):
        own = ("--out", path, "--part", f"{number}/16", "--quiet")
        assert measured(capsys, model, *own) == (0, "", "")
    assert joined(capsys, folder, parts[::-1]) == (0, "", "")
    assert (folder / "joined.csv").read_bytes() == whole
    code, _, err = joined(capsys, folder, parts[:2] + parts[3:12] + parts[13:], "--force")
    assert code == 1 and "error[P549]: parts are lacking" in err and "3/16, 13/16" in err
    # A part goes on as the same part of the same sweep, and as nothing else.
    before = parts[0].read_bytes()
    assert measured(capsys, model, "--out", parts[0], "--part", "1/16", "--quiet")[0] == 0
    assert parts[0].read_bytes() == before
    for part, more in (("2/16", ()), ("1/17", ()), ("1/16", ("--ratios", "0.3"))):
        code, _, err = measured(capsys, model, "--out", parts[0], "--part", part, *more)
        assert code == 1 and "error[P542]" in err and parts[0].read_bytes() == before


SWEEP = Sweep(2, 3, "m", "r", "criterion=l1")


def parts_of(folder: Path, *parts: Part) -> list[Path]:
    paths = [folder / f"{number}.csv" for number in range(len(parts))]
    for path, part in zip(paths, parts):
        write_part(path, part)
    return paths


FIRST = Part(1, SWEEP, table((0, 8, 2, 0.1), (1, 6, 3, 0.5)))
SECOND = Part(2, SWEEP, table((0, 8, 4, 0.25)))


def test_parts_joined(tmp_path: Path) -> None:
    whole = table((0, 8, 2, 0.1), (0, 8, 4, 0.25), (1, 6, 3, 0.5))
    assert join(parts_of(tmp_path, FIRST, SECOND)) == whole
    assert join(parts_of(tmp_path, SECOND, FIRST, SECOND)) == whole


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((FIRST,), "parts are lacking"),
        ((FIRST, replace(SECOND, sweep=replace(SWEEP, model="n"))), "the model: n here, m in"),
        ((FIRST, replace(SECOND, sweep=replace(SWEEP, rules="s"))), "the rules: s here, r in"),
        ((FIRST, replace(SECOND, sweep=replace(SWEEP, options="x"))), "options: x here"),
        ((FIRST, replace(SECOND, sweep=replace(SWEEP, parts=3))), "the number of parts: 3 here, 2 in"),
        ((FIRST, replace(SECOND, table=replace(SECOND.table, measured_for="d"))), "(measured_for): d here"),
        ((FIRST, replace(SECOND, table=table())), "part 2/2 is not whole"),
        ((FIRST, replace(SECOND, table=table((0, 8, 2, 0.1)))), "parts hold measurements of each other"),
        (
            (FIRST, SECOND, replace(SECOND, table=table((0, 8, 4, 0.26)))),
            "it is group 0 without 4 of its units",
        ),
        ((FIRST, replace(SECOND, table=replace(SECOND.table, original=0.5))), "0.500000 and 0.750000"),
    ],
)
def test_parts_that_make_no_whole(tmp_path: Path, parts: tuple[Part, ...], words: str) -> None:
    with pytest.raises(PrunecError) as caught:
        join(parts_of(tmp_path, *parts))
    shown = render(caught.value.diagnostics[0])
    assert shown.startswith("error[P549]: ") and words in shown


def test_files_that_are_no_parts(tmp_path: Path, capsys: Any) -> None:
    write_table(tmp_path / "s.csv", table((0, 8, 2, 0.1)))
    code, _, err = joined(capsys, tmp_path, [tmp_path / "s.csv"])
    assert code == 1 and "error[P541]" in err and "it is no part of a table" in err
    (path,) = parts_of(tmp_path, FIRST)
    path.write_text(path.read_text().replace("1,2,3,m", "3,2,3,m"))
    code, _, err = joined(capsys, tmp_path, [path])
    assert code == 1 and "row 2 does not say which part it is" in err
    for part in ("0/2", "3/2", "a/2", "2", "1/1000000"):
        assert run(capsys, "sensitivity", "m.onnx", "--data", "d.npz", "--part", part)[0] == 2
    assert run(capsys, "sensitivity", "--join", path, "--out", path)[0] == 2
    assert run(capsys, "sensitivity", "--part", "1/2")[0] == 2


def test_groups_as_a_policy_has_them_are_measured(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    values = parameters()
    values["conv2_weight"] = values["conv2_weight"][:, :4]
    path = write_model(tmp_path, values)
    document = json.loads(path.read_text())
    document["nodes"][11]["attrs"]["num_group"] = "2"
    path.write_text(json.dumps(document))
    inputs = np.random.default_rng(1).standard_normal((4, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "d.npz", data=inputs)
    whole, hold, interface = (tmp_path / name for name in ("whole.prune", "hold.prune", "interface.prune"))
    whole.write_text('policy "conv*" { whole rows }')
    hold.write_text('policy "conv1" { hold }')
    interface.write_text('interface "*"')
    groups = []
    for policy in ((), ("--policy", hold), ("--policy", whole)):
        code, out, _ = run(capsys, "groups", path, *policy, "--json")
        assert code == 0
        groups.append(json.loads(out)["groups"])
    assert groups[0] == groups[1] != groups[2]
    ratios = ("--ratios", "0.5", "--quiet")
    assert measured(capsys, path, *ratios, "--policy", whole) == (0, "", "")
    by_rows = read_table(tmp_path / "s.csv")
    # What changes no groups goes on with the table of none; what changes them does not.
    code, _, err = measured(capsys, path, *ratios)
    assert code == 1 and "error[P542]" in err
    given = ("--criterion", "sensitivity", "--sensitivity", tmp_path / "s.csv", "--policy", whole)
    assert run(capsys, "plan", path, *given, "--out", tmp_path / "plan.json")[0] == 0
    assert measured(capsys, path, *ratios, "--force") == (0, "", "")
    by_columns = read_table(tmp_path / "s.csv")
    assert [e.change for e in by_columns.entries] != [e.change for e in by_rows.entries]
    assert measured(capsys, path, *ratios, "--policy", hold) == (0, "", "")
    assert read_table(tmp_path / "s.csv") == by_columns
    code, _, err = measured(capsys, path, "--policy", interface)
    assert code == 2 and "leave out `interface`" in err
