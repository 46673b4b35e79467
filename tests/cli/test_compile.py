"""`prunec compile`: what it writes, and what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.tools import (
    DIGITS,
    FILES,
    arrays,
    bytes_of,
    node,
    plan_of,
    run,
    run_process,
    symbol,
    write_arrays,
    write_network,
)
from prunec.frontends.mxnet.params import read_params


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_files_are_written(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    code, out, err = run(capsys, "compile", "net-symbol.json", "--no-restore")
    assert (code, err) == (0, "")
    folder = tmp_path / "net-pruned"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "net-0000.params",
        "net-pruned",
        "net-symbol.json",
    ]
    small = read_params(folder / "net-0000.params")
    assert small.shapes["conv1_weight"] == (4, 3, 3, 3)
    assert small.shapes["conv2_weight"] == (3, 4, 3, 3)
    assert small.shapes["fc_weight"] == (4, 3)
    assert (
        "chosen by criterion l1 from net-0000.params; ratio 0.5\n"
        "written to net-pruned: net-symbol.json, slice_params.py, changes.diff, groups.json, plan.json,"
        " net-0000.params\n"
    ) in out


def test_the_final_table(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    _, out, _ = run(capsys, "compile", "net-symbol.json", "--input", "data=1,3,8,8")
    before = sum((tmp_path / name).stat().st_size for name in ("net-symbol.json", "net-0000.params"))
    folder = tmp_path / "net-pruned"
    after = sum((folder / name).stat().st_size for name in ("net-symbol.json", "net-0000.params"))
    assert out.splitlines()[:14] == [
        "                left   before -> after",
        "parameters     34.6%        690 -> 239",
        "multiply-adds  33.3%  41,496 -> 13,836",
        f"bytes          {after / before:.1%}" + f"{before:,} -> {after:,}".rjust(18),
        "",
        "layer  channels  parameters    multiply-adds",
        "conv1    8 -> 4  224 -> 112  13,824 -> 6,912",
        "conv2    6 -> 3  438 -> 111  27,648 -> 6,912",
        "fc            4    28 -> 16         24 -> 12",
        "",
        "kept",
        "channels  of  because",
        "       4  fc  the model output 'fc'",
        "",
    ]


def test_of_many_layers_those_that_change_most_are_shown(tmp_path: Path, capsys: Any) -> None:
    nodes = [node("null", "data", [])]
    sizes = [4, 8, 4, 16, 8, 32, 4, 8, 4, 4, 64, 4]
    for number, filters in enumerate(sizes):
        nodes += [node("null", f"c{number}_weight", []), node("null", f"c{number}_bias", [])]
        place = len(nodes)
        data = place - 3
        inputs = [[data, 0], [place - 2, 0], [place - 1, 0]]
        nodes.append(node("Convolution", f"c{number}", inputs, kernel=(1, 1), num_filter=filters))
    variables = [index for index, entry in enumerate(nodes) if entry["op"] == "null"]
    document = {"nodes": nodes, "arg_nodes": variables, "heads": [[len(nodes) - 1, 0, 0]], "attrs": {}}
    write_network(tmp_path, document, {})
    _, out, _ = run(capsys, "compile", "net-symbol.json", "--input", "data=1,3,8,8")
    title, _, *rows = out.split("\n\n")[1].splitlines()
    assert title == "largest changes of 12 layers" and len(rows) == 10
    # The first has the largest share of the parameters, 4 * 64 + 64 of 1,756; the model output is kept.
    assert [row.split()[0] for row in rows[:3]] == ["c10", "c5", "c11"]
    assert rows[0].split()[1:4] == ["64", "->", "32"]
    # Without the input's shape the first weight has any size, and so have the totals: channels decide.
    _, out, _ = run(capsys, "compile", "net-symbol.json", "--out", "open")
    _, _, *rows = out.split("\n\n")[1].splitlines()
    assert [row.split()[0] for row in rows[:4]] == ["c10", "c5", "c3", "c1"]


def test_what_is_not_known_is_a_question_mark(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    _, out, _ = run(capsys, "compile", "net-symbol.json")
    assert re.search(r"^conv1 +8 -> 4 +224 -> 112 +\?$", out, re.MULTILINE)
    assert re.search(r"^multiply-adds +\? +\?$", out, re.MULTILINE)


def test_layers_that_lose_nothing_say_why(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path, symbol("my_gate"))
    code, out, err = run(capsys, "compile", "net-symbol.json", "--no-restore")
    assert code == 0
    assert re.search(r"^ +8  conv1  no rule knows the operator my_gate \(middle\)", out, re.MULTILINE)
    assert err.startswith("warning[P406]: no rule knows the operator my_gate\n")
    assert err.count("warning[") == 1
    assert "for example: op my_gate { data[*x] -> out[*x] }" in err
    _, out, _ = run(capsys, "compile", "net-symbol.json", "--ratio", "0.05", "--out", "a")
    assert re.search(r"^ +6  conv2  the plan takes none of them$", out, re.MULTILINE)


def test_a_rule_of_ones_own_turns_the_barrier_into_a_layer(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path, symbol("my_gate"))
    (tmp_path / "own.prune").write_text("op my_gate { data[*x] -> out[*x] }\n")
    rules = ("--rules", "default", "--rules", "own.prune")
    code, out, err = run(capsys, "compile", "net-symbol.json", *rules, "--no-restore")
    assert (code, err) == (0, "")
    assert re.search(r"^conv1 +8 -> 4", out, re.MULTILINE)


def test_without_parameters_positions_are_taken_and_it_is_said(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path, values={})
    code, out, _ = run(capsys, "compile", "net-symbol.json", "--input", "data=1,3,8,8")
    assert code == 0
    assert "no parameters at hand: chosen by position, the last channels of each group go; ratio 0.5" in out
    folder = tmp_path / "net-pruned"
    assert not (folder / "net-0000.params").exists()
    plan = plan_of(folder)
    assert plan["method"] == {"criterion": "position", "ratio": 0.5}
    assert plan["parameters"] is None
    assert [group["remove"] for group in plan["groups"]] == [[4, 5, 6, 7], [3, 4, 5]]


def test_compiling_twice_gives_the_same_bytes(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    run(capsys, "compile", "one/net-symbol.json", "--out", "first")
    run(capsys, "compile", tmp_path / "two" / "net-symbol.json", "--out", tmp_path / "deep" / "second")
    assert bytes_of(tmp_path / "first") == bytes_of(tmp_path / "deep" / "second")
    for data in bytes_of(tmp_path / "first").values():
        assert str(tmp_path).encode() not in data


def test_nothing_to_remove_gives_the_same_bytes(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    assert run(capsys, "compile", "net-symbol.json", "--ratio", "0")[0] == 0
    files = bytes_of(tmp_path / "net-pruned")
    assert files["net-symbol.json"] == (tmp_path / "net-symbol.json").read_bytes()
    assert files["net-0000.params"] == (tmp_path / "net-0000.params").read_bytes()
    assert files["changes.diff"] == b""
    assert plan_of(tmp_path / "net-pruned")["groups"] == []


def test_l1_removes_the_smallest_filters(tmp_path: Path, capsys: Any) -> None:
    values = {name: np.ones_like(array) for name, array in arrays().items()}
    for filter_number in (1, 2, 5, 6):
        values["conv1_weight"][filter_number] *= -0.1  # small, whatever the sign
    write_network(tmp_path, values=values)
    run(capsys, "compile", "net-symbol.json", "--criterion", "l1")
    assert plan_of(tmp_path / "net-pruned")["groups"][0]["remove"] == [1, 2, 5, 6]


def test_l1_weighs_parameters_of_different_scale_alike(tmp_path: Path, capsys: Any) -> None:
    values = {name: np.ones_like(array) for name, array in arrays().items()}
    values["conv1_weight"][:4] *= 0.5
    values["conv2_weight"][:, 4:] *= 0.9
    values["conv2_weight"] *= 1000
    write_network(tmp_path, values=values)
    run(capsys, "compile", "net-symbol.json")
    assert plan_of(tmp_path / "net-pruned")["groups"][0]["remove"] == [0, 1, 2, 3]


def test_parameters_that_are_no_numbers(tmp_path: Path, capsys: Any) -> None:
    values = arrays()
    values["conv1_weight"][3, 0, 1, 1] = np.nan
    values["fc_weight"][0, 0] = np.inf
    write_network(tmp_path, values=values)
    code, _, err = run(capsys, "compile", "net-symbol.json")
    assert code == 1
    assert "error[P612]: the parameter 'conv1_weight' holds NaN or infinity\n" in err
    assert "note: 1 of its 216 values are no numbers" in err
    assert "error[P612]: the parameter 'fc_weight' holds NaN or infinity\n" in err
    assert not (tmp_path / "net-pruned").exists()
    assert run(capsys, "compile", "net-symbol.json", "--criterion", "position")[0] == 0


def test_mismatching_parameters(tmp_path: Path, capsys: Any) -> None:
    values = arrays()
    values["conv1_bias"] = np.zeros(7, np.float32)
    write_network(tmp_path, values=values)
    code, _, err = run(capsys, "compile", "net-symbol.json")
    assert code == 1
    assert "conv1_bias (7)" in err and err.startswith("error[P404]: ")
    assert not (tmp_path / "net-pruned").exists()


def test_a_missing_shape_names_the_flag(tmp_path: Path, capsys: Any) -> None:
    """How many pixels stand behind each channel, only the input's size tells."""
    document = symbol()
    document["nodes"][8] = node("Flatten", "pool", [[7, 0]])
    write_network(tmp_path, document, values={})
    code, _, err = run(capsys, "compile", "net-symbol.json")
    assert code == 0
    assert err.startswith(
        "warning[P402]: 6 channels stay for want of the shape of data\n  --> node 'fc' (FullyC"
    )
    assert "help: give the shape: --input data=1,CHANNELS,HEIGHT,WIDTH\n" in err
    assert [group["name"] for group in plan_of(tmp_path / "net-pruned")["groups"]] == ["conv1_weight"]
    code, _, err = run(capsys, "compile", "net-symbol.json", "--input", "data=1,3,8,8", "--out", "all")
    assert (code, err) == (0, "")
    names = [group["name"] for group in plan_of(tmp_path / "all")["groups"]]
    assert names == ["conv1_weight", "conv2_weight"]


