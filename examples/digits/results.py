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


def text(
    originals: Mapping[str, Sequence[float]], results: Sequence[Result], channels: Mapping[str, int]
) -> str:
    """RESULTS.md; ``originals`` are the accuracies of each set's networks, by seed, ``channels`` the channels
    of one that can go."""
    parts = [_HEAD]
    for name, accuracies in originals.items():
        own = [result for result in results if result.task.images == name]
        parts.append(
            f"## {_TITLES[name]}\n\n"
            f"The {len(accuracies)} networks as trained name {_cell(accuracies)}% of the held-out images "
            f"correctly;\n{channels[name]} channels can go. Fine-tuning takes {EPOCHS[name]} epochs.\n"
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

Each figure is a mean over networks trained from different seeds, with the standard deviation among them. A
random choice is another for each network. Every group loses the same share of its channels, but where a table
says "one ranking" (`--global`), and by `sensitivity`, which is one ranking always (measured with the channels
in the order of `reconstruction`). The examples for `--means` and for criteria that need data are 256 training
images. One held-out image is 0.2 points on the digits and 0.1 on the harder set.
"""


_FINDINGS = """## What holds, and what does not

Before fine-tuning, each criterion is compared with the random choice on the same network: how many points it
is above it, on average and with the standard deviation, and on how many of the networks.
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
        left = f"{mean(result.left for result in own):.1%}"
        lines.append(_row([criterion, left, *(_cell(values(own, stage)) for stage in stages)]))
    return "\n".join([*lines, ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(numbers: Sequence[float]) -> str:
    if len(numbers) < 2:
        return f"{100 * numbers[0]:.1f}" if numbers else ""
    return f"{100 * mean(numbers):.1f} ± {100 * stdev(numbers):.1f}"


# --- what the numbers show ---


def _findings(name: str, accuracies: Sequence[float], results: Sequence[Result]) -> str:
    lines = [f"### {_TITLES[name]}: half of the multiply-adds, before fine-tuning\n", *_margins(results), ""]
    for stage, words in (("tuned_means", "with `--means`"), ("tuned_plain", "without compensation")):
        for budget in dict.fromkeys(r.task.budget for r in results):
            chosen = [r for r in results if r.task.budget == budget and values([r], stage)]
            if chosen:
                lines.append(
                    f"* {budget:.0%} of the multiply-adds, after fine-tuning, {words}: "
                    f"{_within(chosen, stage, accuracies)}"
                )
    return "\n".join([*lines, ""])


def _margins(results: Sequence[Result]) -> list[str]:
    """A table: how far each criterion is above the random choice on the same networks."""
    columns = [
        (_at(results, 0.5, ranked), stage, STAGES[stage] + (", one ranking" if ranked else ""))
        for ranked in dict.fromkeys(r.task.ranked for r in results)
        for stage in ("means", "plain")
    ]
    lines = [
        _row(["criterion", *(heading for *_, heading in columns)]),
        _row(["---", *["---:"] * len(columns)]),
    ]
    for criterion in dict.fromkeys(r.task.criterion for r in results if r.task.criterion != RANDOM):
        cells = [_margin(found, criterion, stage) for found, stage, _ in columns]
        lines.append(_row([criterion, *cells]))
    return lines


def _margin(results: Sequence[Result], criterion: str, stage: str) -> str:
    own, chance = _by_seed(results, criterion, stage), _by_seed(results, RANDOM, stage)
    margins = [100 * (own[seed] - chance[seed]) for seed in own]
    if len(margins) < 2:
        return ""
    wins = sum(margin > 0 for margin in margins)
    return f"{mean(margins):+.0f} ± {stdev(margins):.0f} ({wins} of {len(margins)})"


def _by_seed(results: Sequence[Result], criterion: str, stage: str) -> dict[int, float]:
    return {r.task.seed: values([r], stage)[0] for r in results if r.task.criterion == criterion}


def _within(results: Sequence[Result], stage: str, accuracies: Sequence[float]) -> str:
    """How far networks are below what they were, by the criterion."""
    drops: dict[str, list[float]] = {}
    for result in results:
        drop = 100 * (accuracies[result.task.seed] - values([result], stage)[0])
        drops.setdefault(result.task.criterion, []).append(drop)
    informed = [drop for criterion, own in drops.items() if criterion != RANDOM for drop in own]
    near, far = [], []
    for criterion, own in drops.items():
        # Numbers of images divided by their count: not exact in binary.
        (near if mean(own) <= 1 + 1e-6 else far).append(f"{criterion} {-mean(own):+.1f}")
    words = f"{sum(drop <= 1 + 1e-6 for drop in informed)} of {len(informed)} networks pruned by a criterion"
    words += f" are within 1 point of what they were; on average within 1 point: {', '.join(near) or 'none'}"
    return words + (f"; not {', '.join(far)}." if far else ".")
