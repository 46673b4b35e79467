"""The edits of one node as text: what a choice of units does to it, its tensors and its parameters."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

from prunec.embedded.slices import Gather, ParameterSlice
from prunec.graph import Tensor, shape_text
from prunec.lowering.lowered import LoweredGraph
from prunec.rewriting.edits import Edits
from prunec.rewriting.slicing import compact
from prunec.support.diagnostics import printable


def edits_text(edits: Edits, lowered: LoweredGraph, node: int, implied: Mapping[str, str]) -> str:
    """What changes of a node, a line for each thing.

    ``implied`` are the names, by slot, of parameters that the node has and the graph does not mention.
    Positions that stay are written as ranges with exclusive ends, those of rows one row after the other.
    """
    lines = [*_values(edits, lowered, node), *_inputs(edits, lowered, node)]
    slices = _slices(edits)
    lines += [_parameter(slot, slices[name]) for slot, name in implied.items() if name in slices]
    lines += _outputs(edits, lowered, node)
    return "\n".join(["edits", *(f"  {line}" for line in lines or ["none"])]) + "\n"


def _values(edits: Edits, lowered: LoweredGraph, node: int) -> Iterator[str]:
    """New values of attributes, and of inputs that carry values."""
    attributes = lowered.graph.nodes[node].attributes
    for (index, name), value in edits.attributes.items():
        if index == node:
            before = f" instead of {attributes[name]!r}" if name in attributes else ""
            yield f"{name} = {value!r}{before}"
    for (index, position), array in edits.inputs.items():
        if index == node:
            old = edits.known_values[lowered.graph.nodes[node].inputs[position]]
            yield f"input {position} holds {array.tolist()} instead of {old.tolist()}"


def _inputs(edits: Edits, lowered: LoweredGraph, node: int) -> Iterator[str]:
    rule, nodes, slices = lowered.rules[node], lowered.graph.nodes, _slices(edits)
    labels = [] if rule is None else [slot.label for slot in rule.inputs]
    for position, tensor in enumerate(nodes[node].inputs):
        label = labels[position] if position < len(labels) else str(position)
        variable = nodes[tensor.node]
        if variable.operator is None and variable.name in slices:
            yield _parameter(label, slices[variable.name])
        else:
            yield from _tensor(edits, lowered, f"input {label}", tensor)


def _outputs(edits: Edits, lowered: LoweredGraph, node: int) -> Iterator[str]:
    rule = lowered.rules[node]
    labels = [] if rule is None else [slot.label for slot in rule.outputs]
    for number in range(max(len(labels), lowered.graph.nodes[node].output_count)):
        label = labels[number] if number < len(labels) else str(number)
        yield from _tensor(edits, lowered, f"output {label}", Tensor(node, number))


def _tensor(edits: Edits, lowered: LoweredGraph, label: str, tensor: Tensor) -> Iterator[str]:
    """The shapes of a tensor that shrinks, before and after."""
    before, axes = lowered.shapes.get(tensor), edits.shapes.get(tensor)
    if axes is not None and before is not None:
        after = tuple(axes.get(axis, size) for axis, size in enumerate(before))
        yield f"{label}: {shape_text(before)} to {shape_text(after)}"
    elif tensor in edits.unknown:
        yield f"{label}: no rule tells how it shrinks"


def _slices(edits: Edits) -> dict[str, ParameterSlice]:
    return {piece.name: piece for piece in edits.slices}


def _parameter(label: str, piece: ParameterSlice) -> str:
    """The slice of a parameter; ``|`` stands between what two rows keep."""
    view = "" if piece.view == piece.shape else f" as {shape_text(piece.view)}"
    gathers = "; ".join(map(_gather, piece.gathers))
    shapes = f"{shape_text(piece.shape)} to {shape_text(piece.new_shape)}"
    return f"parameter {label} {printable(piece.name)!r}: {shapes}{view}, {gathers}"


def _gather(gather: Gather) -> str:
    rows = gather.kept.reshape(-1, gather.kept.shape[-1])
    along = f" for rows of {_axes(gather.rows)}" if gather.rows else ""
    return f"axis {gather.axis} at {' | '.join(map(compact, rows))}{along}"


def _axes(axes: Sequence[int]) -> str:
    return f"ax{'i' if len(axes) == 1 else 'e'}s {', '.join(map(str, axes))}"
