"""The slicing script: a stand-alone program that turns the old parameter file into the new one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import DTypeLike, NDArray

from prunec.embedded.slices import Gather, ParameterSlice
from prunec.graph import Shape
from prunec.rewriting.slicing import compact

_EMBEDDED = "prunec.embedded"
_TEMPLATES = "prunec.rewriting"
#: What embedded modules import from one another.
_IMPORTS = re.compile(rf"^from {re.escape(_EMBEDDED)}\.\w+ import (?:\([^)]*\)|[^(\n]*)\n", re.MULTILINE)
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
class Rows:
    """The entries of a mapping or a list, each in a line of its own."""

    entries: Union[Mapping[str, Any], Sequence[Any]]

    def text(self) -> str:
        """The lines, as literals."""
        if isinstance(self.entries, Mapping):
            lines = [f"{_literal(key)}: {_literal(value)}" for key, value in self.entries.items()]
        else:
            lines = list(map(_literal, self.entries))
        return "".join(f"    {line},\n" for line in lines)


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
    return render("slice_params.py.txt", slices, records or {}, model=model_name, digest=model_digest)


class _Script(Template):
    """The text of a script with places for what it holds: ``$name``, and ``${embedded.name}`` for a module of
    :mod:`prunec.embedded`."""

    idpattern = r"(?:embedded\.)?[a-z_0-9]+"


class _Texts(dict[str, str]):
    """What goes into the places of a script, by name."""

    def __missing__(self, name: str) -> str:
        kind, _, module = name.partition(".")
        if kind != "embedded" or not module:
            raise KeyError(name)
        return f"# --- {module} ".ljust(100, "-") + "\n\n" + embedded(module)


def render(
    template: str, slices: Sequence[ParameterSlice], records: Mapping[str, DTypeLike], **values: object
) -> str:
    """The text of a template that shows the tables of some slices, and ``values`` besides: each as a literal,
    and :class:`Rows` line by line.

    Raises ``ValueError`` when a parameter is listed twice.
    """
    if len({parameter.name for parameter in slices}) != len(slices):
        raise ValueError("a parameter is listed twice")
    kept: dict[tuple[Any, ...], _Positions] = {}
    rows = {parameter.name: _row(parameter, records, kept) for parameter in slices}
    tables = {"kept": "".join(map(_kept_lines, kept.values())), "parameters": _literal(Rows(rows))}
    texts = _Texts({name: _literal(value) for name, value in values.items()})
    texts["tables"] = Template(_text("tables.py.txt")).substitute(tables).rstrip("\n")
    texts["reading"] = _text("reading.txt").rstrip("\n")
    return _Script(_text(template)).substitute(texts)


def _text(name: str) -> str:
    return (files(_TEMPLATES) / "templates" / name).read_text("ascii")


def embedded(name: str) -> str:
    """The text of a module of :mod:`prunec.embedded` as a script holds it: all but its imports from that
    package, since what they name stands above."""
    return _IMPORTS.sub("", files(_EMBEDDED).joinpath(f"{name}.py").read_text("ascii"))


def _kept_lines(positions: _Positions) -> str:
    """An entry of the script's KEPT."""
    rows = f" in each of {len(positions.lines)} rows" if positions.by_row else ""
    lines = [f"    # {positions.count} of {positions.size}{rows}", f"    {_literal(positions.key)}: ["]
    for pieces in positions.lines:
        if len(pieces) > 1:
            lines += ["        (", *(f"            {_literal(piece)}" for piece in pieces), "        ),"]
        else:
            lines.append(f"        {_literal(pieces[0])},")
    return "".join(f"{line}\n" for line in (*lines, "    ],"))


def _literal(value: object) -> str:
    """Texts, numbers, and tuples, lists and mappings of such, as Python writes them: names get into a script
    in no other way."""
    if isinstance(value, str):
        # ASCII only: no letter of a stranger's name can reorder, imitate or end what stands around it.
        text = ascii(str(value))
        return text if "'" in value or '"' in value else f'"{text[1:-1]}"'
    if isinstance(value, Rows):
        return value.text()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(own)}" for key, own in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def _row(
    parameter: ParameterSlice, records: Mapping[str, DTypeLike], kept: dict[tuple[Any, ...], _Positions]
) -> tuple[object, ...]:
    """What the script's PARAMETERS says of a parameter; ``slices_of`` reads it."""
    sizes = list(parameter.view)
    gathers = []
    for gather in parameter.gathers:
        key = _positions(gather, sizes[gather.axis] or 0, kept).key
        gathers.append((int(gather.axis), key, *([_integers(gather.rows)] if gather.rows else [])))
        sizes[gather.axis] = gather.kept.shape[-1]
    dtype = records.get(parameter.name)
    name = "" if dtype is None else dtype if isinstance(dtype, str) else np.dtype(dtype).name
    view = [] if parameter.view == parameter.shape else [_integers(parameter.view)]
    return name, _integers(parameter.shape), _integers(parameter.new_shape), gathers, *view


def _positions(gather: Gather, size: int, kept: dict[tuple[Any, ...], _Positions]) -> _Positions:
    """The entry for what a gather keeps; the same positions share one entry."""
    rows: NDArray[np.int64] = gather.kept.reshape(-1, gather.kept.shape[-1])
    identity = (size, bool(gather.rows), rows.shape, rows.tobytes())
    if identity not in kept:
        key = f"k{len(kept) + 1}"
        lines = tuple(_pieces(compact(row)) for row in rows)
        kept[identity] = _Positions(key, rows.shape[1], size, bool(gather.rows), lines)
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
