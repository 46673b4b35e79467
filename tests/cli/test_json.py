"""`--json`: one document on standard output, and errors as JSON on standard error."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cli.schemas import SCHEMAS, validate
from cli.tools import DIGITS, bytes_of, node, run, symbol, write_network

SCHEMA = json.loads((SCHEMAS / "summary.schema.json").read_text())


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def compiled(capsys: Any, *arguments: object) -> dict[str, Any]:
    """The document of `compile --json`, which follows its schema."""
    code, out, err = run(capsys, "compile", *arguments, "--json")
    assert (code, err) == (0, "")
    document: dict[str, Any] = json.loads(out)
    validate(document, SCHEMA)
    return document


def test_the_document(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    document = compiled(capsys, "net-symbol.json", "--input", "data=1,3,8,8", "--report", "--no-restore")
    written = bytes_of(tmp_path / "net-pruned")
    assert {file["name"]: (file["sha256"], file["bytes"]) for file in document["files"]} == {
        name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in written.items()
    }
    sizes = [
        sum((folder / name).stat().st_size for name in ("net-symbol.json", "net-0000.params"))
        for folder in (tmp_path, tmp_path / "net-pruned")
    ]
    assert document["totals"] == {
        "parameters": {"before": 690, "after": 239},
        "multiply_adds": {"before": 41496, "after": 13836},
        "bytes": {"before": sizes[0], "after": sizes[1]},
    }
    assert document["folder"] == "net-pruned" and document["method"] == {"criterion": "l1", "ratio": 0.5}
    plan = json.loads(written["plan.json"])
    assert [document[key] for key in ("model", "rules", "parameters", "strict")] == [
        plan[key] for key in ("model", "rules", "parameters", "strict")
    ]
    assert [layer["name"] for layer in document["layers"]] == ["conv1", "conv2", "fc"]
    assert document["layers"][0] == {
        "name": "conv1",
        "operator": "Convolution",
        "channels": {"before": 8, "after": 4},
        "parameters": {"before": 224, "after": 112},
        "multiply_adds": {"before": 13824, "after": 6912},
        "kept": None,
    }
    assert document["layers"][2]["kept"] == "the model output 'fc'"
    assert document["largest_changes"] == [1, 0, 2]
    assert document["kept"] == [{"reason": "the model output 'fc'", "channels": 4, "layers": ["fc"]}]
    assert [document[key] for key in ("approximate", "compensated", "warnings")] == [[], [], []]
    assert document["verification"] is None


def test_what_is_not_known_is_null(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path, values={})
    document = compiled(capsys, "net-symbol.json", "--input", "data=1,3,8,8")
    assert document["parameters"] is None
    assert document["totals"]["bytes"] == {"before": None, "after": None}
    write_network(tmp_path)
    document = compiled(capsys, "net-symbol.json", "--force")
    assert document["totals"]["multiply_adds"] == {"before": None, "after": None}


def test_warnings_are_in_the_document(tmp_path: Path, capsys: Any) -> None:
    document = symbol("my_gate")
    write_network(tmp_path, document)
    (warning,) = compiled(capsys, "net-symbol.json", "--out", "a", "--no-restore")["warnings"]
    assert (warning["code"], warning["severity"]) == ("P406", "warning")
    assert warning["headline"] == "no rule knows the operator my_gate"
    document["nodes"][4] = node("softmax", "middle", [[3, 0]], axis=1)
    write_network(tmp_path, document)
    found = compiled(capsys, "net-symbol.json", "--out", "b", "--no-restore")
    assert [warning["code"] for warning in found["warnings"]] == ["P509"]
    (group,) = found["approximate"]
    assert (group["group"], group["name"], group["units"], group["removed"]) == (0, "conv1_weight", 8, 4)
    assert group["reasons"][0].startswith("middle (softmax): ")


def test_the_verification(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    found = compiled(capsys, DIGITS / "digits-symbol.json", "--verify", "--input", "data=4,1,8,8")
    verification = found["verification"]
    assert verification["outcome"] == "proved" and verification["contents"] == []
    assert 0 <= verification["error"] < 1e-4
    (output,) = (own for own in verification["compared"] if own["output"])
    assert (output["name"], output["agrees"], output["shape"]) == ("softmax", True, [4, 10])
    parameters = {own["name"]: own["evidence"] for own in verification["parameters"]}
    assert set(parameters.values()) <= {"witnessed", "ignored", "uniform"} and len(parameters) > 10
    assert verification["inputs"] == {"data": [4, 1, 8, 8]}
    assert verification["zeroed"] == ["softmax_label"]


def test_statistics_are_left_out_of_the_proof_and_measured(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    document = symbol()
    document["nodes"][4] = node("softmax", "middle", [[3, 0]], axis=1)
    write_network(tmp_path, document)
    arguments = ("net-symbol.json", "--verify", "--input", "data=2,3,8,8", "--json")
    code, out, err = run(capsys, "compile", *arguments)
    assert (code, err) == (0, "")
    found = json.loads(out)
    validate(found, SCHEMA)
    verification = found["verification"]
    assert verification["outcome"] == "proved" and verification["quality"] > 1e-4
    (restart,) = verification["restarts"]
    assert restart == {
        "node": "middle",
        "why": "it combines channels that go with those that stay",
        "statistics": True,
    }


def test_what_is_made_up_for(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    write_network(tmp_path)
    found = compiled(capsys, "net-symbol.json", "--input", "data=2,3,8,8", "--compensate")
    assert found["compensated"] == [{"group": 0, "outcome": "left"}, {"group": 1, "outcome": "left"}]
    assert found["method"]["compensated"] == "constants"


@pytest.mark.parametrize("command", ["compile", "groups"])
def test_errors_are_json_too(tmp_path: Path, capsys: Any, command: str) -> None:
    code, out, err = run(capsys, command, "none-symbol.json", "--json")
    assert (code, out) == (1, "")
    (error,) = json.loads(err)
    validate(error, {**SCHEMA["$defs"]["diagnostic"], "$defs": SCHEMA["$defs"]})
    assert (error["code"], error["severity"]) == ("P301", "error")
    assert (error["headline"], error["where"]) == ("cannot read the model", "none-symbol.json")


def test_a_warning_before_an_error_is_in_one_list_with_it(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path, symbol("my_gate"))
    (tmp_path / "net-pruned").mkdir()
    (tmp_path / "net-pruned" / "other").write_text("")
    code, out, err = run(capsys, "compile", "net-symbol.json", "--json")
    assert (code, out) == (1, "")
    assert [(d["severity"], d["code"]) for d in json.loads(err)] == [("warning", "P406"), ("error", "P510")]


def test_warnings_beside_another_document_go_to_standard_error(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path, symbol("my_gate"))
    code, out, err = run(capsys, "groups", "net-symbol.json", "--json")
    assert code == 0 and json.loads(out)["format"] == "prunec groups"
    assert [warning["code"] for warning in json.loads(err)] == ["P406"]


def test_hostile_names_stay_data(tmp_path: Path, capsys: Any) -> None:
    evil = "\x1b[31m\u202e</script>é"
    write_network(tmp_path, symbol(names={"conv1": evil}))
    code, out, err = run(capsys, "compile", "net-symbol.json", "--json")
    assert (code, err) == (0, "")
    assert out.isascii() and "\x1b" not in out
    assert json.loads(out)["layers"][0]["name"] == evil


def test_json_and_quiet_contradict_each_other(capsys: Any) -> None:
    code, out, err = run(capsys, "compile", "net-symbol.json", "--json", "--quiet")
    assert (code, out) == (2, "")
    assert "argument --quiet: not allowed with argument --json" in err


def test_the_same_inputs_give_the_same_document(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    first = compiled(capsys, "net-symbol.json")
    assert compiled(capsys, "net-symbol.json", "--force") == first
