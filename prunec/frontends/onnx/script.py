"""The slicing script of an ONNX model: a stand-alone program that turns the original into the smaller one."""

from __future__ import annotations

from prunec.embedded.onnx_edits import MessageEdits
from prunec.embedded.onnx_preparing import Preparation
from prunec.embedded.onnx_tensors import type_of
from prunec.frontends.onnx.model import OnnxModel
from prunec.frontends.onnx.preparing import needed
from prunec.rewriting.emit import Pruned
from prunec.rewriting.slicing_script import Rows, render

TEMPLATE = "slice_onnx.py.txt"


def render_script(model: OnnxModel, pruned: Pruned) -> str:
    """The text of ``slice_params.py``, the same text for the same arguments.

    The script needs numpy and onnx alone, reads the original ``.onnx`` and writes the smaller one, its
    external data one tensor at a time.
    """
    edits = model.message_edits(pruned.edits)
    preparation, slices = needed(model.file, edits, pruned.edits.slices)
    types = {own.name: type_of(model.content.constants[own.name]) for own in slices}
    return render(
        TEMPLATE,
        slices,
        types,
        **tables(edits, preparation),
        model=model.path.name,
        digest=model.digest,
    )


def tables(edits: MessageEdits, preparation: Preparation) -> dict[str, object]:
    """What the script says of a graph's changes, by the places of the template."""
    return {
        "folded": list(preparation.folded),
        "copied": Rows(preparation.copies),
        "attributes": Rows(edits.attributes),
        "elements": Rows(edits.elements),
        "constants": Rows(edits.constants),
        "copies": Rows(edits.copies),
        "inputs": Rows(edits.inputs),
        "shapes": Rows(edits.shapes),
        "unstated": edits.unstated,
        "functions": edits.functions,
    }
