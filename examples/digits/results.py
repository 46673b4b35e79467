"""The comparison as a text: tables, and what they show, worked out of the numbers."""

from __future__ import annotations

from statistics import mean, median, stdev
from typing import Mapping, Optional, Sequence

from runs import AUTO, EPOCHS, EXAMPLES, WAYS, Result

#: What is done for what goes, as tables name it.
NAMES = {"cut": "cut", "means": "`--means`", "restored": "restored"}
TITLES = {"digits": "Digits", "harder": "The harder set: shifted, scaled, noisy"}
#: How near, in points, counts as what the network was: one image of the smaller set is 0.2.
NEAR = 0.5


def values(results: Sequence[Result], way: str) -> list[float]:
    """Accuracies before fine-tuning."""
    return [result.accuracies[way] for result in results]


def curves(results: Sequence[Result], way: str) -> list[Sequence[float]]:
    """Accuracies before fine-tuning and after each epoch, where there was any."""
    return [result.curves[way] for result in results if way in result.curves]


def text(originals: Mapping[str, Sequence[float]], results: Sequence[Result]) -> str:
    """RESULTS.md; ``originals`` are the accuracies of each set's networks, by seed."""
    parts = [_HEAD]
    for name, accuracies in originals.items():
        own = [result for result in results if result.task.images == name]
        usual = [result for result in own if result.task.examples == EXAMPLES]
        parts.append(
            f"## {TITLES[name]}\n\nThe {len(accuracies)} networks as trained name {_cell(accuracies)}% of the "
            "held-out images correctly.\n"
        )
        for budget in dict.fromkeys(r.task.budget for r in usual):
            parts.append(_table(budget, [r for r in usual if r.task.budget == budget]))
        if len({result.task.examples for result in own}) > 1:
            parts.append(_counts([r for r in own if r.criterion == AUTO]))
        parts.append(_epochs(accuracies, usual))
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
outputs are nearest on examples held back. Fine-tuning takes {EPOCHS} epochs on all training images, from where
the column says, at the same rates. One held-out image is 0.2 points on the digits and 0.1 on the harder set.
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


def _epochs(accuracies: Sequence[float], results: Sequence[Result]) -> str:
    """Accuracy by epochs of fine-tuning, and how many it takes to be what the network was."""
    lines = ["### Epochs of fine-tuning, from the cut and from the restored network", ""]
    header = ["left", "plan", "from", *(str(epoch) for epoch in range(EPOCHS + 1)), f"within {NEAR} after"]
    lines += [_row(header), _row(["---:", "---", "---", *["---:"] * (EPOCHS + 2)])]
    for budget in dict.fromkeys(result.task.budget for result in results):
        for criterion in dict.fromkeys(result.criterion for result in results):
            own = [r for r in results if r.task.budget == budget and r.criterion == criterion]
            if all(curves(own, way) for way in ("cut", "restored")):
                for way in ("cut", "restored"):
                    means = [f"{100 * mean(each):.1f}" for each in zip(*curves(own, way))]
                    reached = [_reached(r.curves[way], accuracies[r.task.seed]) for r in own if way in r.curves]
                    row = [f"{budget:.0%}", criterion, NAMES[way], *means, _median(reached)]
                    lines.append(_row(row))
    words = f"*Within {NEAR} after* so many epochs: the median over the networks, until the network is within\n"
    words += f"{NEAR} points of what it was, or better.\n"
    return "\n".join([*lines, "", words])


def _reached(curve: Sequence[float], original: float) -> Optional[int]:
    """The first epoch after which a network is what it was; ``None`` where it never is."""
    # Numbers of images divided by their count: not exact in binary.
    near = [n for n, accuracy in enumerate(curve) if 100 * (original - accuracy) <= NEAR + 1e-6]
    return near[0] if near else None


def _median(epochs: Sequence[Optional[int]]) -> str:
    middle = median(EPOCHS + 1 if own is None else own for own in epochs)
    return f"more than {EPOCHS}" if middle > EPOCHS else f"{middle:g}"


def _findings(accuracies: Sequence[float], results: Sequence[Result]) -> str:
    lines = []
    for budget in dict.fromkeys(result.task.budget for result in results):
        own = [result for result in results if result.task.budget == budget]
        lost = [
            f"{criterion} {_lost(accuracies, [r for r in own if r.criterion == criterion])}"
            for criterion in dict.fromkeys(result.criterion for result in own)
        ]
        lines.append(f"* {budget:.0%} of the multiply-adds, restored, points less than before: {'; '.join(lost)}.")
        kept = [result.plan for result in own if result.criterion == AUTO]
        if kept:
            counted = [f"{name} ({kept.count(name)} of {len(kept)})" for name in dict.fromkeys(kept)]
            lines.append(f"* There `{AUTO}` kept {'; '.join(counted)}.")
    seconds = [result.seconds for result in results]
    lines.append(f"* Restoring one plan took {median(seconds):.0f} to {max(seconds):.0f} seconds on one core (median, most).")
    return "\n".join([*lines, ""])


def _lost(accuracies: Sequence[float], results: Sequence[Result]) -> str:
    return f"{mean(100 * (accuracies[r.task.seed] - r.accuracies['restored']) for r in results):.1f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(numbers: Sequence[float]) -> str:
    if len(numbers) < 2:
        return f"{100 * numbers[0]:.1f}" if numbers else ""
    return f"{100 * mean(numbers):.1f} ± {100 * stdev(numbers):.1f}"
