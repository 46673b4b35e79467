"""Writes the part of ``docs/coverage.md`` about transformers that lose residual channels: what is proved?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Optional

from bench.coverage import PATH, with_part
from bench.onnx_coverage import Result
from bench.proof_coverage import escaped

HEADING = "\n## Transformers pruned with their residual widths\n"
#: A vision transformer, a BERT, a Llama and a Swin.
NAMES = ("vit", "bert", "llama", "hf_swin")
MODES = ("without", "with")
_INTRODUCTION = """
Four of the architectures above, exported with an open batch and, where they read words, an open length,
compiled with `--ratio 0.5` without and with `--input`, and proved with `prunec verify` (`make
proofs-transformers`). Channels of the residual stream go with the rest, and layer normalisations and the root
mean squares of Llama take *statistics* over them: these nodes are named, and nothing else is left out of the
comparison. *Change* is what they do to the outputs, root mean square, relative to the output; weights are
random here, and half of the channels hold half of what is computed. Where no such node is named, the residual
channels stay for want of a size.

Then the power of it: each sliced parameter of the smaller model damaged in four ways, scaled by -3 and, along
every axis that became shorter, reversed, shifted by one position, and with the first and the last exchanged.
*Refused* counts what running the models refuses, without the comparison of the parameters' elements.
Parameters *by statistics*, scales and offsets of layer normalisations that are one node, are taken by such
nodes alone, and their elements are what speaks for them.

| architecture | exporter | sizes | left | outcome | largest error | values compared | parameters witnessed \
| by statistics | nodes with statistics | change | damages refused |
|---|---|---|---:|---|---:|---:|---:|---:|---|---:|---:|
{rows}
"""
_EXCEPTIONS = """
| architecture | exporter | sizes | what happened |
|---|---|---|---|
{rows}
"""


def write_coverage(results: Sequence[Result]) -> None:
    """Puts the part into the page, and leaves the rest as it is."""
    page = PATH.read_text(encoding="utf-8")
    PATH.write_text(with_part(page, HEADING, rendered(results)), encoding="utf-8")


def rendered(results: Sequence[Result]) -> str:
    """The part of the page."""
    runs = list(_runs(results))
    rows = [_row(one, mode, run) for one, mode, run in runs if "outcome" in run]
    exceptions = [
        f"| {one['name']} | {one['run']} | {_sizes(mode)} | {escaped(what)} |"
        for one, mode, run in runs
        for what in (_problem(mode, run),)
        if what is not None
    ]
    return "".join(
        [
            HEADING,
            _INTRODUCTION.format(rows="\n".join(rows)),
            _EXCEPTIONS.format(rows="\n".join(exceptions)) if exceptions else "",
        ]
    )


def totals(results: Sequence[Result]) -> Iterator[str]:
    """The sums over all results, a line each."""
    runs = [run for _, _, run in _runs(results)]
    done = [run for run in runs if "outcome" in run]
    yield f"proved: {sum(run['outcome'] == 'proved' for run in done)} of {len(runs)}"
    tried = sum(run["damages"] for run in done)
    yield f"damages refused: {tried - sum(len(run['unseen']) for run in done)} of {tried}"


def is_wrong(one: Result) -> bool:
    """Whether anything is not as it has to be."""
    return any(_problem(mode, run) is not None for _, mode, run in _runs([one]))


def line(one: Result) -> str:
    """One result, a line for each time it was compiled."""
    return "\n".join(
        f"{_row(one, mode, run) if 'outcome' in run else one['name']} {_problem(mode, run) or ''}"
        for _, mode, run in _runs([one])
    )


def _runs(results: Sequence[Result]) -> Iterator[tuple[Result, str, dict[str, Any]]]:
    for one in results:
        for mode in MODES:
            why = one.get("reason") or one.get("message") or "it did not run"
            yield one, mode, one.get(mode, {"exit": None, "message": why})


def _problem(mode: str, run: dict[str, Any]) -> Optional[str]:
    """What is not as it has to be: proved, nothing left out but statistics, and all damage refused."""
    if "outcome" not in run:
        return f"it ends with {run['exit']}: {run['message']}"
    if run["exit"] != 0 or run["outcome"] != "proved":
        return f"{run['outcome']}: exit status {run['exit']}"
    if run["others"]:
        return f"left out: {', '.join(run['others'][:3])}"
    if run["unseen"]:
        return f"not refused: {', '.join(run['unseen'][:3])}"
    if mode == "with" and not (run["statistics"] and run["quality"]):
        return "the residual channels stay"
    return None


def _sizes(mode: str) -> str:
    return "given" if mode == "with" else "open"


def _row(one: Result, mode: str, run: dict[str, Any]) -> str:
    operators = ", ".join(f"{count} × `{name}`" for name, count in sorted(run["operators"].items()))
    evidence = run["evidence"]
    change = "" if run["quality"] is None else f"{run['quality']:.1%}"
    cells = [
        one["name"],
        one["run"],
        _sizes(mode),
        f"{run['left']:.3f}",
        run["outcome"],
        f"{run['error']:.0e}",
        run["compared"],
        f"{evidence.get('witnessed', 0)} of {sum(evidence.values())}",
        evidence.get("statistics", 0),
        operators,
        change,
        f"{run['damages'] - len(run['unseen'])} of {run['damages']}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"
