"""Commands that run a program: criteria from data, gradients, sensitivity, latency, restoring, reports."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import nn

from prunec.cli.main import main

NET = "net.pt2"
DATA = ("--data", "examples.npz")


class Experts(nn.Module):
    """A mixture of small networks, weighted by a gate that sees what they see."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.gate, self.head = nn.Linear(8, 16), nn.Linear(16, 3), nn.Linear(16, 5)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 24), nn.GELU(), nn.Linear(24, 16)) for _ in range(3)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        weights = torch.softmax(self.gate(x), -1)
        mixed = sum(weights[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts))
        return self.head(x + mixed)


class Cell(nn.Module):
    """A recurrent layer of which each call is one step; its caller carries the state."""

    def __init__(self) -> None:
        super().__init__()
        self.taking, self.going_on, self.head = nn.Linear(6, 16), nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        state = torch.tanh(self.taking(x) + self.going_on(state))
        return self.head(state), state


def export(network: nn.Module, *shapes: tuple[int, ...]) -> None:
    batch = torch.export.Dim("batch")
    inputs = tuple(torch.randn(3, *shape) for shape in shapes)
    with torch.no_grad():
        program = torch.export.export(network.eval(), inputs, dynamic_shapes=({0: batch},) * len(shapes))
    torch.export.save(program, NET)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    export(Experts(), (8,))
    random = np.random.default_rng(0)
    np.savez("examples.npz", x=random.normal(size=(64, 8)).astype("f"), labels=random.integers(0, 5, 64))


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(list(words)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    found = json.loads(answer(capsys, *words, "--json"))
    assert isinstance(found, dict)
    return found


def removed(plan: Path) -> str:
    return json.dumps(json.loads(plan.read_text())["groups"])


def test_criteria_from_data_and_gradients(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chosen = set()
    for criterion in ("l1", "taylor", "obs", "reconstruction"):
        data = () if criterion == "l1" else DATA
        answer(capsys, "plan", NET, "--criterion", criterion, *data, "--ratio", "0.5", "--out", criterion)
        chosen.add(removed(tmp_path / criterion))
    assert len(chosen) == 4


def test_restored_is_nearer_than_cut(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = document(capsys, "compile", NET, "--ratio", "0.5", *DATA, "--verify", "--report")
    changes = {own["name"]: own["change"] for own in found["quality"]["models"]}
    assert 0 < changes["restored"] < changes["cut"]
    assert found["verification"]["outcome"] == "proved"
    assert "experts.0.0" in (tmp_path / "net-pruned/report.html").read_text()
    said = answer(capsys, "diff", NET, "net-pruned/net.pt2")
    assert "  experts.0.0.weight (parameter): (24, 16) -> (" in said


def test_sensitivity_is_measured_and_used(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer(capsys, "sensitivity", NET, *DATA, "--out", "table.csv", "--jobs", "1", "--ratios", "0.5")
    with open(tmp_path / "table.csv", newline="") as file:
        rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    assert len(rows) > 4
    answer(
        capsys,
        *("plan", NET, "--criterion", "sensitivity", "--sensitivity", "table.csv", "--target", "macs=0.5"),
        *("--out", "plan.json"),
    )
    assert main(["compile", NET, "--plan", "plan.json", "--verify", "--no-restore"]) == 0


def test_each_expert_is_a_group_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    said = answer(capsys, "explain", NET, "experts.1.0")
    assert "experts.1.2" in said and "experts.0.2" not in said


def test_a_state_that_a_caller_carries_becomes_narrower(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    export(Cell(), (6,), (16,))
    (tmp_path / "state.prune").write_text('interface "state" from "tanh"\n')
    found = document(
        capsys, "compile", NET, "--policy", "state.prune", "--ratio", "0.5", "--no-restore", "--verify"
    )
    assert found["verification"]["outcome"] == "proved"
    module = torch.export.load(tmp_path / "net-pruned/net.pt2").module()
    output, state = module(torch.randn(5, 6), torch.zeros(5, 8))
    assert output.shape == (5, 4) and state.shape == (5, 8)
