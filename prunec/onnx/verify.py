"""Does the smaller model compute what the original computes?  ONNX Runtime runs both, and this compares."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from prunec.emission.slicing import ParameterSlice, mask
from prunec.mxnet.verify import OutputVerdict, Verdict, doubt_about, relative_error
from prunec.onnx import tensors
from prunec.onnx.frontend import OnnxModel
from prunec.onnx.protobuf import onnx_package
from prunec.onnx.runtime import open_session

Array = NDArray[Any]

#: What whole numbers are drawn from, where nothing else is known: as indices they stay small.
_WHOLE_NUMBERS = 3


def compare(
    original: bytes,
    pruned: bytes,
    masked_parameters: Mapping[str, Array],
    pruned_parameters: Mapping[str, Array],
    inputs: Mapping[str, Union[tuple[int, ...], Array]],
    seed: int = 0,
    tolerance: float = 1e-4,
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
    types = _input_types(original)
    first, second = _draw(inputs, types, seed), _draw(inputs, types, seed + 1, others=True)
    # One model after the other: the memory of a large network is taken once.
    session = open_session(_with_parameters(original, masked_parameters), folders[0], watch)
    expected, other = session.run(first), session.run(second)
    names = session.outputs
    del session
    actual = open_session(_with_parameters(pruned, pruned_parameters), folders[1], watch).run(first)
    outputs = tuple(
        OutputVerdict(
            name=name,
            error=_error(a, b),
            shape=tuple(a.shape),
            pruned_shape=tuple(b.shape),
            nan=a.dtype.kind == "f" and bool(np.isnan(a).any()),
            doubt=doubt_about(a, c) if a.dtype.kind in "iufb" else None,
            tolerance=tolerance,
        )
        for name, a, b, c in zip(names, expected, actual, other)
    )
    return Verdict(outputs, ())


def masked_model(model: OnnxModel, slices: Sequence[ParameterSlice], folder: Optional[Path] = None) -> bytes:
    """The original with every removed element of its parameters set to its neutral value.

    Of external data, what is sliced becomes part of the message where ``folder`` is not given, and else is
    written there together with all others, where they were.
    """
    onnx = onnx_package()
    proto = onnx.ModelProto()
    proto.CopyFrom(model.file.proto)
    by_name = {own.name: own for own in slices}
    for tensor in proto.graph.initializer:
        if tensor.name in by_name:
            _replace(onnx, tensor, mask(by_name[tensor.name], model.parameter(tensor.name)))
    for node in proto.graph.node:
        if node.output and node.output[0] in by_name and not node.input:
            masked = mask(by_name[node.output[0]], model.parameter(node.output[0]))
            value = onnx.helper.make_attribute("value", onnx.numpy_helper.from_array(masked))
            node.attribute[0].CopyFrom(value)
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


def _replace(onnx: Any, tensor: Any, array: Array) -> None:
    new = onnx.numpy_helper.from_array(np.ascontiguousarray(array), tensor.name)
    tensor.CopyFrom(new)


def _with_parameters(model: bytes, parameters: Mapping[str, Array]) -> bytes:
    if not parameters:
        return model
    onnx = onnx_package()
    proto = onnx.load_model_from_string(model)
    for tensor in proto.graph.initializer:
        if tensor.name in parameters:
            _replace(onnx, tensor, parameters[tensor.name])
    return bytes(proto.SerializeToString())


def _input_types(model: bytes) -> dict[str, np.dtype[Any]]:
    onnx = onnx_package()
    proto = onnx.load_model_from_string(model)
    return {
        value.name: np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in proto.graph.input
        if value.type.HasField("tensor_type") and value.type.tensor_type.elem_type
    }


def _draw(
    inputs: Mapping[str, Union[tuple[int, ...], Array]],
    types: Mapping[str, np.dtype[Any]],
    seed: int,
    others: bool = False,
) -> dict[str, Array]:
    """A value for each input.  Values that were given stay in their range: the others are the same
    values in the opposite order."""
    drawn: dict[str, Array] = {}
    for name, given in inputs.items():
        if isinstance(given, np.ndarray):
            drawn[name] = given.ravel()[::-1].reshape(given.shape) if others else given
            continue
        # Seeded by name, so that the order of the inputs does not matter.
        generator = np.random.default_rng([seed, zlib.crc32(name.encode("utf-8", "replace"))])
        dtype = types.get(name, np.dtype(np.float32))
        if dtype.kind in "iu":
            drawn[name] = generator.integers(0, _WHOLE_NUMBERS, tuple(given)).astype(dtype)
        elif dtype.kind == "b":
            drawn[name] = generator.integers(0, 2, tuple(given)).astype(dtype)
        else:
            drawn[name] = generator.standard_normal(tuple(given)).astype(dtype)
    return drawn


def _error(expected: Array, actual: Array) -> float:
    if expected.shape != actual.shape:
        return float("inf")
    if expected.dtype.kind not in "iufb":
        return 0.0 if np.array_equal(expected, actual) else float("inf")
    return relative_error(expected, actual)
