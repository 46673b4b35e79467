"""Proving rules: many random networks for each operator of each rule, and a verdict for each rule."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Sequence, Union

import numpy as np

from prunec.language.library import RuleSet, load
from prunec.language.syntax import Rule
from prunec.proving.draw import NotDrawn, draw
from prunec.proving.model import RulesUnderTrial
from prunec.proving.node import Illegal, Node, Refuted, legal_node
from prunec.proving.registry import Operator, find_operator, mxnet, register_operators
from prunec.proving.strictness import needless
from prunec.proving.trial import build, prune_and_compare
from prunec.proving.verdict import NOT_TRIED, RIGHT, TOO_STRICT, WRONG, Failure, RuleVerdict, span_of

#: How many draws may come to nothing for each case that is wanted.
_DRAWS_PER_CASE = 30
#: What a network counts, in cases, whose pruning tests nothing of the operator.
_IDLE = 0.34


@dataclass
class _Record:
    """What the cases of a rule came to."""

    cases: int = 0
    pruned: int = 0
    failures: list[Failure] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    untried: list[tuple[str, str]] = field(default_factory=list)


def prove(
    rules: Union[RuleSet, Sequence[Rule]],
    seed: int = 0,
    cases: int = 12,
    register: Optional[Path] = None,
    only: Optional[Sequence[str]] = None,
    strictness: bool = True,
) -> tuple[RuleVerdict, ...]:
    """Runs the operators of rules in MXNet, in small networks that are pruned at random.

    About ``cases`` networks are made for each rule, shared among its operators, at least two for each;
    the same ``seed`` gives the same networks.  ``register`` is a Python file that registers custom
    operators; it is executed.  ``only`` restricts the proof to rules with these labels or operators.
    ``strictness`` also tries whether what a rule keeps could go.

    Raises ``PrunecError``: P700 without MXNet, P710 where the file to register fails.
    """
    mxnet()
    if register is not None:
        register_operators(register)
    listed = tuple(rules.all_rules() if isinstance(rules, RuleSet) else rules)
    trial = RulesUnderTrial(listed, load(["default"]))
    wanted = [rule for rule in listed if only is None or _named(rule, only)]
    return tuple(_prove_rule(rule, trial, seed, cases, only, strictness) for rule in wanted)


def _named(rule: Rule, only: Sequence[str]) -> bool:
    return rule.label in only or any(operator.name in only for operator in rule.operators)


def _prove_rule(
    rule: Rule,
    rules: RulesUnderTrial,
    seed: int,
    cases: int,
    only: Optional[Sequence[str]],
    strictness: bool,
) -> RuleVerdict:
    span = span_of(rule)
    if rule.signature is None:
        return RuleVerdict(
            rule.label, span, NOT_TRIED, 0, 0, reason="an opaque rule keeps everything and claims nothing"
        )
    names = list(dict.fromkeys(name.name for name in rule.operators))
    if only is not None and rule.label not in only:
        names = [name for name in names if name in only]
    record = _Record()
    known = [operator for operator in map(find_operator, names) if operator is not None]
    record.untried += [(name, "MXNet has no such operator") for name in names if find_operator(name) is None]
    share = max(2, -(-cases // max(len(known), 1)))
    for operator in known:
        # Each operator has draws of its own, so that the same case comes whatever else is proved.
        random = np.random.default_rng([seed, zlib.crc32(f"{rule.label}/{operator.name}".encode())])
        _try_operator(rule, rules, operator, share, random, record)
    return _verdict(rule, rules, record, seed, strictness)


def _try_operator(
    rule: Rule,
    rules: RulesUnderTrial,
    operator: Operator,
    cases: int,
    random: np.random.Generator,
    record: _Record,
) -> None:
    done, reasons, before = 0.0, [], record.cases
    for _ in range(cases * _DRAWS_PER_CASE):
        if done >= cases:
            break
        try:
            node = legal_node(rule, rules, operator, draw(rule, operator, random))
        except (NotDrawn, Illegal) as error:
            reasons.append(str(error))
            continue
        except Refuted as error:
            record.failures.append(error.failure)
            done += _IDLE
            continue
        record.nodes.append(node)
        done += 1.0 if _try_node(node, rules, random, record) else _IDLE
    if record.cases == before:
        record.untried.append((operator.name, _commonest(reasons)))


def _try_node(node: Node, rules: RulesUnderTrial, random: np.random.Generator, record: _Record) -> bool:
    """One network around the node; whether the removal of channels was put to the test."""
    state = int(random.integers(2**31))
    built = build(node, np.random.default_rng(state))
    outcome = prune_and_compare(built, rules, state, ratio=float(random.choice((0.34, 0.5, 0.67))))
    if outcome.failure is not None:
        record.failures.append(outcome.failure)
    if outcome.told or outcome.failure is not None:
        record.cases += 1
        record.pruned += outcome.pruned
    return outcome.told and outcome.pruned


def _verdict(
    rule: Rule, rules: RulesUnderTrial, record: _Record, seed: int, strictness: bool
) -> RuleVerdict:
    span, untried = span_of(rule), tuple(record.untried)
    if record.failures:
        smallest = min(record.failures, key=lambda failure: failure.size)
        return RuleVerdict(rule.label, span, WRONG, record.cases, record.pruned, smallest, "", untried)
    if not record.cases:
        reason = untried[0][1] if untried else "no case was found"
        return RuleVerdict(rule.label, span, NOT_TRIED, 0, 0, None, reason, untried)
    spare = needless(rule, rules, record.nodes, seed) if strictness else ""
    if not record.pruned and not spare:
        spare = "nothing was removed around it in any case, so that only its shapes were tried"
        return RuleVerdict(rule.label, span, NOT_TRIED, record.cases, 0, None, spare, untried)
    verdict = TOO_STRICT if spare else RIGHT
    return RuleVerdict(rule.label, span, verdict, record.cases, record.pruned, None, spare, untried)


def _commonest(reasons: Sequence[str]) -> str:
    counted = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons) if reason}
    return max(counted, key=lambda reason: counted[reason]) if counted else "no legal case was found"
