"""Stretches of a file at the end of another: by the system, or block by block."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from prunec.embedded.onnx_slicing import Stretch, append
from prunec.embedded.slices import Problem


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def appended(file: BinaryIO, source: Path) -> None:
    append(file, b"before")
    append(file, Stretch(str(source), 3, 100_000))
    append(file, b"between")
    append(file, Stretch(str(source), 0, 0))
    append(file, memoryview(b"after"))


@pytest.mark.parametrize("kind", ["system", "none", "refused", "refused half-way"])
def test_a_stretch_is_copied(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "none":
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    elif kind != "system":
        real = getattr(os, "copy_file_range", None)
        if real is None:
            pytest.skip("this system copies no ranges")
        calls: list[int] = []

        def refusing(source: int, target: int, count: int, offset: int) -> int:
            calls.append(count)
            if kind == "refused half-way" and len(calls) == 1:
                return int(real(source, target, 5000, offset))
            raise OSError("not between these files")

        monkeypatch.setattr(os, "copy_file_range", refusing, raising=False)
    with open(tmp_path / "target", "xb") as file:
        appended(file, source)
    held = source.read_bytes()
    assert (tmp_path / "target").read_bytes() == b"before" + held[3:100_003] + b"between" + b"after"


def test_a_file_that_became_shorter_is_told(tmp_path: Path, source: Path) -> None:
    long: Any = Stretch(str(source), 10, source.stat().st_size)
    with open(tmp_path / "target", "xb") as file, pytest.raises(Problem) as caught:
        append(file, long)
    assert caught.value.facts["kind"] == "shorter"
