"""`prunec doctor`: what is installed, what is missing, and what does not work although it is there."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any, Optional

import pytest

from cli.tools import run
from prunec.cli import doctor_command
from prunec.cli.doctor_command import Package
from prunec.frontends.registry import built_in


def having(monkeypatch: pytest.MonkeyPatch, **versions: Optional[str]) -> None:
    """Only these packages are installed, and what is needed."""
    right = metadata.version

    def version(name: str) -> str:
        if name in doctor_command._NEEDED:
            return right(name)
        if versions.get(name) is None:
            raise metadata.PackageNotFoundError(name)
        return str(versions[name])

    monkeypatch.setattr(metadata, "version", version)


def test_nothing_but_what_is_needed(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch)
    code, out, err = run(capsys, "doctor")
    assert (code, err) == (1, "")
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    for front in built_in():
        told = lines[front.name].split(None, 3)
        assert told[1:3] == ["no" if front.reading_packages else "yes", "no"]
        assert told[3].endswith(f": {front.install}")
        for package in (*front.reading_packages, *front.running_packages):
            assert f"{package} is missing" in told[3] and package in front.install
    assert "pip install pygls" in out and "pip install matplotlib" in out
    assert f"numpy {metadata.version('numpy')}" in out.splitlines()[0]


def test_one_kind_that_runs_is_enough(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, torch="9.9")
    monkeypatch.setattr(doctor_command, "_imported", doctor_command._package)
    code, out, _ = run(capsys, "doctor")
    assert code == 0 and "PyTorch  yes   yes  torch 9.9\n" in out


def test_a_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, no_such_module="1.0", json="2.0")
    told = doctor_command._imported("no_such_module")
    assert not told.works and "ModuleNotFoundError" in str(told.problem)
    assert str(told).startswith("no_such_module 1.0 cannot be imported: ModuleNotFoundError")
    assert doctor_command._imported("json") == Package("json", "2.0")
    assert doctor_command._imported("absent") == Package("absent", None)


def test_for_programs(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, onnx="1.0")
    monkeypatch.setattr(doctor_command, "_imported", doctor_command._package)
    code, out, _ = run(capsys, "doctor", "--json")
    models = {own["name"]: own for own in json.loads(out)["models"]}
    assert code == 1 and models["ONNX"]["read"] and not models["ONNX"]["run"]
    assert models["ONNX"]["running"] == [{"name": "onnxruntime", "version": None, "problem": None}]
    assert set(models) == {front.name for front in built_in()}


def test_what_can_be_imported_here_is_said_to_work(capsys: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    pytest.importorskip("onnx", reason="needs onnx")
    code, out, _ = run(capsys, "doctor")
    assert code == 0 and f"onnxruntime {metadata.version('onnxruntime')}" in out
