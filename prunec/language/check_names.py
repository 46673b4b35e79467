"""Checks of one rule: that its names, functions and attributes are what they are used as."""

from __future__ import annotations

from collections.abc import Iterator

from prunec.language.check_messages import (
    axis_where_attribute,
    contracts_nothing,
    function_out_of_place,
    function_span,
    passes_several,
    replaced,
    rest_or_name,
    twice,
    unknown,
    usage,
    wrong_argument,
)
from prunec.language.functions import FUNCTIONS, WRITTEN
from prunec.language.functions.base import (
    ANY_AXES,
    AXIS,
    GUARD,
    INPUT,
    LIST,
    MEASURE,
    ONE_AXIS,
    PARTS,
    RESTS,
    SIZE,
    TARGET,
    TENSOR,
    VALUE,
    VALUES,
    VARIADIC,
    Function,
)
from prunec.language.places import (
    OUTPUTS,
    axes_of,
    axis_calls,
    guards,
    measures,
    names_used,
    places,
    slots,
    targets,
)
from prunec.language.reasons import named_reasons, unknown_reasons
from prunec.language.syntax import (
    Balanced,
    Call,
    Comparison,
    Contracts,
    Element,
    Expression,
    Holds,
    Logic,
    Membership,
    Mixes,
    Name,
    Neutral,
    Not,
    Passes,
    Rest,
    Rule,
    Scales,
    TensorPattern,
    Zero,
)
from prunec.language.tree import Item, children
from prunec.support.diagnostics import Annotation, Diagnostic, Severity, Span


def check_names(rule: Rule) -> Iterator[Diagnostic]:
    """Errors and warnings about names, functions and attributes: P201 to P205, P207 to P211,
    P221, P224, P228 and P229."""
    names = _Names(rule)
    yield from names.declarations()
    for part, call in axis_calls(rule.signature):
        yield from names.call(call, AXIS if part == OUTPUTS else INPUT)
    for _, tensor in slots(rule.signature):
        for axis in axes_of(tensor):
            if isinstance(axis.place, Name):
                yield from names.expression(axis.place, VALUE)
            if isinstance(axis.item, Element):
                yield from names.axis(axis.item.item)
                yield from names.expression(axis.item.positions, VALUE)
    for expression in guards(rule):
        yield from names.expression(expression, GUARD)
    for expression in measures(rule):
        yield from names.expression(expression, SIZE)
    yield from names.statements()
    for reason in unknown_reasons(rule):
        known = [other.name for other in named_reasons(reason.span.source)]
        default = f'name it above the rules: `reason {reason.name} = "…"`, or write the text in quotes'
        headline = f"no reason is called `{reason.name}`"
        yield unknown("P228", headline, reason.span, reason.name, known, default)


