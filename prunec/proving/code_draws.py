"""Random codes of a reshape: every way to write a shape that the reshape functions of rules can read."""

from __future__ import annotations

from math import prod
from typing import Optional, Sequence

import numpy as np

from prunec.language.functions.codes import Dialect


def reshape_codes(
    dialect: Dialect,
    shape: Sequence[int],
    flag: bool,
    random: np.random.Generator,
    allowed: Optional[Sequence[int]] = None,
) -> tuple[int, ...]:
    """Codes for a tensor of that shape; ``flag`` reads them from the right, or copies the first axis.

    ``allowed`` are the codes below zero but ``-1`` that the operator has; ``None`` stands for all that the
    function reads."""
    if not dialect.tried:
        return _old_sizes(shape, flag, random)
    copy, rest, merge, split = dialect.copy, dialect.copy_rest, dialect.merge, dialect.split
    reverse = flag and dialect.reversible
    sizes = list(reversed(shape)) if reverse else list(shape)
    codes: list[int] = []
    inferred = False
    position = 0
    while position < len(sizes):
        left = len(sizes) - position
        way = int(random.integers(7))
        if allowed is not None and {1: rest, 2: merge, 3: split}.get(way, 0) not in (0, *allowed):
            way = 0
        if way == 1 and not reverse and random.random() < 0.3:
            codes.append(rest)
            position = len(sizes)
        elif way == 2 and left > 1 and not reverse:
            codes.append(merge)
            position += 2
        elif way == 3 and sizes[position] > 3 and sizes[position] % 2 == 0 and not reverse:
            outer = [2, sizes[position] // 2]
            if random.random() < 0.3 and not inferred:
                outer[int(random.integers(2))] = -1
            codes += [split, *outer]
            position += 1
        elif way == 4 and not inferred:
            count = int(random.integers(1, left + 1))
            codes.append(-1)
            position += count
            inferred = True
        elif way == 5:
            count = int(random.integers(1, left + 1))
            codes.append(prod(sizes[position : position + count]))
            position += count
        elif way == 6 and sizes[position] > 3 and sizes[position] % 2 == 0:
            codes += [2, sizes[position] // 2] if random.random() < 0.5 else [sizes[position] // 2, 2]
            position += 1
        else:
            codes.append(copy if len(codes) == position else sizes[position])
            position += 1
    return tuple(reversed(codes)) if reverse else tuple(codes)


def _old_sizes(shape: Sequence[int], keep_first: bool, random: np.random.Generator) -> tuple[int, ...]:
    """Sizes of the oldest reshape: neighbours merged, at most one left open as zero."""
    start = 1 if keep_first else 0
    rest = list(shape[start:])
    at = int(random.integers(len(rest))) if rest else 0
    merged = [prod(rest[: at + 1]), *rest[at + 1 :]] if rest else []
    if merged and random.random() < 0.5:
        merged[int(random.integers(len(merged)))] = 0
    return (*shape[:start], *merged)
