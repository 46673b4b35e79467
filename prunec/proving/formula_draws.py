"""Drawing a formula of letters, for rules whose axes are named by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional

import numpy as np

from prunec.language.syntax import Name, Rule
from prunec.lowering.einsum import formula_of, letters_of
from prunec.value import Value

_LETTERS = "abcxY"
_MOST_LETTERS = 3
_MOST_TENSORS = 3


@dataclass(frozen=True)
class DrawnFormula:
    """A formula, the number of tensors in each slot it speaks of, the rest it writes out with its rank, and
    the plain names on the axes of each tensor, by slot and index."""

    attribute: str
    value: Value
    counts: Mapping[str, int]
    rest: str
    rank: int
    names: Mapping[tuple[str, int], list[str]]


def draw_formula(rule: Rule, random: np.random.Generator) -> Optional[DrawnFormula]:
    """A formula for up to three tensors; ``None`` where the rule has none."""
    signature = rule.signature
    slots = [tensor for tensor in signature.data if formula_of(tensor) is not None]
    call = formula_of(slots[0]) if slots else None
    if call is None or not isinstance(call.arguments[1], Name):
        return None
    required = sum(slot.kind == "one" for slot in slots)
    count = max(required, int(random.integers(1, _MOST_TENSORS + 1)))
    tensors = [(slot.name, 0) for slot in slots if slot.kind != "variadic"][:count]
    more = next((slot.name for slot in slots if slot.kind == "variadic"), None)
    tensors += [(more, index) for index in range(count - len(tensors)) if more is not None]
    terms = [_term(random) for _ in tensors]
    dots = int(random.integers(1, 3))
    ranks = [len(term.replace("...", "")) + dots * ("..." in term) for term in terms]
    attribute = call.arguments[1].name
    value = ",".join(terms) + _output("".join(terms), random)
    letters = letters_of(rule, {attribute: value}, ranks)
    assert letters is not None
    counts = {slot.name: sum(name == slot.name for name, _ in tensors) for slot in slots}
    names = {tensor: letters.names(place) for place, tensor in enumerate(tensors)}
    return DrawnFormula(attribute, value, counts, letters.rest, letters.count, names)


def _term(random: np.random.Generator) -> str:
    count = int(random.integers(1, _MOST_LETTERS + 1))
    repeated = random.random() < 0.1
    letters = [_LETTERS[int(i)] for i in random.choice(len(_LETTERS), count, replace=repeated)]
    if random.random() < 0.3:
        letters.insert(int(random.integers(0, count + 1)), "...")
    return "".join(letters)


def _output(written: str, random: np.random.Generator) -> str:
    """What a formula gives, with its arrow; nothing where that follows from the rest."""
    if random.random() < 0.2:
        return ""
    known = sorted(set(written) - {"."})
    count = int(random.integers(1, len(known) + 1))
    letters = [known[int(i)] for i in random.permutation(len(known))[:count]]
    if "..." in written:
        letters.insert(int(random.integers(0, count + 1)), "...")
    return "->" + "".join(letters)
