"""The script that makes the user's own module into what the smaller program is."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Optional, Union

from prunec.embedded.pt2_edits import ProgramEdits, key_of
from prunec.frontends.pytorch.document import Argument, ProgramNode, Symbolic
from prunec.frontends.pytorch.model import PytorchModel
from prunec.frontends.pytorch.program import Program
from prunec.frontends.pytorch.state import unsaved
from prunec.rewriting.emit import Pruned
from prunec.rewriting.slicing_script import Rows, render

MODULE_SCRIPT = "apply_to_module.py"
TEMPLATE = "apply_to_module.py.txt"

#: A number or a list of numbers, ``None`` for one that is open.
_Numbers = Union[int, tuple[Optional[int], ...]]


def render_module_script(model: PytorchModel, pruned: Pruned) -> str:
    """The text of ``apply_to_module.py``, the same text for the same arguments."""
    slices = pruned.edits.slices
    edits = model.program_edits(pruned.edits)
    return render(
        TEMPLATE,
        slices,
        {own.name: model.program.type_of(own.name) for own in slices},
        tied=Rows(edits.tied),
        unsaved=unsaved(model, pruned.edits),
        numbers=Rows(changed_numbers(model.program, edits)),
        model=model.path.name,
        digest=model.digest,
    )


def changed_numbers(program: Program, edits: ProgramEdits) -> dict[str, list[tuple[str, _Numbers, _Numbers]]]:
    """The arguments that change in what modules compute, by the path of the module: the name of each, what
    it was, and what it becomes."""
    found: dict[str, list[tuple[str, _Numbers, _Numbers]]] = {}
    entries = program.document["graph_module"]["graph"]["nodes"]
    for entry, node in zip(entries, program.text.nodes):
        for row in _rows(node, edits.arguments.get(key_of(entry), {})):
            rows = found.setdefault(node.module, [])
            if row not in rows:
                rows.append(row)
    return found


def _rows(node: ProgramNode, changed: Mapping[str, Any]) -> Iterator[tuple[str, _Numbers, _Numbers]]:
    given = dict(node.arguments)
    for name, new in changed.items():
        old = given.get(name)
        if isinstance(new, int) and isinstance(old, int):
            yield name, old, new
        elif isinstance(new, tuple) and isinstance(old, tuple) and not isinstance(old, Symbolic):
            was = tuple(map(_whole, old))
            if len(was) == len(new):
                yield name, was, tuple(one if own is None else own for one, own in zip(was, new))


def _whole(value: Argument) -> Optional[int]:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
