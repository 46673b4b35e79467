"""groups.json: everything that a program of one's own needs to choose what goes.

The format is described in ``docs/plan_and_files.md`` and ``prunec/schemas/groups.schema.json``.
"""

from __future__ import annotations

import json
from math import prod
from typing import Any, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis, Parameter
from prunec.planning.members import Member, group_names
from prunec.planning.planfile import Origin

FORMAT = "prunec groups"
VERSION = 1


def unit_cost(members: Sequence[Member]) -> Optional[int]:
    """How many parameter elements go with the first unit of a group when nothing else goes; ``None`` where
    an axis of a parameter is open."""
    if any(None in member.parameter.channels.layout.factors for member in members):
        return None
    total = 0
    by_parameter: dict[str, list[Member]] = {}
    for member in members:
        by_parameter.setdefault(member.parameter.name, []).append(member)
    for own in by_parameter.values():
        view = [size or 0 for size in own[0].parameter.channels.layout.factors]
        for i, member in enumerate(own):
            total += member.positions.shape[1] * _rest(view, member.axes)
            # An element that two positions of the unit share goes once.
            total -= sum(_shared(view, member, other) for other in own[:i])
    return total


def _rest(view: Sequence[int], axes: Sequence[int]) -> int:
    return prod(size for axis, size in enumerate(view) if axis not in axes)


def _shared(view: Sequence[int], first: Member, second: Member) -> int:
    common = [axis for axis in first.axes if axis in second.axes]
    counts = []
    for member in (first, second):
        place = dict(zip(member.axes, np.unravel_index(member.positions[0], member.sizes)))
        key = np.zeros(member.positions.shape[1], dtype=np.int64)
        for axis in common:
            key = key * view[axis] + place[axis]
        counts.append(np.bincount(key, minlength=prod(view[axis] for axis in common)))
    return int((counts[0] * counts[1]).sum()) * _rest(view, (*first.axes, *second.axes))


# --- the file ---------------------------------------------------------------------------------


def groups_text(
    analysis: Analysis,
    origin: Origin,
    members: Sequence[Sequence[Member]],
    digests: Sequence[str],
    version: str,
) -> str:
    """The text of groups.json, one member of a group in a line; ``digests`` are those of the groups and
    ``version`` is prunec's."""
    head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "prunec": version, **origin.members()}
    head["group_digests"] = list(digests)
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    views = [f"    {json.dumps(p.name)}: {json.dumps(_view(p))}" for p in _parameters(members)]
    lines.append(f'  "parameter_views": {_block("{", views, "}")}')
    numbers: dict[int, int] = {}
    cells: dict[int, int] = {}
    names = group_names(members)
    groups = [
        _group(analysis, number, names[number], members[number], numbers, cells)
        for number in range(len(members))
    ]
    lines.append(f'  "groups": {_block("[", groups, "]")}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _block(opening: str, entries: Sequence[str], closing: str) -> str:
    return opening + "\n" + ",\n".join(entries) + f"\n  {closing}" if entries else opening + closing


def _parameters(members: Sequence[Sequence[Member]]) -> list[Parameter]:
    found: dict[str, Parameter] = {}
    for own in members:
        for member in own:
            found.setdefault(member.parameter.name, member.parameter)
    return list(found.values())


def _view(parameter: Parameter) -> dict[str, Any]:
    view, shape = (
        [None if size is None else int(size) for size in sizes]
        for sizes in (parameter.channels.layout.factors, parameter.shape)
    )
    return {"shape": shape, "view": view, "masked": parameter.neutral}


def _group(
    analysis: Analysis,
    number: int,
    name: str,
    members: Sequence[Member],
    numbers: dict[int, int],
    cells: dict[int, int],
) -> str:
    group = analysis.solution.groups[number]
    own = None
    if (group.cells >= 0).any():
        own = [cells.setdefault(cell, len(cells)) for cell in group.cells.tolist()]
    head = {
        "group": number,
        "name": name,
        "units": len(group.units),
        "cells": own,
        "domain": numbers.setdefault(group.domain, len(numbers)),
        "approximate": approximate_reasons(analysis, number),
        "cost": {"parameters": unit_cost(members)},
    }
    entries = ",\n".join(f"        {_member(member)}" for member in members)
    return f'    {json.dumps(head)[:-1]}, "members": [\n{entries}\n      ]}}'


def _member(member: Member) -> str:
    return json.dumps(
        {
            "parameter": member.parameter.name,
            "axis": member.axis,
            "axes": list(member.axes),
            "sizes": list(member.sizes),
            "per_unit": member.positions.shape[1],
            "positions": member.positions.reshape(-1).tolist(),
        }
    )


def approximate_reasons(analysis: Analysis, number: int) -> list[str]:
    """Why removing units of a group changes the values of what stays; empty where it does not."""
    reasons = []
    graph = analysis.model.graph
    for cause_number in analysis.solution.groups[number].approximate:
        cause = analysis.solution.causes[cause_number]
        node = graph.nodes[cause.node]
        reasons.append(f"{node.name} ({node.operator}): {cause.text or 'it combines over these channels'}")
    return reasons
