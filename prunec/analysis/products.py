"""Parameters with an axis that is a product of channels: rows and columns that go independently.

A weight that is computed from others (experts that are mixed, say) is often flat in these: an axis holds
its output channels times its input channels.  A single array of atoms over such an axis is a table whose
columns can go and whose rows cannot; what the solver made of it tells which axes to take apart.
"""

from __future__ import annotations

from typing import Optional

from prunec.channels.components import Atoms
from prunec.channels.propagate import Products, Propagation
from prunec.channels.solve import Solution
from prunec.graph import Tensor
from prunec.lowering.lowered import LoweredGraph


def products_of(bound: LoweredGraph, solution: Solution) -> Products:
    """The axes of parameters whose channels came out the same in every row, where the model computes weights
    from data."""
    if not _computes_weights(bound):
        return {}
    propagation: Propagation = solution.propagation
    found: dict[Tensor, dict[int, int]] = {}
    for index in sorted(bound.graph.parameters):
        tensor = Tensor(index, 0)
        channels = propagation.channels.get(tensor)
        if channels is None:
            continue
        first = 0
        for axis, factors in enumerate(channels.layout.axes):
            alone = (first,)
            if len(factors) == 1 and alone in channels.layout.arrays:
                array = channels.arrays[channels.layout.arrays.index(alone)]
                period = _period(solution.units(array))
                if period is not None:
                    found.setdefault(tensor, {})[axis] = period
            first += len(factors)
    return found


def _computes_weights(bound: LoweredGraph) -> bool:
    """Whether some node gets what its rule calls a parameter from an operator."""
    nodes = bound.graph.nodes
    return any(
        slot.slot in rule.parameter_slots and nodes[tensor.node].operator is not None
        for node, rule in zip(nodes, bound.rules)
        if rule is not None
        for tensor, slot in zip(node.inputs, rule.inputs)
    )


def _period(units: Atoms) -> Optional[int]:
    """The length of the rows that a list of units repeats, if it does and their places differ."""
    first = int(units[0]) if units.size else -1
    if first < 0:
        return None
    # Each channel may stand there several times in a row, once for each position of a kernel.
    others = (units != first).nonzero()[0]
    run = int(others[0]) if others.size else 1
    if units.size % run or not (units.reshape(-1, run) == units[::run, None]).all():
        run = 1
    channels = units[::run]
    again = (channels[1:] == first).nonzero()[0]
    period = int(again[0]) + 1 if again.size else 0
    if period < 2 or channels.size % period:
        return None
    return period * run if (channels.reshape(-1, period) == channels[:period]).all() else None
