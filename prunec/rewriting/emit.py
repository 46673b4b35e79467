"""The smaller model: new attributes, sizes and slices, from the units that go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

from prunec.analysis.analyse import Analysis
from prunec.channels.removal import Removed
from prunec.graph import Shape
from prunec.lowering.infer import describe
from prunec.rewriting.attributes import new_attributes, new_positions, squeezed_away
from prunec.rewriting.shrink import Shrinker
from prunec.rewriting.slicing import ParameterSlice
from prunec.rewriting.values import Changes, changes
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.value import Value


@dataclass(frozen=True)
class Pruned:
    """The smaller model: its bytes, how each parameter is sliced, and all that changes in its graph."""

    model: bytes
    slices: tuple[ParameterSlice, ...]
    shrinker: Shrinker
    changes: Changes


def emit(analysis: Analysis, removed: Removed) -> Pruned:
    """The model without the removed units.

    Raises PrunecError where an attribute that must change is not in the model file.
    """
    shrinker = Shrinker(analysis.solution, removed)
    attributes: dict[tuple[int, str], Value] = {}
    # Nodes that look alike and shrink alike get the same attributes; deep networks repeat themselves.
    known: dict[tuple[int, tuple[Optional[int], ...]], dict[str, Value]] = {}
    for index, node in enumerate(analysis.solution.propagation.nodes):
        bound = analysis.bound.rules[index]
        if node is not None and bound is not None and shrinker.touched(node):
            sizes = shrinker.named(node, bound.sizes)
            key = (id(bound), tuple(sizes.values()))
            if key not in known:
                vanished = squeezed_away(bound, sizes)
                if vanished:
                    raise PrunecError(_vanished(analysis, index, vanished))
                known[key] = new_attributes(bound, sizes)
            changed_here = {**known[key], **new_positions(bound, shrinker.gone(node))}
            attributes.update(((index, name), value) for name, value in changed_here.items())
    changed = changes(analysis.bound, shrinker, attributes)
    for (index, name), value in changed.attributes.items():
        if analysis.model.missing(index, name):
            raise PrunecError(_absent(analysis, index, name, value))
    shapes: dict[int, Shape] = {}
    slices: list[ParameterSlice] = []
    for parameter in analysis.parameters:
        new = shrinker.shape(parameter.channels)
        if new == parameter.shape or all(
            shrinker.cut(a).dimension is None for a in parameter.channels.arrays
        ):
            continue
        if parameter.node is not None:
            shapes[parameter.node] = new
        slices.append(
            shrinker.parameter(parameter.name, parameter.channels, parameter.shape, parameter.neutral)
        )
    data = analysis.model.rewrite(changed, shapes, slices)
    return Pruned(data, tuple(slices), shrinker, changed)


def _vanished(analysis: Analysis, index: int, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "P504",
        "an axis would be left with one channel, and this node takes away axes of size one",
        where=describe(analysis.model.graph, index, analysis.bound.shapes),
        notes=(f"in the rule the axis is called {', '.join(names)}",),
        help="leave at least two channels there, or name the axes that the node takes away in the model",
    )


def _absent(analysis: Analysis, index: int, name: str, value: Value) -> Diagnostic:
    return Diagnostic(
        "P503",
        f"attribute {name!r} must become {value}, but the node does not have it",
        where=describe(analysis.model.graph, index, analysis.bound.shapes),
        notes=("prunec changes values that are in the file and adds none",),
        help=f"write {name} with its present value into the model file, or keep these channels by a rule",
    )
