"""`prunec groups --branches`."""

from __future__ import annotations

from pathlib import Path

import pytest

from branches.test_masked import network
from prunec.cli.main import main


def test_branches_are_listed_with_what_they_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "network.onnx"
    network(path)
    assert main(["groups", str(path), "--branches"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    by_name = {line[0]: line for line in lines[1:-1]}
    layer, positions = 8 * 8 * 3 * 3, 2 * 6 * 6
    # The last has a scale of one number for each channel.
    assert by_name["g2"][2:5] == ["2", f"{layer + 8 + 8}", f"{layer * positions:,}"]
    assert by_name["a3"][2:5] == ["4", f"{3 * (layer + 8):,}", f"{3 * layer * positions:,}"]
    assert lines[-1] == ["4", "branches,", "of", "which", "4", "can", "go"]


def test_not_with_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["groups", str(tmp_path / "network.onnx"), "--branches", "--json"]) == 2
    assert "--branches: not with --json" in capsys.readouterr().err
