"""Proving the smaller model against the masked original, for `verify` and `compile --verify`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.cli.inputs import Inputs
from prunec.cli.options import input_shapes
from prunec.examples import Data, read_data
from prunec.frontends.base import PrunedFiles
from prunec.frontends.runtime import Array
from prunec.graph import Shape, Tensor, input_flags
from prunec.planning.choose import Plan
from prunec.reporting.summary import approximate_groups, finite, first_reasons
from prunec.rewriting.emit import Pruned
from prunec.rewriting.slicing import mask_array
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.verifying.contents import unlike_the_plan
from prunec.verifying.proof import prove
from prunec.verifying.running import Examples, Subject
from prunec.verifying.verdict import Evidence, Outcome, Verdict, merged

#: Exit statuses of a comparison.
STATUS = {Outcome.PROVED: 0, Outcome.DIFFERS: 1, Outcome.NOT_PROVED: 3}
#: Where nothing could be compared: files that cannot be read, models that do not run.
CANNOT_RUN = 4
_MOST_LINES = 10
#: Examples that are compared at a time.
_EXAMPLES = 4


@dataclass(frozen=True, eq=False)
class ComparisonInputs:
    """What two models are compared on: ``examples``, one after the other, and in words where they are from.
    ``shapes`` are those of the inputs."""

    examples: tuple[Examples, ...]
    words: str
    shapes: Mapping[str, tuple[int, ...]]


def prepare(inputs: Inputs, options: argparse.Namespace) -> ComparisonInputs:
    """Finds out on what inputs to compare.

    Raises PrunecError: P508 without parameters, P710 where the shape of an input is not known, P715 for a
    value of an input that the model does not have, P530 to P533 for examples that cannot be used.
    """
    settings = dict(options.value)
    _check_settings(inputs, settings)
    if inputs.analysis.model.parameter_shapes is None:
        raise PrunecError(
            Diagnostic(
                "P508",
                "a comparison needs the parameters, and there are none",
                notes=("neither were they given, nor do they stand beside the model",),
                help="give the parameter file with --params",
            )
        )
    shapes, unknown = _input_shapes(inputs, input_shapes(options))
    if options.data is not None:
        return _from_data(inputs, options.data, settings, shapes, unknown)
    if unknown:
        raise PrunecError(_unknown_shapes(unknown))
    runtime = inputs.model.runtime()
    examples = []
    for seed in range(options.seeds):
        samples = (runtime.draw(shapes, 2 * seed), runtime.draw(shapes, 2 * seed + 1))
        examples.append(Examples(*(_with_settings(values, settings) for values in samples)))
    seeds = "seed 0" if options.seeds == 1 else f"seeds 0 to {options.seeds - 1}"
    return ComparisonInputs(tuple(examples), f"random inputs ({seeds})", shapes)


def verify(inputs: Inputs, pruned: Pruned, smaller: PrunedFiles, comparison: ComparisonInputs) -> Verdict:
    """Proves ``smaller`` against the masked original.

    Raises PrunecError P700 to P705 where what runs the models is missing or refuses one.
    """
    model = inputs.model
    masked = {piece.name: mask_array(piece, model.parameter(piece.name)) for piece in pruned.slices}
    subject = Subject(inputs.analysis, pruned, model.runtime(), smaller.runtime, masked)
    verdict = merged(tuple(prove(subject, examples) for examples in comparison.examples))
    names = sorted(model.parameter_shapes or ())
    wrong = unlike_the_plan(names, pruned.slices, model.parameter, smaller.parameter)
    return verdict.with_contents(wrong)


# --- what is said of it -------------------------------------------------------------------------


def verdict_text(analysis: Analysis, plan: Plan, verdict: Verdict, comparison: ComparisonInputs) -> str:
    """The outcome, and what it rests on."""
    lines = [_headline(verdict)]
    lines += [f"  {text}" for text in _few(verdict.contents)]
    shown = [own for own in verdict.compared if not own.agrees] or verdict.outputs
    lines += [f"  {text}" for text in _few([str(own) for own in shown])]
    if verdict.outcome is not Outcome.DIFFERS:
        lines += [
            f"  {text}" for text in _few([f"{own.parameter}: {own.reason}" for own in verdict.unwitnessed])
        ]
        lines += _remarks(verdict)
    if verdict.zeroed:
        lines.append(f"  set to zero: {', '.join(verdict.zeroed)}")
    shapes = ", ".join(f"{name} {shape}" for name, shape in comparison.shapes.items())
    lines.append(f"on {comparison.words}: {shapes or 'none'}")
    if verdict.outcome is Outcome.NOT_PROVED:
        lines.append("try other inputs: --seeds 3, real examples with --data FILE.npz, settings with --value")
    reasons = first_reasons(approximate_groups(analysis, plan))
    if reasons and verdict.outcome is Outcome.DIFFERS:
        lines.append("the plan removes channels of approximate groups; --strict keeps these")
        lines += [f"  {reason}" for reason in reasons[:5]]
    return "\n".join(printable(line, 500) for line in lines)


def _headline(verdict: Verdict) -> str:
    witnesses = verdict.witnesses
    count = f"{len(witnesses) - len(verdict.unwitnessed)} of {len(witnesses)} sliced parameters"
    compared = f"largest relative error {verdict.error:.1e}, {len(verdict.compared)} values compared"
    if verdict.outcome is Outcome.PROVED:
        statistics = any(own.statistics for own in verdict.restarts)
        head = "proved but for statistics" if statistics else "proved"
        return f"{head}: the smaller model computes what the masked original does ({compared}, {count} seen)"
    if verdict.outcome is Outcome.DIFFERS:
        return f"the models differ ({compared})"
    return f"not proved: a wrong slice could pass unseen ({compared}, {count} seen)"


def _remarks(verdict: Verdict) -> list[str]:
    """What a proof leaves out, and where it started anew."""
    lines = []
    ignored = [own.parameter for own in verdict.witnesses if own.evidence is Evidence.IGNORED]
    if ignored:
        lines.append(f"  not read by their operators: {', '.join(ignored)}")
    statistics = [own.node for own in verdict.restarts if own.statistics]
    if statistics:
        count = len(statistics)
        names = ", ".join(statistics[:5]) + (f" and {count - 5} more" if count > 5 else "")
        what = "one node combines" if count == 1 else f"{count} nodes combine"
        lines.append(f"  {what} channels that go with those that stay: {names}")
        if verdict.quality is not None:
            lines.append(f"  these change the outputs by {verdict.quality:.1%} (root mean square)")
    others = sum(not own.statistics for own in verdict.restarts)
    if others:
        nodes = "a node" if others == 1 else f"{others} nodes"
        lines.append(f"  compared anew behind {nodes} that may jump")
    return lines


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"and {more} more"] if more > 0 else [])]


def verdict_object(verdict: Verdict, comparison: ComparisonInputs) -> dict[str, Any]:
    """The same for programs; ``error`` is ``None`` where it is infinite or no number."""
    return {
        "outcome": verdict.outcome.value,
        "error": finite(verdict.error),
        "compared": [
            {
                "name": own.name,
                "output": own.output,
                "agrees": own.agrees,
                "error": finite(own.error),
                "tolerance": own.tolerance,
                "shape": list(own.shape),
                "doubt": own.doubt,
            }
            for own in verdict.compared
        ],
        "parameters": [
            {"name": own.parameter, "evidence": own.evidence.value, "reason": own.reason}
            for own in verdict.witnesses
        ],
        "restarts": [
            {"node": own.node, "why": own.why, "statistics": own.statistics} for own in verdict.restarts
        ],
        "contents": list(verdict.contents),
        "quality": None if verdict.quality is None else finite(verdict.quality),
        "on": comparison.words,
        "inputs": {name: list(shape) for name, shape in comparison.shapes.items()},
        "zeroed": list(verdict.zeroed),
    }


# --- inputs -------------------------------------------------------------------------------------


def _input_shapes(
    inputs: Inputs, chosen: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, tuple[int, ...]], dict[str, Optional[Shape]]]:
    """The shapes of the inputs that a run needs, and what is known of those that are not known whole."""
    front, model = inputs.front, inputs.model
    needed = _ancestors(inputs.analysis, model.graph.outputs)
    shapes: dict[str, tuple[int, ...]] = {}
    unknown: dict[str, Optional[Shape]] = {}
    for index in front.feed_nodes(model, needed):
        name = model.graph.nodes[index].name
        shape = chosen.get(name, inputs.analysis.lowered.example_shapes.get(Tensor(index, 0)))
        if shape and shape[0] is None and front.open_batch is not None:
            shape = (front.open_batch, *shape[1:])
        known = [size for size in shape or () if size is not None]
        if shape is None or len(known) < len(shape):
            unknown[name] = shape
        else:
            shapes[name] = tuple(known)
    return shapes, unknown


def _unknown_shapes(unknown: Mapping[str, Optional[Shape]]) -> Diagnostic:
    return Diagnostic(
        "P710",
        f"a comparison needs the shape of {', '.join(unknown)}",
        notes=("both models are run on random inputs, and the model does not give their shapes",),
        help=f"give them: {input_flags(unknown)}",
    )


def _from_data(
    inputs: Inputs,
    path: str,
    settings: Mapping[str, float],
    shapes: Mapping[str, tuple[int, ...]],
    unknown: Mapping[str, Optional[Shape]],
) -> ComparisonInputs:
    """Real examples: the first batch, and the next one to see what depends on the inputs."""
    runtime = inputs.model.runtime()
    known = {
        node.name: inputs.analysis.lowered.shapes.get(Tensor(index, 0), ())
        for index, node in enumerate(inputs.model.graph.nodes)
        if node.operator is None and index not in inputs.model.graph.parameters
    }
    wanted = {name: shape for name, shape in runtime.examples(known).items() if name not in settings}
    data = _few_at_a_time(read_data(path, wanted))
    first = {name: array[: data.batch] for name, array in data.inputs.items()}
    blank = {name: np.zeros(shapes[name], np.float32) for name in settings if name in shapes}
    missing = {name: shape for name, shape in unknown.items() if name in settings}
    if missing:
        raise PrunecError(_unknown_shapes(missing))
    pair = ({**first, **blank}, {**_others(data), **blank})
    examples = Examples(*(_with_settings(values, settings) for values in pair))
    found = {name: tuple(array.shape) for name, array in examples.first.items()}
    return ComparisonInputs((examples,), f"examples of {printable(path, 200)}", found)


def _few_at_a_time(data: Data) -> Data:
    """The examples, few at a time where the model leaves it open: all inner values of networks take room."""
    return data if data.whole else replace(data, batch=min(data.batch, _EXAMPLES))


def _others(data: Data) -> dict[str, Array]:
    """Examples other than the first batch; where there are no more, the same in the opposite order."""
    if data.count >= 2 * data.batch:
        return {name: array[data.batch : 2 * data.batch] for name, array in data.inputs.items()}
    return {
        name: array[: data.batch].ravel()[::-1].reshape(array[: data.batch].shape)
        for name, array in data.inputs.items()
    }


def _with_settings(values: Mapping[str, Array], settings: Mapping[str, float]) -> dict[str, Array]:
    return {
        name: np.full_like(array, settings[name]) if name in settings else array
        for name, array in values.items()
    }


def _check_settings(inputs: Inputs, settings: Mapping[str, float]) -> None:
    nodes = inputs.model.graph.nodes
    names = [nodes[index].name for index in inputs.front.feed_nodes(inputs.model, set(range(len(nodes))))]
    unknown = [name for name in settings if name not in names]
    if unknown:
        shown = ", ".join(printable(name, 60) for name in names[:8])
        raise PrunecError(
            Diagnostic(
                "P715",
                f"a value is given for {printable(unknown[0])!r}, which is no input of the model",
                notes=(f"its inputs are {shown or 'none'}",),
                help="name one of them in --value NAME=NUMBER",
            )
        )


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
