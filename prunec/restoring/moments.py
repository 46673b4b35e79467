"""Second moments of what layers read, and the best prediction of all channels from those that stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

#: Ridges that are tried on examples held back, and the one taken where rows are many or none are held back:
#: shares of the mean square of what stays.
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
RIDGE = 1e-2
#: With fewer rows than so many times the channels that stay, a fit says little of other examples.
STARVED = 3
#: Rows to be had are taken up to so many for each channel; more change nothing that matters, nor does then
#: the ridge.
_ROWS_EACH, _ROWS = 24, 16384
#: What differs by less than this share of the largest value is the same.
_SAME = 1e-5
#: Rows on which errors are measured.
_SAMPLE = 384
#: What rounding leaves of a square in single precision, as a share of it, and more: no channel whose
#: variance is below this share of its mean square says anything of another.
ROUNDING = 1e-11


@dataclass(frozen=True, eq=False)
class Prediction:
    """All cells from those that stay: ``x ~ matrix k + shift``.

    ``rows`` are the combinations of shared factors that stay at all, ``kept`` (rows, k) the cells that do,
    ``matrix`` (rows, cells, k), ``shift`` (rows, cells).  ``ridge`` is the one taken; ``starved`` says that
    the examples were few for so many cells.
    """

    rows: NDArray[np.intp]
    kept: NDArray[np.intp]
    matrix: Floats
    shift: Floats
    ridge: float
    starved: bool


@dataclass(eq=False)
class Moments:
    """Sums over rows of what was read, ``x``, and of what is read, ``k``, for each combination of shared
    factors in which something stays.

    ``gone`` is (shared, cells).  Rows of blocks that are held back are kept as a sample only.
    """

    gone: NDArray[np.bool_]
    count: int = 0
    _blocks: int = 0
    _sums: Optional[tuple[Floats, Floats]] = None
    _products: Optional[tuple[Floats, Floats]] = None
    _origin: Optional[tuple[Array, Array]] = None
    _samples: tuple[list[tuple[Array, Array]], list[tuple[Array, Array]]] = field(
        default_factory=lambda: ([], [])
    )

    def __post_init__(self) -> None:
        stays = ~self.gone
        counts = stays.sum(axis=1)
        self.rows = np.flatnonzero(counts)
        widths = np.unique(counts[self.rows])
        if len(widths) != 1:
            raise ValueError("the rows of a table keep unequally many")
        self.kept = np.argsort(~stays[self.rows], axis=1, kind="stable")[:, : int(widths[0])]

    # What is beyond all bounds is found when it is fitted, and left.
    @np.errstate(over="ignore", invalid="ignore")
    def add(self, before: Array, after: Array, blocks: int, held: bool) -> None:
        """Takes in the tables (shared, others, positions, cells) of one of ``blocks`` blocks that are held
        back, or fitted: of the original, and of the smaller model at the original's size.

        Where the two have unequally many rows, nothing is known of which belong together, and nothing is
        taken in.
        """
        rows = before.shape[1] * before.shape[2]
        if before.shape[:3] != after.shape[:3] or not rows:
            return
        self._blocks += 1
        most = _SAMPLE if held else max(_ROWS, _ROWS_EACH * before.shape[3])
        chosen = spread(rows, -(-most // blocks), self._blocks)
        x, k = self._rows_of(before, chosen), self._kept_of(after, chosen)
        sample = spread(len(chosen), -(-_SAMPLE // blocks), self._blocks)
        self._samples[held].append((x[:, sample], k[:, sample]))
        if held:
            return
        self.count += x.shape[1]
        if self._origin is None:
            self._origin = (x.mean(axis=1, keepdims=True), k.mean(axis=1, keepdims=True))
            c, n = x.shape[2], k.shape[2]
            self._sums = (np.zeros((len(x), c)), np.zeros((len(x), n)))
            self._products = (np.zeros((len(x), c, n)), np.zeros((len(x), n, n)))
        assert self._sums is not None and self._products is not None
        x, k = x - self._origin[0], k - self._origin[1]
        for total, part in zip(self._sums, (x, k)):
            total += part.sum(axis=1, dtype=np.float64)
        for total, part in zip(self._products, (x, k)):
            total += np.matmul(part.transpose(0, 2, 1), k)

    @property
    def usable(self) -> bool:
        """Whether anything was seen, and all of it numbers."""
        return self._products is not None and all(bool(np.isfinite(own).all()) for own in self._products)

    def _rows_of(self, table: Array, chosen: NDArray[np.intp]) -> Array:
        """Some rows of a table (shared, others, positions, cells), of the combinations that stay."""
        rows = table.reshape(len(table), -1, table.shape[-1])[:, chosen]
        return (rows if len(self.rows) == len(rows) else rows[self.rows]).astype(np.float32, copy=False)

    def _kept_of(self, table: Array, chosen: NDArray[np.intp]) -> Array:
        rows = self._rows_of(table, chosen)
        if rows.shape[2] == self.kept.shape[1]:
            return rows
        if len(rows) == 1:
            return rows[:, :, self.kept[0]]
        return np.take_along_axis(rows, self.kept[:, None], 2)

    @property
    def starved(self) -> bool:
        """Whether rows are few for the cells that stay."""
        return self.count < STARVED * self.kept.shape[1]

    def predict(self, weight: Array, shifted: bool, copying: bool = False) -> Prediction:
        """The prediction by ridge regression, towards copying what stays; with ``copying`` nothing else is
        done, and only the means are made up for.  With ``shifted`` it has an intercept.

        The ridge is the one with which what a layer computes by its ``weight`` (shared, others, positions,
        cells) is nearest on the examples held back.  Errors of layers add up in those behind them, and with
        ten rows for a channel a ridge too small shows at the outputs.
        """
        if copying:
            return self._prediction(np.zeros(self._fitted_shape), shifted, 0.0)
        if self.count >= _ROWS_EACH * self.kept.shape[1] or not self._samples[True]:
            return self._prediction(self._slopes(RIDGE, shifted), shifted, RIDGE)
        tried = [self._prediction(self._slopes(ridge, shifted), shifted, ridge) for ridge in RIDGES]
        small = self._narrow(weight)
        return min(tried, key=lambda own: self._error(own, small, True))

    @property
    def _fitted_shape(self) -> tuple[int, int, int]:
        return (len(self.rows), self.gone.shape[1], self.kept.shape[1])

    def _means(self) -> tuple[Floats, Floats]:
        assert self._sums is not None and self._origin is not None
        x, k = (origin[:, 0] + total / max(self.count, 1) for origin, total in zip(self._origin, self._sums))
        return x, k

    def _slopes(self, ridge: float, centred: bool) -> Floats:
        """What is added to copying: (rows, cells, k)."""
        assert self._sums is not None and self._products is not None
        (xk, kk), (x, k) = self._products, self._sums
        count = max(self.count, 1)
        xk = xk - x[:, :, None] * k[:, None, :] / count
        kk = kk - k[:, :, None] * k[:, None, :] / count
        if not centred:
            x, k = self._means()
            xk = xk + count * x[:, :, None] * k[:, None, :]
            kk = kk + count * k[:, :, None] * k[:, None, :]
        left = xk.copy()
        rows = np.arange(len(self.rows))[:, None]
        left[rows, self.kept] -= kk
        penalty = self._penalty(ridge, kk)
        kk = kk + penalty[:, None, None] * np.eye(kk.shape[1])
        return np.linalg.solve(kk, left.transpose(0, 2, 1)).transpose(0, 2, 1)

    def _penalty(self, ridge: float, kk: Floats) -> Floats:
        """What is added to the diagonals of moments, (rows,): more than rounding can have left of them."""
        assert self._products is not None
        whole = self._products[1]
        squares = np.einsum("rkk->r", whole) / whole.shape[1]
        squares = squares + max(self.count, 1) * np.square(self._means()[1]).mean(axis=1)
        mean = np.einsum("rkk->r", kk) / kk.shape[1]
        return np.asarray(np.maximum(ridge * mean, np.maximum(ROUNDING * squares, 1e-30)))

    def _prediction(self, slopes: Floats, shifted: bool, ridge: float) -> Prediction:
        matrix = slopes.copy()
        rows = np.arange(len(self.rows))[:, None]
        matrix[rows, self.kept, np.arange(self.kept.shape[1])[None, :]] += 1.0
        shift = np.zeros(matrix.shape[:2])
        if shifted:
            x, k = self._means()
            shift = x - np.einsum("rck,rk->rc", matrix, k)
        return Prediction(self.rows, self.kept, matrix, shift, ridge, self.starved)

    @property
    def still(self) -> bool:
        """Whether what is read is the same in all rows."""
        rows = [x for x, _ in self._samples[False]]
        if not rows:
            return False
        every = np.concatenate(rows, axis=1)
        return bool(np.ptp(every, axis=1).max(initial=0.0) <= _SAME * np.abs(every).max(initial=0.0))

    def errors(self, found: Prediction, weight: Array) -> tuple[float, float]:
        """The relative error of what a layer computes, root of the mean square, on the examples fitted and on
        those held back (NaN without any); ``weight`` is (shared, others, positions, cells)."""
        small = self._narrow(weight)
        return self._error(found, small, False), self._error(found, small, True)

    def _narrow(self, weight: Array) -> Array:
        """A weight (rows, others, cells) by which squares of what a layer computes are the same."""
        seen = weight.reshape(len(weight), -1, weight.shape[-1])[self.rows].astype(np.float64)
        if seen.shape[1] > seen.shape[2]:
            seen = np.stack([np.linalg.qr(own, mode="r") for own in seen])
        return np.asarray(seen, dtype=np.float32)

    def _error(self, found: Prediction, weight: Array, held: bool) -> float:
        wrong = whole = 0.0
        for x, k in self._samples[held]:
            off = x - np.matmul(k, found.matrix.transpose(0, 2, 1).astype(np.float32))
            off -= found.shift[:, None].astype(np.float32)
            x, off = (np.matmul(own, weight.transpose(0, 2, 1)) for own in (x, off))
            wrong += float(np.square(off, dtype=np.float64).sum())
            whole += float(np.square(x, dtype=np.float64).sum())
        if not self._samples[held]:
            return float("nan")
        return float(np.sqrt(wrong / whole)) if whole else float("inf") if wrong else 0.0


def fold(found: Prediction, weight: Array) -> Array:
    """A weight (shared, others, positions, cells) that reads what stays, in the places of these; what it
    reads of the others is left as it is."""
    result = weight.reshape(len(weight), -1, weight.shape[-1]).astype(np.float64)
    rows = result[found.rows]
    folded = np.matmul(rows, found.matrix)
    np.put_along_axis(rows, np.broadcast_to(found.kept[:, None, :], folded.shape), folded, axis=2)
    result[found.rows] = rows
    return result.reshape(weight.shape)


def predicted(found: Prediction, table: Array, shifted: bool) -> Array:
    """All cells from those that stay, in a table (shared, others, positions, cells) of the original's
    size."""
    sizes = table.shape
    rows = table.reshape(sizes[0], -1, sizes[3]).astype(np.float32)[found.rows]
    k = np.take_along_axis(rows, found.kept[:, None], axis=2)
    result = np.zeros((sizes[0], rows.shape[1], sizes[3]), dtype=np.float32)
    result[found.rows] = np.matmul(k, found.matrix.transpose(0, 2, 1).astype(np.float32))
    if shifted:
        result[found.rows] += found.shift[:, None].astype(np.float32)
    return result.reshape(sizes)


def spread(count: int, most: int, seed: int = 0) -> NDArray[np.intp]:
    """At most so many of the numbers below ``count``, drawn evenly, others with each seed."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng((seed, count)).choice(count, most, replace=False))
