"""Nothing outside of the front ends knows one from another: no name of a framework, no look at a type."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator

import pytest

from prunec.frontends.base import FrontEnd
from prunec.frontends.registry import _BUILT_IN, built_in

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "prunec"
FRONT_ENDS = PACKAGE / "frontends"
FRAMEWORK = re.compile(r"mxnet|onnx|torch", re.IGNORECASE)
#: What front ends import and slicing scripts hold: a module for a format.
EMBEDDED = PACKAGE / "embedded"
#: What users of a framework call from their own code.
OWN_INTERFACE = PACKAGE / "pytorch"
MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if not {FRONT_ENDS, EMBEDDED, OWN_INTERFACE}.intersection(path.parents)
)

#: Help names the formats that come with prunec: in `help=` and in the descriptions of commands.
HELP = {"cli/options.py", "cli/verify_command.py", "cli/diff_command.py", "cli/rules_command.py"}
#: What is looked up by name in what is no front end, no model and nothing of theirs: by file, the objects.
LOOKED_UP = {
    "__init__.py": {"import_module(module)"},
    "cli/main.py": {"module", "options", "signal", "stream"},
    "cli/inputs.py": {"options"},
    "cli/plan_options.py": {"options"},
    "cli/sensitivity_command.py": {"options"},
    "cli/usage.py": {"options"},
    "compiling/calling.py": {"array"},
    "compiling/compile.py": {"choice"},
    "explaining/links.py": {"self"},
    "language/builder.py": {"self"},
    "language/stored.py": {"value"},
    "language/tree.py": {"item"},
    "language_server/server.py": {"server"},
    "planning/choose.py": {"options", "options.limits", "usual"},
    "planning/planfile.py": {"error"},
    "scoring/criteria.py": {"found", "module"},
    "scoring/measured.py": {"activity"},
    "support/cache.py": {"os"},
    "support/files.py": {"error"},
    "support/workers.py": {"os"},
}


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def identifiers(node: ast.AST) -> Iterator[str]:
    """The names that a node of a syntax tree itself holds."""
    for field in ("id", "attr", "arg", "name", "module", "asname"):
        value = getattr(node, field, None)
        if isinstance(value, str):
            yield value


def strings_for_people(tree: ast.Module, helpful: bool) -> set[int]:
    """Docstrings and, in a module that says what options are for, that."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr):
                found |= {id(part) for part in ast.walk(first)}
        elif helpful and isinstance(node, ast.keyword) and node.arg == "help":
            found |= {id(part) for part in ast.walk(node)}
    for statement in tree.body if helpful else ():
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            found.add(id(statement.value))
    return found


def framework_names(path: Path, helpful: bool) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    spared = strings_for_people(tree, helpful)
    found = []
    for node in ast.walk(tree):
        texts = list(identifiers(node))
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and id(node) not in spared:
            texts.append(str(node.value))
        found += [f"{node.lineno}: {text}" for text in texts if FRAMEWORK.search(text)]
    return found


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_framework_is_named(path: Path) -> None:
    assert framework_names(path, name(path) in HELP) == []


def test_help_that_names_formats_is_listed_only_where_it_does() -> None:
    assert {name(path) for path in MODULES if framework_names(path, False)} == HELP


def classes_of_front_ends() -> set[str]:
    """The classes of the front ends, and protocols anywhere by which models could be told apart."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                checkable = any("runtime_checkable" in ast.dump(mark) for mark in node.decorator_list)
                if checkable or FRONT_ENDS in path.parents:
                    found.add(node.name)
    return found


def calls(path: Path, *functions: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            yield node


def test_no_type_of_a_front_end_is_looked_at() -> None:
    classes = classes_of_front_ends()
    assert {"FrontEnd", "MXNetModel", "OnnxModel", "Runnable", "SmallNetwork"} <= classes
    found = []
    for path in MODULES:
        for call in calls(path, "isinstance", "issubclass"):
            told = {part for node in ast.walk(call.args[1]) for part in identifiers(node)} & classes
            found += [f"{name(path)}:{call.lineno}: {text}" for text in told]
    assert found == []


def test_nothing_of_a_model_is_looked_up_by_name() -> None:
    found: dict[str, set[str]] = {}
    for path in MODULES:
        for call in calls(path, "getattr", "hasattr"):
            found.setdefault(name(path), set()).add(ast.unparse(call.args[0]))
    assert found == LOOKED_UP


def test_the_front_ends_that_come_along_are_declared_as_any_other() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = re.search(r'\[project\.entry-points\."prunec\.frontends"\]\n((?:\w+ = .*\n)+)', text)
    assert section is not None
    declared = dict(re.findall(r'(\w+) = "([\w.]+):FRONT_END"', section[1]))
    assert declared == _BUILT_IN


@pytest.mark.parametrize("front", built_in(), ids=lambda front: front.name)
def test_a_front_end_holds_no_state(front: FrontEnd) -> None:
    assert vars(front) == {}
