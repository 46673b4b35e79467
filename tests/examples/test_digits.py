"""The digits example: the commands of its README, the comparison of criteria, and its images."""

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
        "evaluate.py",
        "data.py",
        "sensitivity",
        "plan",
        "compile",
        "evaluate.py",
        "finetune.py",
        "evaluate.py",
        "compare.py",
    ]
    original, pruned, tuned = _accuracies(printed)
    assert original > 0.99
    assert pruned > 0.9, "compensated, before fine-tuning"
    assert tuned >= original - 0.01
    plan = next(text for command, text in printed.items() if command.startswith("prunec plan"))
    assert re.search(r"multiply-adds: .*\((49|50)\.\d+% left\)", plan), plan


def test_the_quick_comparison_has_its_rows(outputs: tuple[Path, dict[str, str]]) -> None:
    text = (outputs[0] / "quick" / "RESULTS.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| l1 ", "| random"))]
    assert [row[0] for row in rows] == ["| l1", "| random", "| l1"]
    (_, left, plain, means, tuned), (_, _, _, chance, _), (_, margin, _) = rows
    assert 49.5 <= float(left.rstrip("%")) <= 50.5
    (worse, _), (better, _), (random, spread) = map(_numbers, (plain, means, chance))
    assert better > random + max(spread, 5), text
    assert better > worse + 20, text
    assert re.fullmatch(r"\+\d+ ± \d+ \(2 of 2\)", margin), text
    assert float(tuned.rstrip(" |")) >= 98.5, text
    assert "1 of 1 networks pruned by a criterion are within 1 point of what they were" in text


def _numbers(cell: str) -> list[float]:
    return [float(number) for number in cell.split(" ± ")]


def test_the_plot_has_a_panel_for_each_stage(outputs: tuple[Path, dict[str, str]]) -> None:
    root = ElementTree.parse(outputs[0] / "quick" / "results.svg").getroot()
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for title in ("digits, no compensation", "digits, with --means", "digits, with --means, fine-tuned"):
        assert title in words
    assert "random: mean and range" in words


def test_the_committed_results_hold_every_row() -> None:
    text = (DIGITS / "RESULTS.md").read_text(encoding="utf-8")
    tables = re.findall(r"^### .*?(?=^#|\Z|^\*\*)", text, re.MULTILINE | re.DOTALL)
    names = ["l1", "l2", "bn-scale", "fpgm", "lamp", "activation", "apoz", "taylor", "reconstruction"]
    assert len(tables) == 9
    for table in tables:
        heading = table.splitlines()[0]
        more = [] if "one ranking" in heading else ["sensitivity"]
        chance = [] if "before fine-tuning" in heading else ["random"]
        found = re.findall(r"^\| ([a-z][\w-]*) \|", table, re.MULTILINE)
        assert found == ["criterion", *names, *more, *chance]


def test_in_the_committed_results_criteria_beat_random_choices() -> None:
    text = (DIGITS / "RESULTS.md").read_text(encoding="utf-8")
    table = text.split("### Digits: half of the multiply-adds, before fine-tuning")[1]
    for name in (
        "l1",
        "l2",
        "bn-scale",
        "fpgm",
        "lamp",
        "activation",
        "taylor",
        "reconstruction",
        "sensitivity",
    ):
        assert re.search(rf"^\| {name} \| \+\d\d ± \d+ \(5 of 5\) \|", table, re.MULTILINE), name
    assert re.search(r"^\| sensitivity \| [^|]+ \| \+\d\d ± \d+ \(5 of 5\) \|", table, re.MULTILINE)
    half = re.search(r"^\* 50% .*, with `--means`: (.*)$", table, re.MULTILINE)
    assert half and "; not " not in half.group(1)


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
