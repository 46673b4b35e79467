"""Groups that look alike and are to lose the same: ``uniform`` in policies.

Choices that look alike become one choice, whose steps take of each what a step of it took: criteria,
rankings, budgets and limits need not know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.choices import Choice, Ranking
from prunec.channels.components import connected_components
from prunec.language.policy_syntax import Setting
from prunec.planning.members import group_forms
from prunec.planning.policy import ModelPolicy, choices_at, numbers_of_choices
from prunec.support.diagnostics import Annotation, Diagnostic, Severity

#: What tells choices apart that do not look alike: the forms of their groups, and the sizes of their cells.
_Form = tuple[tuple[str, ...], tuple[int, ...]]


def tied_choices(
    analysis: Analysis, choices: Sequence[Choice], policy: ModelPolicy
) -> tuple[Sequence[Sequence[int]], tuple[Diagnostic, ...]]:
    """The numbers of choices that are to lose the same, each in one of the sequences, in the order of their
    first; warnings (P529) where ``uniform`` changes nothing."""
    said = [
        (setting, nodes)
        for own, nodes in zip(policy.file.policies, policy.nodes)
        for setting in own.settings
        if setting.kind == "uniform"
    ]
    if not said:
        return [(choice.number,) for choice in choices], ()
    forms = _forms(analysis, choices)
    choice_of = numbers_of_choices(analysis, choices)
    left: list[int] = []
    right: list[int] = []
    warnings = []
    for setting, nodes in said:
        alike: dict[_Form, list[int]] = {}
        for number in sorted({c for node in nodes for c in choices_at(analysis, node, choice_of)}):
            alike.setdefault(forms[number], []).append(number)
        for first, *others in alike.values():
            left += [first] * len(others)
            right += others
        if nodes and all(len(numbers) == 1 for numbers in alike.values()):
            warnings.append(_nothing_alike(setting))
    labels = connected_components(len(choices), np.array(left, np.int64), np.array(right, np.int64))
    together: dict[int, list[int]] = {}
    for choice in choices:
        together.setdefault(int(labels[choice.number]), []).append(choice.number)
    return list(together.values()), tuple(warnings)


def joined(
    choices: Sequence[Choice], rankings: Sequence[Ranking], together: Sequence[Sequence[int]]
) -> tuple[list[Choice], list[Ranking]]:
    """Choices and their rankings, those that lose the same as one."""
    new_choices, new_rankings = [], []
    for number, members in enumerate(together):
        own = [choices[member] for member in members]
        groups = tuple(group for choice in own for group in choice.groups)
        cells = tuple(cell for choice in own for cell in choice.cells)
        new_choices.append(replace(own[0], number=number, groups=groups, cells=cells))
        orders = np.concatenate([rankings[member].order for member in members])
        scores = np.mean([rankings[member].scores for member in members], axis=0)
        new_rankings.append(Ranking(orders, scores))
    return new_choices, new_rankings


def _forms(analysis: Analysis, choices: Sequence[Choice]) -> Mapping[int, _Form]:
    forms = group_forms(analysis)
    return {
        choice.number: (
            tuple(forms[group] for group in choice.groups),
            tuple(len(cell) for cell in choice.cells),
        )
        for choice in choices
    }


def _nothing_alike(setting: Setting) -> Diagnostic:
    return Diagnostic(
        "P529",
        "`uniform` changes nothing at the nodes that this policy matches",
        annotations=(Annotation(setting.span),),
        notes=("no two of their groups look alike: parameters of the same shapes, sliced in the same way",),
        help="name the nodes of all layers with one pattern, or delete it",
        severity=Severity.WARNING,
    )
