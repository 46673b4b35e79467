"""Connected components of atoms, in arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Atoms = NDArray[np.int64]

#: The atom that stands for everything that stays.
KEPT = 0


def connected_components(count: int, left: Atoms, right: Atoms) -> Atoms:
    """For each of ``count`` atoms the smallest atom it is connected to.

    ``left`` and ``right`` hold the ends of the edges.  Every round each root that has a smaller neighbour
    hangs itself under one, and paths are then halved until they are flat; a round leaves at most the
    local minima as roots, so there are at most log2(count) rounds (Shiloach and Vishkin, "An O(log n)
    parallel connectivity algorithm", 1982).
    """
    roots = np.arange(count, dtype=np.int64)
    while left.size:
        smaller, larger = np.minimum(left, right), np.maximum(left, right)
        roots[larger] = smaller
        while True:
            above = roots[roots]
            if np.array_equal(above, roots):
                break
            roots = above
        left, right = roots[left], roots[right]
        differ = left != right
        left, right = left[differ], right[differ]
    return roots
