"""Which channels stay, and for which causes."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from prunec.channels.components import KEPT, Atoms, connected_components
from prunec.channels.propagate import Edge, Propagation


def kept_classes(atom_count: int, edges: Sequence[Edge]) -> tuple[Atoms, Atoms, Atoms]:
    """The class of each atom, all edges followed but those to what stays; and of each pair of an atom and
    what stays, in the order of the edges, the class and the cause."""
    none = np.zeros(0, dtype=np.int64)
    left = np.concatenate([none, *(edge.left.reshape(-1) for edge in edges)])
    right = np.concatenate([none, *(edge.right.reshape(-1) for edge in edges)])
    cause = np.repeat(
        np.array([edge.cause for edge in edges], dtype=np.int64), [edge.left.size for edge in edges]
    )
    ends = (left == KEPT) | (right == KEPT)
    labels = connected_components(atom_count, left[~ends], right[~ends])
    return labels, labels[np.maximum(left[ends], right[ends])], cause[ends]


def kept_for_size(propagation: Propagation) -> dict[int, int]:
    """How many channels (classes of atoms) each cause of the kind ``"size"`` keeps that nothing else keeps;
    causes that keep none are absent."""
    sizes = np.array([cause.kind == "size" for cause in propagation.causes], dtype=bool)
    if not sizes.any():
        return {}
    _, held, cause = kept_classes(propagation.atom_count, propagation.edges)
    # Each class once, put down to the first cause; not at all where another kind of cause keeps it too.
    mine, first = np.unique(held[sizes[cause]], return_index=True)
    by_cause, alone = cause[sizes[cause]][first], ~np.isin(mine, held[~sizes[cause]])
    counts = np.bincount(by_cause[alone], minlength=len(sizes))
    return {int(number): int(counts[number]) for number in np.flatnonzero(counts)}
