"""Proving rules: many random networks for each operator of each rule, and a verdict for each rule."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence, Union

import numpy as np

from prunec.frontends.base import FrontEnd
from prunec.frontends.operators import Operator
from prunec.frontends.trials import Illegal, SampledNode, Trials
from prunec.language.library import RuleSet, load
from prunec.language.syntax import Rule
from prunec.proving.contraction_trial import contraction_claims, try_contractions
from prunec.proving.draw import draw_form
from prunec.proving.forms import forms, may_hold
from prunec.proving.framework import Refuted, trials_for
from prunec.proving.node import TrialNode, legal_node
from prunec.proving.passing_trial import passing_claims, try_passing
from prunec.proving.rule_verdict import NOT_TRIED, RIGHT, TOO_STRICT, WRONG, Failure, RuleVerdict, span_of
from prunec.proving.rules_under_trial import RulesUnderTrial
from prunec.proving.shapes import NotDrawn
from prunec.proving.strictness import needless
from prunec.proving.trial import build, prune_and_compare
from prunec.proving.worker import Notice, TrialCrash, Worker

#: How many draws may come to nothing for each case that is wanted, of a rule and of one of its forms, which
#: is drawn again and again until its conditions are met.
_DRAWS_PER_CASE, _DRAWS_PER_FORM_CASE = 100, 30
#: Draws in a row that do not meet the conditions of a form: it is given up.
_MOST_IN_VAIN = 20
#: What a network counts, in cases, whose pruning tests nothing of the operator.
_IDLE = 0.2
#: How often a rule is begun anew after the framework crashed.
_MOST_CRASHES = 4


@dataclass
class _Record:
    """What the cases of a rule came to.

    ``claimed`` has for each claim, by its words, why nodes said nothing of it: an empty reason where one did.
    """

    cases: int = 0
    pruned: int = 0
    failures: list[Failure] = field(default_factory=list)
    nodes: list[TrialNode] = field(default_factory=list)
    untried: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    claimed: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Task:
    """One rule, by its position; ``salts`` give other draws to operators that caused a crash before, and
    ``without`` are operators given up, with the reason."""

    position: int
    salts: Mapping[str, int]
    without: Mapping[str, str]
    strictness: bool


def prove(
    rules: Union[RuleSet, Sequence[Rule]],
    seed: int = 0,
    cases: int = 12,
    register: Optional[Path] = None,
    only: Optional[Sequence[str]] = None,
    strictness: bool = True,
    jobs: int = 1,
    labels: Optional[Sequence[str]] = None,
    library: str = "default",
) -> tuple[RuleVerdict, ...]:
    """Runs the operators of rules in their framework, in small networks that are pruned at random.

    ``library`` names the built-in rules for the operators of that framework.

    About ``cases`` networks are made for each rule, shared among its operators, at least two for each;
    the same ``seed`` gives the same networks.  ``register`` is a Python file that registers custom
    operators; it is executed.  ``only`` restricts the proof to rules with these labels or operators,
    ``labels`` to rules with these labels.
    ``strictness`` also tries whether what a rule keeps could go.  The framework runs in ``jobs`` processes
    of its own, where crashes do no harm.

    Raises ``PrunecError``: P330 or P700 without the framework, P713 where the file to register fails, P714
    for a library without one.
    """
    front, trials = trials_for(library)
    listed = tuple(rules.all_rules() if isinstance(rules, RuleSet) else rules)
    wanted = [n for n, rule in enumerate(listed) if _wanted(rule, only, labels)]
    arguments = (front, listed, seed, cases, register, only)
    verdicts: dict[int, RuleVerdict] = {}

    def share(positions: Sequence[int]) -> None:
        with Worker(trials.framework, _prepare, arguments) as worker:
            for position in positions:
                verdicts[position] = _verdict_from(worker, listed[position], position, strictness)

    parts = [wanted[start::jobs] for start in range(jobs)]
    with ThreadPoolExecutor(max_workers=max(jobs, 1)) as threads:
        for finished in [threads.submit(share, part) for part in parts if part]:
            finished.result()
    return tuple(verdicts[position] for position in wanted)


def _wanted(rule: Rule, only: Optional[Sequence[str]], labels: Optional[Sequence[str]]) -> bool:
    named = only is None or rule.label in only or any(operator.name in only for operator in rule.operators)
    return named and (labels is None or rule.label in labels)


def _verdict_from(worker: Worker, rule: Rule, position: int, strictness: bool) -> RuleVerdict:
    """The verdict of a rule; after a crash it is begun anew with other draws for the operator at fault."""
    salts: dict[str, int] = {}
    without: dict[str, str] = {}
    for _ in range(_MOST_CRASHES):
        result = worker.run(_Task(position, salts, without, strictness))
        if not isinstance(result, TrialCrash):
            # The spans of this process: equal texts, but one source for all.
            assert isinstance(result, RuleVerdict)
            cause = worker.cause()
            refusal = _does_not_run(worker.framework)
            if cause and result.reason.startswith(refusal):
                result = replace(result, reason=f"{refusal}: {cause}")
            return replace(result, span=span_of(rule))
        if not result.operator:
            strictness = False
            continue
        salts[result.operator] = salts.get(result.operator, 0) + 1
        if salts[result.operator] > 2:
            without[result.operator] = f"{result.reason} on {result.words}"
    reason = (
        f"{worker.framework} crashes again and again: {result.reason} on {result.operator} {result.words}"
    )
    return RuleVerdict(rule.label, span_of(rule), NOT_TRIED, 0, 0, None, reason)


def _prepare(
    front: FrontEnd[Any],
    listed: tuple[Rule, ...],
    seed: int,
    cases: int,
    register: Optional[Path],
    only: Optional[Sequence[str]],
) -> Callable[[_Task, Notice], Any]:
    """Called once in the process that runs the framework."""
    trials = front.trials()
    assert trials is not None
    trials.start()
    if register is not None:
        front.register(register)
    rules = RulesUnderTrial(listed, load([front.library]))

    def run(task: _Task, notice: Notice) -> RuleVerdict:
        return _Proof(trials, listed[task.position], rules, seed, cases, only, task, notice).run()

    return run


def _does_not_run(framework: str) -> str:
    return f"{framework} does not run it"


class _Proof:
    """The proof of one rule."""

    def __init__(
        self,
        trials: Trials,
        rule: Rule,
        rules: RulesUnderTrial,
        seed: int,
        cases: int,
        only: Optional[Sequence[str]],
        task: _Task,
        notice: Notice,
    ) -> None:
        self.trials, self.rule, self.rules = trials, rule, rules
        self.seed, self.cases, self.only = seed, cases, only
        self.task, self.notice = task, notice
        self.record = _Record()

    def run(self) -> RuleVerdict:
        rule = self.rule
        if rule.opaque is not None:
            reason = "an opaque rule keeps everything and claims nothing"
            return RuleVerdict(rule.label, span_of(rule), NOT_TRIED, 0, 0, reason=reason)
        names = list(dict.fromkeys(name.name for name in rule.operators))
        if self.only is not None and rule.label not in self.only:
            names = [name for name in names if name in self.only]
        known: dict[str, tuple[Operator, ...]] = {}
        for name in names:
            versions = self.trials.versions(name)
            if name in self.task.without:
                self.record.untried.append((name, self.task.without[name]))
            elif not versions:
                self.record.untried.append((name, f"{self.trials.framework} has no such operator"))
            else:
                known[name] = tuple(versions)
        for name, versions in known.items():
            self._try_operator(name, versions, max(2, -(-self.cases // len(known))))
        return self._verdict()

    def _try_operator(self, name: str, versions: Sequence[Operator], cases: int) -> None:
        """``cases`` networks for each form of the rule."""
        untried: list[tuple[str, str]] = []
        every = forms(self.rule)
        # What no version of the operator can be is not missed.
        found = [f for f in every if any(may_hold(rule, v) for rule in f.rules for v in versions)] or every
        number, nodes = 0, len(self.record.nodes)
        for form in found:
            before, reasons = self.record.cases, []
            for rule in form.rules:
                reasons += self._try_form(rule, number, name, versions, max(2, -(-cases // len(form.rules))))
                number += 1
            if self.record.cases == before:
                untried.append((f"{name} when {form.words}" if form.words else name, _commonest(reasons)))
        if len(untried) == len(found):
            untried = [(name, _commonest([reason for _, reason in untried]))]
        self.record.untried += untried
        if len(self.record.nodes) > nodes:
            self.record.untried += self._untried_claims(name)

    def _untried_claims(self, name: str) -> list[tuple[str, str]]:
        """The claims of the rule that no node of an operator put to the test."""
        words = dict.fromkeys(
            f"{name} {claim.words}" for claim in (*contraction_claims(self.rule), *passing_claims(self.rule))
        )
        found = {told: self.record.claimed.get(told, ["no node has what it speaks of"]) for told in words}
        return [(told, _commonest(reasons)) for told, reasons in found.items() if "" not in reasons]

    def _try_form(
        self, form: Rule, number: int, name: str, versions: Sequence[Operator], cases: int
    ) -> list[str]:
        """Why nodes were not legal that were drawn for a form."""
        versions = tuple(version for version in versions if may_hold(form, version))
        # Each operator has draws of its own, so that the same case comes whatever else is proved.
        text = f"{self.rule.label}/{name}"
        salts = [self.task.salts.get(name, 0), *([number] if number else [])]
        random = np.random.default_rng([self.seed, zlib.crc32(text.encode()), *salts])
        done, reasons, in_vain = 0.0, [], 0
        for _ in range(cases * (_DRAWS_PER_CASE if form is self.rule else _DRAWS_PER_FORM_CASE)):
            if done >= cases or not versions or in_vain > _MOST_IN_VAIN:
                break
            # Only several are drawn from: a framework without versions keeps the draws it had.
            operator = versions[int(random.integers(len(versions))) if len(versions) > 1 else 0]
            try:
                templates = self.trials.templates(operator.version)
                sampled = draw_form(form, self.rule, operator, templates, random, not self.trials.infers)
                in_vain = 0
                self.notice(name, _words(sampled))
                node = legal_node(form, self.rules, self.trials, operator, sampled, random)
            except NotDrawn:
                in_vain += form is not self.rule
                continue
            except Illegal as error:
                reasons.append(str(error))
                continue
            except Refuted as error:
                self.record.failures.append(error.failure)
                done += _IDLE
                continue
            self.record.nodes.append(node)
            done += 1.0 if self._try_node(node, random) else _IDLE
            self._try_claims(name, node)
        return reasons

    def _try_claims(self, name: str, node: TrialNode) -> None:
        """What the rule says of contracted axes and of inputs passed on, with draws of their own."""
        random = np.random.default_rng([self.seed, len(self.record.nodes)])
        contracted = try_contractions(self.trials, self.rule, node, random)
        passed = try_passing(self.trials, self.rule, node, random)
        for outcome in (*contracted, *passed):
            self.record.claimed.setdefault(f"{name} {outcome.claim.words}", []).append(outcome.untried)
            if outcome.failure is not None:
                self.record.failures.append(outcome.failure)

    def _try_node(self, node: TrialNode, random: np.random.Generator) -> bool:
        """One network around the node; whether the removal of channels was put to the test."""
        state = int(random.integers(2**31))
        built = build(self.trials, node, np.random.default_rng(state))
        ratio = float(random.choice((0.34, 0.5, 0.67)))
        outcome = prune_and_compare(built, self.rules, state, ratio)
        if outcome.failure is not None:
            self.record.failures.append(outcome.failure)
        if outcome.refusal:
            self.record.refusals.append(outcome.refusal)
        if outcome.conclusive or outcome.failure is not None:
            self.record.cases += 1
            self.record.pruned += outcome.pruned
        return outcome.conclusive and outcome.pruned

    def _verdict(self) -> RuleVerdict:
        rule, record = self.rule, self.record
        untried = tuple(record.untried)
        passing = {claim.words for claim in passing_claims(rule)}
        tried = [
            (told.partition(" ")[2] in passing, reasons.count("")) for told, reasons in record.claimed.items()
        ]
        contracted = sum(count for is_passing, count in tried if not is_passing)
        passed = sum(count for is_passing, count in tried if is_passing)
        base = RuleVerdict(
            rule.label,
            span_of(rule),
            RIGHT,
            record.cases,
            record.pruned,
            untried=untried,
            contracted=contracted,
            passed=passed,
        )
        if record.failures:
            smallest = min(record.failures, key=lambda failure: failure.size)
            return replace(base, verdict=WRONG, failure=smallest)
        if not record.cases:
            return replace(base, verdict=NOT_TRIED, reason=untried[0][1] if untried else "no case was found")
        if self.task.strictness:
            self.notice("", "")
            spare = needless(rule, self.rules, self.trials, record.nodes, self.seed)
            if spare:
                return replace(base, verdict=TOO_STRICT, reason=spare)
        if not record.pruned:
            reason = "nothing was removed around it in any case, so that only its shapes were tried"
            if record.refusals:
                reason = f"{_does_not_run(self.trials.framework)}: {_commonest(record.refusals)}"
            return replace(base, verdict=NOT_TRIED, reason=reason)
        return base


def _words(sampled: SampledNode) -> str:
    attributes = ", ".join(f"{name}={value}" for name, value in sampled.attributes.items())
    return f"({attributes}) with data {', '.join(map(str, sampled.shapes.values()))}"


def _commonest(reasons: Sequence[str]) -> str:
    counted = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons) if reason}
    return max(counted, key=lambda reason: counted[reason]) if counted else "no legal case was found"
