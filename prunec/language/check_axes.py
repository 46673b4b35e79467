"""Checks of one rule's signature: its slots, its compounds, and that every size can be found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Optional, Union

from prunec.language.functions import function_of
from prunec.language.functions.base import COUNTED, SIZE
from prunec.language.overlap import overlap
from prunec.language.places import (
    OUTPUTS,
    AxisOccurrence,
    axes_of,
    compounds,
    is_unread,
    places,
    slots,
)
from prunec.language.shorthand import is_short
from prunec.language.syntax import (
    Arithmetic,
    Axis,
    Broadcast,
    Call,
    Each,
    Element,
    Equation,
    Expression,
    Holds,
    Keep,
    Mixes,
    Name,
    Product,
    Rest,
    Rule,
    Signature,
    Sum,
    TensorPattern,
)
from prunec.language.tree import Item, axis_names, children
from prunec.language.variants import variants
from prunec.support.diagnostics import Annotation, Diagnostic, Severity, Span


def check_axes(rule: Rule) -> Iterator[Diagnostic]:
    """Errors and warnings about a rule's signature: P205, P206, P212, P213, P217, P218, P225 and P227."""
    yield from _variadic_slots(rule.signature)
    for part, tensor in slots(rule.signature):
        yield from _alternatives(tensor)
        for axis in axes_of(tensor):
            yield from _misplaced(axis)
            if part != OUTPUTS and isinstance(axis.item, Element):
                headline, advice = "elements are taken in an output", "give the whole axis a name"
                yield _spelling(headline, axis.item.span, "stands in an input", advice)
            if part == OUTPUTS and is_unread(axis.item):
                advice = "give the axis a name"
                headline = "an output has no axes that are not read"
                yield _spelling(headline, axis.item.span, "`_` is an axis of an input", advice)
    yield from _taken_twice(rule.signature)
    yield from _names_and_rests(places(rule.signature))
    said: set[tuple[str, int]] = set()
    for variant in variants(rule):
        for diagnostic in _of_variant(variant):
            key = (diagnostic.code, diagnostic.annotations[0].span.start)
            if key not in said:
                said.add(key)
                yield diagnostic


def _of_variant(rule: Rule) -> Iterator[Diagnostic]:
    """What is wrong with a rule each of whose tensors has one axis list."""
    found = places(rule.signature)
    yield from _rests_twice(found)
    yield from _variadic_sums(rule.signature, found)
    yield from _single_places(rule, found)
    yield from _sizes(rule, rule.signature, found)


# --- slots and spelling --------------------------------------------------------------------


def _variadic_slots(signature: Signature) -> Iterator[Diagnostic]:
    for tensors in ((*signature.data, *signature.parameters), signature.outputs):
        for tensor, follower in zip(tensors, tensors[1:]):
            if tensor.kind == "variadic":
                yield Diagnostic(
                    "P212",
                    f"the variadic tensor `{tensor.name}` is not the last one",
                    annotations=(
                        Annotation(tensor.span, "takes all that is left"),
                        Annotation(follower.span, "so nothing is left for this"),
                    ),
                    help="move it to the end, or name its tensors one by one",
                )


def _alternatives(tensor: TensorPattern) -> Iterator[Diagnostic]:
    for position, later in enumerate(tensor.alternatives):
        for other in tensor.alternatives[:position]:
            if overlap(other.when, later.when):
                yield Diagnostic(
                    "P227",
                    f"two axis lists of `{tensor.name}` can hold at once",
                    annotations=(Annotation(other.span, "this one"), Annotation(later.span, "and this one")),
                    notes=("which one is meant is never guessed from their order",),
                    help="let their conditions exclude each other",
                )


def _taken_twice(signature: Signature) -> Iterator[Diagnostic]:
    taken: set[str] = set()
    for item in (axis.item for tensor in signature.outputs for axis in tensor.axes):
        if is_short(item):
            (name,) = axis_names(item)
            if name in taken:
                advice = "give a rule two forms, with `when` behind axis lists, or say which parts there are"
                yield _spelling(f"part of `{name}` is taken twice", item.span, "again here", advice)
            taken.add(name)


def _misplaced(axis: Axis) -> Iterator[Diagnostic]:
    if axis.place is not None and isinstance(axis.item, (Each, Call)):
        advice = "put `@` behind one axis, or behind a rest that starts there"
        headline = "only an axis or a rest can have a place"
        yield _spelling(headline, axis.item.span, "stands for any number of axes", advice)
    yield from _misplaced_in(axis.item, None)


