"""The digits example: its demonstration, the commands of its README, the comparison, and its images."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

pytest.importorskip("mxnet", reason="needs MXNet")
pytest.importorskip("sklearn", reason="needs scikit-learn")

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits"
README = (DIGITS / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    ((?:prunec|python) .+)$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A copy of the example's folder in which the commands of its README ran, and what they printed."""
    folder = tmp_path_factory.mktemp("digits")
    for path in DIGITS.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    printed = {}
    for command in COMMANDS:
        words = command.split()
        start = [sys.executable, "-m", "prunec"] if words[0] == "prunec" else [sys.executable]
        done = subprocess.run(
            [*start, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed[command] = done.stdout
    return folder, printed


def _accuracies(printed: dict[str, str]) -> list[float]:
    found = [re.fullmatch(r"accuracy (\d\.\d+)\n", text) for text in printed.values()]
    return [float(match.group(1)) for match in found if match]


def test_the_readme_goes_the_whole_way(outputs: tuple[Path, dict[str, str]]) -> None:
    _, printed = outputs
    assert [command.split()[1] for command in COMMANDS] == [
        *("evaluate.py", "data.py", "compile", "evaluate.py", "compile", "evaluate.py"),
        *("finetune.py", "evaluate.py", "compare.py"),
    ]
    original, restored, cut, tuned = _accuracies(printed)
    assert original > 0.99
    assert restored >= 0.98, "not trained"
    assert cut < 0.3
    assert tuned >= original - 0.015
    compiled = next(text for command, text in printed.items() if command.startswith("prunec compile"))
    assert re.search(r"multiply-adds +(24|25)\.\d%", compiled), compiled
    assert "restored (kept)" in compiled and "proved:" in compiled


def test_the_demonstration_ends_with_a_table(tmp_path: Path) -> None:
    """A quarter of the cost, restored without training, is nearly as good as the original."""
    (tmp_path / "bin").mkdir()
    for name, more in (("prunec", "-m prunec "), ("python", "")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {more}"$@"\n')
        script.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["sh", DIGITS / "demo.sh", "out"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(original|a quarter, .+?) +(\d\.\d+)$", done.stdout, re.MULTILINE)
    assert [name for name, _ in rows] == [
        *("original", "a quarter, cut", "a quarter, restored, not trained"),
        "a quarter, restored and fine-tuned",
    ]
    original, cut, restored, tuned = (float(accuracy) for _, accuracy in rows)
    assert (original, cut < 0.3) == (0.9978, True)
    assert restored >= 0.985
    assert tuned >= 0.98
    assert "proved:" in done.stdout and "restored (kept)" in done.stdout


def test_the_quick_comparison_has_its_rows(outputs: tuple[Path, dict[str, str]]) -> None:
    text = (outputs[0] / "quick" / "RESULTS.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(("| l1 ", "| obs "))
    ]
    assert [row[0] for row in rows] == ["l1", "obs"]
    for _, left, cut, means, restored, *_ in rows:
        assert 24.5 <= float(left.rstrip("%")) <= 25.2
        assert _numbers(restored)[0] >= 95 > 60 > _numbers(means)[0] > _numbers(cut)[0], text
    assert [float(number) >= 98 for number in rows[1][5:]] == [True, True], text
    few = text.split("### Epochs of fine-tuning on 512 labelled images")[1]
    cut, restored = re.findall(r"^\| 25% \| (?:cut|restored) \| (.+) \|$", few, re.MULTILINE)
    assert [len(line.split(" | ")) for line in (cut, restored)] == [11, 11]
    assert float(restored.split(" | ")[1]) > float(cut.split(" | ")[1]) + 20, "after an epoch on few images"


def _numbers(cell: str) -> list[float]:
    return [float(number) for number in cell.split(" ± ")]


def test_the_plot_has_a_panel_for_each_stage(outputs: tuple[Path, dict[str, str]]) -> None:
    root = ElementTree.parse(outputs[0] / "quick" / "results.svg").getroot()
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for title in ("cut", "with --means", "restored", "fine-tuned on 512 images"):
        assert f"digits, {title}" in words
    assert "from the restored network" in words
    # Two criteria in each of three panels and the legend; a level and two curves, and their legend.
    lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 4 * 2 + 3 + 2


RESULTS = (DIGITS / "RESULTS.md").read_text(encoding="utf-8")
SECTIONS = RESULTS.split("\n## ")[1:]


def _table(section: str, heading: str) -> list[list[str]]:
    """The rows of a table of the committed results."""
    table = section.split(f"### {heading}")[1].split("\n#")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_committed_results_hold_every_row() -> None:
    assert len(SECTIONS) == 2
    for section in SECTIONS:
        for budget in ("50%", "25%", "10%"):
            rows = _table(section, f"{budget} of the multiply-adds")
            assert [row[0] for row in rows] == ["l1", "random", "reconstruction", "obs", "auto"]
            assert all(re.fullmatch(r"\d+\.\d ± \d+\.\d", cell) for row in rows for cell in row[2:5])
    counts = _table(SECTIONS[0], "How many examples: 25% of the multiply-adds, `auto`")
    assert [row[0] for row in counts] == ["32", "64", "128", "256", "512", "1024"]


def test_in_the_committed_results_restored_networks_are_far_above_others() -> None:
    for section in SECTIONS:
        for budget in ("50%", "25%", "10%"):
            for _, _, cut, means, restored, *_ in _table(section, f"{budget} of the multiply-adds"):
                best = max(_numbers(cut)[0], _numbers(means)[0])
                assert _numbers(restored)[0] > best + 4
    quarter = {row[0]: row for row in _table(SECTIONS[0], "25% of the multiply-adds")}
    assert all(_numbers(quarter[name][4])[0] > 97 for name in ("reconstruction", "obs", "auto"))


def test_in_the_committed_results_few_images_do_more_for_a_restored_network() -> None:
    for section in SECTIONS:
        rows = _table(section, "Epochs of fine-tuning on 512 labelled images")
        assert [row[:2] for row in rows] == [
            [budget, start] for budget in ("50%", "25%", "10%") for start in ("cut", "restored")
        ]
        for cut, restored in zip(rows[::2], rows[1::2]):
            # Before, and after each of the first two epochs.
            assert all(float(b) > float(a) for a, b in zip(cut[2:5], restored[2:5]))


def test_the_harder_set_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.syspath_prepend(str(DIGITS))
    import data

    first, second = data.harder(), data.harder()
    assert first[0].shape == (3 * 1347, 1, 12, 12) and first[1].shape == (900, 1, 12, 12)
    assert first[2].shape == (3 * 1347,) and first[3].shape == (900,)
    assert first[0].dtype == np.float32 and np.isfinite(first[0]).all()
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)
