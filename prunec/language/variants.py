"""What a rule says where its conditions have given answers: a rule without conditions, and at length.

The conditions of a rule stand behind its statements and in its axis lists; whether one element of an axis is
taken, or several, is one as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Optional, TypeVar

from prunec.language.overlap import overlap
from prunec.language.places import axes_of
from prunec.language.shorthand import at_length, is_at_length, is_single
from prunec.language.syntax import (
    Alternative,
    Discontinuous,
    Element,
    Expression,
    Hint,
    Keep,
    Logic,
    Mixes,
    Not,
    Rule,
    Signature,
    Statement,
    TensorPattern,
)
from prunec.support.diagnostics import Span

#: What conditions come to; ``None`` where that is not known yet.
Answers = Mapping[Expression, Optional[bool]]

#: Statements, and a hint, that do no harm where they do not hold.
_CAUTIOUS = (Keep, Mixes, Discontinuous)
_Said = TypeVar("_Said", Statement, Hint)
#: Of more combinations of answers than these, no others are looked at.
_MOST_VARIANTS = 256


def alternatives(signature: Signature) -> Iterator[Alternative]:
    """The alternative axis lists of all tensors."""
    for tensor in _tensors(signature):
        yield from tensor.alternatives


def is_plain(rule: Rule) -> bool:
    """Whether a rule says the same for all nodes, and nothing for short."""
    return not conditions(rule) and is_at_length(rule)


def _tensors(signature: Signature) -> tuple[TensorPattern, ...]:
    return signature.data + signature.parameters + signature.outputs


def conditions(rule: Rule) -> tuple[Expression, ...]:
    """The conditions of a rule's axis lists and statements, each once; not that of the rule itself."""
    return tuple(
        dict.fromkeys(
            (*_of_axes(rule), *(s.when for s in (*rule.statements, *rule.hints) if s.when is not None))
        )
    )


def chosen(rule: Rule, answers: Answers) -> Optional[Rule]:
    """The rule where its conditions have these answers; ``None`` where it is not known which axes hold.

    Statements that do not hold are left out.  Where it is not known whether one holds, it does if it keeps
    channels, and does not if it claims anything else.  One whose condition is not asked keeps it.
    """
    signature = rule.signature
    parts = (signature.data, signature.parameters, signature.outputs)
    found = [[_with_axes(tensor, answers) for tensor in part] for part in parts]
    known = [[tensor for tensor in part if tensor is not None] for part in found]
    if list(map(len, known)) != list(map(len, found)):
        return None
    signature = Signature(tuple(known[0]), tuple(known[1]), tuple(known[2]), signature.span)
    statements, hints = tuple(_holding(rule.statements, answers)), tuple(_holding(rule.hints, answers))
    plain = replace(rule, signature=signature, statements=statements, hints=hints)

    def single(element: Element) -> Optional[bool]:
        condition = is_single(element, rule)
        return False if condition is None else answers[condition]

    if any(single(element) is None for element in _elements(plain.signature)):
        return None
    return plain if is_at_length(plain) else at_length(plain, single)


def variants(rule: Rule, also: Sequence[Expression] = ()) -> Iterator[Rule]:
    """The rule for each way in which the conditions of its axis lists, and of ``also`` (conditions of
    statements), can be answered.  The guard of each says what it holds under."""
    asked = tuple(dict.fromkeys((*_of_axes(rule), *also)))
    if not asked:
        plain = rule if is_plain(rule) else chosen(rule, {})
        assert plain is not None
        yield plain
        return
    for values in islice(product((False, True), repeat=len(asked)), _MOST_VARIANTS):
        answers = dict(zip(asked, values))
        guard = _all_of(rule, [c if answer else Not(c, c.span) for c, answer in answers.items()])
        one = chosen(rule, answers)
        if one is not None and overlap(guard, None) is not False:
            yield replace(one, when=guard)


def _of_axes(rule: Rule) -> Iterable[Expression]:
    yield from (other.when for other in alternatives(rule.signature))
    for element in _elements(rule.signature):
        condition = is_single(element, rule)
        if condition is not None:
            yield condition


def _elements(signature: Signature) -> Iterator[Element]:
    """The elements of axes in any of the axis lists."""
    for tensor in signature.outputs:
        yield from (axis.item for axis in axes_of(tensor) if isinstance(axis.item, Element))


def _with_axes(tensor: TensorPattern, answers: Answers) -> Optional[TensorPattern]:
    """The tensor with the axes that hold."""
    if not tensor.alternatives:
        return tensor
    for other in tensor.alternatives:
        answer = answers[other.when]
        if answer is None:
            return None
        if answer:
            return replace(tensor, axes=other.axes, alternatives=(), chosen=other.span)
    whole, end = tensor.span, tensor.alternatives[0].span.start
    first = whole.source.text[whole.start : end].rstrip()
    return replace(tensor, alternatives=(), chosen=Span(whole.source, whole.start, whole.start + len(first)))


def _holding(said: Sequence[_Said], answers: Answers) -> Iterator[_Said]:
    """The statements or hints that hold."""
    for statement in said:
        if statement.when is None or statement.when not in answers:
            yield statement
            continue
        answer = answers[statement.when]
        if answer or (answer is None and isinstance(statement, _CAUTIOUS)):
            yield replace(statement, when=None)


def _all_of(rule: Rule, guards: Sequence[Expression]) -> Expression:
    """The rule's guard and others in one."""
    parts: list[Expression] = []
    for guard in guards if rule.when is None else (rule.when, *guards):
        parts += guard.items if isinstance(guard, Logic) and guard.operator == "and" else (guard,)
    return parts[0] if len(parts) == 1 else Logic("and", tuple(parts), rule.span)
