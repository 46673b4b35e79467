"""The fields of a configuration for a smaller model, from what its parameters keep.

Each axis of a parameter that fields tell is looked at again: what is left of it has to be what the new fields
say, in all layers alike, and of a product with a field that cannot change, whole blocks have to be left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Any, Iterable, Mapping, NamedTuple, NoReturn, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from prunec.frontends.pytorch.config_table import Amount, Family
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

#: So many parameters are named for each size.
_MOST_NAMES = 4
_LAYER = re.compile(r"(?<=\.)\d+(?=\.)")


@dataclass(frozen=True, eq=False)
class Kept:
    """What is left of a parameter: its name and shape in the original, and for each axis the positions that
    stay, ``None`` for all."""

    name: str
    shape: tuple[int, ...]
    positions: tuple[Optional[NDArray[np.int64]], ...]


class _Axis(NamedTuple):
    """An axis of a parameter."""

    name: str
    axis: int


@dataclass(frozen=True)
class Configuration:
    """A ``config.json``: what it says of its family's fields, those that cannot change among them with the
    reason, and the file as messages call it."""

    family: Family
    fields: Mapping[str, int]
    fixed: Mapping[str, str]
    where: str


def configuration(family: Family, document: Mapping[str, Any], where: str) -> Configuration:
    """What a file says.  Raises PrunecError P353 for a field that is no size, or is missing."""
    fields: dict[str, int] = {}
    for field in family.fields.values():
        found = None if field.derived else document.get(field.name)
        if found is None and field.default is not None:
            found = field.default.value(fields)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            note = f"{field.name!r} is {printable(repr(found), 60)}, not a whole number from 1 on"
            if field.derived and field.default is not None:
                note = f"{field.default.text} is no whole number"
            _disagrees(where, note)
        fields[field.name] = found
    fixed = {field.name: field.fixed for field in family.fields.values() if field.fixed}
    for key, (names, why) in family.fixed_with.items():
        if _holds(document, key):
            fixed.update(dict.fromkeys(names, f"{why} ({key!r})"))
    return Configuration(family, fields, fixed, where)


def check_shapes(own: Configuration, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Whether parameters have the shapes that the configuration says.  Raises PrunecError P353."""
    for name, shape in shapes.items():
        axes = own.family.axes(name)
        if axes is None:
            continue
        if len(axes) != len(shape):
            _disagrees(own.where, f"{printable(name, 200)} has {len(shape)} axes, not {len(axes)}")
        for axis, (parts, size) in enumerate(zip(axes, shape)):
            said = sum(part.value(own.fields) or 0 for part in parts)
            if parts and said != size:
                text = " + ".join(part.text for part in parts)
                note = f"axis {axis} of {printable(name, 200)} has {size:,} positions; {text} is {said:,}"
                _disagrees(own.where, note)


def new_fields(own: Configuration, parameters: Iterable[Kept]) -> dict[str, int]:
    """The fields of the smaller model.

    Raises PrunecError P354 where no fields say what is left: layers that keep different amounts, parts of
    heads, what a field that cannot change is the size of, and what no field tells.
    """
    votes: dict[str, dict[int, list[_Axis]]] = {}
    broken: dict[tuple[str, ...], list[_Axis]] = {}
    for parameter in parameters:
        axes = own.family.axes(parameter.name)
        for axis, positions in enumerate(parameter.positions):
            here = _Axis(parameter.name, axis)
            parts = () if axes is None else axes[axis]
            if positions is not None and not parts:
                headline = f"no field of {own.family.name} tells how many channels are left"
                _unsaid(
                    own, headline, [f"axis {axis} of {printable(parameter.name, 200)} loses some"], [here]
                )
            for part, left in zip(parts, _by_part(own, parts, parameter.shape[axis], positions)):
                field, value = _told(own, part, left)
                if value is None:
                    broken.setdefault(tuple(_names(_split(own, part)[1])), []).append(here)
                elif field is not None:
                    votes.setdefault(field, {}).setdefault(value, []).append(here)
    for stays, places in broken.items():
        _broken(own, stays, places)
    fields = dict(own.fields)
    for field, values in votes.items():
        if len(values) > 1:
            _differ(own, field, values)
        fields[field] = next(iter(values))
    _check_derived(own, fields, votes)
    for divisor, field, why in own.family.divides:
        if fields[field] % fields[divisor] and not own.fields[field] % own.fields[divisor]:
            changed = [name for name in (divisor, field) if fields[name] != own.fields[name]]
            note = f"{field} {fields[field]} is no multiple of {divisor} {fields[divisor]}: {why}"
            _unsaid(own, f"{' and '.join(changed)} cannot be what is left", [note], _voters(votes, changed))
    return fields


def written_fields(
    own: Configuration, document: Mapping[str, Any], fields: Mapping[str, int]
) -> dict[str, Any]:
    """The document of the smaller model: the fields that changed, and those that the original left to
    defaults which are now others."""
    smaller = dict(document)
    for field in own.family.fields.values():
        said = document.get(field.name) is not None
        usual = None if field.default is None else field.default.value(fields)
        if not field.derived and (said or usual != fields[field.name]):
            smaller[field.name] = fields[field.name]
    in_order = list(document) == sorted(document)
    return dict(sorted(smaller.items())) if in_order else smaller


# --- one axis --------------------------------------------------------------------------------


