"""The inputs and outputs of a smaller model that are narrower than the original's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Iterator, Optional

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.rewriting.emit import Pruned
from prunec.rewriting.places import Places
from prunec.rewriting.slicing import ParameterSlice, compact, slice_array


@dataclass(frozen=True)
class Width:
    """An axis of an input or an output (``kind``) that shrinks from ``before`` to ``after``.

    ``kept`` are the positions along it that stay, as ranges; ``None`` where they are others from row to row.
    ``source`` names the output that a caller feeds back to the input.
    """

    kind: str
    name: str
    axis: int
    before: int
    after: int
    kept: Optional[str]
    source: Optional[str] = None

    def members(self) -> dict[str, Any]:
        """As members of a JSON object."""
        return {"from" if key == "source" else key: value for key, value in asdict(self).items()}


def widths(analysis: Analysis, pruned: Pruned) -> tuple[Width, ...]:
    """All of them, inputs first."""
    graph, places = analysis.model.graph, Places(analysis, pruned)
    sources = {
        name: graph.output_name(place) for name, place in analysis.solution.propagation.interface.pairs
    }
    found: list[Width] = []
    for name, piece in places.inputs.items():
        found += _widths(piece, "input", name, sources.get(name))
    for place, output in enumerate(places.outputs):
        if output is not None:
            found += _widths(output, "output", graph.output_name(place))
    return tuple(dict.fromkeys(found))


def _widths(piece: ParameterSlice, kind: str, name: str, source: Optional[str] = None) -> Iterator[Width]:
    shape = [1 if size is None else size for size in piece.shape]
    for axis, (before, after) in enumerate(zip(piece.shape, piece.new_shape)):
        if before is None or after is None or before == after:
            continue
        along = [before if other == axis else 1 for other in range(len(shape))]
        positions = np.broadcast_to(np.arange(before).reshape(along), shape)
        rows = np.moveaxis(slice_array(piece, positions), axis, 0).reshape(after, -1)
        kept = compact(rows[:, 0]) if (rows == rows[:, :1]).all() else None
        yield Width(kind, name, axis, before, after, kept, source)
