"""Where the units of each group stand in the parameters, and a digest of that."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import count
from typing import Any, Callable, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis, Parameter
from prunec.channels.components import Atoms
from prunec.channels.solve import Solution

#: Hexadecimal digits of a group's digest.
DIGEST_LENGTH = 16


@dataclass(frozen=True, eq=False)
class Member:
    """Where the units of a group stand in a parameter.

    ``axes`` are axes of the parameter's view, ``sizes`` their sizes, and row ``i`` of ``positions``, which
    has the shape (units, positions of one unit), holds the flat positions of unit ``i`` in an array of
    these sizes.  ``axis`` is the axis of the parameter itself that the last of ``axes`` is a factor of.
    """

    parameter: Parameter
    axis: int
    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    positions: Atoms


def group_members(analysis: Analysis) -> tuple[tuple[Member, ...], ...]:
    """The members of each group, in the order of the parameters."""
    solution = analysis.solution
    group_of = np.full(solution.unit_count + 1, -1, dtype=np.int64)
    for group in solution.groups:
        group_of[group.units] = group.number
    members: list[list[Member]] = [[] for _ in solution.groups]
    for parameter in analysis.parameters:
        layout = parameter.channels.layout
        axis_of = [axis for axis, factors in enumerate(layout.axes) for _ in factors]
        for factors, array in zip(layout.arrays, parameter.channels.arrays):
            units = solution.units(array).reshape(-1)
            groups = group_of[units]
            positions = np.flatnonzero(groups >= 0)
            # Group by group, in each unit by unit, in each by position.
            order = np.lexsort((units[positions], groups[positions]))
            positions = positions[order]
            found, starts = np.unique(groups[positions], return_index=True)
            for number, part in zip(found.tolist(), np.split(positions, starts[1:])):
                rows = part.reshape(len(solution.groups[number].units), -1)
                member = Member(parameter, axis_of[factors[-1]], tuple(factors), array.shape, rows)
                members[number].append(member)
    return tuple(map(tuple, members))


def group_names(members: Sequence[Sequence[Member]]) -> tuple[str, ...]:
    """A readable name for each group: the first parameter that its units are produced by (where they stand
    on the first axis), else the first they stand in.  Not unique; the number is."""
    names = []
    for own in members:
        produced = [member for member in own if member.axis == 0 and len(member.parameter.shape) > 1]
        names.append((produced or list(own))[0].parameter.name)
    return tuple(names)


# --- what a group means -----------------------------------------------------------------------


def group_digests(analysis: Analysis) -> list[str]:
    """A digest of each group: of what each of its units takes from which parameters, and which of its units
    stand in one balance cell.

    Two analyses of a model give a group the same digest where removing unit ``i`` of it means the same.  How
    a rule writes an axis down does not matter, nor does a size that is open in one of the two and known in
    the other, as long as the units do not depend on it.
    """
    return _digests(analysis, lambda parameter: parameter.name)


def group_forms(analysis: Analysis) -> list[str]:
    """A digest of what each group looks like, equal for groups that differ only in the parameters they stand
    in: those have the same shapes, and each unit takes the same of them."""
    return _digests(analysis, lambda parameter: list(parameter.shape))


def _digests(analysis: Analysis, told_by: Callable[[Parameter], Any]) -> list[str]:
    solution = analysis.solution
    group_of, place_of = _places(solution)
    records: list[list[tuple[str, bytes]]] = [[] for _ in solution.groups]
    for parameter in analysis.parameters:
        axis_of = [axis for axis, own in enumerate(parameter.channels.layout.axes) for _ in own]
        for factors, array in zip(parameter.channels.layout.arrays, parameter.channels.arrays):
            units = solution.units(array)
            order = np.argsort(factors, kind="stable")
            units, ordered = units.transpose(order), [factors[i] for i in order]
            groups = group_of[units]
            for number in np.unique(groups[groups >= 0]).tolist():
                places = np.where(groups == number, place_of[units], -1)
                told = told_by(parameter)
                records[number].append(_record(told, parameter, ordered, places, axis_of[factors[-1]]))
    return [_digest(own, group.cells) for own, group in zip(records, solution.groups)]


def _places(solution: Solution) -> tuple[Atoms, Atoms]:
    """For each unit its group and its place there, -1 where it has none; the last entries stand for what is
    no unit."""
    group_of = np.full(solution.unit_count + 1, -1, dtype=np.int64)
    place_of = np.full(solution.unit_count + 1, -1, dtype=np.int64)
    for group in solution.groups:
        group_of[group.units] = group.number
        place_of[group.units] = np.arange(len(group.units))
    return group_of, place_of


def _record(
    told: Any, parameter: Parameter, factors: Sequence[int], places: Atoms, shorter: int
) -> tuple[str, bytes]:
    """What stands along the axes that the factors belong to, without the factors along which nothing
    changes: only that there are such before others matters, not their size."""
    varying = [d for d in range(places.ndim) if (places != places.take([0], d)).any()]
    # Where the same unit stands everywhere, one factor speaks for all.
    own = {factors[d]: places.shape[d] for d in varying or [places.ndim - 1]}
    places = places[tuple(slice(None) if factor in own else 0 for factor in factors)]
    axes: list[list[int]] = []
    number = count()
    for axis, listed in enumerate(parameter.channels.layout.axes):
        sizes: list[int] = []  # 0: factors along which nothing changes
        for _ in listed:
            size = own.get(next(number), 0)
            if sizes and bool(sizes[-1]) == bool(size):
                sizes[-1] *= size
            else:
                sizes.append(size)
        if any(sizes):
            axes.append([axis, *(sizes if sizes[-1] else sizes[:-1])])
    head = json.dumps([told, shorter, axes])
    return head, np.ascontiguousarray(places, dtype="<i8").tobytes()


def _digest(records: Sequence[tuple[str, bytes]], cells: Atoms) -> str:
    digest = hashlib.sha256()
    for head, places in sorted(records):
        digest.update(f"{head}\n{len(places)}\n".encode("utf-8", "surrogatepass"))
        digest.update(places)
    if (cells >= 0).any():
        numbers: dict[int, int] = {}
        digest.update(
            json.dumps([numbers.setdefault(cell, len(numbers)) for cell in cells.tolist()]).encode()
        )
    return digest.hexdigest()[:DIGEST_LENGTH]
