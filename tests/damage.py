"""Damaging the smaller model, to see that a proof refuses it."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

import numpy as np

from prunec.rewriting.slicing import ParameterSlice, slice_array
from prunec.support.diagnostics import PrunecError
from prunec.verifying.comparing import compare, course
from prunec.verifying.running import Examples, Subject
from prunec.verifying.verdict import Evidence, Verdict

Array = np.ndarray


def damages(piece: ParameterSlice, original: Array) -> Iterator[tuple[str, Array]]:
    """What may be wrong with the slice of a parameter; what changes no element is left out."""
    right = slice_array(piece, original)
    axes = [axis for axis, (a, b) in enumerate(zip(piece.shape, piece.new_shape)) if a != b]
    yield "scaled", (-3 * right.astype(np.float64)).astype(right.dtype)
    for axis in axes:
        found = {
            "reversed": np.flip(right, axis),
            "shifted": slice_array(piece, np.roll(original, 1, axis)),
            "swapped": _swapped(right, axis),
        }
        for name, array in found.items():
            if not np.array_equal(array, right):
                yield f"{name} along axis {axis}", array


def _swapped(array: Array, axis: int) -> Array:
    order = np.arange(array.shape[axis])
    order[[0, -1]] = order[[-1, 0]]
    return np.take(array, order, axis)


def survivors(
    subject: Subject, verdict: Verdict, originals: Mapping[str, Array], inputs: list[Examples], damaged: Any
) -> list[str]:
    """Damage to single parameters that running the models does not show; ``damaged`` makes what runs the
    smaller model with other values in a parameter.  What the verdict says is not read, or used by statistics
    alone, is left out."""
    way = course(subject)
    told = {own.parameter: own.evidence for own in verdict.witnesses}
    found = []
    for piece in subject.pruned.slices:
        if told[piece.name] in (Evidence.IGNORED, Evidence.STATISTICS):
            continue
        for name, array in damages(piece, originals[piece.name]):
            hurt = Subject(
                subject.analysis, subject.pruned, subject.original, damaged(piece.name, array), subject.masked
            )
            if not any(_refused(hurt, examples, way) for examples in inputs):
                found.append(f"{piece.name}: {name}")
    return found


def _refused(subject: Subject, examples: Examples, way: Any) -> bool:
    try:
        return not all(own.agrees for own in compare(subject, examples, way).all)
    except PrunecError:
        return True  # positions that there are not: the smaller model does not run
