"""The check that conditions ask for the shape of an optional input only where it is connected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from prunec.language.functions import FUNCTIONS
from prunec.language.functions.base import GUARD, TENSOR
from prunec.language.places import guards
from prunec.language.syntax import Call, Expression, Logic, Name, Not, Rule
from prunec.language.tree import children
from prunec.support.diagnostics import Annotation, Diagnostic, Severity

_NONE: frozenset[str] = frozenset()


def check_given(rule: Rule) -> Iterator[Diagnostic]:
    """P230 for each condition that is never known where an input is left out."""
    signature = rule.signature
    optional = {t.name for t in signature.data + signature.parameters if t.kind == "optional"}
    connected = _told(rule.when, "and")
    for guard in guards(rule):
        for call, name in _asked(guard, _NONE if guard is rule.when else connected):
            if name in optional:
                yield Diagnostic(
                    "P230",
                    f"where `{name}` is not connected, it is never known whether this holds",
                    annotations=(Annotation(call.span, f"`{name}` is optional"),),
                    help=f"write `given({name}) and …` for nodes that have it, "
                    f"`not given({name}) or …` for those without as well",
                    severity=Severity.WARNING,
                )


def _asked(guard: object, connected: frozenset[str]) -> Iterator[tuple[Call, str]]:
    """The functions of a condition that ask for the shape of an input which may be left out, and its name."""
    if isinstance(guard, Logic):
        connected = connected | _told(guard, guard.operator)
    if isinstance(guard, Call):
        function = FUNCTIONS.get(guard.function)
        form = None if function is None else function.form(len(guard.arguments), GUARD)
        if function is None or form is None or function.asks_what_is_connected:
            return
        for argument, kind in zip(guard.arguments, form):
            if kind == TENSOR and isinstance(argument, Name) and argument.name not in connected:
                yield guard, argument.name
        return
    for part in children(guard):  # type: ignore[arg-type]
        yield from _asked(part, connected)


def _told(guard: Optional[Expression], operator: str) -> frozenset[str]:
    """The inputs that are connected where the other parts of a condition matter: those that a part joined by
    ``and`` says are given, or one joined by ``or`` says are not."""
    parts = guard.items if isinstance(guard, Logic) and guard.operator == operator else (guard,)
    if operator == "or":
        parts = tuple(part.item for part in parts if isinstance(part, Not))
    calls = [part for part in parts if isinstance(part, Call) and _asks_whether_connected(part)]
    return frozenset(name.name for call in calls for name in call.arguments if isinstance(name, Name))


def _asks_whether_connected(call: Call) -> bool:
    function = FUNCTIONS.get(call.function)
    if function is None or not function.asks_what_is_connected:
        return False
    return function.form(len(call.arguments), GUARD) == (TENSOR,)
