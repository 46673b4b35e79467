"""The comparison as a text: tables, and what they show, worked out of the numbers."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Mapping, Optional, Sequence

from runs import EPOCHS, Result

#: What is measured, by the attribute of a result, with the heading of its column.
STAGES = {
    "plain": "no compensation",
    "means": "`--means`",
    "tuned_plain": "no compensation, fine-tuned",
    "tuned_means": "`--means`, fine-tuned",
}
RANDOM = "random"
_TITLES = {"digits": "Digits", "harder": "The harder set: shifted, scaled, noisy"}


def values(results: Sequence[Result], stage: str) -> list[float]:
    """What was measured at a stage, where it was."""
    found: list[Optional[float]] = [getattr(result, stage) for result in results]
    return [value for value in found if value is not None]


def text(originals: Mapping[str, float], results: Sequence[Result], channels: Mapping[str, int]) -> str:
    """RESULTS.md; ``channels`` are the channels that can go, for each set's network."""
    parts = [_HEAD]
    for name in originals:
        own = [result for result in results if result.task.images == name]
        parts.append(
            f"## {_TITLES[name]}\n\n"
            f"The network as trained names {originals[name]:.1%} of the held-out images correctly;"
            f"\n{channels[name]} channels can go. Fine-tuning takes {EPOCHS[name]} epochs.\n"
        )
        for budget, ranked in dict.fromkeys((r.task.budget, r.task.ranked) for r in own):
            parts.append(_table(budget, ranked, _at(own, budget, ranked)))
    parts.append(_FINDINGS)
    parts += [
        _findings(name, originals[name], [r for r in results if r.task.images == name]) for name in originals
    ]
    return "\n".join(parts)


_HEAD = """# Which criterion, and how much

Accuracy on held-out images, in per cent, after channels went by each criterion until a share of the
multiply-adds was left. `python compare.py` writes this file and the plot; everything in them was run, in
MXNet, with fixed seeds.

![accuracy against multiply-adds](results.svg)

Random choices are made with several seeds: their mean, and the standard deviation among them. All other
criteria give the same choice each time. Every group loses the same share of its channels, but where a table
says "one ranking" (`--global`). The examples for `--means` and for criteria that need data are 256 training
images. One held-out image is 0.2 points on the digits and 0.1 on the harder set: differences of less than a
point say little.
"""


_FINDINGS = """## What holds, and what does not

Before fine-tuning a criterion is compared with all random choices: better than each of them,
among them, or worse. In brackets are points against their mean.
"""


def _at(results: Sequence[Result], budget: float, ranked: bool) -> list[Result]:
    return [r for r in results if r.task.budget == budget and r.task.ranked == ranked]


def _table(budget: float, ranked: bool, results: Sequence[Result]) -> str:
    stages = [stage for stage in STAGES if values(results, stage)]
    heading = f"### {budget:.0%} of the multiply-adds" + (", one ranking" if ranked else "")
    header = ["criterion", "left", *(STAGES[stage] for stage in stages)]
    lines = [heading, "", _row(header), _row(["---", *["---:"] * (len(header) - 1)])]
    for criterion in dict.fromkeys(result.task.criterion for result in results):
        own = [result for result in results if result.task.criterion == criterion]
        label = f"{criterion}, {len(own)} seeds" if criterion == RANDOM else criterion
        left = f"{mean(result.left for result in own):.1%}"
        lines.append(_row([label, left, *(_cell(values(own, stage)) for stage in stages)]))
    return "\n".join([*lines, ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(numbers: Sequence[float]) -> str:
    if len(numbers) < 2:
        return f"{100 * numbers[0]:.1f}" if numbers else ""
    return f"{100 * mean(numbers):.1f} ± {100 * stdev(numbers):.1f}"


# --- what the numbers show ---


def _findings(name: str, accuracy: float, results: Sequence[Result]) -> str:
    lines = [f"**{_TITLES[name]}**, before fine-tuning at half of the multiply-adds, and after:\n"]
    for ranked in dict.fromkeys(r.task.ranked for r in results):
        half = _at(results, 0.5, ranked)
        where = "One ranking, before" if ranked else "Before"
        for stage, words in (("means", "with `--means`"), ("plain", "without compensation")):
            lines.append(f"* {where} fine-tuning, {words}: {_margins(half, stage)}")
    for stage, words in (("tuned_means", "with `--means`"), ("tuned_plain", "without compensation")):
        for budget in dict.fromkeys(r.task.budget for r in results):
            chosen = [r for r in results if r.task.budget == budget and values([r], stage)]
            if chosen:
                lines.append(
                    f"* After fine-tuning, {words}, {budget:.0%} left: {_within(chosen, stage, accuracy)}"
                )
    return "\n".join([*lines, ""])


def _margins(results: Sequence[Result], stage: str) -> str:
    """Which criteria are above all random choices, among them, and below them."""
    chance = values([r for r in results if r.task.criterion == RANDOM], stage)
    above, among, below = [], [], []
    for result in results:
        if result.task.criterion != RANDOM:
            own = values([result], stage)[0]
            chosen = above if own > max(chance) else below if own < min(chance) else among
            chosen.append(f"{result.task.criterion} ({100 * (own - mean(chance)):+.0f})")
    parts = [
        f"{words} {', '.join(names)}"
        for words, names in (("better than each:", above), ("among them:", among), ("worse:", below))
        if names
    ]
    reach = f"{100 * min(chance):.1f} to {100 * max(chance):.1f}"
    return f"random choices {_cell(chance)}, from {reach}; {'; '.join(parts)}."


def _within(results: Sequence[Result], stage: str, accuracy: float) -> str:
    drops = {_label(r): 100 * (accuracy - values([r], stage)[0]) for r in results}
    # Numbers of images divided by their count: not exact in binary.
    far = {label: drop for label, drop in drops.items() if drop > 1 + 1e-6}
    words = f"{len(drops) - len(far)} of {len(drops)} networks are within 1 point of the original"
    informed = values([r for r in results if r.task.criterion != RANDOM], stage)
    chance = values([r for r in results if r.task.criterion == RANDOM], stage)
    if informed and chance:
        words += f" (criteria {100 * mean(informed):.1f} on average, random {100 * mean(chance):.1f})"
    if far:
        words += "; not " + ", ".join(f"{label} (−{drop:.1f})" for label, drop in far.items())
    return f"{words}."


def _label(result: Result) -> str:
    task = result.task
    label = f"random with seed {task.seed}" if task.criterion == RANDOM else task.criterion
    return f"{label}, one ranking" if task.ranked else label
