"""What prunec does with one network: how much of it can go, and why the rest stays."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from bench.networks import Network
from prunec.analysis.analyse import Analysis, analyse
from prunec.analysis.produced import produced_axis
from prunec.channels.components import KEPT
from prunec.channels.propagate import Channels
from prunec.channels.removal import illegal, uniform
from prunec.channels.solve import Solution
from prunec.frontends.mxnet.model import MXNetModel, read_model
from prunec.frontends.mxnet.symbol import read_symbol_file, to_graph
from prunec.graph import Graph, Tensor
from prunec.language.library import load
from prunec.lowering.lowered import LoweredRule
from prunec.rewriting.emit import Pruned, emit
from prunec.support.diagnostics import PrunecError, render_all

Array = np.ndarray[Any, Any]
#: What is tried where a table gives no input shape, or one that does not fit.
GUESSES: tuple[dict[str, tuple[int, ...]], ...] = (
    {"data": (1, 3, 224, 224)},
    {"data": (1, 3, 112, 112)},
    {"data": (1, 3, 48, 48)},
    {"data": (50, 56)},
)


@dataclass(frozen=True)
class Measurement:
    """The figures of one network; ``outcome`` is ``pruned``, ``kept`` (nothing can go), ``refused`` or
    ``traceback``.  ``reasons`` counts the layers' channels that stay, by why."""

    file: str
    label: str
    kind: str
    with_parameters: bool
    outcome: str
    code: str = ""
    message: str = ""
    channels: int = 0
    removable: int = 0
    parameters: int = 0
    left: float = 1.0
    floor: Optional[float] = None
    groups: int = 0
    approximate: int = 0
    barriers: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def above_floor(self) -> bool:
        """Whether more parameters are left than the prototype left, and the hundredth that is allowed."""
        return self.floor is not None and self.left > self.floor + 0.01


def measure(network: Network, with_parameters: bool = False) -> Measurement:
    """Compiles a network at ratio 0.5, by position, and measures.  Never raises."""
    base = (network.file, network.label, network.kind, with_parameters)
    try:
        analysis, seconds = _analysed(network, network.parameters if with_parameters else None)
        solution = analysis.solution
        removed = uniform(solution, 0.5, np.zeros(solution.unit_count))
        problems = illegal(solution, removed)
        if problems:
            return Measurement(*base, "traceback", message=f"the default plan is illegal: {problems[0]}")
        pruned = emit(analysis, removed)
        channels, removable, reasons = layer_channels(analysis)
        total, left = parameters_left(analysis, pruned)
        return Measurement(
            *base,
            "pruned" if removed.any() else "kept",
            channels=channels,
            removable=removable,
            parameters=total,
            left=left / total if total else 1.0,
            floor=None if with_parameters else network.floor,
            groups=len(solution.groups),
            approximate=sum(bool(group.approximate) for group in solution.groups),
            barriers=barriers(analysis),
            reasons=reasons,
            seconds=seconds,
        )
    except PrunecError as error:
        text = render_all(error.diagnostics[:3])
        return Measurement(*base, "refused", error.diagnostics[0].code, text)
    except Exception:  # the point of the run: nothing may get here
        return Measurement(*base, "traceback", message=traceback.format_exc())


def _analysed(network: Network, parameters: Optional[Path]) -> tuple[Analysis, float]:
    rules = load(["default.prune"])
    # Where nothing is known of the inputs, what is wrong with the first guess says more than that.
    shapes = [network.inputs, *GUESSES] if network.inputs else [*GUESSES, {}]
    for number, inputs in enumerate(shapes):
        try:
            model = open_model(network.path, parameters, inputs)
            start = time.process_time()
            analysis = analyse(model, rules)
            return analysis, time.process_time() - start
        except PrunecError as error:
            # Shapes that do not fit the network are no fault of prunec's: the first error counts.
            if number == 0:
                first = error
            if number == len(shapes) - 1:
                raise first from None
    raise AssertionError


def open_model(path: Path, parameters: Optional[Path], inputs: Mapping[str, tuple[int, ...]]) -> MXNetModel:
    """A model with the parameters given and no others, not even those beside it."""
    if parameters is not None:
        return read_model(path, parameters, inputs)
    file = read_symbol_file(path)
    return MXNetModel(path, file, to_graph(file, None, inputs), None, inputs)


# --- parameters ---


def parameters_left(analysis: Analysis, pruned: Pruned) -> tuple[int, int]:
    """The number of parameters before and after: of the file, else of all variables that are no inputs."""
    known = analysis.model.parameter_shapes
    sizes: dict[str, int] = {}
    for index, node in enumerate(analysis.lowered.graph.nodes):
        shape = analysis.lowered.shapes.get(Tensor(index, 0))
        if node.operator is None and node.name not in analysis.model.input_shapes and shape is not None:
            if known is None or node.name in known:
                sizes[node.name] = prod(size or 0 for size in shape)
    new = {piece.name: prod(size or 0 for size in piece.new_shape) for piece in pruned.slices}
    return sum(sizes.values()), sum(new.get(name, size) for name, size in sizes.items())


# --- channels of layers ---