def _misplaced_in(item: Item, outer: Union[Product, Sum, Each, None]) -> Iterator[Diagnostic]:
    if isinstance(item, Each) and outer is not None:
        advice = "write it in the axis list, not inside another compound"
        yield _spelling("`*(…)` cannot be part of an axis", item.span, "gives any number of axes", advice)
    if isinstance(item, (Product, Sum, Each)):
        for inner in children(item.item if isinstance(item, Each) else item):
            yield from _misplaced_in(inner, item)
    elif outer is not None and is_short(item):
        advice = "write it in the axis list of an output, not inside a compound"
        yield _spelling("only part of an axis is taken here", item.span, "cannot be part of one", advice)
    elif outer is not None and is_unread(item):
        advice = "write it in the axis list, or give it a name"
        yield _spelling("`_` cannot be part of an axis", item.span, "nothing is said of it", advice)
    elif isinstance(item, Broadcast) and outer is not None:
        advice = "put the `~` into an axis list of its own name"
        yield _spelling("`~` cannot stand inside an axis", item.span, "part of a compound", advice)
    elif isinstance(item, Call) and outer is not None and any(isinstance(a, Rest) for a in item.arguments):
        headline = f"`{item.function}` of a rest cannot be part of an axis"
        advice = "write it in the axis list, not inside a compound"
        yield _spelling(headline, item.span, "gives any number of axes", advice)
    elif isinstance(item, Rest) and isinstance(outer, Each):
        advice = f"write `{item.name}`: inside `*(…)` a plain name stands for each axis of a rest"
        yield _spelling("a rest inside `*(…)`", item.span, "already taken axis by axis", advice)
    elif isinstance(item, Rest) and isinstance(outer, Sum):
        advice = f"for each axis of rests, write `*(…)` with plain names; for one axis, `{item.name}`"
        yield _spelling("a rest cannot be part of a sum", item.span, "stands for any number of axes", advice)


def _spelling(headline: str, span: Span, text: str, advice: str) -> Diagnostic:
    return Diagnostic("P225", headline, annotations=(Annotation(span, text),), help=advice)


def _names_and_rests(found: tuple[AxisOccurrence, ...]) -> Iterator[Diagnostic]:
    first: dict[str, AxisOccurrence] = {}
    reported: set[str] = set()
    for place in found:
        other = first.setdefault(place.name, place)
        if other.rest == place.rest or place.name in reported:
            continue
        reported.add(place.name)
        one, several = (other, place) if place.rest else (place, other)
        yield Diagnostic(
            "P205",
            f"`{place.name}` stands for one axis and for any number of axes",
            annotations=(Annotation(one.span, "one axis"), Annotation(several.span, "any number of axes")),
            help="give one of them another name; inside `*(…)` a plain name is a rest",
        )


def _rests_twice(found: tuple[AxisOccurrence, ...]) -> Iterator[Diagnostic]:
    seen: dict[tuple[str, str], AxisOccurrence] = {}
    for place in found:
        if not place.rest or place.in_each:
            continue
        first = seen.setdefault((place.tensor.name, place.name), place)
        if first is not place and first.tensor is place.tensor:
            yield Diagnostic(
                "P206",
                f"`*{place.name}` stands twice in the axes of `{place.tensor.name}`",
                annotations=(Annotation(place.span, "again here"), Annotation(first.span, "first here")),
                help="give the second one a name of its own",
            )


def _variadic_sums(signature: Signature, found: tuple[AxisOccurrence, ...]) -> Iterator[Diagnostic]:
    held = {p.name for p in found if p.tensor.kind == "variadic" and not p.variadic_sum and not p.rest}
    for place in found:
        if place.variadic_sum and place.name not in held:
            yield Diagnostic(
                "P213",
                f"no variadic tensor has an axis `{place.name}` that `(+ {place.name})` could add up",
                annotations=(Annotation(place.span),),
                help=f"put `{place.name}` into the axes of a tensor with a star: `data*[…, {place.name}, …]`",
            )


# --- one place only ------------------------------------------------------------------------


def _single_places(rule: Rule, found: tuple[AxisOccurrence, ...]) -> Iterator[Diagnostic]:
    by_name: dict[str, list[AxisOccurrence]] = {}
    for place in found:
        by_name.setdefault(place.name, []).append(place)
    spoken_of = {
        target.name
        for statement in rule.statements
        if isinstance(statement, (Keep, Mixes))
        for target in statement.targets
        if isinstance(target, Name)
    }
    equated = set().union(*(_unknowns(equation) for equation in _equations(rule)))
    spoken_of |= set().union(*(_mentioned(s.value) for s in rule.statements if isinstance(s, Holds)))
    for name, occurrences in by_name.items():
        place = occurrences[0]
        if len(occurrences) > 1 or place.rest or place.in_sum or place.tensor.kind == "variadic":
            continue
        if name in spoken_of or (place.part == OUTPUTS and name in equated):
            continue
        yield Diagnostic(
            "P217",
            f"the axis `{name}` stands in one place only",
            annotations=(Annotation(place.span, "so none of it can be removed"),),
            help=f"if that is meant, say so: `keep {name}`; else use its name where the same channels are",
            severity=Severity.WARNING,
        )


# --- sizes ---------------------------------------------------------------------------------


