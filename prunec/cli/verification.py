"""Comparing the masked original with the smaller model, for `verify` and `compile --verify`."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from prunec.cli.inputs import Inputs, shape_options
from prunec.comparison import Verdict
from prunec.compiler import Analysis, Pruned
from prunec.diagnostics import Diagnostic, PrunecError, printable
from prunec.frontends import Comparison, Smaller
from prunec.graph.model import Shape, Tensor
from prunec.language.syntax import Discontinuous
from prunec.planning.choose import Plan
from prunec.reporting.summary import approximate_groups, finite, first_reasons


def prepare(inputs: Inputs, pruned: Pruned) -> Comparison:
    """Finds out what to compare, and on which inputs.

    Raises PrunecError P508 without parameters, P710 where the shape of an input is not known.
    """
    analysis = inputs.analysis
    if analysis.model.parameter_shapes is None:
        raise PrunecError(
            Diagnostic(
                "P508",
                "a comparison needs the parameters, and there are none",
                notes=("neither were they given, nor do they stand beside the model",),
                help="give the parameter file with --params",
            )
        )
    needed = _ancestors(analysis, analysis.model.graph.outputs)
    return Comparison(_input_shapes(inputs, needed), _watched(analysis, pruned))


def verify(inputs: Inputs, pruned: Pruned, smaller: Smaller, comparison: Comparison) -> Verdict:
    """Compares ``smaller`` with the masked original.

    Raises PrunecError P700 to P705 where what runs the models is missing or refuses one.
    """
    return inputs.front.compare(inputs.model, pruned, smaller, comparison)


def verdict_text(analysis: Analysis, plan: Plan, verdict: Verdict, comparison: Comparison) -> str:
    """How each output compares, and on what."""
    lines = [printable(line, 500) for line in str(verdict).splitlines()]
    shapes = ", ".join(f"{name} {shape}" for name, shape in comparison.inputs.items())
    lines.append(printable(f"on random inputs (seed {comparison.seed}): {shapes or 'none'}", 500))
    if comparison.watch is not None:
        lines.append("compared where values enter operators that are not continuous, not behind them")
    reasons = first_reasons(approximate_groups(analysis, plan))
    if reasons and not verdict.exact:
        lines.append("the comparison cannot be exact: the plan removes channels of approximate groups")
        lines += [printable(f"  {reason}", 500) for reason in reasons[:5]]
        lines.append("compile with --strict to keep these channels")
    return "\n".join(lines)


def verdict_object(verdict: Verdict, comparison: Comparison) -> dict[str, Any]:
    """The same for programs; ``error`` is ``None`` where it is infinite or no number."""
    return {
        "exact": verdict.exact,
        "informative": verdict.informative,
        "error": finite(verdict.error),
        "outputs": [
            {
                "name": output.name,
                "exact": output.exact,
                "error": finite(output.error),
                "tolerance": output.tolerance,
                "shape": list(output.shape),
                "doubt": output.doubt,
            }
            for output in verdict.outputs
        ],
        "of_the_model": comparison.watch is None,
        "seed": comparison.seed,
        "inputs": {name: list(shape) for name, shape in comparison.inputs.items()},
        "zeroed": list(verdict.zeroed),
    }


# --- what to run and to compare ----------------------------------------------------------------


def _input_shapes(inputs: Inputs, needed: set[int]) -> dict[str, tuple[int, ...]]:
    front, model = inputs.front, inputs.model
    shapes: dict[str, tuple[int, ...]] = {}
    unknown: dict[str, Optional[Shape]] = {}
    for index in front.drawn(model, needed):
        name, shape = model.graph.nodes[index].name, inputs.analysis.bound.shapes.get(Tensor(index, 0))
        if shape and shape[0] is None and front.open_batch is not None:
            shape = (front.open_batch, *shape[1:])
        known = [size for size in shape or () if size is not None]
        if shape is None or len(known) < len(shape):
            unknown[name] = shape
        else:
            shapes[name] = tuple(known)
    if unknown:
        raise PrunecError(
            Diagnostic(
                "P710",
                f"a comparison needs the shape of {', '.join(unknown)}",
                notes=("both models are run on random inputs, and the model does not give their shapes",),
                help=f"give them, for example {shape_options(unknown)}",
            )
        )
    return shapes


def _ancestors(analysis: Analysis, tensors: Sequence[Tensor]) -> set[int]:
    """The nodes that tensors depend on."""
    nodes = analysis.model.graph.nodes
    found: set[int] = set()
    waiting = [tensor.node for tensor in tensors]
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += [tensor.node for tensor in nodes[index].inputs]
    return found


def _watched(analysis: Analysis, pruned: Pruned) -> Optional[tuple[Tensor, ...]]:
    """Where an output stands behind a node that is not continuous: the other outputs, and what enters such
    nodes.  A node that is entered by a tensor that shrinks cannot be compared there, and is passed over."""
    graph = analysis.model.graph
    breaks = _discontinuous(analysis, pruned)
    behind: set[int] = set()
    for index, node in enumerate(graph.nodes):
        if index in breaks or any(tensor.node in behind for tensor in node.inputs):
            behind.add(index)
    lost = [tensor for tensor in graph.outputs if tensor.node in behind]
    if not lost:
        return None
    watched = [tensor for tensor in graph.outputs if tensor.node not in behind]
    before = _ancestors(analysis, lost)
    for index in sorted(breaks & before):
        for tensor in graph.nodes[index].inputs:
            if tensor.node not in behind and graph.nodes[tensor.node].operator is not None:
                watched.append(tensor)
    return tuple(dict.fromkeys(watched)) or None


def _discontinuous(analysis: Analysis, pruned: Pruned) -> set[int]:
    channels = analysis.solution.propagation.channels
    found = set()
    for index, bound in enumerate(analysis.bound.bounds):
        if bound is None or not any(isinstance(s, Discontinuous) for s in bound.rule.statements):
            continue
        shrinks = [
            tensor in channels
            and any(pruned.shrinker.cut(array).dimension is not None for array in channels[tensor].arrays)
            for tensor in analysis.model.graph.nodes[index].inputs
        ]
        if not any(shrinks):
            found.add(index)
    return found
