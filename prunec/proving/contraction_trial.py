"""Is an operator linear along the axes that its rule calls contracted?  f(M x, w) against f(x, w M)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence

import numpy as np

from prunec.frontends.runtime import Array
from prunec.frontends.trial_networks import USUAL
from prunec.frontends.trials import TrialModel, Trials
from prunec.language.canonical import print_axis_expression
from prunec.language.syntax import Call, Contracts, Name, Rest, Rule
from prunec.lowering.contractions import Contraction, apply_along, contractions
from prunec.proving.claims import Claim, ClaimOutcome, node_alone, refuted_claim
from prunec.proving.node import TrialNode
from prunec.proving.rules_under_trial import AROUND
from prunec.proving.trial import TOLERANCE
from prunec.sizes import closed
from prunec.support.comparison import relative_error
from prunec.support.diagnostics import PrunecError

#: A matrix that changes every output by less than this part of its largest value puts nothing to the test.
_EFFECT = 1e-2
#: A claim is wrong where it fails for so many draws: one sum may cancel almost to nothing.
_DRAWS = 3


@dataclass(frozen=True)
class AxisClaim(Claim):
    """What a rule says of an axis, or of several: ``name`` is that whose plain names it speaks of."""

    name: str

    def speaks_of(self, name: str) -> bool:
        """Whether a plain name is one of the claim's."""
        return name == self.name or name.startswith(f"{self.name}.")


def contraction_claims(rule: Rule) -> tuple[AxisClaim, ...]:
    """What a rule says of contracted axes."""
    return tuple(
        AxisClaim(f"hint contracts {print_axis_expression(target)}", hint.span.place, _name(target))
        for hint in rule.hints
        if isinstance(hint, Contracts)
        for target in hint.targets
    )


def _name(target: Name | Rest | Call) -> str:
    first = target.arguments[0] if isinstance(target, Call) else target
    return first.name if isinstance(first, (Name, Rest)) else ""


def try_contractions(
    trials: Trials, rule: Rule, node: TrialNode, random: np.random.Generator
) -> Iterator[ClaimOutcome]:
    """What one node says of each contracted axis that it has."""
    found = {contraction.name: contraction for contraction in contractions(node.rule)}
    in_outputs = {name: slot.label for slot in node.rule.outputs for name in slot.names}
    for name in node.rule.contracted:
        claim = next(claim for claim in contraction_claims(rule) if claim.speaks_of(name))
        if name in in_outputs:
            problem = f"the output {in_outputs[name]} has the axis {name}, so no sum runs over it"
            yield ClaimOutcome(claim, refuted_claim(node, claim, problem))
        elif name not in found:
            yield ClaimOutcome(claim, untried="no two inputs have the axis")
        else:
            yield _try(trials, node, claim, found[name], random)


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
    return ClaimOutcome(claim, refuted_claim(node, claim, problem))


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
    network, by_place = node_alone(trials, node, contraction.inputs, random)
    first_name, second_name = (by_place[place] for place in contraction.inputs)
    names = (first_name, second_name)
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


def _usual(array: Array) -> Array:
    return np.ascontiguousarray(array, np.float32)
