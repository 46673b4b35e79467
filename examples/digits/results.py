"""The comparison as a text: tables, and what they show, worked out of the numbers."""

from __future__ import annotations

from statistics import mean, median, stdev
from typing import Mapping, Optional, Sequence

from runs import AUTO, EPOCHS, EXAMPLES, FEW_EPOCHS, WAYS, Result

#: What is done for what goes, as tables name it.
NAMES = {"cut": "cut", "means": "`--means`", "restored": "restored"}
TITLES = {"digits": "Digits", "harder": "The harder set: shifted, scaled, noisy"}
#: How near, in points, fine-tuned networks are to come to what they were.
NEAR = (0.5, 2.0)


def values(results: Sequence[Result], way: str) -> list[float]:
    """Accuracies before fine-tuning."""
    return [result.accuracies[way] for result in results]


def curves(results: Sequence[Result], way: str, few: bool = False) -> list[Sequence[float]]:
    """Accuracies before fine-tuning and after each epoch, where there was any, on all images or on few."""
    found = [result.few if few else result.curves for result in results]
    return [own[way] for own in found if way in own]


def text(originals: Mapping[str, Sequence[float]], results: Sequence[Result]) -> str:
    """RESULTS.md; ``originals`` are the accuracies of each set's networks, by seed."""
    parts = [_HEAD]
    for name, accuracies in originals.items():
        own = [result for result in results if result.task.images == name]
        usual = [result for result in own if result.task.examples == EXAMPLES]
        parts.append(
            f"## {TITLES[name]}\n\nThe {len(accuracies)} networks as trained name {_cell(accuracies)}% of "
            "the held-out images correctly.\n"
        )
        for budget in dict.fromkeys(r.task.budget for r in usual):
            parts.append(_table(budget, [r for r in usual if r.task.budget == budget]))
        if len({result.task.examples for result in own}) > 1:
            parts.append(_counts([r for r in own if r.criterion == AUTO]))
        parts += [_epochs(accuracies, usual, few) for few in (False, True)]
        parts.append(_findings(accuracies, usual))
    return "\n".join(parts)


_HEAD = f"""# Cut, restored, fine-tuned

Accuracy on held-out images, in per cent, after channels went by each criterion until a share of the
multiply-adds was left. `python compare.py` writes this file and the plot; everything in them was run, in
MXNet, with fixed seeds.

![accuracy against multiply-adds, and by epochs of fine-tuning](results.svg)

Each figure is a mean over networks trained from different seeds, with the standard deviation among them; a
random choice is another for each network. *Cut* is what goes gone, with nothing made up for; `--means` puts
means in its place; *restored* predicts it from what stays. None of these trains anything or sees a label: all
have {EXAMPLES} training images as examples. `{AUTO}` is what `prunec compile --data` does: of `obs` and
`reconstruction`, each with the same share of every group and with one ranking (`--global`), the one whose
outputs are nearest on examples held back. Fine-tuning takes {EPOCHS} epochs on all training images, from
where the column says, at the same rates. One held-out image is 0.2 points on the digits and 0.1 on the harder
set.

Tables of epochs give the accuracy before and after each epoch of fine-tuning what `{AUTO}` kept, and, as
medians, after how many epochs a network is within 0.5 and within 2 points of what it was. Training normalises
by the statistics of each batch. That alone brings the cut network back in part, and moves the restored one
away from where it was; on few images the restored one is therefore given its own statistics first (`settled`
in `training.py`), which changes nothing of what it computes.
"""


def _table(budget: float, results: Sequence[Result]) -> str:
    tuned = [way for way in WAYS if curves(results, way)]
    header = ["criterion", "left", *(NAMES[way] for way in WAYS)]
    header += [f"{NAMES[way]}, fine-tuned" for way in tuned]
    lines = [f"### {budget:.0%} of the multiply-adds", "", _row(header)]
    lines.append(_row(["---", *["---:"] * (len(header) - 1)]))
    for criterion in dict.fromkeys(result.criterion for result in results):
        own = [result for result in results if result.criterion == criterion]
        left = f"{mean(result.left for result in own):.1%}"
        after = [_cell([curve[-1] for curve in curves(own, way)]) for way in tuned]
        lines.append(_row([criterion, left, *(_cell(values(own, way)) for way in WAYS), *after]))
    return "\n".join([*lines, ""])


