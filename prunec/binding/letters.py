"""Formulas that name axes by letters: ``"bij,bjk->bik"``.

The axes of all tensors are those of one rest: an axis for each letter, and in front of them the axes that an
ellipsis stands for, which are counted from the last.  The notation is that of ``numpy.einsum``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping, Optional, Sequence

from prunec.binding.expressions import indexed
from prunec.binding.stems import slots_of
from prunec.binding.views import ViewError
from prunec.language.syntax import Call, Name, Rest, Rule, Value

_DOTS = "..."


@dataclass(frozen=True)
class Letters:
    """What a formula says of a node's tensors: which axes of ``rest`` each input has, and the output;
    ``count`` is how many axes there are."""

    rest: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    count: int

    def names(self, position: Optional[int]) -> list[str]:
        """The plain names on the axes of the input at a position, or of the output (``None``)."""
        places = self.output if position is None else self.inputs[position]
        return [indexed(self.rest, place) for place in places]

    @property
    def summed(self) -> list[str]:
        """The plain names that only inputs have."""
        return [indexed(self.rest, place) for place in range(self.count) if place not in self.output]


def letters_of(
    rule: Rule, attributes: Mapping[str, Value], ranks: Sequence[Optional[int]]
) -> Optional[Letters]:
    """What the formula of a rule says of inputs of these ranks; ``None`` where the rule has none, or a rank
    that an ellipsis needs is not known.

    Raises :class:`ViewError` where the attribute is no formula, or is one for other inputs.
    """
    for call in _calls(rule):
        rest, attribute = call.arguments
        if isinstance(rest, Rest) and isinstance(attribute, Name):
            return _read(rest.name, attributes.get(attribute.name), ranks)
    return None


def is_lettered(item: object) -> bool:
    """``letters(*x, formula)``."""
    return isinstance(item, Call) and item.function == "letters"


def _calls(rule: Rule) -> Iterator[Call]:
    assert rule.signature is not None
    for tensor in slots_of(rule.signature):
        for axis in tensor.axes:
            if isinstance(axis.item, Call) and is_lettered(axis.item):
                yield axis.item


def _read(rest: str, formula: Value, ranks: Sequence[Optional[int]]) -> Optional[Letters]:
    if not isinstance(formula, str):
        raise ViewError(f"{formula} is not a formula of letters")
    left, arrow, right = "".join(formula.split()).partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ViewError(f"the formula {formula!r} is not one for {len(ranks)} tensors")
    inputs = [_term(term, formula) for term in terms]
    dotted = [rank for term, rank in zip(inputs, ranks) if _DOTS in term]
    if None in dotted:
        return None
    # Counted from the last, the axes of an ellipsis are -1, -2 and so on.
    widths = [0 if rank is None else rank - len(term) + 1 for term, rank in zip(inputs, ranks)]
    most = max((width for term, width in zip(inputs, widths) if _DOTS in term), default=0)
    for term, rank, width in zip(inputs, ranks, widths):
        if rank is not None and (width < 0 if _DOTS in term else width != 1):
            raise ViewError(f"the formula {formula!r} is not one for tensors of {list(ranks)} axes")
    labels = list(dict.fromkeys(label for term in inputs for label in term if label != _DOTS))
    output = _term(right, formula) if arrow else _implied(inputs)
    unknown = [label for label in output if label not in (*labels, _DOTS)]
    if unknown or len(set(output)) < len(output):
        raise ViewError(f"the formula {formula!r} gives axes that are none of its tensors', or one twice")
    places = {label: most + number for number, label in enumerate(labels)}

    def written_out(term: Sequence[str], width: int) -> tuple[int, ...]:
        dots = range(most - width, most)
        return tuple(place for label in term for place in (dots if label == _DOTS else (places[label],)))

    return Letters(
        rest,
        tuple(written_out(term, width) for term, width in zip(inputs, widths)),
        written_out(output, most),
        most + len(labels),
    )


def _term(text: str, formula: str) -> list[str]:
    """The letters of a term, the ellipsis as one."""
    before, dots, after = text.partition(_DOTS)
    labels = [*before, *((_DOTS,) if dots else ()), *after]
    if not all(label == _DOTS or (label.isascii() and label.isalpha()) for label in labels):
        raise ViewError(f"{formula!r} is not a formula of letters")
    return labels


def _implied(inputs: Sequence[Sequence[str]]) -> list[str]:
    """The output that a formula without an arrow has: the ellipsis, and each letter that stands once, in the
    order of the alphabet."""
    written = [label for term in inputs for label in term]
    once = sorted(label for label in set(written) if written.count(label) == 1 and label != _DOTS)
    return [*((_DOTS,) if _DOTS in written else ()), *once]
