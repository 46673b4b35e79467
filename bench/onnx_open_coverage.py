"""Writes the part of ``docs/coverage.md`` about exports with an open batch: do the smaller models load?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from bench.coverage import PATH, with_part
from bench.onnx_coverage import EXPORTERS, OPEN_HEADING, Result
from bench.proof_coverage import escaped

_INTRODUCTION = """
The architectures above, exported with a batch size that stays open and compiled **without** `--input` (`make
corpus-open`), half of each group by the sizes of weights. What is written has to pass onnx's full check,
which holds every shape that the file states against those that follow, wherever the original passes; ONNX
Runtime has to load it, and to run it with a batch of {batches}, to outputs of the original's shapes.

| | |
|---|---|
{totals}
"""
_EXCEPTIONS = """
| architecture | exporter | what happened |
|---|---|---|
{rows}
"""
_TABLE = """
| architecture | exporter | nodes | full check before | full check after | loads and runs | left |
|---|---|---:|---|---|---|---:|
{rows}
"""


def write_coverage(results: Sequence[Result]) -> None:
    """Puts the part into the page, and leaves the rest as it is."""
    page = PATH.read_text(encoding="utf-8")
    PATH.write_text(with_part(page, OPEN_HEADING, rendered(results)), encoding="utf-8")


def rendered(results: Sequence[Result]) -> str:
    """The part of the page."""
    from bench.onnx_open import BATCHES

    rows = "\n".join(f"| {name} | {value} |" for name, value in _totals(results))
    exceptions = [
        f"| {one['name']} | {one['run']} | {escaped(what)} |"
        for one in results
        for what in (exception(one),)
        if what is not None
    ]
    return "".join(
        [
            OPEN_HEADING,
            _INTRODUCTION.format(batches=" and of ".join(map(str, BATCHES)), totals=rows),
            _EXCEPTIONS.format(rows="\n".join(exceptions)) if exceptions else "",
            _TABLE.format(rows="\n".join(_row(one) for one in results if one["exported"])),
        ]
    )


def totals(results: Sequence[Result]) -> Iterator[str]:
    """The sums over all results, a line each."""
    yield from (f"{name}: {value}" for name, value in _totals(results))


def is_wrong(one: Result) -> bool:
    """Whether prunec failed: it ended with an error, or what it wrote is worse than what it read."""
    if not one["exported"]:
        return False
    if one.get("exit") != 0:
        return True
    return any(one[f"{what}_after"] and not one[f"{what}_before"] for what in ("check", "run"))


def exception(one: Result) -> Optional[str]:
    """What is to be said of an export besides its figures."""
    if not one["exported"]:
        return f"PyTorch does not export it: {one['reason']}"
    if one.get("exit") != 0:
        return f"prunec ends with {one.get('exit')}: {one['message'].splitlines()[0]}"
    for what, title in (("check", "the full check fails"), ("run", "ONNX Runtime fails")):
        if one[f"{what}_after"]:
            also = ", as for the original" if one[f"{what}_before"] else ""
            return f"{title}{also}: {one[f'{what}_after']}"
    return None


def line(one: Result) -> str:
    """One result in one line."""
    name = f"{one['name']:32s} {one['run']:13s}"
    what = exception(one)
    if not one["exported"] or one.get("exit") != 0:
        return f"{name} {what}"
    return f"{name} {'WRONG' if is_wrong(one) else 'loads'} left {one['left']:.3f} {what or ''}"


def _totals(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    made = [one for one in results if one["exported"]]
    done = [one for one in made if one.get("exit") == 0]
    yield "exports", f"{len(made)}, of {len(results)} tried"
    for exporter in EXPORTERS:
        some = [one for one in results if one["run"] == exporter]
        yield f"exported by {exporter}", f"{sum(one['exported'] for one in some)} of {len(some)}"
    yield "compiled", f"{len(done)} of {len(made)}"
    for what, title in (("check", "pass the full check"), ("run", "load and run")):
        before = [one for one in done if not one[f"{what}_before"]]
        after = sum(not one[f"{what}_after"] for one in before)
        yield title, f"{after} of the {len(before)} that do before"
    if done:
        yield "parameters left, mean", f"{sum(one['left'] for one in done) / len(done):.3f}"
        yield "from which nothing goes", str(sum(one["left"] == 1 for one in done))


def _row(one: Result) -> str:
    head = f"| {one['name']} | {one['run']} | {one.get('nodes', '')} |"
    if one.get("exit") != 0:
        return f"{head} | | | |"
    said = [_word(one["check_before"]), _word(one["check_after"]), _word(one["run_after"])]
    return f"{head} {' | '.join(said)} | {one['left']:.3f} |"


def _word(finding: str) -> str:
    return "no" if finding else "yes"
