"""Is an operator linear along the axes that its rule calls contracted?  f(M x, w) against f(x, w M)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.runtime import Array
from prunec.frontends.trial_networks import USUAL, Point
from prunec.frontends.trials import NODE, TrialModel, Trials
from prunec.language.canonical import print_axis_expression
from prunec.language.syntax import Call, Contracts, Name, Rest, Rule
from prunec.lowering.contractions import Contraction, apply_along, contractions
from prunec.proving.node import TrialNode
from prunec.proving.random_network import Network
from prunec.proving.rule_verdict import Failure
from prunec.proving.rules_under_trial import AROUND
from prunec.proving.trial import TOLERANCE, source
from prunec.sizes import closed
from prunec.support.comparison import relative_error
from prunec.support.diagnostics import PrunecError

#: A matrix that changes every output by less than this part of its largest value puts nothing to the test.
_EFFECT = 1e-2
#: A claim is wrong where it fails for so many draws: one sum may cancel almost to nothing.
_DRAWS = 3


@dataclass(frozen=True)
class Claim:
    """What a rule says of an axis, or of several: ``words``, and the name whose plain names it speaks of."""

    words: str
    place: str
    name: str

    def speaks_of(self, name: str) -> bool:
        """Whether a plain name is one of the claim's."""
        return name == self.name or name.startswith(f"{self.name}.")


@dataclass(frozen=True)
class ClaimOutcome:
    """What a node says of a claim: a failure, or why it says nothing; neither where the claim holds."""

    claim: Claim
    failure: Optional[Failure] = None
    untried: str = ""


def claims(rule: Rule) -> tuple[Claim, ...]:
    """What a rule says of contracted axes."""
    return tuple(
        Claim(f"contracts {print_axis_expression(target)}", hint.span.place, _name(target))
        for hint in rule.hints
        if isinstance(hint, Contracts)
        for target in hint.targets
    )


def _name(target: Name | Rest | Call) -> str:
    first = target.arguments[0] if isinstance(target, Call) else target
    return first.name if isinstance(first, (Name, Rest)) else ""


def try_claims(
    trials: Trials, rule: Rule, node: TrialNode, random: np.random.Generator
) -> Iterator[ClaimOutcome]:
    """What one node says of each contracted axis that it has."""
    found = {contraction.name: contraction for contraction in contractions(node.rule)}
    in_outputs = {name: slot.label for slot in node.rule.outputs for name in slot.names}
    for name in node.rule.contracted:
        claim = next(claim for claim in claims(rule) if claim.speaks_of(name))
        if name in in_outputs:
            problem = f"the output {in_outputs[name]} has the axis {name}, so no sum runs over it"
            yield ClaimOutcome(claim, _failure(node, claim, problem))
        elif name not in found:
            yield ClaimOutcome(claim, untried="no two inputs have the axis")
        else:
            yield _try(trials, node, claim, found[name], random)


def _failure(node: TrialNode, claim: Claim, problem: str) -> Failure:
    return node.failure(f"`hint {claim.words}` ({claim.place}) does not hold: {problem}")


def _try(
    trials: Trials, node: TrialNode, claim: Claim, contraction: Contraction, random: np.random.Generator
) -> ClaimOutcome:
    if any(node.slots[position].kind != USUAL for position in contraction.inputs):
        return ClaimOutcome(claim, untried=f"its inputs are not of type {USUAL}")
    problem = ""
    for _ in range(_DRAWS):
        try:
            problem, doubt = _trial(trials, node, contraction, random).run()
        except PrunecError as error:
            first = error.diagnostics[0]
            return ClaimOutcome(claim, untried=(first.notes or (first.headline,))[0])
        if not problem:
            return ClaimOutcome(claim, untried=doubt)
    return ClaimOutcome(claim, _failure(node, claim, problem))


