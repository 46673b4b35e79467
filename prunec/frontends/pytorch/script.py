"""The slicing script of an exported program: a stand-alone program that turns the original into the smaller
one."""

from __future__ import annotations

from prunec.embedded.pt2_edits import ProgramEdits
from prunec.frontends.pytorch.model import PytorchModel
from prunec.frontends.pytorch.state import unsaved
from prunec.rewriting.emit import Pruned
from prunec.rewriting.slicing_script import Rows, render

TEMPLATE = "slice_pt2.py.txt"


def render_script(model: PytorchModel, pruned: Pruned) -> str:
    """The text of ``slice_params.py``, the same text for the same arguments.

    The script needs numpy alone, reads the original ``.pt2``, or a state dict of its module in
    ``.safetensors``, and writes the smaller one, a tensor at a time.
    """
    slices = pruned.edits.slices
    return render(
        TEMPLATE,
        slices,
        {own.name: model.program.type_of(own.name) for own in slices},
        **tables(model.program_edits(pruned.edits)),
        unsaved=unsaved(model, pruned.edits),
        model=model.path.name,
        digest=model.digest,
    )


def tables(edits: ProgramEdits) -> dict[str, object]:
    """What the script says of a program's changes, by the places of the template."""
    return {"arguments": Rows(edits.arguments), "extents": Rows(edits.extents), "tied": Rows(edits.tied)}
