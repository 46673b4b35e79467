"""What ``bench/restoring.py`` measured, as lines, as a table and as the page ``docs/restoring.md``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.networks import ROOT

PATH = ROOT / "docs" / "restoring.md"
#: Messages are cut to this.
_LONGEST = 160

Result = Mapping[str, Any]

_PAGE = """# Restoring, measured

Trained networks brought to a share of their multiply-adds with nothing but unlabelled examples, by
`make restoring` (see `bench/restoring.py`). Measures are in per cent, on test sets that share nothing with
the examples. *Seconds* are those of `prunec compile` on one core. What *proof* says is explained in
[proof.md](proof.md).

{table}

The tasks:

{tasks}
"""


def line(one: Result) -> str:
    """One result in one line."""
    place = f"{one['task']}, {one['way']}" + ("" if one["target"] == 1 else f" at {one['target']}")
    if one["message"]:
        return f"{place}: exit {one['exit']}: {_first(one['message'])}"
    left = f", {one['left']:.3f} of the multiply-adds left" if one["left"] is not None else ""
    return f"{place}: {_measures(one)}{left}, {one['proof'] or 'not changed'}, {one['seconds']:.1f} s"


def table(results: Sequence[Result]) -> str:
    """All results, a row each."""
    rows = ["| task | way | target | left | measures | proof | seconds |", "|---|---|---:|---:|---|---|---:|"]
    return "\n".join([*rows, *map(_row, results)])


def write(results: Sequence[Result], about: Mapping[str, str]) -> None:
    """Writes the page; ``about`` says of each task in a line what it is."""
    tasks = "\n".join(f"* **{name}**: {text}" for name, text in about.items())
    PATH.write_text(_PAGE.format(table=table(results), tasks=tasks), encoding="utf-8")


def _row(one: Result) -> str:
    target, left = ("" if one[key] is None else f"{one[key]:.3g}" for key in ("target", "left"))
    what = _measures(one) or _first(one["message"]).replace("|", "\\|")
    cells = (one["task"], one["way"], target, left, what, one["proof"], f"{one['seconds']:.1f}")
    return f"| {' | '.join(cells)} |"


def _measures(one: Result) -> str:
    return ", ".join(_each(one["measures"]))


def _each(measures: Mapping[str, float]) -> Iterator[str]:
    for name, value in measures.items():
        yield f"{name} {value:.1f}"


def _first(message: str) -> str:
    """What a message says in its first line; with ``--json`` messages are a list of records."""
    try:
        record = json.loads(message)[0]
    except (ValueError, LookupError, TypeError):
        lines = [own.strip() for own in message.splitlines() if own.strip()]
        return lines[-1][:_LONGEST] if lines else ""
    return f"{record['code']}: {record['headline']}"[:_LONGEST]
