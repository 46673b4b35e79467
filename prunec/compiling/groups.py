"""The groups of a model, as a program of one's own asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.channels.components import Atoms
from prunec.compiling.notebook import table
from prunec.planning.groups_file import approximate_reasons, unit_cost
from prunec.planning.members import Member, group_members, group_names


@dataclass(frozen=True, eq=False)
class GroupMember:
    """Where the units of a group stand in a parameter of ``shape``; sizes that are open are ``None``.

    ``axis`` is the axis that gets shorter.  Seen as an array of the shape ``view``, the parameter holds unit
    ``i`` at ``positions[i]``: flat positions in an array of the sizes that ``axes`` of the view have.
    ``positions`` has the shape (units, positions of one unit).  Where ``view`` is ``shape`` and ``axes`` is
    ``(axis,)``, which is the usual case, these are indices along the axis.
    """

    parameter: str
    shape: tuple[Optional[int], ...]
    axis: int
    view: tuple[Optional[int], ...]
    axes: tuple[int, ...]
    positions: Atoms

    def elements(self, unit: int) -> NDArray[np.bool_]:
        """Which elements of the parameter go with the unit of that place in the group: truth values of the
        parameter's shape.  Raises ValueError where sizes of it are open."""
        view, shape = ([size for size in sizes if size is not None] for sizes in (self.view, self.shape))
        if len(view) < len(self.view) or len(shape) < len(self.shape):
            raise ValueError(f"the shape of {self.parameter} is not all known")
        found = np.zeros(view, dtype=bool)
        sizes = tuple(view[axis] for axis in self.axes)
        moved = np.moveaxis(found, self.axes, range(len(self.axes)))
        moved[np.unravel_index(self.positions[unit], sizes)] = True
        return found.reshape(shape)

    def __repr__(self) -> str:
        return f"<GroupMember {self.parameter!r} {self.shape}, axis {self.axis}>"


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Channels that can be removed one by one, each with all that belongs to it.

    ``units`` are the numbers of the group's units: where they stand in ``plan.removed``.  Of groups of one
    ``domain``, equally many units of each of the ``cells`` must go; ``cells`` has a number for each unit,
    ``None`` where there is nothing to balance.  ``approximate`` says why what stays changes its values, and
    is empty where it does not.  ``cost`` is how many parameter elements go with the first unit,
    ``None`` where that is not known.
    """

    number: int
    name: str
    units: Atoms
    domain: int
    cells: Optional[Atoms]
    approximate: tuple[str, ...]
    members: tuple[GroupMember, ...]
    cost: Optional[int]

    def __repr__(self) -> str:
        return f"<ChannelGroup {self.number} {self.name!r}: {len(self.units)} units in {self._places}>"

    @property
    def _places(self) -> str:
        return f"{len(self.members)} parameter{'' if len(self.members) == 1 else 's'}"

    def _repr_html_(self) -> str:
        rows = [(own.parameter, own.shape, own.axis, own.positions.shape[1]) for own in self.members]
        title = f"group {self.number}: {len(self.units)} units, by the name of {self.name}"
        return table(title, ("parameter", "shape", "axis", "positions of a unit"), rows)


class Groups(tuple[ChannelGroup, ...]):
    """The groups of a model, by their numbers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} groups, {sum(len(group.units) for group in self)} units>"

    def _repr_html_(self) -> str:
        rows = [
            (
                own.number,
                own.name,
                len(own.units),
                len(own.members),
                own.cost,
                "no" if own.approximate else "yes",
            )
            for own in self
        ]
        return table(f"{len(self)} groups", ("group", "name", "units", "parameters", "cost", "exact"), rows)


def groups(analysis: Analysis) -> Groups:
    """The groups of a model: which parameters, which axes, which positions belong to each unit."""
    members = group_members(analysis)
    names = group_names(members)
    return Groups(
        ChannelGroup(
            group.number,
            name,
            group.units,
            group.domain,
            group.cells if (group.cells >= 0).any() else None,
            tuple(approximate_reasons(analysis, group.number)),
            tuple(map(_member, own)),
            unit_cost(own),
        )
        for group, own, name in zip(analysis.solution.groups, members, names)
    )


def _member(member: Member) -> GroupMember:
    parameter = member.parameter
    view = parameter.channels.layout.factors
    return GroupMember(
        parameter.name, _sizes(parameter.shape), member.axis, _sizes(view), member.axes, member.positions
    )


def _sizes(sizes: Any) -> tuple[Optional[int], ...]:
    return tuple(None if size is None else int(size) for size in sizes)
