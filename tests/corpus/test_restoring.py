"""How smaller networks are measured on tasks: texts compared, files written, the table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

from bench import restoring, restoring_table  # noqa: E402
from bench.restoring_tasks import binaries, files, texts  # noqa: E402
from bench.restoring_tasks.reading import distance, shares, text_of  # noqa: E402
from bench.restoring_tasks.table import TASKS  # noqa: E402


def result(**changes: Any) -> dict[str, Any]:
    """What came of one way."""
    found = {"task": "files", "way": "cut", "target": 0.5, "left": 0.498, "parameters": 0.3, "exit": 0}
    return {
        **found,
        "message": "",
        "seconds": 1.5,
        "proof": "proved",
        "measures": {"accuracy": 21.75},
        **changes,
    }


def test_repeats_and_nothing_are_left_out_of_a_text() -> None:
    assert text_of(np.array([0, 1, 1, 0, 1, 2, 2, 3]), ["", "a", "b", " "]) == "aab"


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)],
)
def test_edits_are_counted(a: str, b: str, wanted: int) -> None:
    assert distance(a, b) == distance(b, a) == wanted


def test_shares_are_of_characters_and_of_whole_texts() -> None:
    assert shares(["abcd", "xbcd"], ["abcd", "abcd"], "lines") == {"characters": 87.5, "lines": 50.0}


@pytest.mark.parametrize("kind", [*texts.TEXTS, *binaries.BINARIES])
def test_a_file_is_the_same_again_and_another_with_another_seed(kind: str) -> None:
    write = binaries.BINARIES.get(kind) or (lambda random: texts.text(kind, random))
    first, same, other = (write(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == same != other
    assert len(first) > 60 and (kind not in texts.TEXTS or "«" not in first.decode())


@pytest.mark.parametrize("kind", ["c", "python"])
def test_no_file_found_here_is_in_the_examples_and_in_the_test_set(kind: str) -> None:
    found = files._found(kind)
    assert len(found) > 16 and len(set(found)) == len(found)
    assert not set(found[0::2]) & set(found[1::2])


def test_a_task_has_a_name_of_its_own() -> None:
    assert len({task.name for task in TASKS}) == len(TASKS) >= 8


def test_a_result_is_told_in_a_line_and_in_a_row() -> None:
    told = restoring_table.line(result())
    assert told == "files, cut at 0.5: accuracy 21.8, 0.498 of the multiply-adds left, proved, 1.5 s"
    rows = restoring_table.table([result()]).splitlines()
    assert rows[2] == "| files | cut | 0.5 | 0.498 | accuracy 21.8 | proved | 1.5 |"


def test_what_failed_is_told_by_its_message() -> None:
    message = json.dumps([{"code": "P532", "headline": "a | b"}])
    failed = result(exit=2, message=message, left=None, proof="", measures={})
    assert restoring_table.line(failed) == "files, cut at 0.5: exit 2: P532: a | b"
    assert restoring_table.table([failed]).splitlines()[2].count(" a \\| b ") == 1


def test_every_result_is_in_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring_table, "PATH", tmp_path / "restoring.md")
    restoring_table.write(
        [result(way=way) for way in restoring.WAYS], {task.name: task.about for task in TASKS}
    )
    page = (tmp_path / "restoring.md").read_text(encoding="utf-8")
    assert page.count("| files |") == len(restoring.WAYS)
    assert all(f"**{task.name}**" in page for task in TASKS)
