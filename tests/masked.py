"""The original with what a plan removes set to its neutral value, as a model of its own."""

from __future__ import annotations

from typing import Sequence

from prunec.emission.slicing import ParameterSlice, mask
from prunec.onnx.frontend import OnnxModel
from prunec.onnx.writer import with_constants


def masked_model(model: OnnxModel, slices: Sequence[ParameterSlice]) -> bytes:
    """The message of the masked original."""
    masked = {own.name: mask(own, model.parameter(own.name)) for own in slices}
    return bytes(with_constants(model.file.proto, masked).SerializeToString())
