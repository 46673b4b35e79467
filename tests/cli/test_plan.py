"""plan.json and groups.json: written, read, and refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import pytest

from cli.schemas import SCHEMAS, validate
from cli.tools import DIGITS, ROOT, arrays, bytes_of, node, plan_of, run, symbol, write_arrays, write_network

Plan = dict[str, Any]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def plan(tmp_path: Path, capsys: Any) -> Plan:
    """A plan of the network that is written to the current folder."""
    write_network(tmp_path)
    assert run(capsys, "compile", "net-symbol.json", "--out", "made")[0] == 0
    return plan_of(tmp_path / "made")


def refused(tmp_path: Path, capsys: Any, plan: object, *options: str) -> str:
    """The messages for a plan that is no good."""
    (tmp_path / "bad.json").write_text(plan if isinstance(plan, str) else json.dumps(plan))
    code, out, err = run(capsys, "compile", "net-symbol.json", "--plan", "bad.json", *options)
    assert (code, out) == (1, "")
    assert not (tmp_path / "net-pruned").exists()
    return str(err)


def grouped() -> dict[str, Any]:
    """A network with a grouped convolution: its groups have cells."""
    document = symbol()
    document["nodes"][7] = node(
        "Convolution", "conv2", [[4, 0], [5, 0], [6, 0]], kernel=(3, 3), num_filter=6, pad=(1, 1), num_group=2
    )
    return document


# --- what is written --------------------------------------------------------------------------


def test_a_plan_gives_the_same_files_again(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    code, out, err = run(capsys, "compile", "net-symbol.json", "--plan", "made/plan.json", "--out", "again")
    assert (code, err) == (0, "")
    assert "chosen by the plan made/plan.json\n" in out
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "made")


def test_a_plan_is_readable(tmp_path: Path, plan: Plan) -> None:
    assert list(plan) == [
        "format",
        "version",
        "prunec",
        "model",
        "rules",
        "parameters",
        "strict",
        "inputs",
        "method",
        "group_units",
        "group_digests",
        "groups",
    ]
    assert re.fullmatch("[0-9a-f]{64}", plan["model"]) and plan["method"] == {"criterion": "l1", "ratio": 0.5}
    lines = (tmp_path / "made" / "plan.json").read_text().splitlines()
    assert [json.loads(line.strip().rstrip(","))["name"] for line in lines if '"group"' in line] == [
        "conv1_weight",
        "conv2_weight",
    ]


def test_a_plan_without_parameters_at_hand(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    (tmp_path / "net-0000.params").unlink()
    arguments = ["--plan", "made/plan.json", "--input", "data=1,3,8,8", "--out", "again"]
    assert run(capsys, "compile", "net-symbol.json", *arguments)[0] == 0
    for name in ("plan.json", "net-symbol.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "made" / name).read_bytes()


def test_groups_say_all_that_a_program_needs(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    code, out, _ = run(capsys, "groups", "net-symbol.json", "--json")
    assert code == 0 and out.encode() == (tmp_path / "made" / "groups.json").read_bytes()
    groups = json.loads(out)
    first = groups["groups"][0]
    assert (first["units"], first["cells"], first["approximate"]) == (8, None, [])
    assert first["cost"] == {"parameters": 3 * 9 + 1 + 6 * 9}
    assert first["members"][2] == {
        "parameter": "conv2_weight",
        "axis": 1,
        "axes": [1],
        "sizes": [8],
        "per_unit": 1,
        "positions": list(range(8)),
    }
    assert groups["parameter_views"]["conv2_weight"] == {
        "shape": [6, 8, 3, 3],
        "view": [6, 8, 3, 3],
        "masked": 0.0,
    }


def test_groups_with_cells(tmp_path: Path, capsys: Any) -> None:
    values = {**arrays(), "conv2_weight": np.ones((6, 4, 3, 3), np.float32)}
    write_network(tmp_path, grouped(), values)
    _, out, _ = run(capsys, "groups", "net-symbol.json", "--json")
    document = json.loads(out)
    check_groups(document)
    first = document["groups"][0]
    assert first["cells"] == [0, 0, 0, 0, 1, 1, 1, 1]
    (member,) = [m for m in first["members"] if m["parameter"] == "conv2_weight"]
    assert document["parameter_views"]["conv2_weight"]["view"] == [2, 3, 4, 3, 3]
    assert (member["axis"], member["axes"], member["sizes"]) == (1, [0, 2], [2, 4])
    _, out, _ = run(capsys, "groups", "net-symbol.json")
    assert re.search(r"^ +0  conv1_weight +8 +3 +[0-9]+  2 cells that lose equally many$", out, re.MULTILINE)
    run(capsys, "compile", "net-symbol.json", "--out", "made")
    plan = plan_of(tmp_path / "made")
    plan["groups"][0]["remove"] = [0, 1, 2, 4]
    err = refused(tmp_path, capsys, plan)
    assert err.startswith("error[P506]: the plan removes what cannot go\n")
    assert "group 0 must lose equally many units of every cell, not 3, 1" in err


def test_the_table_of_groups(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    code, out, _ = run(capsys, "groups", "net-symbol.json")
    assert (code, out.splitlines()) == (
        0,
        [
            "group  name          units  parameters  elements per unit",
            "    0  conv1_weight      8           3                 82",
            "    1  conv2_weight      6           3                 77",
            "2 groups with 14 units",
        ],
    )


def test_the_program_of_the_documentation(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    text = (ROOT / "docs" / "plan_and_files.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "groups.json").write_text(run(capsys, "groups", "net-symbol.json", "--json")[1])
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    code, out, err = run(capsys, "compile", "net-symbol.json", "--plan", "plan.json")
    assert (code, err) == (0, "")
    written = plan_of(tmp_path / "net-pruned")
    assert [group["remove"] for group in written["groups"]] == [[1, 3, 5, 7], [1, 3, 5]]
    assert written["method"] == {"name": "every other unit"}


def test_every_code_is_documented() -> None:
    text = (ROOT / "docs" / "plan_and_files.md").read_text()
    own = [*(ROOT / "prunec" / "cli").glob("*.py"), *(ROOT / "prunec" / "planning").glob("*.py")]
    codes = {code for path in own for code in re.findall(r'"(P5[01]\d|P612|P710|P999)"', path.read_text())}
    assert len(codes) > 12 and not {code for code in codes if f"| {code} |" not in text}


# --- schemas ----------------------------------------------------------------------------------


def check_groups(document: dict[str, Any]) -> None:
    """groups.json against its schema, or, without the library for it, against what it says in short."""
    schema = json.loads((SCHEMAS / "groups.schema.json").read_text())
    validate(document, schema)
    for number, group in enumerate(document["groups"]):
        assert group["group"] == number
        for member in group["members"]:
            assert len(member["positions"]) == group["units"] * member["per_unit"]
            view = document["parameter_views"][member["parameter"]]["view"]
            assert [view[axis] for axis in member["axes"]] == member["sizes"]


@pytest.mark.parametrize("model", ["small", "without parameters", "digits"])
def test_files_follow_their_schemas(tmp_path: Path, capsys: Any, model: str) -> None:
    values: Optional[dict[str, np.ndarray]] = None if model == "small" else {}
    path = DIGITS / "digits-symbol.json" if model == "digits" else write_network(tmp_path, values=values)
    assert run(capsys, "compile", path, "--out", "made")[0] == 0
    check_groups(json.loads((tmp_path / "made" / "groups.json").read_text()))
    schema = json.loads((SCHEMAS / "plan.schema.json").read_text())
    plan = plan_of(tmp_path / "made")
    validate(plan, schema)
    plan["groups"][0]["remove"] = "all"
    with pytest.raises(Exception, match="all"):
        validate(plan, schema)


# --- plans that are no good -------------------------------------------------------------------


def test_a_stale_plan(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    document = symbol()
    document["nodes"][4]["name"] = "between"
    write_network(tmp_path, document, {})
    (tmp_path / "own.prune").write_text("op my_gate { data[*x] -> out[*x] }\n")
    old = (tmp_path / "made" / "plan.json").read_text()
    err = refused(tmp_path, capsys, old, "--rules", "default", "--rules", "own.prune")
    assert err.startswith("error[P504]: the plan was made for something else\n  --> bad.json\n")
    shortened = re.escape(plan["model"][:12])
    assert re.search(
        rf"note: the model changed: the plan was made for {shortened}…, this is [0-9a-f]{{12}}…\n", err
    )
    assert "the rules" not in err
    assert "parameters changed" not in err
    assert "help: make the plan again, or give the files, rules and options it was made with" in err


def test_other_parameters(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    write_arrays(tmp_path / "net-0000.params", arrays(seed=1))
    err = refused(tmp_path, capsys, plan)
    assert f"the parameters changed: the plan was made for {plan['parameters'][:12]}…, these are " in err
    assert "the model changed" not in err


def test_strictness_is_part_of_a_plan(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    # Nothing in this network mixes channels, so its groups are the same.
    assert run(capsys, "compile", "net-symbol.json", "--plan", "made/plan.json", "--strict")[0] == 0
    assert plan_of(tmp_path / "net-pruned")["strict"] is True
    strict = {**plan, "strict": True}
    (tmp_path / "strict.json").write_text(json.dumps(strict))
    assert run(capsys, "compile", "net-symbol.json", "--plan", "strict.json", "--force")[0] == 0
    assert plan_of(tmp_path / "net-pruned")["strict"] is True


def test_units_there_are_not(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    plan["groups"] = [
        {"group": 0, "remove": [0, 8, -1]},
        {"group": 1, "remove": [2, 2]},
        {"group": 1, "remove": []},
        {"group": 7, "remove": [0]},
    ]
    assert refused(tmp_path, capsys, plan) == (
        "error[P505]: the plan speaks of units that the model does not have\n"
        "  --> bad.json\n"
        "  note: group 0 has the units 0 to 7, not -1, 8\n"
        "  note: group 1 removes unit 2 more than once\n"
        "  note: group 1 stands there twice\n"
        "  note: there is no group 7: groups are counted from 0 to 1\n"
        "  help: correct the plan; `prunec groups --json` lists the groups and their units\n"
    )
    plan["groups"] = [{"group": 0, "units": 9, "remove": [0]}]
    assert "group 0 has 8 units, and the plan says 9" in refused(tmp_path, capsys, plan)


def test_a_group_that_would_vanish(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    plan["groups"] = [{"group": 1, "remove": list(range(6))}]
    err = refused(tmp_path, capsys, plan)
    assert err.startswith("error[P506]: the plan removes what cannot go\n")
    assert "group 1 would lose all its 6 units; one must stay" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan.update(format="x"), "not a plan of prunec\n  --> bad.json\n  note: it lacks"),
        (lambda plan: plan.update(version=2), "its version is 2, and this prunec reads version 1"),
        (lambda plan: plan.update(version=True), "its version is true, and this prunec reads version 1"),
        (lambda plan: plan.pop("model"), '"model" is not a text: the SHA-256 of the model, as in'),
        (lambda plan: plan.update(parameters=3), '"parameters" is neither a text'),
        (lambda plan: plan.update(strict=1), '"strict" is neither true nor false'),
        (lambda plan: plan.update(method="l1"), '"method" is not an object'),
        (lambda plan: plan.update(groups={}), '"groups" is not a list'),
        (lambda plan: plan["groups"].append(3), "entry 2 of groups is not an object"),
        (lambda plan: plan["groups"].append({"group": True}), 'entry 2 of groups has no whole number'),
        (lambda plan: plan["groups"].append({"group": 0, "remove": [1.0]}), 'group 0: "remove" is not a'),
        (lambda plan: plan["groups"].append({"group": 0, "units": "8", "remove": []}),
         'group 0: "units" is not a whole number'),
    ],
)  # fmt: skip
def test_malformed_plans(
    tmp_path: Path, capsys: Any, plan: Plan, change: Callable[[Plan], object], message: str
) -> None:
    change(plan)
    err = refused(tmp_path, capsys, plan)
    assert "error[P502]" in err and message in err
    assert "help: " in err


def test_files_that_are_no_plans(tmp_path: Path, capsys: Any, plan: Plan) -> None:
    for text in ("{", "[" * 100_000, "\x00"):
        assert "error[P502]: the plan is not a JSON file" in refused(tmp_path, capsys, text)
    assert "not a plan of prunec" in refused(tmp_path, capsys, "[]")
    for name, reason in (("none.json", "No such file or directory"), (".", "Is a directory")):
        code, _, err = run(capsys, "compile", "net-symbol.json", "--plan", name)
        assert code == 1
        assert err.startswith(f"error[P501]: cannot read the plan\n  --> {name}\n")
        assert f"the system says: {reason}" in err
