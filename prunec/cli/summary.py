"""The table that `compile` ends with."""

from __future__ import annotations

from typing import Optional

from prunec.cli.table import print_table
from prunec.emission.layers import Change, Layer, Totals

_COLUMNS = ("layer", "operator", "channels", "parameters", "multiply-adds", "")


def print_layers(layers: tuple[Layer, ...], totals: Totals) -> None:
    """One row for each layer, and the totals."""
    rows = []
    for layer in layers:
        channels = "" if layer.channels is None else change_text(layer.channels)
        numbers = (change_text(layer.parameters), change_text(layer.multiply_adds))
        rows.append(
            (layer.name, layer.operator, channels, *numbers, f"kept: {layer.kept}" if layer.kept else "")
        )
    footer = ("total", "", "", change_text(totals.parameters), change_text(totals.multiply_adds), "")
    print_table(_COLUMNS, rows, frozenset((2, 3, 4)), footer)
    left = [
        f"{share:.1%} of the {what}"
        for what, share in (
            ("parameters", share_left(totals.parameters)),
            ("multiply-adds", share_left(totals.multiply_adds)),
        )
        if share is not None
    ]
    if left:
        print(f"left: {', '.join(left)}")


def change_text(change: Change) -> str:
    """``64 -> 32``; one number where nothing changed, ``?`` for what is not known."""
    before, after = (("?" if number is None else f"{number:,}") for number in change)
    return before if before == after else f"{before} -> {after}"


def share_left(change: Change) -> Optional[float]:
    """What is left of something, as a share."""
    before, after = change
    return after / before if before and after is not None else None
