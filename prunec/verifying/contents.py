"""Are the parameters of a smaller model, element by element, what the plan makes of the original's?"""

from __future__ import annotations

from typing import Callable, Iterable, Iterator, Optional, Sequence

from prunec.frontends.runtime import Array
from prunec.rewriting.slicing import ParameterSlice, slice_array

#: Finds a parameter by name, ``None`` where there is none of that name.
Find = Callable[[str], Optional[Array]]


def unlike_the_plan(
    names: Iterable[str], slices: Sequence[ParameterSlice], original: Find, smaller: Find
) -> tuple[str, ...]:
    """What is wrong with the parameters of a smaller model, a sentence for each parameter.

    ``names`` are the original's parameters.  Whole numbers that are not sliced are passed over: they may hold
    sizes, which change.
    """
    by_name = {own.name: own for own in slices}
    return tuple(
        f"{name}: {problem}"
        for name in names
        for problem in _problems(by_name.get(name), original(name), smaller(name))
    )


def _problems(
    piece: Optional[ParameterSlice], whole: Optional[Array], actual: Optional[Array]
) -> Iterator[str]:
    if whole is None or (piece is None and (whole.dtype.kind != "f" or actual is None)):
        return
    if actual is None:
        yield "the smaller model has no such parameter"
        return
    expected = whole if piece is None else slice_array(piece, whole)
    if actual.shape != expected.shape:
        yield f"it has the shape {actual.shape}, the plan says {expected.shape}"
    elif actual.dtype != expected.dtype:
        yield f"it holds {actual.dtype}, the original {expected.dtype}"
    elif actual.tobytes() != expected.tobytes():
        yield "its elements are not those of the original"