def _sizes(rule: Rule, signature: Signature, found: tuple[AxisOccurrence, ...]) -> Iterator[Diagnostic]:
    """A part of a compound needs a size: from a place where it stands alone in an input, from an
    equation, or as the only unknown part of an input's axis."""
    known = _known_sizes(rule, signature, found)
    reported: set[str] = set()
    for _, compound, each in compounds(signature):
        unknown = [part for part in _leaves(compound, each) if part[0] not in known | reported]
        for key, span in unknown:
            if key in reported:
                continue
            reported.add(key)
            what = "factor" if isinstance(compound, Product) else "part"
            yield Diagnostic(
                "P218",
                f"nothing gives the size of `{key}`",
                annotations=(Annotation(span, f"a {what} of this axis"),),
                notes=(
                    "a name that stands inside compound axes only needs an equation, unless it is the "
                    "only one of an input's axis whose size is not known",
                ),
                help=f"add an equation such as `attribute = {key}`, or let it stand alone in an input",
            )


def _known_sizes(rule: Rule, signature: Signature, found: tuple[AxisOccurrence, ...]) -> set[str]:
    """The names (``*x`` for rests) whose sizes follow from the inputs' shapes and the attributes."""
    known = {attribute.name for attribute in rule.attributes}
    known |= {_key(place) for place in found if place.part != OUTPUTS and not place.compound}
    wholes = _wholes(signature)
    equations = [
        (_mentioned(equation.left, wholes), _mentioned(equation.right, wholes), equation)
        for equation in _equations(rule)
    ]
    while True:
        before = len(known)
        for part, compound, each in compounds(signature):
            unknown = {key for key, _ in _leaves(compound, each)} - known
            if part != OUTPUTS and len(unknown) == 1:
                known |= unknown
        for left, right, equation in equations:
            unknown = (left | right) - known
            if (
                len(unknown) == 1
                or (_is_row(equation.left) and right <= known)
                or (_is_row(equation.right) and left <= known)
            ):
                known |= unknown
        if len(known) == before:
            return known


def _key(place: AxisOccurrence) -> str:
    return f"*{place.name}" if place.rest else place.name


def _leaves(item: Item, each: bool) -> Iterator[tuple[str, Span]]:
    """The names a compound is made of; a call's result is not looked into."""
    if isinstance(item, (Name, Rest)):
        yield (f"*{item.name}" if each or isinstance(item, Rest) else item.name), item.span
    elif not isinstance(item, Call):
        for part in children(item):
            yield from _leaves(part, each or isinstance(item, Each))


def _equations(rule: Rule) -> Iterator[Equation]:
    return (statement for statement in rule.statements if isinstance(statement, Equation))


#: The names of a sum (``+``) or a product (``*``), in the order of their names.
_Whole = tuple[str, tuple[str, ...]]


def _wholes(signature: Signature) -> frozenset[_Whole]:
    """The compounds of names that are an axis of an input: their sizes are known as a whole."""
    found = set()
    for part, compound, each in compounds(signature):
        if part != OUTPUTS and all(isinstance(item, (Name, Rest)) for item in compound.items):
            names = tuple(sorted(key for key, _ in _leaves(compound, each)))
            found.add(("+" if isinstance(compound, Sum) else "*", names))
    return frozenset(found)


def _mentioned(expression: Expression, wholes: frozenset[_Whole] = frozenset()) -> set[str]:
    """The names in an expression, but for those that make up the known size of an axis."""
    if isinstance(expression, Name):
        return {expression.name}
    if isinstance(expression, Rest):
        return {f"*{expression.name}"}
    if isinstance(expression, Arithmetic):
        names = _operands(expression, expression.operator)
        if names is not None and (expression.operator, tuple(sorted(names))) in wholes:
            return set()
        return _mentioned(expression.left, wholes) | _mentioned(expression.right, wholes)
    if isinstance(expression, Call):
        form = function_of(expression).form(len(expression.arguments), SIZE) or ()
        read = [a for a, kind in zip_longest(expression.arguments, form) if kind != COUNTED]
        return set().union(*(_mentioned(argument, wholes) for argument in read))
    return set()


def _operands(expression: Expression, operator: str) -> Optional[list[str]]:
    """The names that an expression joins with one operator; ``None`` where it holds anything else."""
    if isinstance(expression, Arithmetic) and expression.operator == operator:
        left, right = _operands(expression.left, operator), _operands(expression.right, operator)
        return None if left is None or right is None else left + right
    if isinstance(expression, (Name, Rest)):
        return list(_mentioned(expression))
    return None


def _unknowns(equation: Equation) -> set[str]:
    """The names in an equation, attributes among them."""
    return _mentioned(equation.left) | _mentioned(equation.right)


def _is_row(expression: Expression) -> bool:
    """Whether the value is a row of numbers, one for each of the sizes it is made of."""
    return isinstance(expression, Call) and function_of(expression).one_by_one
