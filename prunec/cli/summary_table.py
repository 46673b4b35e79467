"""What `compile` ends with: totals, the largest changes, and what was kept and why."""

from __future__ import annotations

import sys
from typing import Optional, Sequence

from prunec.cli.table import print_table
from prunec.cli.terminal import is_terminal
from prunec.reporting.names import amount, scopes, shown, usual_scope, without_scopes
from prunec.reporting.summary import MOST_LAYERS, Summary
from prunec.rewriting.layers import Change, Layer
from prunec.rewriting.widths import Width

#: So many reasons, and groups, are named.
_MOST = 5
#: Larger numbers are rounded, to keep a row in a line.
_LARGEST_EXACT = 100_000


def print_summary(summary: Summary, size: Change) -> None:
    """The tables; ``size`` is the bytes of model and parameters, of which there may be none."""
    _print_totals(summary, size)
    _print_layers(summary)
    _print_kept(summary)
    print_widths(summary.widths)
    if summary.approximate:
        groups = [f"group {group.number} ({shown(group.name)})" for group in summary.approximate[:_MOST]]
        more = len(summary.approximate) - len(groups)
        print(f"\napproximate: {', '.join(groups)}" + (f" and {more} more" if more else ""))


def _print_totals(summary: Summary, size: Change) -> None:
    changes = [("parameters", summary.totals.parameters)]
    if summary.layers:
        changes.append(("multiply-adds", summary.totals.multiply_adds))
    if None not in size:
        changes.append(("bytes", size))
    rows = []
    for name, change in changes:
        share = share_left(change)
        rows.append((name, "?" if share is None else f"{share:.1%}", change_text(change)))
    print_table(("", "left", "before -> after"), rows, frozenset((1, 2)))


def _print_layers(summary: Summary) -> None:
    """All layers where they are few, else those that change most."""
    if not summary.layers:
        return
    layers, title = list(summary.layers), []
    if len(layers) > MOST_LAYERS:
        title = [f"largest changes of {len(layers)} layers"]
        layers = [summary.layers[place] for place in summary.largest]
    names = [layer.name for layer in layers]
    if is_terminal(sys.stdout):
        names, scope = _short(names)
        title += [f"names are without {shown(scope)}"] if scope else []
    print("", *([", ".join(title)] if title else []), sep="\n")
    rows = [_row(layer, name) for layer, name in zip(layers, names)]
    columns = ("layer", "channels", "parameters", "multiply-adds")
    print_table(columns, rows, frozenset((1, 2, 3)))


def _short(names: Sequence[str]) -> tuple[list[str], str]:
    """Names without the scopes that most begin with, which do not tell them apart, and these scopes."""
    parts = [scopes(name) for name in names]
    usual = usual_scope(parts)
    short, left_out = [], ""
    for name, own in zip(names, parts):
        within = own[: len(usual)] == usual
        short.append(without_scopes(name, len(usual)) if within else name)
        left_out = left_out or name[: len(name) - len(short[-1])]
    return short, left_out


def _row(layer: Layer, name: str) -> tuple[str, ...]:
    channels = "" if layer.channels is None else change_text(layer.channels)
    return (name, channels, *map(_rounded, (layer.parameters, layer.multiply_adds)))


def _print_kept(summary: Summary) -> None:
    if not summary.kept:
        return
    print("\nkept")
    rows = []
    for kept in summary.kept[:_MOST]:
        layers = kept.layers[0] if len(kept.layers) == 1 else f"{len(kept.layers)} layers"
        rows.append((f"{kept.channels:,}", layers, kept.reason))
    print_table(("channels", "of", "because"), rows, frozenset((0,)))
    if len(summary.kept) > _MOST:
        print(f"and {len(summary.kept) - _MOST} more reasons; `prunec explain MODEL --kept` lists all")


def print_widths(narrower: Sequence[Width]) -> None:
    """What changes of the model's interface, where anything does."""
    if not narrower:
        return
    print("\nnarrower inputs and outputs")
    rows = []
    for own in narrower:
        fed = "" if own.source is None else f", fed from {own.source}"
        kept = own.kept if own.kept is not None else "others from row to row"
        rows.append((own.name, f"{own.kind}{fed}", f"{own.axis}", change_text((own.before, own.after)), kept))
    print_table(("name", "what", "axis", "width", "kept"), rows, frozenset((2, 3)))


def change_text(change: Change) -> str:
    """``64 -> 32``; one number where nothing changed, ``?`` for what is not known."""
    before, after = map(_exact, change)
    return before if before == after else f"{before} -> {after}"


def share_left(change: Change) -> Optional[float]:
    """What is left of something, as a share."""
    before, after = change
    return after / before if before and after is not None else None


def _exact(number: Optional[int]) -> str:
    return "?" if number is None else f"{number:,}"


def _rounded(change: Change) -> str:
    """As :func:`change_text`, large numbers to three digits."""
    if max(number or 0 for number in change) < _LARGEST_EXACT:
        return change_text(change)
    before, after = map(amount, change)
    return before if change[0] == change[1] else f"{before} -> {after}"