def test_what_a_missing_shape_leaves_open_stays(tmp_path: Path, capsys: Any) -> None:
    document = symbol()
    document["nodes"][3] = node("transpose", "conv1", [[0, 0]])
    write_network(tmp_path, document, values={})
    code, _, err = run(capsys, "compile", "net-symbol.json")
    assert code == 0 and err.startswith("warning[P402]: ")
    assert "--> node 'conv1' (transpose) " in err
    assert "help: give the shape: --input data=SHAPE" in err
    assert [group["name"] for group in plan_of(tmp_path / "net-pruned")["groups"]] == ["conv2_weight"]


def test_the_shapes_of_inputs_are_seldom_needed(tmp_path: Path, capsys: Any) -> None:
    """The channels of the input stay, however many there are: the script takes what the file has."""
    write_network(tmp_path, values={})
    code, out, err = run(capsys, "compile", "net-symbol.json")
    assert (code, err) == (0, "")
    assert "multiply-adds need the inputs' sizes: --input data=1,CHANNELS,HEIGHT,WIDTH" in out
    script = (tmp_path / "net-pruned" / "slice_params.py").read_text()
    assert '"conv1_weight": ("", (8, None, 3, 3), (4, None, 3, 3), [' in script
    groups = json.loads((tmp_path / "net-pruned" / "groups.json").read_text())
    assert groups["parameter_views"]["conv1_weight"]["shape"] == [8, None, 3, 3]
    assert groups["groups"][0]["cost"] == {"parameters": None}
    code, out, _ = run(capsys, "groups", "net-symbol.json")
    assert code == 0 and re.search(r"^ +0  conv1_weight +8 +3 +\?$", out, re.M)
    write_arrays(tmp_path / "in.params", arrays())
    command = [sys.executable, "net-pruned/slice_params.py", "in.params", "out.params"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    known = "--params", "in.params", "--criterion", "position", "--out", "known"
    assert run(capsys, "compile", "net-symbol.json", *known)[0] == 0
    for made, wanted in (("out.params", "in.params"), ("net-pruned/net-symbol.json", "net-symbol.json")):
        assert (tmp_path / made).read_bytes() == (tmp_path / "known" / wanted).read_bytes()


def test_the_least_group_keeps_a_channel(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    assert run(capsys, "compile", "net-symbol.json", "--ratio", "0.999")[0] == 0
    small = read_params(tmp_path / "net-pruned" / "net-0000.params")
    assert small.shapes["conv1_weight"] == (1, 3, 3, 3)


def test_the_criterion_needs_parameters(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path, values={})
    arguments = ("compile", "net-symbol.json", "--input", "data=1,3,8,8", "--criterion", "l1")
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert err.startswith("error[P507]: the criterion l1 needs the parameters, and there are none\n")
    assert "choose by position with --criterion position" in err


def test_strict_keeps_approximate_groups(tmp_path: Path, capsys: Any) -> None:
    document = symbol()
    document["nodes"][4] = node("softmax", "middle", [[3, 0]], axis=1)
    write_network(tmp_path, document)
    code, _, err = run(capsys, "compile", "net-symbol.json")
    assert code == 0
    assert err.startswith("warning[P509]: 1 of the groups that lose channels are approximate\n")
    assert "middle (softmax)" in err and "--strict keeps these channels" in err
    code, _, err = run(capsys, "compile", "net-symbol.json", "--strict", "--no-restore", "--out", "strict")
    assert (code, err) == (0, "")
    plan = plan_of(tmp_path / "strict")
    assert plan["strict"] is True and [group["name"] for group in plan["groups"]] == ["conv2_weight"]


def test_quiet_prints_nothing(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    assert run(capsys, "compile", "net-symbol.json", "--quiet", "--no-restore") == (0, "", "")


def test_hostile_names(tmp_path: Path, capsys: Any) -> None:
    evil = "\x1b[31m\u202e[bold]<script>"
    renamed = {"conv1": evil, "conv1_weight": evil + "_w\n", "conv1_bias": "b" * 10_000}
    values = {renamed.get(name, name): array for name, array in arrays().items()}
    write_network(tmp_path, symbol(names=renamed), values)
    code, out, err = run(capsys, "compile", "net-symbol.json", "--no-restore")
    assert (code, err) == (0, "")
    assert "\x1b" not in out and "\u202e" not in out
    assert "\\u001b[31m\\u202e[bold]<script>" in out
    assert max(map(len, out.splitlines())) < 400
    assert run(capsys, "groups", "net-symbol.json")[0] == 0
    for name in ("plan.json", "groups.json", "slice_params.py"):
        data = (tmp_path / "net-pruned" / name).read_bytes()
        assert data.isascii() and b"\x1b" not in data


def test_the_digits_example(tmp_path: Path, capsys: Any) -> None:
    code, out, err = run(capsys, "compile", DIGITS / "digits-symbol.json", "--no-restore")
    assert (code, err) == (0, "")
    assert re.search(r"^parameters +25.4% +152,106 -> 38,682$", out, re.MULTILINE)
    assert sorted(path.name for path in (tmp_path / "digits-pruned").iterdir())[1] == "digits-0000.params"


def test_the_script_written_makes_the_parameters_written(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    run(capsys, "compile", "net-symbol.json")
    folder = tmp_path / "net-pruned"
    command = [sys.executable, folder / "slice_params.py", "net-0000.params", "again.params"]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "again.params").read_bytes() == (folder / "net-0000.params").read_bytes()


def test_as_a_process(tmp_path: Path) -> None:
    write_network(tmp_path)
    result = run_process(tmp_path, "compile", "net-symbol.json", "--no-restore")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads((tmp_path / "net-pruned" / "groups.json").read_text())["groups"][0]["units"] == 8


def test_the_python_interface(tmp_path: Path, capsys: Any) -> None:
    import prunec

    path = write_network(tmp_path)
    run(capsys, "compile", "net-symbol.json")
    model = prunec.read_model(path)
    analysis = prunec.analyse(model, prunec.load_rules(["default"]))
    pruned = prunec.emit(analysis, prunec.make_plan(analysis, ratio=0.5).removed)
    assert pruned.model == (tmp_path / "net-pruned" / "net-symbol.json").read_bytes()
    small = read_params(tmp_path / "net-pruned" / "net-0000.params")
    for own in pruned.slices:
        assert np.array_equal(prunec.sliced(own, model.parameter(own.name)), small.array(own.name))
    assert all(hasattr(prunec, n) for n in prunec.__all__)
    with pytest.raises(ValueError, match=r"the ratio 1 is not in \[0, 1\)"):
        prunec.make_plan(analysis, ratio=1)
