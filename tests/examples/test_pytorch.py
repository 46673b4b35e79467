"""The example in PyTorch: its networks are pruned and proved, and its page says what was measured."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "pytorch"


def module(name: str):
    """A module of the example, which is no package."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        sys.modules.pop(name, None)
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EXAMPLE))
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("convolutional", {"stem.0", "near.first", "far.second"}),
        ("transformer", {"layers.0.attention.queries", "layers.2.inner.0", "patches"}),
    ],
)
def test_networks_are_pruned_and_proved(name, layers):
    torch = pytest.importorskip("torch", reason="the networks are PyTorch's")
    from prunec.pytorch import prune

    torch.manual_seed(0)
    networks = module("networks")
    network = networks.NETWORKS[name]().eval()
    images = torch.randn(2, 1, networks.SIDE, networks.SIDE)
    found = prune(network, (images,), ({0: torch.export.Dim("batch")},), target="macs=0.5")
    before, after = found.report.multiply_adds
    assert found.report.verdict == "proved" and 0.4 < after / before <= 0.5
    widths = {own["name"]: own["channels"] for own in found.report.document["layers"] if own["channels"]}
    smaller = {name for name, own in widths.items() if own["after"] < own["before"]}
    assert layers <= smaller


def result(way, accuracy, budget=0.5, seed=0):
    curve = (accuracy, accuracy + 0.01, accuracy + 0.02)
    return SimpleNamespace(
        network="transformer",
        seed=seed,
        budget=budget,
        way=way,
        multiply_adds=budget - 0.01,
        curve=curve,
        seconds=1.5,
    )


def test_tables_and_plots_say_what_was_measured():
    results = module("results")
    found = [
        result(way, 0.3 + 0.1 * n + 0.02 * seed, seed=seed)
        for n, way in enumerate(results._STYLES)
        for seed in (0, 1)
    ]
    text = results.text({"transformer": [0.9, 0.92]}, found)
    assert "As trained: 91.0 ± 1.4" in text
    assert "| 49.0% | prunec, restored | 31.0 ± 1.4 | 32.0 ± 1.4 | 33.0 ± 1.4 | 1.5 |" in text
    drawn = results.plot({"transformer": [0.9, 0.92]}, found)
    assert drawn.count("<polyline") == 3 and "transformer, 50% of the multiply-adds" in drawn