class _Names:
    """What the names of a rule stand for."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.attributes = {attribute.name for attribute in rule.attributes}
        found = places(rule.signature)
        self.axes = {place.name for place in found if not place.rest}
        self.rests = {place.name for place in found if place.rest}
        self.parts = {place.name for place in found if place.variadic_sum}
        self.tensors: dict[str, TensorPattern] = {}
        self.part_of: dict[str, str] = {}
        for part, tensor in slots(rule.signature):
            self.tensors.setdefault(tensor.name, tensor)
            self.part_of.setdefault(tensor.name, part)

    # --- what is declared ---

    def declarations(self) -> Iterator[Diagnostic]:
        seen: dict[str, Span] = {}
        used = names_used(self.rule)
        for attribute in self.rule.attributes:
            if attribute.name in seen:
                headline = f"the attribute `{attribute.name}` is declared twice"
                yield twice("P207", headline, attribute.span, seen[attribute.name])
                continue
            seen[attribute.name] = attribute.span
            if attribute.name in self.axes:
                yield Diagnostic(
                    "P221",
                    f"`{attribute.name}` is both an attribute and an axis",
                    annotations=(
                        Annotation(attribute.span, "the attribute"),
                        *self._first_place(attribute.name),
                    ),
                    help="give the axis another name",
                )
            elif attribute.name not in used and not self._carries(attribute.name):
                yield Diagnostic(
                    "P208",
                    f"the attribute `{attribute.name}` is never used",
                    annotations=(Annotation(attribute.span),),
                    help="delete it: a rule lists only the attributes it reads",
                    severity=Severity.WARNING,
                )
        yield from self._tensor_names()

    def _carries(self, name: str) -> bool:
        """Whether an input carries the attribute: it has to be named for its place alone."""
        return name in self.tensors and self.tensors[name].value

    def _first_place(self, name: str) -> tuple[Annotation, ...]:
        for place in places(self.rule.signature):
            if place.name == name and not place.rest:
                return (Annotation(place.span, "the axis"),)
        return ()

    def _tensor_names(self) -> Iterator[Diagnostic]:
        seen: dict[str, Span] = {}
        for _, tensor in slots(self.rule.signature):
            if tensor.value and tensor.name not in self.attributes:
                headline = f"the input `{tensor.name}` carries a value, and no attribute has its name"
                default = f"write `op {self.rule.operators[0].name}({tensor.name})`, or give the input axes"
                yield unknown("P204", headline, tensor.span, tensor.name, self.attributes, default)
            if tensor.name in seen:
                headline = f"two tensors are called `{tensor.name}`"
                yield twice("P209", headline, tensor.span, seen[tensor.name])
            seen.setdefault(tensor.name, tensor.span)

    # --- expressions ---

    def expression(self, expression: Item, context: str) -> Iterator[Diagnostic]:
        """``context`` is ``SIZE``, ``GUARD`` or (attributes and numbers only) ``VALUE``."""
        if isinstance(expression, Name):
            yield from self._name(expression, context)
        elif isinstance(expression, Rest):
            if context != SIZE:
                yield axis_where_attribute(expression.span, f"*{expression.name}", context)
            else:
                yield from self._rest(expression)
        elif isinstance(expression, Call):
            yield from self.call(expression, context)
        elif context != GUARD and isinstance(expression, (Comparison, Membership, Logic, Not)):
            yield Diagnostic(
                "P222",
                "a comparison is no size",
                annotations=(Annotation(expression.span, "this is true or false"),),
                help="put conditions behind `when`",
            )
        else:
            for part in children(expression):
                yield from self.expression(part, context)

    def _name(self, name: Name, context: str) -> Iterator[Diagnostic]:
        if name.name in self.attributes or (context == SIZE and name.name in self.axes):
            return
        if name.name in self.axes:
            yield axis_where_attribute(name.span, name.name, context)
        elif context == SIZE and name.name in self.rests:
            yield rest_or_name(name.span, f"`{name.name}` is a rest", f"write `*{name.name}`")
        else:
            known = self.attributes | (self.axes if context == SIZE else set())
            what = "neither an axis nor an attribute" if context == SIZE else "no attribute"
            default = f"attributes stand in the header: `op {self.rule.operators[0].name}({name.name})`"
            if context == GUARD:
                default += '; a text stands in quotes: `"' + name.name + '"`'
            headline = f"`{name.name}` is {what} of this rule"
            yield unknown("P204", headline, name.span, name.name, known, default)

    def _rest(self, rest: Rest) -> Iterator[Diagnostic]:
        if rest.name in self.rests:
            return
        if rest.name in self.axes:
            advice = f"write `{rest.name}` without the star"
            yield rest_or_name(rest.span, f"`{rest.name}` is one axis", advice)
        else:
            default = "a rest stands in the axis list of a tensor"
            headline = f"no tensor of this rule has axes `*{rest.name}`"
            yield unknown("P204", headline, rest.span, rest.name, self.rests, default)

    def axis(self, name: Name) -> Iterator[Diagnostic]:
        """Whether a name is one of an axis."""
        if name.name in self.axes:
            return
        if name.name in self.rests:
            yield rest_or_name(name.span, f"`{name.name}` is a rest", f"write `*{name.name}`")
        else:
            headline = f"no tensor of this rule has an axis `{name.name}`"
            default = "name an axis of the signature"
            yield unknown("P204", headline, name.span, name.name, self.axes, default)

    def _tensor(self, name: Name) -> Iterator[Diagnostic]:
        if name.name in self.tensors:
            return
        default = "name a tensor of the signature"
        if self.rule.opaque is not None:
            default = "an opaque rule has no tensors"
        headline = f"this rule has no tensor `{name.name}`"
        yield unknown("P210", headline, name.span, name.name, self.tensors, default)

    # --- calls ---

    def call(self, call: Call, context: str) -> Iterator[Diagnostic]:
        """``context`` is where the call stands: a kind of function, or nothing that allows one."""
        function = FUNCTIONS.get(call.function)
        if function is not None and function.instead:
            yield replaced(call, function)
            return
        if function is None:
            here = [name for name, known in WRITTEN.items() if context in known.kinds]
            default = "known here: " + ", ".join(here) if here else "no function can stand here"
            if context in (AXIS, INPUT):
                default += f"; for a product, put a space behind the name: `{call.function} (…)`"
            headline = f"there is no function `{call.function}`"
            yield unknown("P201", headline, function_span(call), call.function, here or WRITTEN, default)
            return
        if context not in function.kinds:
            yield function_out_of_place(call, function, context)
        form = function.form(len(call.arguments), context)
        if form is None:
            yield Diagnostic(
                "P202",
                f"`{function.name}` takes {function.arity}, not {len(call.arguments)}",
                annotations=(Annotation(call.span),),
                help=f"it is written {usage(function)}: {function.summary}",
            )
            return
        for argument, kind in zip(call.arguments, form):
            yield from self._argument(function, argument, kind)

    def _argument(self, function: Function, argument: Expression, kind: str) -> Iterator[Diagnostic]:
        if kind in (*VALUES, LIST, MEASURE):
            sizes = kind == MEASURE or (kind == LIST and isinstance(argument, Call))
            yield from self.expression(argument, SIZE if sizes else VALUE)
            return
        rests = kind in RESTS or (kind == ANY_AXES and isinstance(argument, Rest))
        wanted = Rest if rests else Name
        if not isinstance(argument, (Name, Rest)):
            yield wrong_argument(function, argument, kind)
        elif not isinstance(argument, wanted):
            if kind in (TENSOR, VARIADIC) or argument.name not in self.rests | self.axes:
                yield wrong_argument(function, argument, kind)
            elif isinstance(argument, Rest):
                advice = f"write `{argument.name}` without the star"
                yield rest_or_name(argument.span, f"`{function.name}` takes one axis", advice)
            else:
                headline = f"`{function.name}` takes any number of axes"
                yield rest_or_name(argument.span, headline, f"write `*{argument.name}`")
        elif isinstance(argument, Rest):
            yield from self._rest(argument)
        elif kind in (ONE_AXIS, ANY_AXES):
            yield from self.axis(argument)
        elif kind == PARTS:
            found = tuple(self.axis(argument))
            yield from found
            if not found and argument.name not in self.parts:
                yield wrong_argument(function, argument, kind)
        else:
            yield from self._tensor(argument)
            tensor = self.tensors.get(argument.name)
            if kind == VARIADIC and tensor is not None and tensor.kind != "variadic":
                yield wrong_argument(function, argument, kind)

    # --- statements ---

    def statements(self) -> Iterator[Diagnostic]:
        for target in targets(self.rule):
            if isinstance(target, Call):
                yield from self.call(target, TARGET)
            elif isinstance(target, Rest):
                yield from self._rest(target)
            else:
                yield from self.axis(target)
        for hint in self.rule.hints:
            if isinstance(hint, Neutral):
                yield from self._tensor_of(hint.tensor, ("data", "parameters"), "an input")
            if isinstance(hint, Scales):
                yield from self._tensor_of(hint.tensor, ("parameters",), "a parameter")
            if isinstance(hint, Contracts):
                yield from self._contracted(hint)
        for statement in self.rule.statements:
            if isinstance(statement, (Zero, Holds)):
                yield from self._tensor_of(statement.tensor, (OUTPUTS,), "an output")
            if isinstance(statement, Passes):
                yield from self._tensor_of(statement.output, (OUTPUTS,), "an output")
                for tensor in (statement.passed, statement.zero):
                    yield from self._tensor_of(tensor, ("data", "parameters"), "an input")
                tensors = (statement.passed, statement.output, statement.zero)
                yield from (passes_several(name) for name in tensors if self._is_variadic(name))
            condition = None
            if isinstance(statement, Zero):
                condition = statement.condition
            elif isinstance(statement, Mixes):
                condition = statement.unless
            for tensor in condition.tensors if condition else ():
                yield from self._tensor_of(tensor, ("data", "parameters"), "an input")
            if isinstance(statement, Balanced) and statement.name.name in self.axes - self.parts:
                yield Diagnostic(
                    "P224",
                    f"`{statement.name.name}` is no part of a variadic sum",
                    annotations=(Annotation(statement.name.span, "has nothing to be balanced with"),),
                    help="`balanced` speaks of an axis that stands as `(+ c)`",
                )

    def _contracted(self, hint: Contracts) -> Iterator[Diagnostic]:
        """Of axes that a function names, only a node tells where they stand."""
        for target in hint.targets:
            if isinstance(target, Call):
                continue
            found = [p for p in places(self.rule.signature) if p.name == target.name]
            outputs = [p for p in found if p.part == OUTPUTS]
            inputs = {p.tensor.name for p in found}
            if outputs or len(inputs) == 1:
                yield contracts_nothing(target, outputs[0] if outputs else found[0], bool(outputs))

    def _is_variadic(self, name: Name) -> bool:
        tensor = self.tensors.get(name.name)
        return tensor is not None and tensor.kind == "variadic"

    def _tensor_of(self, name: Name, parts: tuple[str, ...], what: str) -> Iterator[Diagnostic]:
        found = tuple(self._tensor(name))
        yield from found
        if not found and self.part_of[name.name] not in parts:
            yield Diagnostic(
                "P223",
                f"`{name.name}` is not {what} of this rule",
                annotations=(Annotation(name.span, f"expected {what}"),),
                help="`zero`, `as` and `holds` speak of outputs, `passes`, `if`, `unless zero` and `neutral` "
                "of inputs",
            )
