"""The part of docs/coverage.md about transformers that lose residual channels; no PyTorch is needed."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench import coverage, onnx_open_coverage, onnx_proofs_coverage  # noqa: E402
from bench.onnx_coverage import EXPORTERS, OPEN_HEADING  # noqa: E402
from bench.onnx_proofs_coverage import HEADING, NAMES, is_wrong, line, rendered, totals  # noqa: E402


def proof(**changes: Any) -> dict[str, Any]:
    """What proving one smaller model gives."""
    found = {
        "exit": 0,
        "outcome": "proved",
        "error": 1e-7,
        "compared": 70,
        "evidence": {"witnessed": 33, "statistics": 14},
        "others": [],
        "statistics": ["ln1", "ln2"],
        "quality": 0.25,
        "operators": {"LayerNormalization": 2},
        "left": 0.3,
        "damages": 150,
        "unseen": [],
    }
    return {**found, **changes}


def export(without: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return {"name": "vit", "run": "dynamo", "exported": True, "without": without, "with": given}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, False),
        ({"outcome": "not proved", "exit": 3}, True),
        ({"exit": 1, "outcome": "differs"}, True),
        ({"others": ["Round_0: it is not continuous"]}, True),
        ({"unseen": ["w: scaled"]}, True),
    ],
)
def test_what_counts_as_a_failure(changes: dict[str, Any], wrong: bool) -> None:
    assert is_wrong(export(proof(**changes), proof())) is wrong
    assert is_wrong(export(proof(), proof(**changes))) is wrong


def test_residual_channels_may_stay_only_where_no_size_is_given() -> None:
    kept = proof(statistics=[], operators={}, quality=None)
    assert not is_wrong(export(kept, proof()))
    assert is_wrong(export(proof(), kept))


def test_what_does_not_run_is_told() -> None:
    failed = {"exit": 4, "message": "error[P701]: no | session"}
    assert is_wrong(export(failed, proof()))
    assert is_wrong({"name": "vit", "run": "dynamo", "exported": False, "reason": "unsupported operator"})
    text = rendered([export(failed, proof())])
    assert "| vit | dynamo | open | it ends with 4: error[P701]: no \\| session |" in text
    assert "unsupported operator" in line({"name": "vit", "run": "dynamo", "reason": "unsupported operator"})


def test_the_table_and_the_sums() -> None:
    results = [export(proof(), proof(unseen=["w: scaled"], outcome="differs"))]
    text = rendered(results)
    row = "| vit | dynamo | open | 0.300 | proved | 1e-07 | 70 | 33 of 47 | 14 | 2 × `LayerNormalization`"
    assert f"{row} | 25.0% | 150 of 150 |" in text
    assert "| 25.0% | 149 of 150 |" in text
    assert list(totals(results)) == ["proved: 1 of 2", "damages refused: 299 of 300"]


def test_each_part_of_the_page_is_written_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "coverage.md"
    page.write_text("# Coverage\n", encoding="utf-8")
    for module in (onnx_open_coverage, onnx_proofs_coverage):
        monkeypatch.setattr(module, "PATH", page)
    onnx_open_coverage.write_coverage([])
    onnx_proofs_coverage.write_coverage([export(proof(), proof())])
    before = page.read_text(encoding="utf-8")
    onnx_open_coverage.write_coverage([])
    assert page.read_text(encoding="utf-8") == before
    onnx_proofs_coverage.write_coverage([])
    after = page.read_text(encoding="utf-8")
    assert after == f"# Coverage\n{onnx_open_coverage.rendered([])}{rendered([])}"


def test_the_page_tells_of_every_export_and_all_is_as_it_has_to_be() -> None:
    page = coverage.PATH.read_text(encoding="utf-8")
    part = page.partition(HEADING)[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in text[1:-1].split("|")]
        for text in part.splitlines()
        if text.startswith("| ") and not text.startswith("| architecture")
    ]
    assert [tuple(row[:3]) for row in rows] == [
        (name, exporter, sizes) for name in NAMES for exporter in EXPORTERS for sizes in ("open", "given")
    ]
    for row in rows:
        seen, sliced = map(int, row[7].split(" of "))
        refused, tried = map(int, row[11].split(" of "))
        assert row[4] == "proved" and seen + int(row[8]) == sliced and refused == tried > 0, row
        assert re.fullmatch(r"\d+ × `(LayerNormalization|ReduceMean)`", row[9]) or row[2] == "open", row
        assert (row[9] == "") == (row[10] == ""), row
    assert page.count(OPEN_HEADING) == 1
