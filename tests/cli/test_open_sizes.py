"""Models whose sizes are open: compiled without sizes, and proved at some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx import open_sizes  # noqa: E402
from frontends.onnx.network import RULES  # noqa: E402

from cli.tools import run  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.frontends.onnx.model import read_model  # noqa: E402
from prunec.planning.members import group_digests  # noqa: E402

pytestmark = pytest.mark.slow


def groups(path: Path, shapes: dict[str, tuple[int, ...]]) -> list[str]:
    return group_digests(analyse(read_model(path, input_shapes=shapes), RULES))


def test_a_plan_made_without_sizes_is_proved_with_some(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """Sizes are examples: they make no other groups."""
    monkeypatch.chdir(tmp_path)
    for build in open_sizes.BUILDERS[::2]:
        pattern = build()
        path = tmp_path / f"{build.__name__}.onnx"
        path.write_bytes(pattern.proto.SerializeToString())
        shapes = dict(pattern.others[0])
        sizes = [f"--input={name}={','.join(map(str, shape))}" for name, shape in shapes.items()]
        code, _, err = run(capsys, "compile", path, "--out", build.__name__)
        assert code == 0, err
        code, out, _ = run(capsys, "verify", path, f"{build.__name__}/{path.name}", *sizes, "--seeds", "3")
        assert code == 0, (build.__name__, out)
        assert groups(path, {}) == groups(path, shapes)
