"""The original with what a plan removes set to its neutral value, as a model of its own."""

from __future__ import annotations

from typing import Sequence

from prunec.frontends.onnx.model import OnnxModel
from prunec.frontends.onnx.writer import with_constants
from prunec.rewriting.slicing import ParameterSlice, mask_array


def masked_model(model: OnnxModel, slices: Sequence[ParameterSlice]) -> bytes:
    """The message of the masked original."""
    masked = {own.name: mask_array(own, model.parameter(own.name)) for own in slices}
    return bytes(with_constants(model.file.proto, masked).SerializeToString())
