"""Writes the part of ``docs/coverage.md`` about exported programs of PyTorch: what came of real ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from bench.coverage import PATH, with_part
from bench.onnx_coverage import EXPORTERS, TORCH_PRUNING
from bench.proof_coverage import escaped

PYTORCH_HEADING = "\n## Programs of PyTorch\n"
Result = dict[str, Any]
#: Results of the ONNX corpus, and of Torch-Pruning, by architecture and run.
Beside = Mapping[tuple[str, str], Result]
#: How far what is left of a program may be from what is left of its ONNX export.
NEAR = 0.01
#: The most reasons that are given for what is left.
_REASONS = 3

_INTRODUCTION = """
The architectures above as programs of `torch.export` (`make corpus-pytorch`), the batch left open wherever
PyTorch can leave it open, attention in one operator; half of each group goes by the sizes of weights. What is
written is proved as `prunec compile --verify` proves it, loaded by `torch.export.load` in a process of its
own, run with a batch of 1 and of 3 where the batch is open, and trained for six steps of SGD, after which the
loss has to be lower.

| | |
|---|---|
{totals}
"""
_EXCEPTIONS = """
| architecture | what happened |
|---|---|
{rows}
"""
_TABLE = """
| architecture | proof | left | left of the ONNX export | left by Torch-Pruning | loads, runs and learns |
|---|---|---:|---:|---:|---|
{rows}
"""


def write_coverage(results: Sequence[Result], beside: Beside) -> None:
    """Puts the part into the page, and leaves the rest as it is."""
    page = PATH.read_text(encoding="utf-8")
    PATH.write_text(with_part(page, PYTORCH_HEADING, rendered(results, beside)), encoding="utf-8")


def rendered(results: Sequence[Result], beside: Beside) -> str:
    """The part of the page."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in _totals(results, beside))
    found = ((one["name"], exception(one) or more_left(one, beside)) for one in results)
    exceptions = [f"| {name} | {escaped(what)} |" for name, what in found if what]
    table = "\n".join(_row(one, beside) for one in results if one["exported"])
    return "".join(
        [
            PYTORCH_HEADING,
            _INTRODUCTION.format(totals=rows),
            _EXCEPTIONS.format(rows="\n".join(exceptions)) if exceptions else "",
            _TABLE.format(rows=table),
        ]
    )


def totals(results: Sequence[Result], beside: Beside) -> Iterator[str]:
    """The sums over all results, a line each."""
    yield from (f"{name}: {value}" for name, value in _totals(results, beside))


def is_wrong(one: Result) -> bool:
    """Whether prunec failed on a program, or what it wrote is not what it should be."""
    return bool(one["exported"]) and (one.get("outcome") != "proved" or bool(one.get("use")))


def exception(one: Result) -> Optional[str]:
    """What is to be said of a program besides its figures."""
    if not one["exported"]:
        return f"PyTorch does not export it: {one['reason']}"
    if one.get("outcome") in ("refused", "traceback"):
        return f"{one['outcome']}: {' '.join(one['message'].split())[-400:]}"
    if one.get("use"):
        return f"what was written: {one['use']}"
    return None if one.get("outcome") == "proved" else str(one.get("outcome"))


def more_left(one: Result, beside: Beside) -> Optional[str]:
    """Why more is left of a program than of its ONNX export."""
    left = onnx_left(one, beside)
    if left is None or one["left"] <= left + NEAR:
        return None
    reasons = "; ".join(one.get("kept", ())[:_REASONS]) or "nothing is kept, other channels were chosen"
    return f"leaves {one['left']:.3f}, of the ONNX export {left:.3f}; channels that stay: {reasons}"


def line(one: Result) -> str:
    """One result in one line."""
    head = f"{one['name']:32s}"
    if "left" not in one:
        return f"{head} {exception(one)}"
    text = f"{head} {one['outcome']} {one['error']:.1e} left {one['left']:.3f} {one['seconds']} s"
    return f"{text} {'' if one['open'] else 'fixed batch '}{exception(one) or 'learns'}"


def _totals(results: Sequence[Result], beside: Beside) -> Iterator[tuple[str, str]]:
    made = [one for one in results if one["exported"]]
    done = [one for one in made if "left" in one]
    yield "programs", f"{len(made)}, of {len(results)} tried; {sum(bool(o.get('open')) for o in made)} open"
    yield "compiled", f"{len(done)} of {len(made)}"
    yield "proved", f"{sum(one['outcome'] == 'proved' for one in done)} of {len(done)}"
    yield "load, run and learn", f"{sum(not one.get('use') for one in done)} of {len(done)}"
    if done:
        yield "parameters left, mean", f"{sum(one['left'] for one in done) / len(done):.3f}"
    for what, found in (
        ("ONNX export", [(one, onnx_left(one, beside)) for one in done]),
        ("Torch-Pruning", [(one, torch_pruning_left(one, beside)) for one in done]),
    ):
        both = [(one["left"], left) for one, left in found if left is not None]
        if both:
            near = sum(own <= left + NEAR for own, left in both)
            yield f"leave no more than the {what} (+ {NEAR})", f"{near} of {len(both)}"


def onnx_left(one: Result, beside: Beside) -> Optional[float]:
    """What is left of an architecture's ONNX export, of the exporter that does better."""
    runs = (beside.get((one["name"], run), {}) for run in EXPORTERS)
    return min((run["left"] for run in runs if "left" in run), default=None)


def torch_pruning_left(one: Result, beside: Beside) -> Optional[float]:
    """What Torch-Pruning leaves, where it runs."""
    left = beside.get((one["name"], TORCH_PRUNING), {}).get("left")
    return None if left is None else float(left)


def _row(one: Result, beside: Beside) -> str:
    if "left" not in one:
        return f"| {one['name']} | {one.get('outcome', '')} | | | | |"
    others = [onnx_left(one, beside), torch_pruning_left(one, beside)]
    figures = " | ".join("" if left is None else f"{left:.3f}" for left in (one["left"], *others))
    return f"| {one['name']} | {one['outcome']} | {figures} | {'no' if one.get('use') else 'yes'} |"