def layer_channels(analysis: Analysis) -> tuple[int, int, dict[str, int]]:
    """Output channels of all layers, how many can be removed, and how many stay for which reason.

    A layer is a node whose rule counts multiply-adds and makes channels: a name of a parameter and an
    output that no data input has.  Nodes that share a weight are one layer.
    """
    total = removable = 0
    seen: set[Tensor] = set()
    reasons: Counter[str] = Counter()
    why = Reasons(analysis)
    graph = analysis.lowered.graph
    for index, bound in enumerate(analysis.lowered.rules):
        if bound is None or not bound.costly:
            continue
        weights = _weights(graph, index, bound)
        axis = produced_axis(bound, bound.parameter_slots | set(weights))
        if axis is None or set(weights.values()) <= seen:
            continue
        seen.update(weights.values())
        size = (bound.shape(bound.outputs[0]) or ())[axis] or 0
        total += size
        channels = analysis.solution.propagation.channels.get(Tensor(index, 0))
        if channels is None:
            reasons["unknown shape"] += size
            continue
        gone = _removable(analysis.solution, channels, axis)
        free = int(gone.sum())
        removable += free
        if free < size:
            reasons += why.of(channels, axis, gone, size - free)
    return total, removable, dict(reasons)


def _weights(graph: Graph, index: int, bound: LoweredRule) -> dict[str, Tensor]:
    """What a node's slots for parameters hold, and others that a parameter feeds: a side of a product."""
    tensors = zip(graph.nodes[index].inputs, bound.inputs)
    return {
        slot.slot: tensor
        for tensor, slot in tensors
        if slot.slot in bound.parameter_slots or tensor.node in graph.parameters
    }


def _removable(solution: Solution, channels: Channels, axis: int) -> Array:
    """For each element of an axis, whether a unit covers it."""
    factors = _factors(channels, axis)
    gone = np.zeros([channels.layout.factors[f] or 1 for f in factors] or [1], dtype=bool)
    for spans, array in zip(channels.layout.arrays, channels.arrays):
        inside = [f for f in spans if f in factors]
        if inside:
            live = solution.units(array) >= 0
            live = live.any(axis=tuple(d for d, f in enumerate(spans) if f not in factors))
            gone |= live.reshape([live.shape[inside.index(f)] if f in inside else 1 for f in factors])
    return gone.reshape(-1)


def _factors(channels: Channels, axis: int) -> list[int]:
    before = sum(len(a) for a in channels.layout.axes[:axis])
    return list(range(before, before + len(channels.layout.axes[axis])))


# --- reasons ---


class Reasons:
    """Why atoms stay: each is put down to the nearest cause along the joins that tie it to what is kept."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        solution = analysis.solution
        left = [edge.left.reshape(-1) for edge in solution.edges]
        right = [edge.right.reshape(-1) for edge in solution.edges]
        empty = np.zeros(0, dtype=np.int64)
        cause = [np.full(edge.left.size, edge.cause, dtype=np.int64) for edge in solution.edges]
        self.cause_of = _spread(
            solution.propagation.atom_count,
            np.concatenate([*left, empty]),
            np.concatenate([*right, empty]),
            np.concatenate([*cause, empty]),
        )

    def of(self, channels: Channels, axis: int, gone: Array, count: int) -> Counter[str]:
        """The reasons why ``count`` elements of an axis, those not in ``gone``, stay."""
        factors = _factors(channels, axis)
        found: Counter[str] = Counter()
        if not factors:
            found["the only channel"] += count
            return found
        for spans, array in zip(channels.layout.arrays, channels.arrays):
            if [f for f in spans if f in factors] == factors and len(spans) == len(factors):
                stays = self.cause_of[array.reshape(-1)[~gone]]
                for cause, times in zip(*np.unique(stays, return_counts=True)):
                    found[self._text(int(cause))] += int(times)
                return found
        causes = [channels.causes[f] for f in factors if channels.causes[f] >= 0]
        found[self._text(causes[-1]) if causes else "a table that must stay rectangular"] += count
        return found

    def _text(self, number: int) -> str:
        if number < 0:
            return "a table that must stay rectangular"
        cause = self.analysis.solution.causes[number]
        if cause.kind in ("input", "output"):
            return f"model {cause.kind}"
        operator = self.analysis.lowered.graph.nodes[cause.node].operator
        if cause.kind == "opaque":
            return f"barrier {operator}: {cause.text}"
        return f"{operator}: {cause.text or 'a table that must stay rectangular'}"


def _spread(count: int, left: Array, right: Array, cause: Array) -> Array:
    """For each atom the cause of the join that ties it, or what it is joined to, to the kept one; else -1."""
    found = np.full(count, -1, dtype=np.int64)
    direct = (right == KEPT) | (left == KEPT)
    found[np.where(right == KEPT, left, right)[direct]] = cause[direct]
    left, right = left[~direct], right[~direct]
    while left.size:
        known_left, known_right = found[left] >= 0, found[right] >= 0
        forward, backward = known_left & ~known_right, known_right & ~known_left
        if not (forward.any() or backward.any()):
            break
        found[right[forward]] = found[left[forward]]
        found[left[backward]] = found[right[backward]]
        rest = ~(known_left | known_right)
        left, right = left[rest], right[rest]
    return found


def barriers(analysis: Analysis) -> dict[str, int]:
    """How many nodes of which operators nothing is known of."""
    nodes: Sequence[int] = sorted(analysis.lowered.opaque)
    counts = Counter(
        f"{analysis.lowered.graph.nodes[i].operator} ({analysis.lowered.opaque[i].kind})" for i in nodes
    )
    return dict(counts)
