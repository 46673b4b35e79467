"""The slicing script of an exported program: a stand-alone program that turns the original into the smaller
one."""

from __future__ import annotations

from prunec.frontends.pytorch.model import PytorchModel
from prunec.frontends.pytorch.state import unsaved
from prunec.rewriting.emit import Pruned
from prunec.rewriting.slicing_script import render


def render_script(model: PytorchModel, pruned: Pruned) -> str:
    """The text of ``slice_params.py``, the same text for the same arguments.

    The script needs numpy alone, reads the original ``.pt2``, or a state dict of its module in
    ``.safetensors``, and writes the smaller one, a tensor at a time.
    """
    slices = pruned.edits.slices
    return render(
        "slice_pt2.py.j2",
        slices,
        {own.name: model.program.type_of(own.name) for own in slices},
        edits=model.program_edits(pruned.edits),
        unsaved=unsaved(model, pruned.edits),
        model_name=model.path.name,
        model_digest=model.digest,
    )
