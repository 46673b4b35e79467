"""An exported program as text, a line for each value: what a reader wants to see of a change.

Two versions of a program have the same lines but for what changed, so that a plain diff of the texts shows
just that.  Where in somebody's code a node was written is in the file, with paths, and is not shown.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Optional

from prunec.frontends.pytorch.document import Argument, Omitted, ProgramText, Symbolic, Value
from prunec.frontends.pytorch.names import operator_name
from prunec.frontends.pytorch.symbols import size_of
from prunec.graph import shape_text
from prunec.support.diagnostics import printable


def program_lines(text: ProgramText, version: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The lines of the text, each with the name of what it shows: the module that a node was written in, or
    else a value."""
    yield "", f"program (format {version.get('major')}.{version.get('minor')})"
    for spec in text.inputs:
        if isinstance(spec.argument, Value):
            name = spec.argument.name
            of = f" = {_name(spec.target)}" if spec.target else ""
            yield spec.target or name, f"{spec.kind} {_name(name)}{of}: {_stated(text, name)}"
    for node in text.nodes:
        outputs = ", ".join(_output(text, one) for one in node.outputs)
        arguments = ", ".join(f"{_name(name)}={_argument(own)}" for name, own in node.arguments)
        yield node.module or node.name, f"{outputs} = {_name(operator_name(node.target))}({arguments})"
    for one in text.outputs:
        yield "", f"output {_argument(one)}"


def program_bytes(text: ProgramText, version: Mapping[str, Any]) -> bytes:
    """The whole text.  The same program gives the same text."""
    lines = "".join(f"{line}\n" for _, line in program_lines(text, version))
    return lines.encode("utf-8", "backslashreplace")


def _output(text: ProgramText, one: Argument) -> str:
    if isinstance(one, Value):
        return f"{_name(one.name)}: {_stated(text, one.name)}"
    if isinstance(one, tuple) and not isinstance(one, (Symbolic, Omitted)):
        return f"[{', '.join(_output(text, part) for part in one)}]"
    return _argument(one)


def _argument(own: Argument) -> str:
    if isinstance(own, (Value, Symbolic)):
        return _name(own.name)
    if isinstance(own, Omitted):
        return "…"
    if isinstance(own, tuple):
        return f"[{', '.join(map(_argument, own))}]"
    return printable(repr(own), 200)


def _stated(text: ProgramText, name: str) -> str:
    meta: Optional[Mapping[str, Any]] = text.metas.get(name)
    sizes = None if meta is None else meta.get("sizes")
    return shape_text(tuple(map(size_of, sizes)) if isinstance(sizes, list) else None)


def _name(name: str) -> str:
    return printable(name, 200)
