"""What is common to models that read text: the best class at each place, and how much of a text is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from bench.restoring_tasks.task import Array


def text_of(classes: Array, characters: Sequence[str]) -> str:
    """The text of the best classes along the line, as CTC has it: repeats are one character, 0 is none.

    Spaces around it, which a margin may be taken for, do not count.
    """
    changes = classes[np.concatenate([[True], classes[1:] != classes[:-1]])]
    return "".join(characters[own] for own in changes if own).strip()


def distance(a: str, b: str) -> int:
    """How many characters must be put in, left out or changed to make one text the other."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (one != other))
    return row[-1]


def shares(read: Iterable[str], written: Sequence[str], whole: str) -> dict[str, float]:
    """The share of characters that are right, one less the edit distance by length, and of whole texts."""
    pairs = list(zip(read, written))
    wrong = sum(distance(got, wanted) for got, wanted in pairs)
    length = sum(len(wanted) for _, wanted in pairs)
    right = sum(got == wanted for got, wanted in pairs)
    return {"characters": 100.0 * (1.0 - wrong / length), whole: 100.0 * right / len(pairs)}