@dataclass(frozen=True)
class _Trial:
    """The node alone, and the values of its two inputs as they are and multiplied by matrices."""

    trials: Trials
    node: TrialNode
    contraction: Contraction
    model: TrialModel
    inputs: Mapping[str, Array]
    names: tuple[str, str]
    plain: tuple[Array, Array]
    multiplied: tuple[Array, Array]
    length: int

    def run(self) -> tuple[str, str]:
        """What disagrees, and why agreement proves nothing; both empty where the claim holds."""
        (x, w), (mx, wm) = self.plain, self.multiplied
        before, after = self._outputs(mx, w), self._outputs(x, wm)
        told = self._difference(before, after)
        if told:
            again = self._outputs(mx, w)
            return ("", "each run gives other outputs") if self._difference(before, again) else (told, "")
        if self.length == 1:
            return "", "the axis has a single element"
        plain = self._outputs(x, w)
        if not all(np.isfinite(value).all() for value in (*plain, *before)):
            return "", "the outputs are not finite"
        if not any(relative_error(a, b) > _EFFECT for a, b in zip(plain, before)):
            return "", "no output depends on the axis"
        return "", ""

    def _difference(self, before: Sequence[Array], after: Sequence[Array]) -> str:
        first, second = (self.node.rule.inputs[position].label for position in self.contraction.inputs)
        name = self.contraction.name
        for number, (one, other) in enumerate(zip(before, after)):
            error = relative_error(one, other)
            if error > TOLERANCE:
                return (
                    f"with a matrix along {name} of {first}, output {number} is another one than with "
                    f"the matrix along {name} of {second}: relative error {error:.1e}"
                )
        return ""

    def _outputs(self, first: Array, second: Array) -> list[Array]:
        """The outputs for values of the two inputs."""
        values = dict(zip(self.names, (first, second)))
        inputs = {name: values.get(name, value) for name, value in self.inputs.items()}
        parameters = {name: value for name, value in values.items() if name not in inputs}
        session = self.model.runtime().session(inputs, None, parameters)
        self.trials.seed(7)
        return session.run(inputs)


def _trial(trials: Trials, node: TrialNode, contraction: Contraction, random: np.random.Generator) -> _Trial:
    """The node with inputs and matrices drawn at random."""
    network, names = _network(trials, node, contraction, random)
    values = {**network.inputs, **network.parameters}
    first, second = (np.asarray(values[name], np.float64) for name in names)
    rule = node.rule
    axes, others = (rule.inputs[position].axes or () for position in contraction.inputs)
    lengths = [closed(rule.sizes[name]) or 0 for name in (*contraction.shared, contraction.name)]
    matrices = random.standard_normal((*lengths, lengths[-1])) / np.sqrt(lengths[-1])
    multiplied = (
        apply_along(first, axes, rule.sizes, contraction, matrices),
        apply_along(second, others, rule.sizes, contraction, matrices, transposed=True),
    )
    return _Trial(
        trials=trials,
        node=node,
        contraction=contraction,
        model=trials.model(network, AROUND),
        inputs=dict(network.inputs),
        names=names,
        plain=(_usual(first), _usual(second)),
        multiplied=(_usual(multiplied[0]), _usual(multiplied[1])),
        length=lengths[-1],
    )


def _network(
    trials: Trials, node: TrialNode, contraction: Contraction, random: np.random.Generator
) -> tuple[Network, tuple[str, str]]:
    """The node alone, and the names of the two variables that it multiplies."""
    version = node.operator.version
    network = Network(random, trials.templates(version), version, trials.types)
    points: list[Optional[Point]] = []
    names: list[str] = []
    for position, slot in enumerate(node.inputs):
        if slot is None:
            points.append(None)
        elif sum(point is not None for point in points) in contraction.inputs:
            names.append(f"{NODE}_{position}_{slot.name}")
            add = network.add_parameter if slot.learned else network.add_input
            points.append(add(names[-1], slot.shape))
        else:
            points.append(source(network, position, slot))
    made = network.add(node.operator.name, node.attributes, points, node.outputs, NODE, node.kinds)
    network.heads += [network.cast(point) for point in made]
    first, second = names
    return network, (first, second)


def _usual(array: Array) -> Array:
    return np.ascontiguousarray(array, np.float32)
