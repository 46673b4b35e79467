"""What benchmarks are made of: models that grow and lose channels everywhere, and a page of ratios."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.benchmark_models import GROWING, large_file
from bench.benchmark_page import page
from prunec.analysis.analyse import analyse
from prunec.frontends.registry import front_end, read_model
from prunec.language.library import load

MACHINE = {"processor": "P", "processors": "2", "system": "Linux", "python": "3", "numpy": "1"}


@pytest.mark.parametrize("kind", GROWING)
def test_models_grow_by_what_loses_channels(tmp_path: Path, kind: str) -> None:
    make, name, words = GROWING[kind]
    if name.endswith(".onnx"):
        pytest.importorskip("onnx")
    found = []
    for nodes in (60, 240):
        count = make(nodes, tmp_path / name)
        shapes = {"data": (1, 16, 8, 8)} if words else {}
        model = read_model(tmp_path / name, None, shapes)
        assert len(model.graph.nodes) - count in (0, 1)  # the input of an ONNX model is no node there
        analysis = analyse(model, load([front_end(model.path).rules]))
        assert not analysis.warnings
        found.append((count, len(analysis.solution.groups)))
    assert found[1][0] > 3 * found[0][0] and found[1][1] > 3 * found[0][1] > 6


def test_a_large_file_has_its_elements_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    assert large_file(tmp_path, 4 * 64 * 64 * 3, width=64) == 4 * 64 * 64
    model = read_model(tmp_path / "large.onnx")
    assert (tmp_path / "large.data").stat().st_size == 4 * 64 * 64 * 3
    assert len(analyse(model, load(["onnx.prune"])).solution.groups) == 2


def test_the_page_shows_medians_of_ratios() -> None:
    def runs(*cpu: float) -> list[dict[str, float]]:
        return [{"cpu": seconds, "elapsed": seconds, "peak": 1e6 * seconds} for seconds in cpu]

    growth = [
        {"kind": "chain", "nodes": nodes, "cpu": cpu, "elapsed": cpu, "peak": 1e6}
        for nodes, cpu in ((1000, 1.0), (10_000, 10.0))
    ]
    large = {
        "bytes": 2e9,
        "largest": 1e6,
        "cp": runs(1, 2, 1),
        "l1": runs(3, 8, 5),
        "position": runs(2, 4, 2),
    }
    parts = {
        "whole": [{"network": "net", "prunec": runs(1, 2, 1), "torch-pruning": runs(3, 10, 4)}],
        "growth": growth,
        "large": [large],
    }
    text = page(
        {name: {"when": "2020-01-01", "machine": MACHINE, "rows": rows} for name, rows in parts.items()}
    )
    assert "| net | 4.0 | 4.0 | 1.00 | 3.00 |" in text
    assert "| chain | 10,000 | 10.00 | 1.00 | 1.000 | 1 | 0.1 |" in text
    assert "| l1 | 4.0 | 4.0 | 8 | 7 |" in text and "| position | 2.0 | 2.0 | 4 | 3 |" in text
    assert text.count("Measured on 2020-01-01: P, 2 processors") == 3
    assert "## Growth" not in page({})
