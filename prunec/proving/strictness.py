"""Does a rule keep what could go?  The same rule with one thing kept less, tried on the same nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, Iterator, Sequence, Union

import numpy as np

from prunec.frontends.trials import Trials
from prunec.language.places import axes_of, axis_lists, is_unread
from prunec.language.syntax import (
    Axis,
    AxisExpression,
    Discontinuous,
    Each,
    Equation,
    Keep,
    Literal,
    Mixes,
    Name,
    Rest,
    Rule,
    Statement,
    Sum,
    TensorPattern,
)
from prunec.language.tree import axis_names
from prunec.lowering.ranks import rests_in
from prunec.proving.node import TrialNode
from prunec.proving.rules_under_trial import RulesUnderTrial
from prunec.proving.trial import build, prune_and_compare

#: So many networks must have lost more, and be exact, before a rule is called too strict,
_ENOUGH = 10
#: around so many different nodes,
_NODES = 3
#: out of so many tries.
_MOST_NETWORKS = 50


def needless(
    rule: Rule, rules: RulesUnderTrial, trials: Trials, nodes: Sequence[TrialNode], seed: int
) -> str:
    """What the rule keeps although nothing in the framework speaks against removing it; empty if there is
    nothing."""
    if any(isinstance(hint, Discontinuous) for hint in rule.hints):
        # What comes out of such an operator hardly depends on what goes in, so that nothing follows.
        return ""
    if not _optional_slots(rule) <= {slot.name for node in nodes for slot in node.slots}:
        # What the optional inputs ask for was never seen.
        return ""
    found = [words for words, other in relaxed(rule) if _exact(rule, other, rules, trials, nodes, seed)]
    return "; ".join(found)


def relaxed(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with one target of ``keep`` or ``mixes`` less, or with one name free that stands alone."""
    for position, statement in enumerate(rule.statements):
        if not isinstance(statement, (Keep, Mixes)):
            continue
        for target in statement.targets:
            rest = tuple(other for other in statement.targets if other is not target)
            kept: tuple[Statement, ...] = (replace(statement, targets=rest),) if rest else ()
            statements = rule.statements[:position] + kept + rule.statements[position + 1 :]
            word = "keep" if isinstance(statement, Keep) else "mixes"
            text = target.span.text
            yield (
                f"line {target.span.line}: `{word} {text}` is not needed",
                replace(rule, statements=statements),
            )
    yield from _freed(rule)


def _freed(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """A name that stands in one place of the data only, as a part of a sum that may be dropped."""
    signature = rule.signature
    tensors = signature.data + signature.parameters + signature.outputs
    for position, tensor in enumerate(signature.data):
        others = [name for other in tensors if other is not tensor for name in _names_of(axes_of(other))]
        for item, span in {axis.item: axis.span for axis in axes_of(tensor)}.items():
            if not isinstance(item, (Name, Rest)) or item.name in others or is_unread(item):
                continue
            if any(_names_of(axes).count(item.name) > 1 for axes in axis_lists(tensor)):
                continue
            freed, equation = _as_part(item)
            alternatives = tuple(
                replace(other, axes=_exchanged(other.axes, item, freed)) for other in tensor.alternatives
            )
            axes = _exchanged(tensor.axes, item, freed)
            changed = replace(tensor, axes=axes, alternatives=alternatives)
            data: tuple[TensorPattern, ...] = (
                signature.data[:position] + (changed,) + signature.data[position + 1 :]
            )
            name = item.name
            statements = tuple(s for s in _unkept(rule.statements, name)) + (equation,)
            star = "*" if isinstance(item, Rest) else ""
            yield (
                f"line {span.line}: {star}{name} of {tensor.name} can go",
                replace(rule, signature=replace(signature, data=data), statements=statements),
            )


def _names_of(axes: Iterable[Axis]) -> list[str]:
    return [name for axis in axes for name in axis_names(axis.item)]


def _exchanged(axes: Sequence[Axis], old: Union[Name, Rest], new: AxisExpression) -> tuple[Axis, ...]:
    return tuple(replace(axis, item=new) if axis.item == old else axis for axis in axes)


def _as_part(item: Union[Name, Rest]) -> tuple[AxisExpression, Equation]:
    span = item.span
    nothing = Name(f"{item.name}_unread", span)
    freed = Sum((nothing, Name(item.name, span)), span)
    zero = Literal(0, span)
    if isinstance(item, Rest):
        return Each(freed, span), Equation(Rest(nothing.name, span), zero, None, span)
    return freed, Equation(nothing, zero, None, span)


def _unkept(statements: Sequence[Statement], name: str) -> Iterator[Statement]:
    for statement in statements:
        if isinstance(statement, Keep):
            targets = tuple(t for t in statement.targets if name not in [*axis_names(t), *rests_in(t)])
            if targets:
                yield replace(statement, targets=targets)
        else:
            yield statement


def _exact(
    rule: Rule,
    other: Rule,
    rules: RulesUnderTrial,
    trials: Trials,
    nodes: Sequence[TrialNode],
    seed: int,
) -> bool:
    """Whether the relaxed rule removes more and every network stays exact."""
    changed = rules.exchanged(rule, other)
    # What an operator combines over can go where it is zero: that is no fault of the rule.
    zeros = _mixed(rule) == _mixed(other)
    more = 0
    different: set[tuple[object, ...]] = set()
    random = np.random.default_rng([seed, 1])
    for turn in range(_MOST_NETWORKS):
        node = nodes[int(random.integers(len(nodes)))] if turn >= len(nodes) else nodes[turn]
        state = int(random.integers(2**31))
        built = build(trials, node, np.random.default_rng(state), 0.8, zeros)
        base = prune_and_compare(built, rules, state, run=False)
        free = prune_and_compare(built, changed, state, run=False)
        if free.failure is not None:
            return False
        if base.failure is not None or not free.left < base.left:
            continue
        outcome = prune_and_compare(built, changed, state)
        if outcome.failure is not None:
            return False
        if outcome.conclusive and outcome.pruned:
            more += 1
            different.add(node.key)
        if more >= _ENOUGH and len(different) >= _NODES:
            return True
    return False


def _optional_slots(rule: Rule) -> set[str]:
    signature = rule.signature
    return {tensor.name for tensor in signature.data if tensor.kind == "optional"}


def _mixed(rule: Rule) -> int:
    return sum(len(statement.targets) for statement in rule.statements if isinstance(statement, Mixes))
