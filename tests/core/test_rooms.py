"""Dependencies point one way: each room imports from those before it, and none from itself in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "prunec"
#: The rooms, and single modules, in the order of the pipeline; what all use comes first.
ROOMS = (
    "sizes",
    "value",
    "support",
    "graph",
    "model",
    "examples",
    "language",
    "lowering",
    "channels",
    "analysis",
    "branches",
    "embedded",
    "rewriting",
    "frontends",
    "verifying",
    "restoring",
    "scoring",
    "planning",
    "explaining",
    "reporting",
    "proving",
    "authoring",
    "language_server",
    "cli",
    "compiling",
    "pytorch",
)
#: What may read the syntax tree of rules: what makes it, what lowers it, what tries and documents rules.
READ_THE_TREE = {
    "language",
    "lowering",
    "proving",
    "authoring",
    "language_server",
    "planning.policy",
    "frontends.trial_inputs",
    "frontends.trials",
    "frontends.mxnet.trials",
    "frontends.onnx.trials",
    "frontends.pytorch.trials",
}


def modules() -> list[str]:
    paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    return [".".join(path.parts) for path in paths if "_data" not in path.parts]


def path_of(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


def imported(module: str, deferred: bool = True) -> Iterator[str]:
    """The modules of prunec that a module imports; without ``deferred`` only those imported with it."""
    tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree)) if deferred else tree.body
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in skipped:
            if node.module.split(".")[0] == "prunec":
                for name in node.names:
                    inner = f"{node.module}.{name.name}"
                    yield inner if path_of(inner).is_file() else node.module


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_module_is_in_a_room() -> None:
    found = {room(module) for module in modules()} - {"__init__", "__main__"}
    assert found == {
        name for name in ROOMS if (PACKAGE / name).is_dir() or path_of(f"prunec.{name}").is_file()
    }
    assert found == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_no_arrow_points_upwards(name: str) -> None:
    upwards = [
        (module, other)
        for module in modules()
        if room(module) == name
        for other in imported(module)
        if room(other) in ROOMS and ROOMS.index(room(other)) > ROOMS.index(name)
    ]
    assert upwards == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    below = {module: set(imported(module, deferred=False)) - {module} for module in modules()}
    while True:
        free = {module for module, others in below.items() if not others & below.keys()}
        if not free:
            break
        below = {module: others for module, others in below.items() if module not in free}
    assert below == {}


def test_nothing_behind_lowering_reads_the_syntax_tree() -> None:
    readers = {module for module in modules() if "prunec.language.syntax" in set(imported(module))}
    named = {module for module in readers if not _allowed(module)}
    assert named == set()


def _allowed(module: str) -> bool:
    inner = module.partition(".")[2]
    return any(inner == name or inner.startswith(f"{name}.") for name in READ_THE_TREE)
