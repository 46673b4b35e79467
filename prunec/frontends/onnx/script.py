"""The slicing script of an ONNX model: a stand-alone program that turns the original into the smaller one."""

from __future__ import annotations

from prunec.embedded.onnx_tensors import type_of
from prunec.frontends.onnx.model import OnnxModel
from prunec.rewriting.emit import Pruned
from prunec.rewriting.script import render


def render_script(model: OnnxModel, pruned: Pruned) -> str:
    """The text of ``slice_params.py``, the same text for the same arguments.

    The script needs numpy and onnx alone, reads the original ``.onnx`` and writes the smaller one, its
    external data one tensor at a time.
    """
    types = {own.name: type_of(model.content.constants[own.name]) for own in pruned.slices}
    return render(
        "slice_onnx.py.j2",
        pruned.slices,
        types,
        edits=model.message_edits(pruned.edits),
        model_name=model.path.name,
        model_digest=model.digest,
    )
