"""The slicing script: a stand-alone program that turns the old parameter file into the new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import jinja2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from prunec.graph import Shape
from prunec.rewriting.slicing import ParameterSlice, Take, compact

#: Characters in one string literal of the table; longer ones go on in the next line.
LITERAL_WIDTH = 92


@dataclass(frozen=True)
class _Positions:
    """One entry of the script's KEPT: ``count`` positions of ``size``; one line, or one for each row,
    and each line in pieces that fit the page."""

    key: str
    count: int
    size: int
    by_row: bool
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _TakeEntry:
    axis: int
    key: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class _ParameterEntry:
    name: str
    dtype: str
    shape: Shape
    new_shape: Shape
    takes: tuple[_TakeEntry, ...]
    view: Shape


def render_script(
    slices: Sequence[ParameterSlice],
    model_name: str,
    model_digest: str,
    records: Optional[Mapping[str, DTypeLike]] = None,
) -> str:
    """The text of ``slice_params.py`` for these slices, the same text for the same arguments.

    ``model_name`` and ``model_digest`` (SHA-256, hexadecimal) tell which model file the script belongs
    to.  ``records`` gives the element types that the script insists on, by parameter name: numpy types
    or, for what numpy does not have, a name such as ``"bfloat16"``.  Raises ``ValueError`` when a
    parameter is listed twice.
    """
    return render(
        "slice_params.py.j2", slices, records or {}, model_name=model_name, model_digest=model_digest
    )


def render(
    template: str, slices: Sequence[ParameterSlice], records: Mapping[str, DTypeLike], **values: object
) -> str:
    """The text of a template that shows the tables of some slices, and ``values`` besides.

    Raises ``ValueError`` when a parameter is listed twice.
    """
    if len({parameter.name for parameter in slices}) != len(slices):
        raise ValueError("a parameter is listed twice")
    kept: dict[tuple[Any, ...], _Positions] = {}
    entries = [_entry(parameter, records, kept) for parameter in slices]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("prunec.rewriting"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # The text is a program: names get into it as literals only, through the filter below.
        autoescape=False,
    )
    environment.filters["literal"] = _literal
    environment.filters["shown"] = _shown
    found = environment.get_template(template)
    return found.render(kept=list(kept.values()), parameters=entries, **values)


def _shown(value: object) -> str:
    """Names, numbers and tuples of such as a literal; names as :func:`_literal` writes them."""
    if isinstance(value, str):
        return _literal(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def _literal(value: str) -> str:
    # ASCII only: no letter of a stranger's name can reorder, imitate or end what stands around it.
    text = ascii(str(value))
    return text if "'" in value or '"' in value else f'"{text[1:-1]}"'


def _entry(
    parameter: ParameterSlice, records: Mapping[str, DTypeLike], kept: dict[tuple[Any, ...], _Positions]
) -> _ParameterEntry:
    sizes = list(parameter.view)
    takes = []
    for take in parameter.takes:
        key = _positions(take, sizes[take.axis] or 0, kept).key
        takes.append(_TakeEntry(int(take.axis), key, tuple(map(int, take.rows))))
        sizes[take.axis] = take.kept.shape[-1]
    dtype = records.get(parameter.name)
    return _ParameterEntry(
        parameter.name,
        "" if dtype is None else dtype if isinstance(dtype, str) else np.dtype(dtype).name,
        _integers(parameter.shape),
        _integers(parameter.new_shape),
        tuple(takes),
        _integers(parameter.view),
    )


def _positions(take: Take, size: int, kept: dict[tuple[Any, ...], _Positions]) -> _Positions:
    """The entry for what a take keeps; the same positions share one entry."""
    rows: NDArray[np.int64] = take.kept.reshape(-1, take.kept.shape[-1])
    identity = (size, bool(take.rows), rows.shape, rows.tobytes())
    if identity not in kept:
        key = f"k{len(kept) + 1}"
        lines = tuple(_pieces(compact(row)) for row in rows)
        kept[identity] = _Positions(key, rows.shape[1], size, bool(take.rows), lines)
    return kept[identity]


def _pieces(text: str) -> tuple[str, ...]:
    pieces = [""]
    for part in text.replace(", ", ", \n").split("\n"):
        if len(pieces[-1]) + len(part) > LITERAL_WIDTH:
            pieces.append("")
        pieces[-1] += part
    return tuple(pieces)


def _integers(sizes: Iterable[Optional[int]]) -> Shape:
    # Sizes may be numpy integers, which numpy 2 prints with their type.
    return tuple(None if size is None else int(size) for size in sizes)
