"""Writes the table of schemas anew, from PyTorch: ``python -m prunec.frontends.pytorch.make_schemas``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from prunec.frontends.pytorch.names import operator_name
from prunec.frontends.pytorch.schemas import KEYWORDS_FOLLOW, TABLE, VIEW, WRITES
from prunec.language.resources import data_folder

_NAMESPACE = "aten::"
#: Arguments of operators that read or write files, which no program may do.
_FILES = frozenset({"filename"})
#: What a type shares memory with, in brackets: ``Tensor(a!)``.
_SHARED = re.compile(r"(?<=Tensor)\([^)]*\)")
_COUNT = re.compile(r"(?<=\[)\d+(?=\])")
_ARGUMENT = re.compile(
    r"(?P<kind>[^ ,=]+) (?P<name>\w+)(?:=(?:\[[^\]]*\]|\"[^\"]*\"|'[^']*'|[^,]*))?(?=, |$)"
)


def main() -> None:
    """Writes ``rules/aten_schemas.json``."""
    import torch

    registered = set(torch._C._dispatch_get_all_op_names())
    rows = {}
    for raw in torch._C._jit_get_all_schemas():
        qualified = ".".join(filter(None, (raw.name, raw.overload_name)))
        if qualified in registered and raw.name.startswith(_NAMESPACE) and _can_be_in_a_program(raw):
            overload = raw.overload_name or "default"
            rows[operator_name(f"torch.ops.{raw.name.replace('::', '.')}.{overload}")] = _row(raw)
    lines = [f"{json.dumps(name)}: {json.dumps(rows[name], separators=(',', ':'))}" for name in sorted(rows)]
    path: Path = data_folder("rules") / TABLE
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _can_be_in_a_program(raw: Any) -> bool:
    """Whether an operator works on tensors, and neither puts its results into others nor opens files."""
    into_others = any(a.kwarg_only and a.alias_info and a.alias_info.is_write for a in raw.arguments)
    tensors = any("Tensor" in str(part.type) for part in (*raw.arguments, *raw.returns))
    files = any(argument.name in _FILES for argument in raw.arguments)
    tables = any("Dict" in str(part.type) for part in raw.returns)
    return tensors and not (into_others or files or tables or "backward" in raw.name)


def _row(raw: Any) -> list[Any]:
    """An operator in the table: its arguments, as kind, name and default, and the kinds of its results."""
    text = _SHARED.sub(lambda match: WRITES if WRITES in match[0] else VIEW, str(raw).split("(", 1)[1])
    takes, returns = text.rsplit(") -> ", 1)
    kinds = {match["name"]: _kind(match["kind"]).replace(VIEW, "") for match in _ARGUMENT.finditer(takes)}
    assert list(kinds) == [argument.name for argument in raw.arguments], f"read {kinds} of {text}"
    arguments: list[Any] = []
    for argument in raw.arguments:
        if argument.kwarg_only and KEYWORDS_FOLLOW not in arguments:
            arguments.append(KEYWORDS_FOLLOW)
        default = [argument.default_value] if argument.has_default_value() else []
        arguments.append([kinds[argument.name], argument.name, *default])
    kinds_returned = [_kind(part.split(" ")[0]) for part in returns.strip("()").split(", ") if part]
    assert len(kinds_returned) == len(raw.returns), f"read {kinds_returned} of {text}"
    return [arguments, [kind.replace(WRITES, VIEW) for kind in kinds_returned]]


def _kind(text: str) -> str:
    """A type without the number of its elements, the mark of what is shared at its end."""
    plain = _COUNT.sub("", text)
    mark = next((mark for mark in (WRITES, VIEW) if mark in text), "")
    return plain.replace(mark, "") + mark


if __name__ == "__main__":
    main()