def _counts(results: Sequence[Result]) -> str:
    """A row for each number of examples, at the budget at which several were tried."""
    budget = next(result.task.budget for result in results if result.task.examples != EXAMPLES)
    own = [result for result in results if result.task.budget == budget]
    lines = [f"### How many examples: {budget:.0%} of the multiply-adds, `{AUTO}`", ""]
    lines += [_row(["examples", "restored", "least"]), _row(["---:", "---:", "---:"])]
    for count in sorted({result.task.examples for result in own}):
        numbers = values([result for result in own if result.task.examples == count], "restored")
        lines.append(_row([str(count), _cell(numbers), f"{100 * min(numbers):.1f}"]))
    return "\n".join([*lines, ""])


def _epochs(accuracies: Sequence[float], results: Sequence[Result], few: bool) -> str:
    """Accuracy by epochs of fine-tuning, and how many it takes to come near to what the network was."""
    count, images = (FEW_EPOCHS, f"{EXAMPLES} labelled images") if few else (EPOCHS, "all training images")
    lines = [f"### Epochs of fine-tuning on {images}", ""]
    header = ["left", "from", *map(str, range(count + 1)), *(f"within {near:g}" for near in NEAR)]
    lines += [_row(header), _row(["---:", "---", *["---:"] * (count + 1 + len(NEAR))])]
    for budget in dict.fromkeys(result.task.budget for result in results):
        own = [r for r in results if r.task.budget == budget and len(r.few if few else r.curves) == 2]
        for way in ("cut", "restored") if own else ():
            each = curves(own, way, few)
            means = [f"{100 * mean(numbers):.1f}" for numbers in zip(*each)]
            befores = [accuracies[result.task.seed] for result in own]
            reached = [
                _median([_reached(*pair, near) for pair in zip(each, befores)], count) for near in NEAR
            ]
            lines.append(_row([f"{budget:.0%}", NAMES[way], *means, *reached]))
    return "\n".join([*lines, ""])


def _reached(curve: Sequence[float], original: float, near: float) -> Optional[int]:
    """The first epoch after which a network is so near to what it was; ``None`` where it never is."""
    # Numbers of images divided by their count: not exact in binary.
    found = [n for n, accuracy in enumerate(curve) if 100 * (original - accuracy) <= near + 1e-6]
    return found[0] if found else None


def _median(epochs: Sequence[Optional[int]], count: int) -> str:
    middle = median(count + 1 if own is None else own for own in epochs)
    return f"> {count}" if middle > count else f"{middle:g}"


def _findings(accuracies: Sequence[float], results: Sequence[Result]) -> str:
    lines = []
    for budget in dict.fromkeys(result.task.budget for result in results):
        own = [result for result in results if result.task.budget == budget]
        lost = [
            f"{criterion} {_lost(accuracies, [r for r in own if r.criterion == criterion])}"
            for criterion in dict.fromkeys(result.criterion for result in own)
        ]
        lines.append(
            f"* {budget:.0%} of the multiply-adds, restored, points less than before: {'; '.join(lost)}."
        )
        kept = [result.plan for result in own if result.criterion == AUTO]
        if kept:
            counted = [f"{name} ({kept.count(name)} of {len(kept)})" for name in dict.fromkeys(kept)]
            lines.append(f"* There `{AUTO}` kept {'; '.join(counted)}.")
    seconds = [result.seconds for result in results]
    lines.append(
        f"* Restoring one plan took {median(seconds):.1f} seconds (median) to {max(seconds):.1f} on one core."
    )
    return "\n".join([*lines, ""])


def _lost(accuracies: Sequence[float], results: Sequence[Result]) -> str:
    return f"{mean(100 * (accuracies[r.task.seed] - r.accuracies['restored']) for r in results):.1f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(numbers: Sequence[float]) -> str:
    if len(numbers) < 2:
        return f"{100 * numbers[0]:.1f}" if numbers else ""
    return f"{100 * mean(numbers):.1f} ± {100 * stdev(numbers):.1f}"
