"""Small ONNX networks with parameters of one's own, what a plan makes of them, and restoring that.

Needs onnx: tests call ``pytest.importorskip("onnx")`` before they import this module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
from frontends.onnx.network import RULES, Net, runtime_of
from onnx import numpy_helper

from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import illegal
from prunec.examples import Data
from prunec.frontends.onnx.model import model_of
from prunec.restoring.readers import Reader, find_readers
from prunec.restoring.records import Method, Restoration, Subject
from prunec.restoring.restore import restore
from prunec.rewriting.emit import emit
from prunec.rewriting.slicing import mask_array, slice_array

Arrays = Mapping[str, np.ndarray]


def analysis_of(proto: Any, inputs: Mapping[str, tuple[int, ...]] = {}) -> Analysis:
    return analyse(model_of(proto.SerializeToString(), Path("network.onnx"), inputs), RULES)


def with_values(proto: Any, values: Arrays) -> Any:
    """The network with other parameters."""
    for tensor in proto.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[tensor.name].astype(np.float32), tensor.name))
    return proto


def units_of(analysis: Analysis, parameter: str, axis: int = 0) -> np.ndarray:
    """The units along an axis of a parameter, which no other axis has a part in."""
    found = next(own for own in analysis.parameters if own.name == parameter)
    factors = range(*_span(found.channels.layout.axes, axis))
    for own, array in zip(found.channels.layout.arrays, found.channels.arrays):
        units = analysis.solution.units(array)
        if set(own) <= set(factors) and (units >= 0).any():
            return units.reshape(-1)
    raise KeyError(f"nothing can go along axis {axis} of {parameter}")


def _span(axes: Sequence[Sequence[Any]], axis: int) -> tuple[int, int]:
    start = sum(map(len, axes[:axis]))
    return start, start + len(axes[axis])


def subject_of(analysis: Analysis, gone: Mapping[str, Sequence[int]], axis: int = 0) -> Subject:
    """What is left when the channels ``gone`` of parameters go."""
    removed = np.zeros(analysis.solution.unit_count, dtype=bool)
    for parameter, positions in gone.items():
        removed[units_of(analysis, parameter, axis)[list(positions)]] = True
    assert not illegal(analysis.solution, removed)
    pruned = emit(analysis, removed)
    model: Any = analysis.model
    return Subject(analysis, removed, pruned, model.runtime(), runtime_of(pruned.model, model))


def data_of(
    inputs: Arrays, labels: Optional[np.ndarray] = None, batch: int = 16, whole: bool = False
) -> Data:
    return Data("examples", dict(inputs), labels, "", batch, whole)


def reader_of(analysis: Analysis, parameter: str) -> Reader:
    (found,) = (own for own in find_readers(analysis)[0] if own.parameter == parameter)
    return found


def method_of(found: Restoration, name: str) -> Method:
    return next(own for own in found.methods if own.name == name)


def change_of(subject: Subject, method: Method, inputs: Arrays, masked_too: bool = True) -> float:
    """How far the smaller model with a method's parameters is from the original, at the outputs; the
    original with them, masked, has to give the same as the smaller model (``masked_too``)."""
    slices = {own.name: own for own in subject.pruned.slices}
    parameter = subject.analysis.model.parameter
    new = {own: method.parameters.get(own, parameter(own)) for own in (*slices, *method.parameters)}
    small = {own: slice_array(slices[own], a) if own in slices else a for own, a in new.items()}
    masked = {own: mask_array(slices[own], a) if own in slices else a for own, a in new.items()}
    before, after, other = (
        runtime.session(inputs, None, values).run(inputs)[0].astype(np.float64)
        for runtime, values in (
            (subject.original, {}),
            (subject.smaller, small),
            (subject.original, masked),
        )
    )
    assert not masked_too or np.allclose(after, other, rtol=1e-3, atol=1e-4 * float(np.abs(before).max()))
    return float(np.sqrt(np.square(before - after).mean() / np.square(before).mean()))


@dataclass
class Case:
    """A network in which what goes of ``gone`` is an exact combination of what stays; ``values`` replace
    drawn parameters.  ``shifted`` says that the intercept has a place, and that there is one; ``parameter``
    is the weight of the layer that reads what goes.  With ``masked`` the masked original computes what the
    smaller model does."""

    net: Net
    gone: Mapping[str, Sequence[int]]
    shape: tuple[int, ...]
    parameter: str
    shifted: bool = True
    values: dict[str, np.ndarray] = field(default_factory=dict)
    axis: int = 0
    masked: bool = True
    others: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def subject(self) -> Subject:
        proto = with_values(self.net.proto(), self.values)
        return subject_of(analysis_of(proto), self.gone, self.axis)

    def examples(self, count: int = 160) -> dict[str, np.ndarray]:
        random = np.random.default_rng(7)
        shapes = {"x": self.shape, **self.others}
        return {
            name: random.standard_normal((count, *shape)).astype(np.float32) for name, shape in shapes.items()
        }

    def change(self, subject: Subject, method: Method) -> float:
        """See :func:`change_of`."""
        return change_of(subject, method, self.examples(5), self.masked)

    def restored(self, subject: Subject) -> Restoration:
        return restore(subject, data_of(self.examples()))
