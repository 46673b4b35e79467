"""Does the smaller model compute what the original computes?  ONNX Runtime runs both, and this compares."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Optional, Sequence, Union

from prunec.comparison import ORIGINAL, SMALLER, TOLERANCE, Array, Verdict, draw, output_verdict
from prunec.diagnostics import about
from prunec.emission.slicing import ParameterSlice, mask
from prunec.onnx import tensors
from prunec.onnx.frontend import OnnxModel
from prunec.onnx.protobuf import onnx_package
from prunec.onnx.runtime import input_types, open_session
from prunec.onnx.writer import with_constants


def compare(
    original: bytes,
    pruned: bytes,
    masked_parameters: Mapping[str, Array],
    pruned_parameters: Mapping[str, Array],
    inputs: Mapping[str, Union[tuple[int, ...], Array]],
    seed: int = 0,
    tolerance: float = TOLERANCE,
    watch: Optional[Sequence[str]] = None,
    folders: tuple[Optional[Path], Optional[Path]] = (None, None),
) -> Verdict:
    """Runs both models on the same random inputs and compares their outputs.

    ``original`` and ``pruned`` are ONNX messages; the parameters given take the place of those in them, by
    name.  ``inputs`` gives each input's shape (values are drawn: normally distributed, small whole numbers,
    or truth values, as the input's type is) or its values.  ``watch`` names values to compare in place of the
    outputs: what enters an operator that is not continuous.  ``folders`` are where the external data of the
    two models are.  The same arguments give the same verdict.

    The original runs a second time on other inputs to see whether its outputs depend on them at all.
    Raises PrunecError as :func:`prunec.onnx.runtime.open_session` does.
    """
    onnx = onnx_package()
    model = with_constants(onnx.load_model_from_string(original), masked_parameters)
    types = input_types(model)
    first, second = draw(inputs, seed, types), draw(inputs, seed + 1, types, others=True)
    # One model after the other: the memory of a large network is taken once.
    with about(ORIGINAL):
        session = open_session(model, folders[0], watch)
        expected, other = session.run(first), session.run(second)
    names = session.outputs
    del session, model
    smaller = with_constants(onnx.load_model_from_string(pruned), pruned_parameters)
    with about(SMALLER):
        actual = open_session(smaller, folders[1], watch).run(first)
    compared = zip(names, expected, actual, other)
    return Verdict(tuple(output_verdict(name, a, b, c, tolerance) for name, a, b, c in compared))


def masked_model(model: OnnxModel, slices: Sequence[ParameterSlice], folder: Optional[Path] = None) -> bytes:
    """The original with every removed element of its parameters set to its neutral value.

    Of external data, what is sliced becomes part of the message where ``folder`` is not given, and else is
    written there together with all others, where they were.
    """
    by_name = {own.name: own for own in slices}
    masked = {name: mask(own, model.parameter(name)) for name, own in by_name.items()}
    proto = with_constants(model.file.proto, masked)
    if folder is not None:
        _copy_external(model, by_name, folder)
    return bytes(proto.SerializeToString())


def _copy_external(model: OnnxModel, slices: Mapping[str, ParameterSlice], folder: Path) -> None:
    """Links to the external data of a model that stay what they are."""
    for name, tensor in model.content.constants.items():
        place = tensors.external(tensor, model.file.name)
        if place is None or name in slices:
            continue
        target = folder / place.location
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tensors.external_path(place, model.file.folder, model.file.name)
            target.symlink_to(source.resolve())
