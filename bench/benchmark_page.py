"""docs/benchmarks.md, from the figures of ``bench/benchmarks.py``."""

from __future__ import annotations

from math import log
from statistics import median
from typing import Any, Iterator, Mapping, Sequence

from bench.networks import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"

_HEAD = """# What prunec costs

`make bench` measures and writes this page. All figures are of whole processes with one thread, from
starting Python to the last file written: reading the model, finding groups, planning, cutting, the slicing
script, the diff, the groups and the plan. What counts are ratios of runs in turn on one machine; seconds are
CPU time, user and system, of the quickest run.
"""

Rows = Sequence[Mapping[str, Any]]


def page(results: Mapping[str, Any]) -> str:
    """The text of the page."""
    parts = {"whole": _whole, "growth": _growth, "large": _large}
    lines = [_HEAD]
    for name, section in parts.items():
        if name in results:
            found = results[name]
            lines += [*section(found["rows"]), _measured(found), ""]
    return "\n".join(lines)


def _measured(found: Mapping[str, Any]) -> str:
    own = found["machine"]
    return (
        f"Measured on {found['when']}: {own['processor']}, {own['processors']} processors, {own['system']}, "
        f"Python {own['python']}, numpy {own['numpy']}."
    )


# --- whole processes -----------------------------------------------------------------------------


def _whole(rows: Rows) -> Iterator[str]:
    yield "## Beside Torch-Pruning\n"
    yield (
        "`prunec compile net.onnx`, an export by TorchScript, beside a script that imports PyTorch and\n"
        "Torch-Pruning, loads the network, prunes half of every layer by L1 and saves it. Ratios are\n"
        f"medians over {len(rows[0]['prunec'])} pairs of runs; more than one: prunec takes less.\n"
    )
    yield "| network | CPU time, times less | memory, times less | prunec, s | Torch-Pruning, s |"
    yield "|---|---:|---:|---:|---:|"
    for row in rows:
        ours, theirs = row["prunec"], row["torch-pruning"]
        cpu, peak = (_ratio(theirs, ours, key) for key in ("cpu", "peak"))
        yield f"| {row['network']} | {cpu:.1f} | {peak:.1f} | {_least(ours):.2f} | {_least(theirs):.2f} |"
    yield ""


def _ratio(above: Rows, below: Rows, key: str) -> float:
    return float(median(a[key] / b[key] for a, b in zip(above, below)))


def _least(runs: Rows) -> float:
    return min(float(run["cpu"]) for run in runs)


# --- growth ----------------------------------------------------------------------------------------


def _growth(rows: Rows) -> Iterator[str]:
    yield "## Growth\n"
    yield (
        "Models of one piece many times over; variables and constants count as nodes. The exponent is\n"
        "that of CPU time against nodes from the line above: one where twice the nodes take twice as long.\n"
    )
    yield "| model | nodes | CPU time, s | exponent | ms for a node | memory, MB | kB for a node |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    before: Mapping[str, Any] = {}
    for row in rows:
        nodes, cpu, peak = row["nodes"], row["cpu"], row["peak"]
        exponent = ""
        if before.get("kind") == row["kind"]:
            exponent = f"{log(cpu / before['cpu']) / log(nodes / before['nodes']):.2f}"
        cells = [row["kind"], f"{nodes:,}", f"{cpu:.2f}", exponent, f"{cpu / nodes * 1e3:.3f}"]
        yield f"| {' | '.join([*cells, f'{peak / 1e6:.0f}', f'{peak / nodes / 1e3:.1f}'])} |"
        before = row
    yield ""


# --- large files -----------------------------------------------------------------------------------


def _large(rows: Rows) -> Iterator[str]:
    row = rows[0]
    yield "## Large files\n"
    yield (
        f"External data of {row['bytes'] / 1e9:.1f} GB, in matrices of {row['largest'] / 1e6:.0f} MB, half "
        "of each width of which goes,\n"
        "beside `cp` of the same file, which is in memory for both. The SHA-256 of all data is part of it.\n"
    )
    yield "| criterion | CPU time, times cp | by the clock, times cp | memory, MB | above a matrix, MB |"
    yield "|---|---:|---:|---:|---:|"
    for name in ("l1", "position"):
        cpu, elapsed = (_ratio(row[name], row["cp"], key) for key in ("cpu", "elapsed"))
        peak = max(run["peak"] for run in row[name])
        above = (peak - row["largest"]) / 1e6
        yield f"| {name} | {cpu:.1f} | {elapsed:.1f} | {peak / 1e6:.0f} | {above:.0f} |"
    yield ""
