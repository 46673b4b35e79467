"""What stays only because a size is not known."""

from __future__ import annotations

import numpy as np

from prunec.solver.components import connected_components
from prunec.solver.propagate import KEPT, Propagation


def kept_for_size(propagation: Propagation) -> dict[int, int]:
    """How many channels (classes of atoms) each cause of the kind ``"size"`` keeps that nothing else keeps;
    causes that keep none are absent."""
    sizes = np.array([cause.kind == "size" for cause in propagation.causes], dtype=bool)
    if not sizes.any():
        return {}
    left = np.concatenate([edge.left.reshape(-1) for edge in propagation.edges])
    right = np.concatenate([edge.right.reshape(-1) for edge in propagation.edges])
    cause = np.repeat([e.cause for e in propagation.edges], [e.left.size for e in propagation.edges])
    ends = (left == KEPT) | (right == KEPT)
    labels = connected_components(propagation.atom_count, left[~ends], right[~ends])
    held, cause = labels[np.maximum(left[ends], right[ends])], cause[ends]
    # Each class once, put down to the first cause; not at all where another kind of cause keeps it too.
    mine, first = np.unique(held[sizes[cause]], return_index=True)
    by_cause, alone = cause[sizes[cause]][first], ~np.isin(mine, held[~sizes[cause]])
    counts = np.bincount(by_cause[alone], minlength=len(sizes))
    return {int(number): int(counts[number]) for number in np.flatnonzero(counts)}
