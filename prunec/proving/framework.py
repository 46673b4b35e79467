"""Which framework runs the operators of rules, and nodes for which a rule is wrong."""

from __future__ import annotations

from typing import Any, Mapping, NoReturn

import numpy as np

from prunec.frontends.base import FrontEnd
from prunec.frontends.registry import front_end_for_rules, libraries
from prunec.frontends.trials import SampledNode, Trials
from prunec.proving.rule_verdict import Failure
from prunec.support.diagnostics import Diagnostic, PrunecError


class Refuted(Exception):
    """The rule is wrong for this node."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.problem)
        self.failure = failure


def refuted(operator: str, attributes: Mapping[str, Any], sampled: SampledNode, problem: str) -> NoReturn:
    """Raises :class:`Refuted` for a sampled node."""
    raise Refuted(failure(operator, attributes, sampled, problem))


def failure(operator: str, attributes: Mapping[str, Any], sampled: SampledNode, problem: str) -> Failure:
    """A sampled node as a case in which the rule does not hold."""
    inputs = tuple((slot, shape) for (slot, _), shape in sampled.shapes.items())
    size = sum(10 + int(np.prod(shape)) for _, shape in inputs)
    return Failure(operator, attributes, inputs, "", problem, size)


def trials_for(library: str) -> tuple[FrontEnd[Any], Trials]:
    """The front end for whose operators rules are, and what runs these.

    Raises PrunecError P714 for rules of operators that nothing runs.
    """
    front = front_end_for_rules(library)
    trials = None if front is None else front.trials()
    if front is not None and trials is not None:
        return front, trials
    names = ", ".join(libraries())
    raise PrunecError(
        Diagnostic(
            "P714",
            f"the rules `{library}` are for no framework that runs operators",
            notes=(f"those that are: {names}",),
            help=f"name one of these with --against: {names}",
        )
    )