def _by_part(
    own: Configuration, parts: Sequence[Amount], size: int, positions: Optional[NDArray[np.int64]]
) -> list[NDArray[np.int64]]:
    """The positions that stay in each part of an axis, counted from its beginning."""
    found = np.arange(size) if positions is None else positions
    left, at = [], 0
    for part in parts:
        end = at + (part.value(own.fields) or 0)
        left.append(found[(found >= at) & (found < end)] - at)
        at = end
    return left


def _told(own: Configuration, part: Amount, left: NDArray[np.int64]) -> tuple[Optional[str], Optional[int]]:
    """The field that may change in a part, ``None`` where there is none, and what it is now: ``None`` where
    what is left is not as many whole blocks."""
    free, kept = _split(own, part)
    block = prod(factor if isinstance(factor, int) else own.fields[factor] for factor in kept)
    counts = np.bincount(left // block, minlength=(part.value(own.fields) or 0) // block)
    whole = bool(np.isin(counts, (0, block)).all()) and (bool(free) or bool(counts.all()))
    return (free[0] if free else None), int((counts > 0).sum()) if whole else None


def _names(factors: Iterable[Union[int, str]]) -> list[str]:
    return [factor for factor in factors if isinstance(factor, str)]


def _split(own: Configuration, part: Amount) -> tuple[list[str], list[Union[int, str]]]:
    """The fields of a product that may change, and the other factors."""
    free = [factor for factor in _names(part.factors) if factor not in own.fixed]
    return free, [factor for factor in part.factors if factor not in free]


def _check_derived(
    own: Configuration, fields: Mapping[str, int], votes: Mapping[str, Mapping[int, Sequence[_Axis]]]
) -> None:
    for field in own.family.fields.values():
        default = field.default
        if not field.derived or default is None or default.value(fields) == fields[field.name]:
            continue
        named = [own for own in (*default.factors, default.divisor) if isinstance(own, str)]
        changed = [name for name in named if fields[name] != own.fields[name]]
        now = ", ".join(f"{name} {fields[name]}" for name in named)
        note = f"in {own.family.name} {field.name} is {default.text}, and has to stay {fields[field.name]}"
        headline = f"{' and '.join(changed)} cannot be what is left"
        _unsaid(own, headline, [f"{note}; left are {now}"], _voters(votes, changed))


# --- messages --------------------------------------------------------------------------------


def _broken(own: Configuration, stays: Sequence[str], places: Sequence[_Axis]) -> NoReturn:
    notes = [f"{field} stays {own.fields[field]}: {own.fixed[field]}" for field in stays]
    notes.append(f"not whole blocks of it are left in {_listed(places)}")
    _unsaid(own, f"{' and '.join(stays)} cannot be what is left", notes, places)


def _differ(own: Configuration, field: str, values: Mapping[int, Sequence[_Axis]]) -> NoReturn:
    notes = [f"{field} is {value} in {_listed(places)}" for value, places in sorted(values.items())]
    alike: dict[_Axis, set[int]] = {}
    for value, places in values.items():
        for place in places:
            alike.setdefault(_in_all_layers(place), set()).add(value)
    uneven = [place for place, found in alike.items() if len(found) > 1]
    changed = [place for place, found in alike.items() if found != {own.fields[field]}]
    help_text = ""
    if uneven:
        patterns = _patterns(uneven)
        help_text = (
            f"take the same from all layers by --policy: `policy {patterns} {{ uniform }}`, or --ratio "
            f"without --global; or keep it: `policy {patterns} {{ hold }}`"
        )
    _unsaid(own, f"{field} would be several numbers", notes, changed, help_text)


def _unsaid(
    own: Configuration, headline: str, notes: Sequence[str], places: Sequence[_Axis], help_text: str = ""
) -> NoReturn:
    advice = help_text or f"keep what goes there by --policy: `policy {_patterns(places)} {{ hold }}`"
    headline = f"config.json cannot say what is left: {headline}"
    raise PrunecError(Diagnostic("P354", headline, own.where, notes=tuple(notes), help=advice))


def _in_all_layers(place: _Axis) -> _Axis:
    """An axis with ``*`` for the number of its layer."""
    return place._replace(name=_LAYER.sub("*", place.name))


def _patterns(places: Sequence[_Axis]) -> str:
    """Parameters as a policy names them, in all layers.

    What stands on a first axis is made there; a policy for where it is read would also be about what is made
    there.
    """
    made = [place for place in places if place.axis == 0] or places
    patterns: dict[str, str] = {}
    for pattern in sorted((_in_all_layers(place).name for place in made), reverse=True):
        # One parameter of a module will do: its weight, where it has one.
        patterns.setdefault(pattern.rpartition(".")[0], pattern)
    return ", ".join(f'"{printable(pattern, 200)}"' for pattern in sorted(patterns.values()))


def _voters(votes: Mapping[str, Mapping[int, Sequence[_Axis]]], fields: Sequence[str]) -> list[_Axis]:
    return [place for field in fields for places in votes.get(field, {}).values() for place in places]


def _listed(places: Sequence[_Axis]) -> str:
    names = list(dict.fromkeys(place.name for place in places))
    shown = ", ".join(printable(name, 200) for name in names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown


def _disagrees(where: str, note: str) -> NoReturn:
    help_text = "give the folder that the program was exported from, as save_pretrained wrote it"
    raise PrunecError(
        Diagnostic(
            "P353", "config.json does not fit the tensors beside it", where, notes=(note,), help=help_text
        )
    )


def _holds(document: Any, key: str) -> bool:
    """Whether a document, or one inside of it, has a key that says something."""
    if not isinstance(document, Mapping):
        return False
    return document.get(key) is not None or any(_holds(own, key) for own in document.values())
