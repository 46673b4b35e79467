"""What goes, as a record: what is refused, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from core.operators import TEXT, SmallRules
from core.sketch import sketch

from prunec.analysis.analyse import Analysis, analyse
from prunec.rewriting.edits import edits_for
from prunec.rewriting.shrink import Shrinker
from prunec.support.diagnostics import PrunecError

SQUEEZE = "op squeeze(axis = None) { data[*x] -> out[squeeze(*x, axis)]  zero out if data }\n"
#: What is named and longer than one stays.
WITHOUT_ONES = SQUEEZE.replace("[squeeze(", "[without_ones(")


def squeezed(axis: object, rule: str = SQUEEZE) -> Analysis:
    """A layer of four channels, and a node that takes away axes of size one."""
    model = sketch(
        ("x", None),
        ("w", None),
        ("v", None),
        ("layer", "dense", ["x", "w"], {"units": 4}),
        ("thin", "squeeze", ["layer"], {"axis": axis}),
        ("y", "dense_last", ["thin", "v"], {"units": 3}),
        outputs=["y"],
        shapes={"x": (2 if axis is None else 1, 3), "w": (4, 3), "v": (3, 4)},
        parameters=["w", "v"],
    )
    return analyse(model, SmallRules(TEXT + rule))


def left(analysis: Analysis, channels: int) -> dict[str, tuple[object, ...]]:
    """The new shapes of parameters where so many channels stay."""
    removed = np.arange(analysis.solution.unit_count) >= channels
    edits = edits_for(analysis, Shrinker(analysis.solution, removed))
    return {piece.name: piece.new_shape for piece in edits.slices}


def test_an_axis_must_not_vanish_with_its_last_but_one_channel() -> None:
    assert left(squeezed(None), 2) == {"w": (2, 3), "v": (3, 2)}
    with pytest.raises(PrunecError, match="P517: an axis would be left with one channel"):
        left(squeezed(None), 1)


def test_an_axis_that_is_named_and_stays_must_not_vanish_either() -> None:
    named = squeezed((0, 1), WITHOUT_ONES)
    assert left(named, 2) == {"w": (2, 3), "v": (3, 2)}
    with pytest.raises(PrunecError, match="P517: an axis would be left with one channel"):
        left(named, 1)
    # Nothing happens to one that is not named.
    assert left(squeezed(0, WITHOUT_ONES), 1) == {"w": (1, 3), "v": (3, 1)}


def test_one_channel_may_stay_where_the_node_names_its_axes() -> None:
    assert left(squeezed(0), 1) == {"w": (1, 3), "v": (3, 1)}
