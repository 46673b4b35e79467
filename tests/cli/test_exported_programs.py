"""What `compile` writes beside a smaller program, and says of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from frontends.pytorch.archives import NEWEST, archive, members

from prunec.cli.main import main
from prunec.frontends.pytorch.program import read_program
from prunec.frontends.pytorch.training import training_document

FILES = {
    "apply_to_module.py",
    "changes.diff",
    "groups.json",
    "net-train.pt2",
    "net.pt2",
    "net.safetensors",
    "plan.json",
    "slice_params.py",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(NEWEST, "net.pt2")
    return tmp_path


def compiled(*words: str, status: int = 0) -> None:
    assert main(["compile", "net.pt2", "--ratio", "0.4", "--no-restore", *words]) == status


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "net-pruned").iterdir()}


def test_all_files_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiled()
    said = capsys.readouterr().out
    assert set(written(folder)) == FILES and all(name in said for name in FILES)
    (line,) = (line for line in said.splitlines() if line.startswith("net-train.pt2 "))
    assert "train" in line

    first = written(folder)
    compiled("--json", "--force")
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert written(folder) == first
    listed = {own["name"]: own for own in document["files"]}
    assert set(listed) == FILES
    for name, data in first.items():
        assert listed[name]["sha256"] == hashlib.sha256(data).hexdigest()
    # The size of the model is that of one form of it.
    assert document["totals"]["bytes"]["after"] == len(first["net.pt2"])


def test_a_twin_of_an_earlier_run_goes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiled()
    parts = members()
    parts["models/model.json"] = json.dumps(training_document(read_program(NEWEST).document)).encode()
    (folder / "net.pt2").write_bytes(archive(parts))
    compiled(status=1)
    assert "P510" in capsys.readouterr().err
    compiled("--force")
    assert set(written(folder)) == FILES - {"net-train.pt2"}
    assert "is the one to train" not in capsys.readouterr().out


def test_names_that_clash_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(NEWEST, "apply_to_module.py")
    assert main(["compile", "apply_to_module.py", "--no-restore"]) == 1
    assert "P512" in capsys.readouterr().err and not (folder / "apply_to_module.py-pruned").exists()


def test_inputs_are_not_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out").mkdir()
    (folder / "net.pt2").rename(folder / "out/net-train.pt2")
    (folder / "net.pt2").symlink_to(folder / "out/net-train.pt2")
    compiled("--out", "out", "--force", status=1)
    assert "P511" in capsys.readouterr().err
    assert (folder / "out/net-train.pt2").read_bytes() == NEWEST.read_bytes()
