"""The slicing script: a stand-alone program that turns the old parameter file into the new one."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Optional

import jinja2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from prunec.embedded.slices import Gather, ParameterSlice
from prunec.graph import Shape
from prunec.rewriting.slicing import compact

_EMBEDDED = "prunec.embedded"
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
    rows = {parameter.name: _row(parameter, records, kept) for parameter in slices}
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("prunec.rewriting"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # The text is a program: names get into it as literals only, through the filters below.
        autoescape=False,
    )
    environment.filters["literal"] = _literal
    environment.filters["shown"] = _shown
    environment.globals["embedded"] = _section
    found = environment.get_template(template)
    return found.render(kept=list(kept.values()), parameters=rows, **values)


def embedded(name: str) -> str:
    """The text of a module of :mod:`prunec.embedded` as a script holds it: all but its imports from that
    package, since what they name stands above."""
    text = files(_EMBEDDED).joinpath(f"{name}.py").read_text("ascii")
    tree = ast.parse(text)
    dropped: set[int] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(f"{_EMBEDDED}."):
            dropped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(keepends=True), start=1)
    return "".join(line for number, line in lines if number not in dropped)


def _section(name: str) -> str:
    """An embedded module under a heading."""
    return f"# --- {name} ".ljust(100, "-") + "\n\n" + embedded(name)


def _shown(value: object) -> str:
    """Names, numbers, and tuples and lists of such, as a literal; names as :func:`_literal` writes them."""
    if isinstance(value, str):
        return _literal(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def _literal(value: str) -> str:
    # ASCII only: no letter of a stranger's name can reorder, imitate or end what stands around it.
    text = ascii(str(value))
    return text if "'" in value or '"' in value else f'"{text[1:-1]}"'


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
