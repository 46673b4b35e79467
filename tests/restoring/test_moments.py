"""Predictions against least squares written down a second time, and what becomes of poor examples."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunec.restoring import moments
from prunec.restoring.moments import Moments, Prediction, fold, predicted, spread

Array = Any
#: A weight that reads five channels alike.
EVEN = np.ones((1, 1, 1, 5))


@pytest.fixture
def no_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "RIDGE", 0.0)
    monkeypatch.setattr(moments, "RIDGES", (0.0,))


def tables(
    rows: int = 60, shared: int = 1, positions: int = 1, cells: int = 5, seed: int = 0
) -> tuple[Array, Array]:
    """What was read and, off by a little, what is read: correlated channels with means."""
    random = np.random.default_rng(seed)
    mix = random.standard_normal((shared, 1, cells, cells))
    x = random.standard_normal((shared, rows, positions, cells)) @ mix + random.standard_normal(cells)
    return x, x + 0.3 * random.standard_normal(x.shape)


def taken(gone: Array, before: Array, after: Array, sizes: Optional[list[int]] = None) -> Moments:
    """Moments over blocks of these numbers of rows, at full length."""
    own = Moments(np.atleast_2d(np.asarray(gone, dtype=bool)))
    stops = np.cumsum(sizes or [before.shape[1]]).tolist()
    for start, stop in zip([0, *stops], stops):
        own.add(before[:, start:stop], after[:, start:stop], 1, False)
    return own


def least_squares(x: Array, k: Array, shifted: bool) -> tuple[Array, Array]:
    """(cells, k) and (cells,)."""
    wide = np.hstack([k, np.ones((len(k), 1))]) if shifted else k
    found = np.linalg.lstsq(wide, x, rcond=None)[0].T
    return (found[:, :-1], found[:, -1]) if shifted else (found, np.zeros(len(found)))


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("sizes", [[60], [20, 20, 20], [1, 7, 52], [59, 1]])
def test_a_prediction_is_least_squares(no_ridge: None, shifted: bool, sizes: list[int]) -> None:
    before, after = tables()
    found = taken([0, 1, 0, 0, 1], before, after, sizes).predict(EVEN, shifted)
    kept = [0, 2, 3]
    matrix, shift = least_squares(before[0, :, 0], after[0, :, 0][:, kept], shifted)
    assert found.kept.tolist() == [kept] and found.rows.tolist() == [0]
    assert np.allclose(found.matrix[0], matrix, atol=1e-4) and np.allclose(found.shift[0], shift, atol=1e-4)


@pytest.mark.parametrize("shifted", [True, False])
def test_positions_are_rows_and_groups_are_apart(no_ridge: None, shifted: bool) -> None:
    """A matrix for each combination of shared factors, in which other cells may stay; one may go whole."""
    before, after = tables(shared=3, positions=2, rows=40)
    gone = [[0, 1, 0, 0, 1], [1, 1, 1, 1, 1], [1, 0, 0, 1, 0]]
    found = taken(gone, before, after).predict(EVEN, shifted)
    assert found.rows.tolist() == [0, 2] and found.kept.tolist() == [[0, 2, 3], [1, 2, 4]]
    for place, (row, kept) in enumerate(((0, [0, 2, 3]), (2, [1, 2, 4]))):
        x, k = before[row].reshape(-1, 5), after[row].reshape(-1, 5)[:, kept]
        matrix, shift = least_squares(x, k, shifted)
        assert np.allclose(found.matrix[place], matrix, atol=1e-4)
        assert np.allclose(found.shift[place], shift, atol=1e-4)


def test_the_ridge_is_towards_copying(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = tables()
    own = taken([0, 1, 0, 0, 1], before, after)
    monkeypatch.setattr(moments, "RIDGE", 1e9)
    found = own.predict(EVEN, True)
    copying = own.predict(EVEN, True, copying=True)
    assert np.allclose(found.matrix, copying.matrix, atol=1e-6)
    assert np.array_equal(copying.matrix[0], np.eye(5)[:, [0, 2, 3]])
    means = before.mean(axis=(0, 1, 2)) - np.where([1, 0, 1, 1, 0], after.mean(axis=(0, 1, 2)), 0)
    assert np.allclose(copying.shift[0], means, atol=1e-5)
    assert not own.predict(EVEN, False, copying=True).shift.any()


def test_the_ridge_is_a_share_of_the_mean_square(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = tables()
    own = taken([0, 1, 0, 0, 1], before, after)
    monkeypatch.setattr(moments, "RIDGE", 0.2)
    x, k = (part[0, :, 0] - part[0, :, 0].mean(axis=0) for part in (before, after[..., [0, 2, 3]]))
    kk = k.T @ k
    copied = np.eye(5)[:, [0, 2, 3]]
    slopes = (x.T @ k - copied @ kk) @ np.linalg.inv(kk + 0.2 * np.diag(kk).mean() * np.eye(3))
    assert np.allclose(own.predict(EVEN, True).matrix[0], copied + slopes, atol=1e-4)


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e4])
def test_constant_channels_predict_nothing(shifted: bool, scale: float) -> None:
    """All that stays is constant: rounding must not pass for what varies with the rest."""
    random = np.random.default_rng(0)
    before = random.standard_normal((1, 500, 1, 5)).astype(np.float32) * np.float32(scale)
    after = np.full_like(before, 0.1 * scale)
    own = taken([0, 1, 0, 0, 1], before, after, [99, 1, 400])
    found = own.predict(EVEN, shifted)
    assert np.isfinite(found.matrix).all() and np.abs(found.matrix).max() < 4
    if shifted:
        means = np.einsum("ck,k->c", found.matrix[0], after[0, 0, 0, [0, 2, 3]]) + found.shift[0]
        assert np.allclose(means, before.mean(axis=(0, 1, 2)), atol=1e-3 * scale)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("shifted", [True, False])
def test_few_rows(rows: int, shifted: bool) -> None:
    before, after = tables(rows=rows)
    own = taken([0, 1, 0, 0, 1], before, after)
    found = own.predict(EVEN, shifted)
    assert own.starved and found.starved and np.isfinite(found.matrix).all()
    assert np.isfinite(own.errors(found, np.ones((1, 2, 1, 5)))[0])
    if rows == 1:
        k = after[0, 0, 0, [0, 2, 3]]
        assert not shifted or np.allclose(found.matrix[0] @ k + found.shift[0], before[0, 0, 0], atol=1e-4)


def test_zeros(no_ridge: None) -> None:
    own = taken([0, 1], np.zeros((1, 9, 1, 2)), np.zeros((1, 9, 1, 2)))
    found = own.predict(EVEN, True)
    assert np.isfinite(found.matrix).all() and not found.shift.any()
    assert own.errors(found, np.ones((1, 1, 1, 2)))[0] == 0.0
    # What was nothing and is something is off by more than any share.
    off = Prediction(found.rows, found.kept, found.matrix, found.shift + 1, 0.0, False)
    assert own.errors(off, np.ones((1, 1, 1, 2)))[0] == float("inf")


def test_what_is_no_number_or_has_no_rows() -> None:
    before, after = tables()
    own = taken([0, 1, 0, 0, 1], before, after)
    assert own.usable and not Moments(np.zeros((1, 5), dtype=bool)).usable
    count = own.count
    own.add(before[:, :0], after[:, :0], 1, False)
    own.add(before[:, :9], after[:, :8], 1, False)
    assert own.usable and own.count == count
    own.add(np.full((1, 3, 1, 5), np.nan), after[:, :3], 1, False)
    assert not own.usable


def test_errors_are_those_of_what_a_layer_computes() -> None:
    before, after = tables(rows=50)
    own = taken([0, 1, 0, 0, 1], before[:, :30], after[:, :30])
    own.add(before[:, 30:], after[:, 30:], 1, True)
    found = own.predict(EVEN, True)
    weight = np.random.default_rng(3).standard_normal((1, 4, 1, 5))
    for part, error in zip((slice(0, 30), slice(30, 50)), own.errors(found, weight)):
        x, k = before[0, part, 0], after[0, part, 0][:, [0, 2, 3]]
        off = (x - k @ found.matrix[0].T - found.shift[0]) @ weight[0, :, 0].T
        expected = np.sqrt(np.square(off).sum() / np.square(x @ weight[0, :, 0].T).sum())
        assert error == pytest.approx(expected, rel=1e-4)
    assert np.isnan(taken([0, 1, 0, 0, 1], before, after).errors(found, weight)[1])


def test_few_rows_choose_the_ridge_that_serves_what_is_held_back() -> None:
    random = np.random.default_rng(5)
    x = random.standard_normal((1, 900, 1, 12))
    k = x + random.standard_normal(x.shape)
    weights = [random.standard_normal((1, 3, 1, 12)) * scale for scale in (1, np.geomspace(1e-3, 1e3, 12))]
    chosen = []
    for rows, few in ((14, True), (200, False)):
        own = taken([1] + [0] * 11, x[:, :rows], k[:, :rows])
        own.add(x[:, rows:], k[:, rows:], 1, True)
        for weight in weights:
            found = own.predict(weight, True)
            errors = {}
            for ridge in moments.RIDGES:
                tried = own._prediction(own._slopes(ridge, True), True, ridge)
                errors[ridge] = own.errors(tried, weight)[1]
            assert found.starved is few and found.ridge == min(errors, key=lambda ridge: errors[ridge])
            assert len(set(errors.values())) == len(errors)
            chosen.append(found.ridge)
    # What is best depends on the weight.
    assert len(set(chosen)) > 1
    # Where rows are many, nothing is tried.
    many = taken([1] + [0] * 11, x[:, :600], k[:, :600])
    many.add(x[:, 600:], k[:, 600:], 1, True)
    assert many.predict(weights[0], True).ridge == moments.RIDGE


@given(st.integers(1, 3), st.integers(1, 3), st.integers(2, 5), st.integers(0, 99))
def test_folding_is_predicting(shared: int, positions: int, cells: int, seed: int) -> None:
    """f(M k, W) = f(k, fold(W)), where what is not kept is zero."""
    random = np.random.default_rng(seed)
    stays = int(random.integers(1, cells + 1))
    kept = np.stack([np.sort(random.permutation(cells)[:stays]) for _ in range(shared)])
    rows = np.arange(shared)
    matrix = random.standard_normal((shared, cells, stays))
    found = Prediction(rows, kept, matrix, random.standard_normal((shared, cells)), 0.0, False)
    weight = random.standard_normal((shared, 3, positions, cells))
    table = np.zeros((shared, 4, positions, cells))
    for row in rows:
        table[row][..., kept[row]] = random.standard_normal((4, positions, stays))
    whole = predicted(found, table, False)
    folded = fold(found, weight)
    wanted = np.einsum("snpc,sopc->sno", whole, weight)
    assert np.allclose(np.einsum("snpc,sopc->sno", table, folded), wanted, atol=1e-4)
    shift = predicted(found, table, True) - whole
    assert np.allclose(shift, np.broadcast_to(found.shift[:, None, None], shift.shape), atol=1e-5)
    untouched = np.ones((shared, cells), dtype=bool)
    np.put_along_axis(untouched, kept, False, axis=1)
    same = np.broadcast_to(untouched[:, None, None], weight.shape)
    assert np.array_equal(folded[same], weight[same])


def test_rows_are_drawn_anew_for_each_block() -> None:
    first, second = (spread(1000, 10, seed) for seed in (1, 2))
    assert len(set(first.tolist())) == 10 and first.tolist() != second.tolist()
    assert np.array_equal(spread(1000, 10, 1), first) and np.array_equal(spread(4, 10, 1), np.arange(4))


def test_no_more_rows_are_taken_than_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "_ROWS", 40)
    before, after = tables(rows=100, cells=2)
    own = Moments(np.array([[0, 1]], dtype=bool))
    for _ in range(4):
        own.add(before, after, 4, False)
    assert own.count == 48  # 24 for each of two channels
