"""Criteria that look at what a model does with examples of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.channels.propagate import Channels
from prunec.examples import Data, bytes_of_example
from prunec.frontends.runtime import run_batches, runtime_of
from prunec.graph import Tensor
from prunec.scoring.channel_axes import FILTERS, INPUTS, SCALE, ChannelAxis, channel_axes
from prunec.scoring.magnitude import squared_l2
from prunec.scoring.unit_scores import Scores, group_of_units, normalised, unit_scores
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

if TYPE_CHECKING:
    from prunec.scoring.criteria import Settings

#: Values of examples that are held at a time, in bytes.
_HELD = 64 << 20
#: Values closer to zero than this count as zero.
_ZERO = 1e-12


@dataclass(frozen=True, eq=False)
class Activity:
    """What the channels of a tensor hold, for each unit: means over examples and positions of the absolute
    value and of the square, and the share that is not zero; ``present`` marks the units that stand there.
    ``energy`` is the mean square of all its values."""

    absolute: NDArray[np.float64]
    square: NDArray[np.float64]
    share: NDArray[np.float64]
    present: NDArray[np.bool_]
    energy: float


def mean_activation(analysis: Analysis, settings: Settings) -> Scores:
    """The mean absolute value of a channel where layers read it.

    Molchanov, Tyree, Karras, Aila and Kautz, "Pruning Convolutional Neural Networks for Resource Efficient
    Inference", ICLR 2017.
    """
    return _over_tensors(analysis, settings, "absolute")


def positive_share(analysis: Analysis, settings: Settings) -> Scores:
    """One less the average percentage of zeros (APoZ) of a channel where layers read it.

    Hu, Peng, Tai and Tang, "Network Trimming", 2016.
    """
    return _over_tensors(analysis, settings, "share")


def reconstruction(analysis: Analysis, settings: Settings) -> Scores:
    """How much the outputs of the layers that read a channel change without it: the mean square of the
    channel times the squared length of the weights that read it, as a share of the mean square of the
    layer's output.

    The aim is that of Luo, Wu and Lin, "ThiNet", ICCV 2017; the estimate takes the positions of a window for
    uncorrelated and leaves out what channels have in common, as Sun, Liu, Bair and Kolter, "A Simple and
    Effective Pruning Approach for Large Language Models", ICLR 2024, do for single weights.
    """
    axes = channel_axes(analysis)
    sources = {source for axis in axes for source in axis.sources}
    results = {Tensor(axis.node, 0) for axis in axes if axis.node is not None and axis.role == INPUTS}
    found = activities(analysis, settings, sorted(sources | results))

    def score(axis: ChannelAxis) -> NDArray[Any]:
        squares = squared_l2(axis.values(analysis.model.parameter(axis.parameter.name)), axis.role)
        if axis.node is None or not axis.sources:
            return squares / max(float(squares.mean()), 1e-30) * 1e-6
        own = sum((found[source].square for source in axis.sources), np.zeros(()))
        energy = found[Tensor(axis.node, 0)].energy * max(1, _channels_out(axis))
        return np.asarray(squares * np.append(own, 0.0)[axis.units] / max(energy, 1e-30))

    return unit_scores(analysis.solution, axes, score, (INPUTS,), settings.aggregate, settings.normalise)


def taylor(analysis: Analysis, settings: Settings) -> Scores:
    """The square of the first-order change of the loss when the weights of a channel go, averaged over
    batches.

    Molchanov, Mallya, Tyree, Frosio and Kautz, "Importance Estimation for Neural Network Pruning", CVPR 2019.
    Raises PrunecError P535 where no gradient comes back: operators that stop it, or a loss that ignores it,
    P536 where the framework gives none, and P538 for labels that are none of the model's classes.
    """
    model = analysis.model
    data = _data(settings)
    _check_labels(analysis, data)
    axes = channel_axes(analysis)
    chosen = [number for number, axis in enumerate(axes) if axis.role in (FILTERS, INPUTS, SCALE)]
    sums: dict[int, NDArray[np.float64]] = {number: np.zeros(axes[number].units.size) for number in chosen}
    batches = 0
    for gradient in runtime_of(model).gradients(data):
        batches += 1
        for number in chosen:
            axis = axes[number]
            product = axis.values(model.parameter(axis.parameter.name)) * axis.values(
                gradient(axis.parameter.name)
            )
            sums[number] += product.sum(axis=1, dtype=np.float64) ** 2
    if not any(own.any() for own in sums.values()):
        raise PrunecError(
            Diagnostic(
                "P535",
                "no gradient comes back to any weight",
                notes=("operators of the model stop it, or its outputs do not depend on the weights",),
                help="choose another criterion, such as activation or l1",
            )
        )

    number_of = {id(axis): number for number, axis in enumerate(axes)}

    def score(axis: ChannelAxis) -> NDArray[Any]:
        found = sums.get(number_of[id(axis)])
        return np.zeros(axis.units.size) if found is None else found / batches

    return unit_scores(
        analysis.solution, axes, score, (FILTERS, INPUTS, SCALE), settings.aggregate, settings.normalise
    )


def _check_labels(analysis: Analysis, data: Data) -> None:
    """Raises PrunecError P538 where labels count beyond the classes of every output that has some."""
    shapes = [analysis.lowered.shapes.get(tensor) for tensor in analysis.model.graph.outputs]
    classes = [shape[1] for shape in shapes if shape is not None and len(shape) == 2 and shape[1] is not None]
    if data.labels is None or not classes or max(classes) > data.labels.max():
        return
    note = f"the labels go up to {data.labels.max()}, the model has {max(classes)} classes, from 0 on"
    raise PrunecError(
        Diagnostic(
            "P538",
            "a label is none of the model's classes",
            printable(data.name),
            notes=(note,),
            help="number the classes from 0 on, in the order of the outputs",
        )
    )


# --- activations -----------------------------------------------------------------------------


def _over_tensors(analysis: Analysis, settings: Settings, what: str) -> Scores:
    """The scores of units by one of the measures of :class:`Activity`, joined over the tensors that layers
    read."""
    tensors = read_tensors(analysis)
    found = activities(analysis, settings, tensors)
    total = np.zeros(analysis.solution.unit_count)
    times = np.zeros(analysis.solution.unit_count)
    for activity in found.values():
        own = getattr(activity, what)
        times += activity.present
        if settings.aggregate == "max":
            total = np.where(activity.present, np.maximum(total, own), total)
        else:
            total += np.where(activity.present, own, 0.0)
    if settings.aggregate == "mean":
        total = total / np.maximum(times, 1)
    return normalised(analysis.solution, np.asarray(total), settings.normalise)


def read_tensors(analysis: Analysis) -> list[Tensor]:
    """The tensors that bring layers their channels; for a group that no layer reads, the last tensor that
    holds it."""
    solution = analysis.solution
    group_of = group_of_units(solution)
    channels = solution.propagation.channels
    chosen = {source for axis in channel_axes(analysis) for source in axis.sources if source in channels}
    covered = np.zeros(len(solution.groups) + 1, dtype=bool)
    for tensor in chosen:
        covered[_groups_in(analysis, channels[tensor], group_of)] = True
    nodes = analysis.model.graph.nodes
    for tensor in sorted(channels, reverse=True):
        if nodes[tensor.node].operator is None or tensor in chosen or covered[:-1].all():
            continue
        groups = _groups_in(analysis, channels[tensor], group_of)
        if not covered[groups].all():
            chosen.add(tensor)
            covered[groups] = True
    return sorted(chosen)


def _groups_in(analysis: Analysis, channels: Channels, group_of: NDArray[np.int64]) -> NDArray[np.int64]:
    arrays = [group_of[analysis.solution.units(array).reshape(-1)] for array in channels.arrays]
    found = np.unique(np.concatenate(arrays)) if arrays else np.zeros(0, dtype=np.int64)
    return np.asarray(found[found >= 0])


def activities(analysis: Analysis, settings: Settings, tensors: Sequence[Tensor]) -> dict[Tensor, Activity]:
    """Runs the examples and measures tensors."""
    runtime, data = runtime_of(analysis.model), in_small_batches(analysis, _data(settings), tensors)
    meters = [_Meter(analysis, tensor) for tensor in tensors]
    for values, _ in run_batches(runtime, data, list(tensors)):
        for meter, value in zip(meters, values):
            meter.add(value)
    return {tensor: meter.result() for tensor, meter in zip(tensors, meters)}


def in_small_batches(analysis: Analysis, data: Data, tensors: Sequence[Tensor]) -> Data:
    """The examples in batches for which the values of tensors take little room, all at once."""
    shapes = analysis.lowered.example_shapes
    return data.within(sum(bytes_of_example(shapes.get(tensor, ())) for tensor in tensors), _HELD)


class _Meter:
    """Sums over the values of a tensor, for each unit."""

    def __init__(self, analysis: Analysis, tensor: Tensor) -> None:
        self.analysis = analysis
        self.channels = analysis.solution.propagation.channels.get(tensor)
        count = analysis.solution.unit_count
        self.absolute, self.square, self.share, self.weight = (np.zeros(count) for _ in range(4))
        self.energy = 0.0
        self.batches = 0

    def add(self, values: NDArray[Any]) -> None:
        self.batches += 1
        self.energy += float(np.mean(np.square(values, dtype=np.float64)))
        if self.channels is None:
            return
        for spanned, array in zip(self.channels.layout.arrays, self.channels.arrays):
            units = self.analysis.solution.units(array).reshape(-1)
            live = units >= 0
            if not live.any():
                continue
            table = self._table(values, spanned, array.shape)
            if table is None:
                continue
            magnitude = np.abs(table)
            for total, means in (
                (self.absolute, magnitude.mean(axis=1, dtype=np.float64)),
                (self.square, np.einsum("ij,ij->i", table, table, dtype=np.float64) / table.shape[1]),
                (self.share, (magnitude > _ZERO).mean(axis=1)),
                (self.weight, np.ones(len(table))),
            ):
                total += np.bincount(units[live], weights=means[live], minlength=len(total))

    def _table(
        self, values: NDArray[Any], spanned: tuple[int, ...], shape: tuple[int, ...]
    ) -> Optional[NDArray[Any]]:
        """The values as (positions of the array, everything else)."""
        assert self.channels is not None
        view: list[int] = []
        place: dict[int, int] = {}
        factor = 0
        for axis, factors in enumerate(self.channels.layout.axes):
            numbers = range(factor, factor + len(factors))
            factor += len(factors)
            if any(number in spanned for number in numbers):
                for number, size in zip(numbers, factors):
                    place[number] = len(view)
                    view.append(size or -1)
            else:
                # A batch may be of another size than the model was analysed with.
                view.append(values.shape[axis] if axis < values.ndim else -1)
        try:
            seen = values.reshape(view)
        except ValueError:
            return None
        front = np.moveaxis(seen, [place[number] for number in spanned], range(len(spanned)))
        if front.shape[: len(spanned)] != shape:
            return None
        return front.reshape(int(np.prod(shape)), -1).astype(np.float32, copy=False)

    def result(self) -> Activity:
        times = np.maximum(self.weight, 1.0)
        present = self.weight > 0
        energy = self.energy / max(self.batches, 1)
        return Activity(self.absolute / times, self.square / times, self.share / times, present, energy)


def _channels_out(axis: ChannelAxis) -> int:
    """The channels that a weight makes for each that it reads, an output position being a sum over them."""
    return int(axis.parameter.shape[0] or 1)


def _data(settings: Settings) -> Data:
    assert isinstance(settings.data, Data)
    return settings.data
