"""Attributes that name axes by their index."""

from __future__ import annotations

from prunec.value import Value


def listed_positions(axes: Value, rank: int) -> list[int]:
    """The axes of ``rank`` that a list names, in its order; negative ones count from the end."""
    entries = axes if isinstance(axes, tuple) else (axes,)
    return [int(entry) % rank for entry in entries if isinstance(entry, int)] if rank else []


def chosen_positions(value: Value, exclude: bool, rank: int, default_all: bool) -> list[int]:
    """The axes of ``rank`` that an attribute names (negative from the end), or all the others."""
    if value is None or value == ():
        return list(range(rank)) if default_all else []
    chosen = set(listed_positions(value, rank))
    return [i for i in range(rank) if (i in chosen) != exclude]


def attribute_length(value: Value) -> int:
    """How many entries an attribute has: none if it is not given, one for a single value."""
    if value is None:
        return 0
    return len(value) if isinstance(value, tuple) else 1
