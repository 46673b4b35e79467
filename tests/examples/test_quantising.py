"""The example that quantises: the commands of docs/quantising.md, and what comes of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "quantising.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^((?:prunec|python) .+)$", PAGE, re.MULTILINE)
ROW = re.compile(r"^\| `?(.*?)`? \| ([\d.]+) ?% \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = command.split()
    start = [sys.executable, "-m", "prunec"] if words[0] == "prunec" else [sys.executable]
    return subprocess.run(
        [*start, *words[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example beside that of the digits, which it takes the network and the images from."""
    path = tmp_path_factory.mktemp("examples")
    for name in ("digits", "quantising"):
        shutil.copytree(ROOT / "examples" / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return path / "quantising"


def rows(text: str) -> list[tuple[float, float, float]]:
    return [(float(row[1]), float(row[2]), float(row[3])) for row in ROW.findall(text)]


def test_the_commands_come_to_the_table_of_the_page(folder: Path) -> None:
    assert [command.split()[1] for command in COMMANDS] == [
        *("network.py", "../digits/data.py", "compile", "quantise.py", "quantise.py", "compare.py", "verify")
    ]
    printed = []
    for command in COMMANDS:
        done = run(folder, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout)
    assert printed[-1].startswith("proved: ")
    measured, shown = rows(printed[-2]), rows(PAGE)
    assert len(measured) == len(shown) == 4
    for (accuracy, size, _), (shown_accuracy, shown_size, _) in zip(measured, shown):
        # Latency is of a machine; rounding differs between those.
        assert abs(accuracy - shown_accuracy) <= 1.5 and abs(size - shown_size) <= 0.03
    operators = {node.op_type for node in onnx.load(str(folder / "small-int8.onnx")).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators and "BatchNormalization" not in operators


def test_widths_are_measured(folder: Path) -> None:
    done = run(folder, "python widths.py --rounds 2 --widths 16 12")
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", done.stdout, re.MULTILINE)
    assert [int(line[0]) for line in lines] == [16, 12] and float(lines[0][1]) == 1
