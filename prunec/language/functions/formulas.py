"""Formulas that name axes by letters: ``"bij,bjk->bik"``.

The axes of all tensors are those of one rest: an axis for each letter, and in front of them the axes that an
ellipsis stands for, which are counted from the last.  The notation is that of ``numpy.einsum``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from prunec.language.functions.base import (
    AXIS,
    FORMULA,
    INPUT,
    REST,
    TARGET,
    ArgumentError,
    Function,
    Number,
)
from prunec.value import Value

_DOTS = "..."


@dataclass(frozen=True)
class Formula:
    """Which of ``count`` axes each input has, and which the output."""

    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    count: int


def read_formula(formula: Value, ranks: Sequence[Number]) -> Optional[Formula]:
    """What a formula says of inputs of these ranks; ``None`` where an ellipsis needs one that is not known.

    Raises :class:`ArgumentError` where it is no formula, or is one for other inputs.
    """
    if not isinstance(formula, str):
        raise ArgumentError(f"{formula} is not a formula of letters")
    left, arrow, right = "".join(formula.split()).partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ArgumentError(f"the formula {formula!r} is not one for {len(ranks)} tensors")
    inputs = [_term(term, formula) for term in terms]
    dotted = [rank for term, rank in zip(inputs, ranks) if _DOTS in term]
    if None in dotted:
        return None
    # How many axes the ellipsis of a term stands for.
    widths = [0 if rank is None else rank - len(term) + 1 for term, rank in zip(inputs, ranks)]
    most = max((width for term, width in zip(inputs, widths) if _DOTS in term), default=0)
    for term, rank, width in zip(inputs, ranks, widths):
        if rank is not None and (width < 0 if _DOTS in term else width != 1):
            raise ArgumentError(f"the formula {formula!r} is not one for tensors of {list(ranks)} axes")
    labels = list(dict.fromkeys(label for term in inputs for label in term if label != _DOTS))
    output = _term(right, formula) if arrow else _implied(inputs)
    unknown = [label for label in output if label not in (*labels, _DOTS)]
    if unknown or len(set(output)) < len(output):
        raise ArgumentError(f"the formula {formula!r} gives axes that are none of its tensors', or one twice")
    places = {label: most + number for number, label in enumerate(labels)}

    def written_out(term: Sequence[str], width: int) -> tuple[int, ...]:
        dots = range(most - width, most)
        return tuple(place for label in term for place in (dots if label == _DOTS else (places[label],)))

    return Formula(
        tuple(written_out(term, width) for term, width in zip(inputs, widths)),
        written_out(output, most),
        most + len(labels),
    )


def _term(text: str, formula: str) -> list[str]:
    """The letters of a term, the ellipsis as one."""
    before, dots, after = text.partition(_DOTS)
    labels = [*before, *((_DOTS,) if dots else ()), *after]
    if not all(label == _DOTS or (label.isascii() and label.isalpha()) for label in labels):
        raise ArgumentError(f"{formula!r} is not a formula of letters")
    return labels


def _implied(inputs: Sequence[Sequence[str]]) -> list[str]:
    """The output that a formula without an arrow has: the ellipsis, and each letter that stands once, in the
    order of the alphabet."""
    written = [label for term in inputs for label in term]
    once = sorted(label for label in set(written) if written.count(label) == 1 and label != _DOTS)
    return [*((_DOTS,) if _DOTS in written else ()), *once]


FUNCTIONS = (
    Function(
        "letters",
        (AXIS, INPUT),
        ((REST, FORMULA),),
        "the axes that a formula of letters names",
        formula=read_formula,
    ),
    Function(
        "summed",
        (TARGET,),
        ((REST, FORMULA),),
        "the axes that only the inputs of a formula have",
        formula=read_formula,
    ),
)
