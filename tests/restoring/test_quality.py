"""What is said of a model's outputs: how far they are off, and which classes they name."""

from __future__ import annotations

import numpy as np
import pytest

from prunec.restoring import quality
from prunec.restoring.quality import QualityMeter


def measured(*blocks):
    meter = QualityMeter()
    for block in blocks:
        meter.add(*block)
    return meter.result()


def test_change_is_relative_to_each_output():
    large, small = np.full((2, 4), 1000.0), np.full((2, 4), 1.0)
    found = measured(([large, small], [large, small * 3], None))
    assert found.change == pytest.approx(np.sqrt(4 / 2))


def test_change_is_that_of_all_blocks_together():
    blocks = [(np.full((1, 2), 3.0), np.full((1, 2), 3.3)), (np.full((1, 2), 4.0), np.full((1, 2), 4.0))]
    found = measured(*([[before], [after], None] for before, after in blocks))
    assert found.change == pytest.approx(0.3 / 5)


def test_change_of_large_outputs_is_that_of_all_pieces(monkeypatch):
    random = np.random.default_rng(0)
    before, after = random.standard_normal((2, 3, 5, 7)).astype(np.float32)
    expected = np.linalg.norm(before.astype(float) - after) / np.linalg.norm(before.astype(float))
    for piece in (1, 4, 105, 1000):
        monkeypatch.setattr(quality, "_PIECE", piece)
        assert measured(([before.T], [after.T], None)).change == pytest.approx(expected, rel=1e-12)
    counts = np.array([[200, 250]], dtype=np.uint8)
    assert measured(([counts], [counts - 200], None)).change == pytest.approx(
        200 * 2**0.5 / np.hypot(200, 250)
    )


def test_classes_and_labels_are_counted():
    before, after = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)[[0, 1, 2, 2]]
    found = measured(([before], [after], np.array([1, 1, 2, 2])))
    assert (found.agreement, found.accuracy) == (0.75, 0.75)
    assert measured(([before], [before], np.array([1, 1, 2, 2]))).accuracy == 0.5


def test_outputs_that_name_no_class_have_no_agreement():
    image = np.ones((1, 3, 8, 8), dtype=np.float32)
    assert measured(([image], [image], None)).agreement is None


def test_an_output_that_is_zero_changes_by_what_the_other_is():
    zero = np.zeros((1, 2), dtype=np.float32)
    assert measured(([zero], [zero], None)).change == 0
    assert measured(([zero], [zero + 2], None)).change > 0
