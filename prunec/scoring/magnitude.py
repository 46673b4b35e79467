"""Criteria that look at parameters alone.

Each is a function ``score(values, role)``: ``values`` has the shape (channels, elements) and holds what
belongs to each channel along one axis of one parameter; ``role`` is one of ``filters``, ``inputs``, ``scale``
and ``vector`` (see :mod:`prunec.scoring.channel_axes`).  The result has the shape (channels,) and is
not negative; the channels with the lowest scores go first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Scores = NDArray[np.float64]

#: Rows of the table of distances that are worked on at a time.
_ROWS = 512


def l1(values: Values, role: str) -> Scores:
    """The sum of absolute values.

    Li, Kadav, Durdanovic, Samet and Graf, "Pruning Filters for Efficient ConvNets", ICLR 2017.
    """
    return np.asarray(np.abs(values).sum(axis=1), dtype=np.float64)


def squared_l2(values: Values, role: str) -> Scores:
    """The sum of squares."""
    return np.asarray(np.einsum("ij,ij->i", values, values), dtype=np.float64)


def l2(values: Values, role: str) -> Scores:
    """The Euclidean length.

    He, Kang, Dong, Fu and Yang, "Soft Filter Pruning for Accelerating Deep CNNs", IJCAI 2018.
    """
    return np.sqrt(squared_l2(values, role))


#: Those by which the score of a channel depends on that channel alone.
SEPARATE = (l1, squared_l2, l2)


def geometric_median(values: Values, role: str) -> Scores:
    """The sum of distances to all other channels: what lies near their geometric median goes first, since
    the others can stand in for it.

    He, Liu, Wang, Hu and Yang, "Filter Pruning via Geometric Median", CVPR 2019.
    """
    values = values.astype(np.float64, copy=False) if values.shape[1] < 64 else values
    squares = squared_l2(values, role)
    sums = np.zeros(len(values))
    for start in range(0, len(values), _ROWS):
        block = slice(start, start + _ROWS)
        products = values[block] @ values.T
        distances = squares[block, None] + squares[None, :] - 2.0 * products
        sums[block] = np.sqrt(np.maximum(distances, 0.0)).sum(axis=1)
    return sums
