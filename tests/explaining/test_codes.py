"""`prunec explain P404` says what a message means, without a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prunec.cli.main import main
from prunec.support.codes import codes, record_of


@pytest.mark.parametrize("code", codes())
def test_every_record_is_printed_as_a_whole(code: str, capsys: Any) -> None:
    assert main(["explain", code]) == 0
    said = capsys.readouterr()
    record = record_of(code)
    first, *_ = said.out.split("\n")
    assert first.startswith(f"{code}: {record.title}") and first.endswith("(warning)") == (
        record.severity.value == "warning"
    )
    words = " ".join(said.out.split())
    for text in (record.meaning, f"Why: {record.why}", f"What to do: {record.remedy}"):
        assert " ".join(text.split()) in words
    assert ("For example" in said.out) == (record.example is not None)
    if record.example is not None:
        for line in record.example.printed.splitlines():
            assert f"  {line}".rstrip() in said.out.splitlines()
    assert said.err == ""


def test_prose_fits_a_terminal(capsys: Any) -> None:
    for code in codes():
        main(["explain", code])
        prose = capsys.readouterr().out.split("For example")[0].split("\n", 1)[1]
        assert all(len(line) <= 80 for line in prose.splitlines()), code


def test_json(capsys: Any) -> None:
    assert main(["explain", "p217", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    record = record_of("P217")
    assert record.example is not None
    assert found == {
        "format": "prunec message",
        "version": 1,
        "code": "P217",
        "severity": "warning",
        "title": record.title,
        "meaning": record.meaning,
        "why": record.why,
        "what_to_do": record.remedy,
        "example": {"rules": record.example.rules, "printed": record.example.printed},
    }
    assert main(["explain", "--format", "json", "P999"]) == 0
    assert json.loads(capsys.readouterr().out)["example"] is None


@pytest.mark.parametrize(
    ("code", "near"),
    [("P403", "P402 or P404"), ("P4040", "P404 or P405"), ("P1", "P001 or P101"), ("p99999", "P999")],
)
def test_a_code_there_is_not(code: str, near: str, capsys: Any) -> None:
    assert main(["explain", code]) == 1
    said = capsys.readouterr()
    assert said.out == "" and f"error[P415]: no message has the code {code.upper()}\n" in said.err
    assert f"  help: did you mean {near}?\n" in said.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--format", "dot"], "a message is no diagram: leave out --format dot"),
        (["--axis", "0"], "a message has no node: leave out --channel, --axis, --rule and --plan"),
        (["--channel", "0"], "a message has no node: leave out --channel, --axis, --rule and --plan"),
    ],
)
def test_options_that_say_nothing_of_a_message(options: list[str], complaint: str, capsys: Any) -> None:
    assert main(["explain", "P404", *options]) == 2
    assert complaint in capsys.readouterr().err


def test_with_a_name_it_is_a_model(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "P404", "conv"]) == 1
    assert main(["explain", "P404", "--kept"]) == 1
    assert capsys.readouterr().err.count("error[P301]: cannot read the model\n  --> P404\n") == 2
    assert main(["explain", "net.onnx"]) == 2
    assert "the following arguments are required: NODE_OR_PARAMETER" in capsys.readouterr().err
