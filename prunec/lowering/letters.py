"""Formulas that name axes by letters: ``"bij,bjk->bik"``.

The axes of all tensors are those of one rest: an axis for each letter, and in front of them the axes that an
ellipsis stands for, which are counted from the last.  The notation is that of ``numpy.einsum``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from prunec.language.syntax import Call, Name, Rest, Rule, Tensor
from prunec.lowering.expressions import indexed
from prunec.lowering.stems import is_lettered, slots_of
from prunec.lowering.views import ViewError
from prunec.value import Value

_DOTS = "..."


@dataclass(frozen=True)
class Letters:
    """What a formula says of a node's tensors: which axes of ``rest`` each input has, and the output;
    ``count`` is how many axes there are."""

    rest: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    count: int

    def takes(self, number: int) -> bool:
        """Whether the tensor of a number is an input: they are counted first, outputs behind them."""
        return number < len(self.inputs)

    def names(self, number: int) -> list[str]:
        """The plain names on the axes of the tensor of a number."""
        places = self.inputs[number] if self.takes(number) else self.output
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
    assert rule.signature is not None
    call = next(filter(None, map(formula_of, slots_of(rule.signature))), None)
    if call is None:
        return None
    rest, attribute = call.arguments
    if not isinstance(rest, Rest) or not isinstance(attribute, Name):
        return None
    return _read(rest.name, attributes.get(attribute.name), ranks)


def formula_of(tensor: Tensor) -> Optional[Call]:
    """The call by which a slot's axes are named, if a formula names them."""
    return next((a.item for a in tensor.axes if isinstance(a.item, Call) and is_lettered(a.item)), None)


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
    # How many axes the ellipsis of a term stands for.
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
