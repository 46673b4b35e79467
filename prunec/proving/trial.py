"""One network around a node: built, pruned at random, and run against the masked original."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import numpy.typing as npt

from prunec.analysis.analyse import Analysis, analyse_as_written
from prunec.channels.removal import uniform
from prunec.frontends.runtime import Array
from prunec.frontends.trial_networks import USUAL, Point
from prunec.frontends.trial_templates import Template
from prunec.frontends.trials import NODE, TrialModel, Trials
from prunec.proving.node import Slot, TrialNode
from prunec.proving.random_network import Network
from prunec.proving.rule_verdict import Failure
from prunec.proving.rules_under_trial import AROUND, RulesUnderTrial
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.slicing import mask_array, slice_array
from prunec.support.comparison import relative_error
from prunec.support.diagnostics import PrunecError

#: Outputs that differ by more than this part of the largest value are different.
TOLERANCE = 1e-4
#: Where values jump, smaller differences than this may come from a last bit.
_JUMP = 1e-2


@dataclass(frozen=True)
class Built:
    """A network around a node, with the values of its variables, and in words what it is."""

    trials: Trials
    node: TrialNode
    model: TrialModel
    inputs: Mapping[str, Array]
    index: int
    words: str


@dataclass(frozen=True)
class TrialOutcome:
    """What came of a network.

    ``pruned`` says that channels of the operator were removed, ``conclusive`` that the outputs were fit for a
    comparison (finite, not all the same); ``left`` is how many elements of parameters stayed; ``refusal`` is
    why the framework did not run the original.
    """

    failure: Optional[Failure]
    pruned: bool
    conclusive: bool
    left: int
    refusal: str = ""


def build(
    trials: Trials, node: TrialNode, random: np.random.Generator, live: float = 0.7, zeros: bool = True
) -> Built:
    """A network around a node, wired at random.

    ``live`` is the chance of an axis to hold removable channels; without ``zeros`` what is masked does not
    reach the node as zero.
    """
    version = node.operator.version
    templates = trials.templates(version)
    network = Network(random, templates, version, trials.types)
    chain: Sequence[Template] = ()
    if not zeros or node.operator.name in templates.positive or random.random() < 0.25:
        chain = templates.ranges[-1]
    elif random.random() < 0.45:
        chain = templates.ranges[int(random.integers(len(templates.ranges)))]
    words: list[str] = []
    points: list[Point] = []
    inputs: list[Optional[Point]] = []
    for position, slot in enumerate(node.inputs):
        if slot is None:
            inputs.append(None)
            continue
        point = source(network, position, slot, points, chain, words, live)
        points += [point] if slot.value is None else []
        inputs.append(point)
    name = node.operator.name
    made = network.add(name, node.attributes, inputs, node.outputs, NODE, node.kinds)
    every = name in templates.all_outputs
    used = [k for k in range(len(node.outputs)) if every or random.random() < 0.7] or [0]
    for k in used:
        if node.outputs[k]:
            network.heads.append(_after(network, k, network.cast(made[k]), points, words))
    model = trials.model(network, AROUND)
    index = next(n for n, own in enumerate(model.graph.nodes) if own.name == NODE)
    return Built(trials, node, model, network.inputs, index, "; ".join(words))


def source(
    network: Network,
    position: int,
    slot: Slot,
    before: Sequence[Point] = (),
    chain: Sequence[Template] = (),
    words: Optional[list[str]] = None,
    live: float = 0.0,
) -> Point:
    """What an input of the node is connected to, drawn at random; ``before`` are the sources of inputs before
    it, ``words`` gains what it is."""
    if slot.value is not None:
        return network.add_constant(f"{NODE}_{position}_{slot.name}", slot.value)
    told = [] if words is None else words
    return network.cast(_input(network, position, slot, before, chain, told, live), slot.kind)


def _input(
    network: Network,
    position: int,
    slot: Slot,
    before: Sequence[Point],
    chain: Sequence[Template],
    words: list[str],
    live: float,
) -> Point:
    """What an input of the node is computed from, before it gets its type."""
    random, templates, name = network.random, network.templates, f"{NODE}_{position}_{slot.name}"
    if slot.state or (slot.learned and random.random() < 0.85):
        return network.add_parameter(name, slot.shape, positive=slot.positive)
    pattern = templates.inputs.get(slot.name)
    if pattern is not None and slot.shape[-1:] == (len(pattern),):
        words.append(f"{slot.name} is an input of rows like {pattern}")
        return network.add_rows(name, slot.shape, pattern)
    if slot.name in templates.whole and slot.kind != USUAL and random.random() < 0.4:
        words.append(f"{slot.name} is a constant of whole numbers")
        return network.add_constant(name, random.integers(0, 3, slot.shape).astype(slot.kind))
    if slot.name in templates.whole:
        words.append(f"{slot.name} is an input of whole numbers")
        return network.add_input(name, slot.shape, 3)
    same = [point for point in before if (point.shape, point.kind) == (slot.shape, slot.kind)]
    way = random.random()
    if same and way < 0.1:
        words.append(f"{slot.name} is another input as well")
        return same[0]
    if before and way < 0.35:
        # Numbers that may be positions, below the smallest size there is.
        whole = int(random.integers(2, 4)) if way < 0.25 else None
        words.append(f"{slot.name} is an input{' of whole numbers' if whole else ''}")
        return network.add_input(name, slot.shape, whole)
    if way > 0.92:
        words.append(f"{slot.name} is a parameter")
        return network.add_parameter(name, slot.shape)
    if not before and way < 0.1:
        words.append(f"{slot.name} is an input of whole numbers")
        return network.add_input(name, slot.shape, 3)
    axes = [axis for axis, size in enumerate(slot.shape) if size > 1 and random.random() < live]
    if not axes:
        axes = [axis for axis, size in enumerate(slot.shape) if size > 1][-1:]
    if slot.learned:
        chain = ()
    through = " through " + ", ".join(template.operator for template in chain) if chain else ""
    words.append(f"{slot.name} has channels on axes {axes}{through}")
    return network.produce(name, slot.shape, axes, chain)


def _after(network: Network, k: int, point: Point, inputs: Sequence[Point], words: list[str]) -> Point:
    """What an output of the node goes into; the result is an output of the network."""
    random, shape = network.random, point.shape
    name = f"after_{k}"
    way = int(random.integers(6))
    wide = [axis for axis, size in enumerate(shape) if size > 1]
    if way == 1:
        same = [other for other in inputs if (other.shape, other.kind) == (shape, point.kind)]
        if same and random.random() < 0.5:
            words.append(f"output {k} plus its input")
            point = network.plus(point, same[0])
        else:
            axes = [axis for axis in wide if random.random() < 0.6]
            words.append(f"output {k} plus a branch with channels on axes {axes}")
            point = network.plus(point, network.produce(f"beside_{k}", shape, axes))
    elif way == 2:
        axis = int(random.integers(len(shape)))
        size = tuple(int(random.integers(2, 5)) if i == axis else size for i, size in enumerate(shape))
        axes = [a for a, length in enumerate(size) if length > 1 and random.random() < 0.6]
        words.append(f"output {k} joined along axis {axis} with a branch with channels on axes {axes}")
        point = network.join(point, network.produce(f"beside_{k}", size, axes), axis)
    elif way > 2 and wide:
        axis = wide[int(random.integers(len(wide)))]
        words.append(f"output {k} summed over axis {axis}")
        point = network.sum(point, axis)
    axes = [int(axis) for axis in random.permutation(len(point.shape))]
    if random.random() < 0.2:
        axes = axes[1:]
    words.append(f"axes {axes} of output {k} consumed")
    return network.consume(name, point, axes)


def prune_and_compare(
    built: Built, rules: RulesUnderTrial, seed: int, ratio: float = 0.5, run: bool = True
) -> TrialOutcome:
    """Prunes the network at a ratio with random scores and compares it with the masked original."""
    node = built.node
    try:
        analysis = analyse_as_written(built.model, rules, strict=True)
        scores = np.random.default_rng(seed).random(analysis.solution.unit_count)
        removed = uniform(analysis.solution, ratio, scores)
        pruned = emit(analysis, removed)
    except PrunecError as error:
        first = error.diagnostics[0]
        if first.code in ("P503", "P517"):  # what cannot be written: refused by intention
            return TrialOutcome(None, False, False, 0)
        notes = "".join(f" ({note})" for note in first.notes)
        failure = node.failure(f"prunec refuses the network: {first.headline}{notes}", built.words)
        return TrialOutcome(failure, False, False, 0)
    except Exception as error:  # a bug of the compiler, to be told like any other failure
        failure = node.failure(f"prunec fails: {type(error).__name__}: {error}", built.words)
        return TrialOutcome(failure, False, False, 0)
    left = _left(built, pruned)
    touched = _touched(analysis, pruned, built.index)
    if not run or not pruned.slices:
        return TrialOutcome(None, touched, not pruned.slices, left)
    return _compare(built, pruned, touched, left)


def _compare(built: Built, pruned: Pruned, touched: bool, left: int) -> TrialOutcome:
    removal = ", ".join(f"{cut.name} {cut.shape} to {cut.new_shape}" for cut in pruned.slices)
    words = f"{built.words}\nremoved: {removal}"
    try:
        expected = _run(built, pruned)
    except PrunecError as error:
        return TrialOutcome(None, False, False, left, _reason(error))
    try:
        actual = _run(built, pruned, smaller=True)
    except PrunecError as error:
        problem = f"{built.trials.framework} refuses the pruned network: {_reason(error)}"
        return TrialOutcome(built.node.failure(problem, words), touched, True, left)
    told = all(np.isfinite(value).all() for value in expected) and any(
        value.size > 0 and np.ptp(value.astype(np.float64)) > 0 for value in expected
    )
    for number, (first, second) in enumerate(zip(expected, actual)):
        if first.shape != second.shape:
            problem = f"output {number} of the pruned network has the shape {second.shape}, not {first.shape}"
        elif told and relative_error(first, second) > TOLERANCE:
            error_text = f"{relative_error(first, second):.1e}"
            problem = f"output {number} of the pruned network differs: relative error {error_text}"
        else:
            continue
        if not _steady(built, pruned, expected) or not _confirmed(built, pruned):
            return TrialOutcome(None, False, False, left)
        return TrialOutcome(built.node.failure(problem, words), touched, told, left)
    return TrialOutcome(None, touched, told, left)


def _reason(error: PrunecError) -> str:
    first = error.diagnostics[0]
    return (first.notes or (first.headline,))[0]


def _steady(built: Built, pruned: Pruned, expected: Sequence[npt.NDArray[Any]]) -> bool:
    """Whether the framework gives the same outputs again; operators that draw random numbers or read beyond
    their inputs do not."""
    for seed in (8, 9):
        again = _run(built, pruned, seed=seed)
        if any(relative_error(first, second) > TOLERANCE for first, second in zip(expected, again)):
            return False
    return True


def _confirmed(built: Built, pruned: Pruned) -> bool:
    """Whether the outputs differ for other parameters too.

    Where the rule says that the operator is not continuous, the last bit of one value can make a large
    difference, though hardly every time.
    """
    if not built.node.rule.discontinuous:
        return True
    for seed in (1, 2, 3):
        random = np.random.default_rng(seed)
        values = {}
        for name in built.model.parameter_shapes or ():
            value = built.model.parameter(name)
            if value.dtype.kind == "f":
                values[name] = np.asarray(value * random.uniform(0.7, 1.4, value.shape), np.float32)
        expected = _run(built, pruned, values)
        actual = _run(built, pruned, values, smaller=True)
        if all(a.shape == b.shape and relative_error(a, b) < _JUMP for a, b in zip(expected, actual)):
            return False
    return True


def _run(
    built: Built,
    pruned: Pruned,
    values: Mapping[str, Array] = {},
    smaller: bool = False,
    seed: int = 7,
) -> list[npt.NDArray[Any]]:
    """The outputs of the masked original, or of the smaller network; ``values`` are other parameters."""
    parameters = dict(values)
    for cut in pruned.slices:
        value = values[cut.name] if cut.name in values else built.model.parameter(cut.name)
        parameters[cut.name] = slice_array(cut, value) if smaller else mask_array(cut, value)
    network = pruned.model if smaller else None
    session = built.model.runtime().session(built.inputs, None, parameters, network)
    # Operators that draw random numbers draw the same ones each time.
    built.trials.seed(seed)
    return session.run(built.inputs)


def _left(built: Built, pruned: Pruned) -> int:
    shapes = dict(built.model.parameter_shapes or {})
    shapes.update({cut.name: cut.sizes(shapes[cut.name])[1] for cut in pruned.slices})
    return sum(prod(shape) for shape in shapes.values())


def _touched(analysis: Analysis, pruned: Pruned, index: int) -> bool:
    atoms = analysis.solution.propagation.nodes[index]
    return atoms is not None and pruned.shrinker.touched(atoms)
