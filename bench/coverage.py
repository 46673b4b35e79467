"""Writes ``docs/coverage.md``: what the rules do to channels, and what came of the corpus."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.measure import Measurement
from bench.networks import BUILD, ROOT
from prunec.language.library import load
from prunec.language.syntax import Rule

PATH = ROOT / "docs" / "coverage.md"
RULES = "default.prune"
_SECTION = re.compile(r"^# --- (.+?) -+$", re.MULTILINE)
_INTRODUCTION = """# Coverage

What the built-in rules know of MXNet's operators, and what comes of it on {networks} networks: {wild} symbol
files from public repositories and {zoo} exports of public model zoos, which are not part of this repository.

This page is generated (`python bench/corpus.py --write`).

* [Totals](#totals)
* [Why channels stay](#why-channels-stay)
* [The networks that keep most](#the-networks-that-keep-most)
* [Networks](#networks)
* [Operators](#operators)
"""
_TOTALS = """
## Totals

| | |
|---|---|
{rows}

*Channels* are the output channels of convolutions and dense layers (every node whose rule counts
multiply-adds and makes channels; a shared weight counts once). *Left* is the share of parameters left when
half of each group goes. *Exact* means: MXNet 1.9.1 computes the same with the pruned network as with the
original whose removed channels are masked, for random parameters and a random choice of channels, to a
relative error under 1e-4.
"""
_WHY = """
## Why channels stay

Output channels of all layers, by the first reason found on the way from what must stay.

| channels | reason |
|---:|---|
{rows}
"""
_WORST = """
## The networks that keep most

Of the networks that are not quantised, by the share of channels that can go, model outputs aside.

Unrolled recurrent networks take their first states as model inputs, and those fix the width of every
state. Networks that end in a regression have a label for each output. In a symbol without its parameters, a
variable that only elementwise operators read cannot be told from a model input; with the parameters at hand
it can, and the super-resolution networks below then lose half of their channels like any other.

| network | channels that can go | why the others stay |
|---|---:|---|
{rows}
"""
_NETWORKS = """
## Networks

Symbol alone, half of each group removed. Files from repositories go by their kind and number.

| network | channels that can go | left | groups | approximate | exact | remarks |
|---|---:|---:|---:|---:|---|---|
{rows}
"""


def write_coverage(measured: Sequence[Measurement]) -> None:
    """Writes the page from the measurements, and from ``build/exact.jsonl`` where there is one."""
    alone = [one for one in measured if not one.with_parameters]
    exact = _exact_results()
    wild = sum(one.kind != "zoo" for one in alone)
    pieces = [
        _INTRODUCTION.format(networks=len(alone), wild=wild, zoo=len(alone) - wild),
        _TOTALS.format(rows="\n".join(_totals(measured, exact))),
        _WHY.format(rows="\n".join(_reasons(alone))),
        _WORST.format(rows="\n".join(_worst(alone))),
        _NETWORKS.format(rows="\n".join(_network(one, exact) for one in alone)),
        "\n".join(_operators()),
    ]
    PATH.write_text("".join(pieces), encoding="utf-8")


def _exact_results() -> dict[tuple[str, bool], dict[str, Any]]:
    path: Path = BUILD / "exact.jsonl"
    if not path.is_file():
        return {}
    results = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return {(one["file"], one["real"]): one for one in results}


# --- the corpus ---


def _totals(measured: Sequence[Measurement], exact: dict[tuple[str, bool], dict[str, Any]]) -> Iterator[str]:
    alone = [one for one in measured if not one.with_parameters]
    done = [one for one in alone if one.outcome in ("pruned", "kept")]
    refused = Counter(one.code for one in alone if one.outcome == "refused")
    codes = ", ".join(f"{count} with {code}" for code, count in sorted(refused.items()))
    pruned = [one for one in done if one.outcome == "pruned"]
    kept = [one for one in done if one.outcome == "kept"]
    yield f"| networks | {len(alone)} |"
    yield f"| made smaller | {len(pruned)} |"
    yield f"| kept as they are | {len(kept)}, {sum(_quantised(one) for one in kept)} of them quantised |"
    yield f"| refused | {sum(refused.values())}" + (f": {codes} |" if codes else " |")
    yield f"| tracebacks | {sum(one.outcome == 'traceback' for one in measured)} |"
    channels, removable = sum(one.channels for one in done), sum(one.removable for one in done)
    outputs = sum(one.reasons.get("model output", 0) for one in done)
    yield (
        f"| channels that can go | {removable:,} of {channels:,} ({removable / channels:.1%};"
        f" {removable / (channels - outputs):.1%} without model outputs) |"
    )
    yield f"| parameters left, mean of those made smaller | {sum(o.left for o in pruned) / len(pruned):.3f} |"
    floors = [one for one in alone if one.floor is not None]
    above = sum(one.above_floor for one in floors)
    yield f"| more left than a prototype left | {above} of {len(floors)} |"
    seconds = sorted(one.seconds for one in done)
    yield (
        f"| analysis, CPU time of one core | median {seconds[len(seconds) // 2]:.2f} s,"
        f" longest {seconds[-1]:.2f} s |"
    )
    if exact:
        yield from _exact_totals(list(exact.values()))


def _exact_totals(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    for real, words in ((False, "random parameters"), (True, "their own parameters")):
        some = [one for one in results if one["real"] == real]
        good = [one for one in some if one["exact"]]
        run = [one for one in some if one["exact"] is not None]
        if some:
            worst = max((one["error"] for one in good), default=0.0)
            yield f"| exact, with {words} | {len(good)} of {len(run)} that run; largest error {worst:.0e} |"
            yield f"| not run in MXNet, with {words} | {len(some) - len(run)} |"


def _reasons(alone: Sequence[Measurement]) -> Iterator[str]:
    total: Counter[str] = Counter()
    for one in alone:
        total.update(one.reasons)
    for reason, count in total.most_common(40):
        yield f"| {count:,} | {_reason(reason)} |"


def _worst(alone: Sequence[Measurement], count: int = 10) -> Iterator[str]:
    found = [one for one in alone if one.channels and one.outcome != "refused" and not _quantised(one)]
    found = [one for one in found if one.channels > one.reasons.get("model output", 0)]
    for one in sorted(found, key=_free_share)[:count]:
        why = sorted(one.reasons.items(), key=lambda item: -item[1])[:4]
        text = "; ".join(f"{number:,} × {_reason(reason)}" for reason, number in why)
        yield f"| {_name(one)} | {_free_share(one):.1%} | {text} |"


def _free_share(one: Measurement) -> float:
    return one.removable / max(1, one.channels - one.reasons.get("model output", 0))


def _network(one: Measurement, exact: dict[tuple[str, bool], dict[str, Any]]) -> str:
    name = _name(one)
    result = exact.get((one.file, False), {})
    if one.outcome in ("refused", "traceback"):
        headline = one.message.splitlines()[0].partition(": ")[2] or one.outcome
        return f"| {name} | | | | | {_verdict(result)} | {one.code}: {headline} |"
    share = f"{one.removable / one.channels:.1%}" if one.channels else "no layers"
    remarks = ", ".join(f"{count} × {operator}" for operator, count in one.barriers.items())
    return (
        f"| {name} | {share} | {one.left:.3f} | {one.groups} | {one.approximate or ''} |"
        f" {_verdict(result)} | {remarks} |"
    )


def _verdict(result: dict[str, Any]) -> str:
    if not result:
        return ""
    if result["exact"]:
        return f"{result['error']:.0e}"
    return "**no**" if result["exact"] is False else "not run"


def _name(one: Measurement) -> str:
    return one.label if one.kind == "zoo" else f"{one.label}, {one.kind}"


def _quantised(one: Measurement) -> bool:
    return any("quantize" in operator or operator.startswith(("_sg_", "Q")) for operator in one.barriers)


def _reason(text: str) -> str:
    head, colon, tail = text.partition(": ")
    operator = head.partition("barrier ")[2]
    if operator:
        return f"nothing is known of `{operator}`: {_escaped(tail)}"
    return f"`{head}`: {_escaped(tail)}" if colon else text


# --- the rules ---


def _operators() -> Iterator[str]:
    rules = load([RULES]).all_rules()
    names = {operator.name for rule in rules for operator in rule.operators}
    yield "\n## Operators\n"
    yield f"{len(rules)} rules for {len(names)} operator names."
    yield "[The rule language](language.md) explains the signatures."
    text = rules[0].span.source.text
    sections = [(match.start(), match.group(1)) for match in _SECTION.finditer(text)]
    for place, (start, title) in enumerate(sections):
        end = sections[place + 1][0] if place + 1 < len(sections) else len(text)
        inside = [rule for rule in rules if start <= rule.span.start < end]
        yield f"\n### {title[0].upper()}{title[1:]}\n"
        yield "| operators | what becomes of channels |"
        yield "|---|---|"
        yield from map(_rule, inside)
    yield ""


def _rule(rule: Rule) -> str:
    names = ", ".join(f"`{operator.name}`" for operator in rule.operators)
    documentation = " ".join(rule.documentation.split())
    if rule.signature is None:
        return f"| {names} | {_escaped(documentation)} *Nothing goes:* {_escaped(rule.opaque or '')}. |"
    span = rule.signature.span
    signature = " ".join(span.source.text[span.start : span.end].split())
    return f"| {names} | {_escaped(documentation)}<br>`{_escaped(signature)}` |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
