"""What becomes of the built-in rules for a node each: lowered rule, channel program, edits.

With ``PRUNEC_UPDATE=1`` in the environment the files of ``tests/lowering/texts`` are written anew; read what
changed then.  Nodes stay as they are while their rules take them.
"""

from __future__ import annotations

import difflib
import os
from contextlib import suppress
from pathlib import Path
from typing import Optional

import pytest

from lowering.rule_texts import TEXTS, Entry, Neighbours, Trial, draw_trial, entries, read_trial, texts

#: Forms of which no node can be drawn without a framework, and why.
NOT_DRAWN = {
    "default: tile when length(reps) < rank(data) and length(reps) > rank(data)": "no node is like that",
    "onnx: pad_with_copies": "only the operator's schema says which modes there are",
    "onnx: pad_positions_with_copies": "only the operator's schema says which modes there are",
}

LIBRARIES = ("default", "onnx")


def path_of(entry: Entry) -> Path:
    return TEXTS / entry.library / f"{entry.family}.txt"


def by_file(library: str) -> dict[Path, list[Entry]]:
    found: dict[Path, list[Entry]] = {}
    for entry in entries(library):
        found.setdefault(path_of(entry), []).append(entry)
    return found


def nodes_in(path: Path) -> dict[str, Trial]:
    """The node of each form in a file."""
    if not path.is_file():
        return {}
    parts = ("\n" + path.read_text(encoding="utf-8")).split("\n=== ")[1:]
    return {name: read_trial(node) for name, node, _ in (part.split("\n", 2) for part in parts)}


def section(entry: Entry, trial: Trial, rules: Neighbours) -> str:
    return f"=== {entry.name}\n{trial.text()}\n\n{texts(entry, trial, rules)}"


def drawn_anew(entry: Entry, old: Optional[Trial], rules: Neighbours) -> Optional[Trial]:
    """The node that there is, if it is still one for the form, else a new one."""
    if old is not None:
        with suppress(ValueError):
            texts(entry, old, rules)
            return old
    return draw_trial(entry, rules)


def update(library: str, rules: Neighbours) -> None:
    for stale in (TEXTS / library).glob("*.txt"):
        if stale not in by_file(library):
            stale.unlink()
    for path, found in by_file(library).items():
        known = nodes_in(path)
        nodes = ((entry, drawn_anew(entry, known.get(entry.name), rules)) for entry in found)
        sections = [section(entry, node, rules) for entry, node in nodes if node is not None]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(sections), encoding="utf-8")


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_becomes_of_each_rule(library: str) -> None:
    rules = Neighbours(library)
    if os.environ.get("PRUNEC_UPDATE"):
        update(library, rules)
    assert set((TEXTS / library).glob("*.txt")) == by_file(library).keys()
    differences: list[str] = []
    missing: set[str] = set()
    for path, found in by_file(library).items():
        nodes = nodes_in(path)
        missing |= {f"{library}: {name}" for name in {entry.name for entry in found} - nodes.keys()}
        sections = [section(entry, nodes[entry.name], rules) for entry in found if entry.name in nodes]
        kept, now = path.read_text(encoding="utf-8").splitlines(), "\n".join(sections).splitlines()
        differences += difflib.unified_diff(kept, now, str(path.relative_to(TEXTS)), "now", lineterm="", n=8)
    assert not differences, "\n".join(differences[:400])
    assert missing == {name for name in NOT_DRAWN if name.startswith(f"{library}: ")}
