"""Is an output what a rule says it is where one of the inputs is zero?"""

from __future__ import annotations

from typing import Iterator

import numpy as np

from prunec.frontends.trial_networks import USUAL
from prunec.frontends.trials import Trials
from prunec.language.canonical import print_statement
from prunec.language.syntax import Passes, Rule
from prunec.lowering.lowered import Passing
from prunec.proving.claims import Claim, ClaimOutcome, node_alone, refuted_claim
from prunec.proving.node import TrialNode
from prunec.proving.rules_under_trial import AROUND
from prunec.proving.trial import TOLERANCE
from prunec.support.comparison import relative_error
from prunec.support.diagnostics import PrunecError


def passing_claims(rule: Rule) -> tuple[Claim, ...]:
    """What a rule says of inputs that it passes on."""
    return tuple(
        Claim(print_statement(statement), statement.span.place)
        for statement in rule.statements
        if isinstance(statement, Passes)
    )


def try_passing(
    trials: Trials, rule: Rule, node: TrialNode, random: np.random.Generator
) -> Iterator[ClaimOutcome]:
    """What one node says of each input that the rule passes on there."""
    said = [statement for statement in rule.statements if isinstance(statement, Passes)]
    for passing in node.rule.passes:
        slots = _slots(node, passing)
        statement = next(s for s in said if (s.passed.name, s.output.name, s.zero.name) == slots)
        claim = Claim(print_statement(statement), statement.span.place)
        try:
            problem, untried = _try(trials, node, passing, random)
        except PrunecError as error:
            first = error.diagnostics[0]
            problem, untried = "", (first.notes or (first.headline,))[0]
        failure = refuted_claim(node, claim, problem) if problem else None
        yield ClaimOutcome(claim, failure, untried)


def _slots(node: TrialNode, passing: Passing) -> tuple[str, str, str]:
    inputs, outputs = node.rule.inputs, node.rule.outputs
    return inputs[passing.passed].slot, outputs[passing.output].slot, inputs[passing.zero].slot


def _try(trials: Trials, node: TrialNode, passing: Passing, random: np.random.Generator) -> tuple[str, str]:
    """What disagrees, and why nothing was tried; both empty where the claim holds."""
    passed, output, zero = _slots(node, passing)
    places = (passing.passed, passing.zero)
    if node.slots[passing.passed].shape != node.outputs[passing.output]:
        return "", f"{passed} has another shape than {output}"
    if any(node.slots[place].kind != USUAL for place in places):
        return "", f"its inputs are not of type {USUAL}"
    network, names = node_alone(trials, node, places, random)
    values = {**network.inputs, **network.parameters}
    values[names[passing.zero]] = np.zeros_like(values[names[passing.zero]])
    inputs = {name: values[name] for name in network.inputs}
    parameters = {name: values[name] for name in network.parameters}
    model = trials.model(network, AROUND)
    trials.seed(7)
    found = model.runtime().session(inputs, None, parameters).run(inputs)[passing.output]
    expected = values[names[passing.passed]]
    if found.shape != expected.shape:
        return f"{output} has the shape {found.shape}, {passed} {expected.shape}", ""
    error = relative_error(expected, found)
    if not error <= TOLERANCE:
        return f"where {zero} is zero, {output} is not {passed}: relative error {error:.1e}", ""
    return "", ""
