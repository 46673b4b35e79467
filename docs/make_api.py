"""Makes docs/api.md of the docstrings of what prunec offers: ``python docs/make_api.py > docs/api.md``."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from typing import Any, Iterator, Union

import prunec
import prunec.model
import prunec.pytorch

#: What is called, in the order in which it is used; records follow by their names.
_CALLED = ("compile", "read_model", "load_rules", "analyse", "groups", "make_plan", "uniform", "emit")
#: Names of types in signatures, with the modules that say what they are.
_TYPES = {
    "FileName": "prunec.compiling.calling",
    "Examples": "prunec.compiling.calling",
    "Choice": "prunec.compiling.compile",
    "Removed": "prunec.channels.removal",
    "Change": "prunec.compiling.result",
}
_HEAD = """# The Python interface

<!-- Made by `make docs` of the docstrings: change those. -->

"""
Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


def page() -> str:
    """The text of the page."""
    parts = [_HEAD + _text(inspect.getdoc(prunec) or "")]
    others = [name for name in prunec.__all__ if name not in _CALLED]
    functions = [name for name in others if inspect.isfunction(getattr(prunec, name))]
    records = [name for name in others if name not in functions]
    parts.append("## Functions")
    parts += [_function(f"prunec.{name}", getattr(prunec, name)) for name in (*_CALLED, *functions)]
    parts.append("## What they give")
    parts += [_record(name, getattr(prunec, name)) for name in records]
    parts.append(_record("Model", prunec.model.Model))
    parts.append("## Modules of PyTorch")
    parts.append(_text(inspect.getdoc(prunec.pytorch) or ""))
    for name in ("prune", "training"):
        parts.append(_function(f"prunec.pytorch.{name}", getattr(prunec.pytorch, name)))
    for record in (prunec.pytorch.PrunedModule, importlib.import_module("prunec.pytorch.pruning").Report):
        parts.append(_record(record.__name__, record))
    parts.append("## Names of types")
    parts += [_alias(name, module) for name, module in _TYPES.items()]
    return "\n\n".join(parts) + "\n"


def _function(name: str, function: Any) -> str:
    node = _parsed(function)
    return f"### `{name}`\n\n```python\n{_signature(name, node, _source(function))}\n```\n\n{_doc(function)}"


def _record(name: str, record: type) -> str:
    parts = [f"### `{name}`", _doc(record)]
    source = _source(record)
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    members = [member for member in node.body if not _private(member)]
    fields = [member for member in members if isinstance(member, ast.AnnAssign)]
    if fields:
        parts.append(
            "\n".join(f"* `{ast.get_source_segment(source, field)}`" for field in map(_bare, fields))
        )
    for member in members:
        if isinstance(member, ast.FunctionDef):
            doc = _text(ast.get_docstring(member) or "")
            given = "" if _is_property(member) else _arguments(member, source)
            result = "" if member.returns is None else f" -> {ast.get_source_segment(source, member.returns)}"
            parts.append(f"**`{member.name}{given}{result}`**\n\n{doc}")
    return "\n\n".join(parts)


def _bare(field: ast.AnnAssign) -> ast.AST:
    """A field without its default, which says how a record is made."""
    end = field.annotation
    bare = ast.AnnAssign(field.target, field.annotation, None, 1)
    for attribute in ("lineno", "col_offset"):
        setattr(bare, attribute, getattr(field, attribute))
    bare.end_lineno, bare.end_col_offset = end.end_lineno, end.end_col_offset
    return bare


def _private(node: ast.AST) -> bool:
    named = node.target if isinstance(node, ast.AnnAssign) else node
    name = getattr(named, "id", getattr(named, "name", "_"))
    return str(name).startswith("_")


def _is_property(node: Function) -> bool:
    return any(ast.unparse(own).endswith("property") for own in node.decorator_list)


def _parsed(function: Any) -> Function:
    (node,) = ast.parse(_source(function)).body
    assert isinstance(node, ast.FunctionDef)
    return node


def _source(thing: Any) -> str:
    return inspect.cleandoc("\n" + inspect.getsource(thing))


def _signature(name: str, node: Function, source: str) -> str:
    result = "" if node.returns is None else f" -> {ast.get_source_segment(source, node.returns)}"
    whole = f"{name}{_arguments(node, source)}{result}"
    if len(whole) <= 96:
        return whole
    inner = "".join(f"    {one},\n" for one in _each(node, source))
    return f"{name}(\n{inner}){result}"


def _arguments(node: Function, source: str) -> str:
    return f"({', '.join(one for one in _each(node, source) if one != 'self')})"


def _each(node: Function, source: str) -> Iterator[str]:
    """The arguments as they are written."""
    plain = node.args.args
    defaults = [None] * (len(plain) - len(node.args.defaults)) + list(node.args.defaults)
    for argument, default in zip(plain, defaults):
        yield _argument(argument, default, source)
    if node.args.kwonlyargs:
        yield "*"
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults):
        yield _argument(argument, default, source)


def _argument(argument: ast.arg, default: Any, source: str) -> str:
    text = ast.get_source_segment(source, argument) or argument.arg
    return text if default is None else f"{text} = {ast.get_source_segment(source, default)}"


def _alias(name: str, module: str) -> str:
    text = inspect.getsource(importlib.import_module(module))
    found = re.search(rf"((?:^#:[^\n]*\n)+)^{name} = ([^\n]+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{module} says nothing of {name}")
    said = " ".join(line[2:].strip() for line in found[1].splitlines())
    return f"### `{name}`\n\n```python\n{found[2].split('  # ')[0]}\n```\n\n{_text(said)}"


def _doc(thing: Any) -> str:
    return _text(inspect.getdoc(thing) or "")


def _text(doc: str) -> str:
    """A docstring as Markdown: its literals, its references, and the blocks behind `::`."""
    paragraphs = re.split(r"\n\s*\n", doc)
    found: list[str] = []
    is_code = False
    for paragraph in paragraphs:
        if is_code and paragraph.startswith("    "):
            code = inspect.cleandoc(f"\n{paragraph}")
            if found[-1].endswith("\n```") and found[-1].startswith("```"):
                found[-1] = f"{found[-1][:-4]}\n\n{code}\n```"
            else:
                found.append(f"```python\n{code}\n```")
            continue
        is_code = paragraph.endswith("::")
        plain = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", paragraph).replace("``", "`")
        found.append(re.sub(r"::$", ":", plain))
    return "\n\n".join(found)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    print(page(), end="")
