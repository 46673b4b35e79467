"""Writes the part of ``docs/coverage.md`` about open sizes beside closed ones: are the groups the same?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Optional

from bench.coverage import PATH, reason_text, with_part
from bench.evidence import evidence_text
from bench.onnx_coverage import EXPORTERS, Result
from bench.onnx_networks import ARCHITECTURES
from bench.proof_coverage import escaped

HEADING = "\n## ONNX exports with open sizes beside closed ones\n"
NAMES = tuple(one.name for one in ARCHITECTURES)
#: What is said where a model was not run.
_NOT_RUN = {"fails": "it does not run", "neither": "the original does not run either"}
_INTRODUCTION = """
The architectures above, exported twice (`make corpus-closed`): with a batch of one and every size
closed, and with an open batch and, where they read words, an open length. `--input` is given for neither.
*Groups* are compared by what their units take of which parameters, whatever their order; parameters that an
exporter computed go by their shapes. *Left* is the share of the parameters' elements when half of each group
goes. Then the open export is pruned strictly, and proved at three sizes that it was not exported with,
batches of {batches} and, of open lengths, {lengths} tenths of the length: *exact* is the largest relative
error.

| | |
|---|---|
{totals}
"""
_EXCEPTIONS = """
| architecture | exporter | what differs |
|---|---|---|
{rows}
"""
_TABLE = """
| architecture | exporter | left open | channels that can go: closed | open | groups | left: closed | open \
| strictly | exact |
|---|---|---|---:|---:|---|---:|---:|---:|---:|
{rows}
"""


def write_coverage(results: Sequence[Result]) -> None:
    """Puts the part into the page, and leaves the rest as it is."""
    page = PATH.read_text(encoding="utf-8")
    PATH.write_text(with_part(page, HEADING, rendered(results)), encoding="utf-8")


def rendered(results: Sequence[Result]) -> str:
    """The part of the page."""
    # What examines exports needs ONNX, and this page does not.
    batches, lengths = (1, 3, 4), (5, 9, 3)
    rows = "\n".join(f"| {name} | {value} |" for name, value in _totals(results))
    exceptions = [
        f"| {one['name']} | {one['run']} | {escaped(what)} |"
        for one in results
        for what in exceptions_of(one)
    ]
    return "".join(
        [
            HEADING,
            _INTRODUCTION.format(
                batches=", ".join(map(str, batches)),
                lengths=", ".join(map(str, lengths)),
                totals=rows,
            ),
            _EXCEPTIONS.format(rows="\n".join(exceptions)) if exceptions else "",
            _TABLE.format(rows="\n".join(_row(one) for one in results if _done(one))),
        ]
    )


def totals(results: Sequence[Result]) -> Iterator[str]:
    """The sums over all results, a line each."""
    yield from (f"{name}: {value}" for name, value in _totals(results))


def is_wrong(one: Result) -> bool:
    """Whether prunec failed, or what it wrote is not exact at some size."""
    if not one["exported"]:
        return False
    return not _done(one) or any(size["outcome"] not in ("proved", "neither") for size in one["sizes"])


def exceptions_of(one: Result) -> list[str]:
    """What is to be said of a pair of exports besides its figures."""
    if not one["exported"]:
        return [f"PyTorch does not export it: {one['reason']}"]
    if not _done(one):
        lines = one["message"].splitlines()
        return [f"{one['outcome']}: {lines[0 if one['outcome'] == 'refused' else -1]}"]
    told = [*one["differences"], *_stays(one)]
    for size in one["sizes"]:
        if size["outcome"] in _NOT_RUN:
            what = _NOT_RUN[size["outcome"]]
            told.append(f"at {size['shapes']} {what}: {size['message']}")
        elif size["outcome"] != "proved":
            told.append(f"at {size['shapes']}: {evidence_text(size)}".replace("\n", ";"))
    return told


def _stays(one: Result) -> Iterator[str]:
    """Why layers of one of two exports with other groups keep more of their channels."""
    if not one["differences"]:
        return
    closed, opened = (Counter(reasons) for reasons in one["reasons"])
    for which, more in (("closed", closed - opened), ("open", opened - closed)):
        for text, count in more.items():
            yield f"of layers of the {which} one {count:,} more channels stay: {reason_text(text)}"


def line(one: Result) -> str:
    """One result in one line, and what is to be said besides."""
    name = f"{one['name']:32s} {one['run']:13s}"
    told = "".join(f"\n    {what}" for what in exceptions_of(one))
    if not _done(one):
        return f"{name}{told}"
    groups = "same groups" if not one["differences"] else "OTHER GROUPS"
    exact = "exact" if _exact(one) else "NOT EXACT" if is_wrong(one) else "does not run before"
    left = "left {:.3f}, open {:.3f}".format(*one["left"])
    return f"{name} {groups} {exact} {_error(one):.1e} {left}{told}"


def _done(one: Result) -> bool:
    return bool(one["exported"]) and one.get("outcome") in ("pruned", "kept")


def _exact(one: Result) -> bool:
    return all(size["outcome"] == "proved" for size in one["sizes"])


def _error(one: Result) -> float:
    return max((float(size["error"]) for size in one["sizes"]), default=0.0)


def _totals(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    done = [one for one in results if _done(one)]
    yield "pairs of exports", f"{sum(one['exported'] for one in results)}, of {len(results)} tried"
    for exporter in EXPORTERS:
        some = [one for one in results if one["run"] == exporter]
        yield f"exported by {exporter}", f"{sum(one['exported'] for one in some)} of {len(some)}"
    yield "with an open length", str(sum(one["length"] for one in done))
    same = [one for one in done if not one["differences"]]
    yield "the same groups", f"{len(same)} of {len(done)}"
    names = {one["name"] for one in done}
    agree = names - {one["name"] for one in done if one["differences"]}
    yield "architectures with the same groups", f"{len(agree)} of {len(names)}"
    run = [one for one in done if not all(size["outcome"] == "neither" for size in one["sizes"])]
    yield "exact at all three sizes", f"{sum(map(_exact, run))} of the {len(run)} that run before"
    for number, title in enumerate(("closed", "open")):
        if done:
            yield (
                f"parameters left, {title}, mean",
                f"{sum(one['left'][number] for one in done) / len(done):.3f}",
            )


def _row(one: Result) -> str:
    sizes: Optional[str] = "batch, length" if one["length"] else "batch"
    groups = "the same" if not one["differences"] else f"{one['groups'][0]} and {one['groups'][1]}"
    figures = [f"{own:,}" for own in one["channels"]]
    left = [f"{own:.3f}" for own in (*one["left"], one["left_strict"])]
    exact = f"{_error(one):.1e}" if _exact(one) else "no"
    return f"| {one['name']} | {one['run']} | {sizes} | {' | '.join([*figures, groups, *left, exact])} |"
