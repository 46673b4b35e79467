"""The messages about names and functions in a rule."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from prunec.language.functions.base import (
    ANY_AXES,
    AXES,
    AXIS,
    CODES,
    COUNTED,
    FORMULA,
    GUARD,
    INPUT,
    LIST,
    MEASURE,
    ONE_AXIS,
    PARTS,
    POSITIONS,
    REST,
    SIZE,
    TARGET,
    TENSOR,
    VALUE,
    VARIADIC,
    Function,
)
from prunec.language.places import AxisOccurrence
from prunec.language.syntax import Call, Expression, Name, Rest
from prunec.support.diagnostics import Annotation, Diagnostic, Span

_PLACES_OF_KINDS = {
    AXIS: "the axes of an output",
    INPUT: "the axes of an input",
    TARGET: "`keep`, `mixes` and `contracts`",
    SIZE: "equations and `macs`",
    GUARD: "guards behind `when`",
}
_ARGUMENTS = {
    ONE_AXIS: "the name of an axis",
    REST: "a rest such as `*x`",
    ANY_AXES: "an axis, or a rest such as `*x`",
    COUNTED: "a rest such as `*x`",
    PARTS: "an axis that a variadic sum `(+ c)` adds up",
    TENSOR: "the name of a tensor",
    VARIADIC: "the name of a variadic tensor",
}
_EXAMPLES = {
    ONE_AXIS: "c",
    REST: "*x",
    ANY_AXES: "*x",
    COUNTED: "*x",
    LIST: "list",
    AXES: "axes",
    CODES: "codes",
    POSITIONS: "positions",
    FORMULA: "formula",
    PARTS: "c",
    TENSOR: "tensor",
    VARIADIC: "tensor",
    VALUE: "value",
    MEASURE: "size",
}


def twice(code: str, headline: str, span: Span, first: Span) -> Diagnostic:
    """Something that is declared or named once too often."""
    return Diagnostic(
        code,
        headline,
        annotations=(Annotation(span, "again here"), Annotation(first, "first here")),
        help="rename or delete one of them",
    )


def unknown(
    code: str, headline: str, span: Span, name: str, known: Iterable[str], default: str
) -> Diagnostic:
    """A name that stands for nothing; ``known`` are those it could be a slip of."""
    close = get_close_matches(name, sorted(known), 1)
    advice = f"did you mean `{close[0]}`?" if close else default
    return Diagnostic(code, headline, annotations=(Annotation(span),), help=advice)


def rest_or_name(span: Span, headline: str, advice: str) -> Diagnostic:
    """``*x`` where ``x`` is meant, or the reverse."""
    return Diagnostic("P205", headline, annotations=(Annotation(span),), help=advice)


def axis_where_attribute(span: Span, text: str, context: str) -> Diagnostic:
    """An axis in a guard, or where a value is expected."""
    advice = "use an attribute or a number"
    if context == GUARD:
        advice = "ask for a size with `size(tensor, index)`, for the number of axes with `rank(tensor)`"
    return Diagnostic(
        "P204",
        f"`{text}` is an axis, and only attributes can stand here",
        annotations=(Annotation(span),),
        help=advice,
    )


def replaced(call: Call, function: Function) -> Diagnostic:
    """A function that rules say in another way."""
    return Diagnostic(
        "P201",
        f"there is no function `{function.name}`",
        annotations=(Annotation(function_span(call), function.summary),),
        help=f"write `{function.instead}`",
    )


def function_out_of_place(call: Call, function: Function, context: str) -> Diagnostic:
    """A function in a place that its kind does not allow."""
    allowed = " and ".join(_PLACES_OF_KINDS[kind] for kind in function.kinds)
    return Diagnostic(
        "P211",
        f"`{function.name}` cannot stand here",
        annotations=(Annotation(call.span),),
        notes=(f"it gives {function.summary}, for {allowed}",),
        help="name the axes of an input, and put the function into the output" if context == INPUT else None,
    )


def wrong_argument(function: Function, argument: Expression, kind: str) -> Diagnostic:
    """An argument of another kind than the function takes."""
    return Diagnostic(
        "P203",
        f"`{function.name}` cannot take this argument",
        annotations=(Annotation(argument.span, f"expected {_ARGUMENTS[kind]}"),),
        help=f"it is written {usage(function)}: {function.summary}",
    )


def passes_several(tensor: Name) -> Diagnostic:
    """A variadic tensor in ``passes``, which speaks of single ones."""
    return Diagnostic(
        "P223",
        f"`passes` speaks of single tensors, and `{tensor.name}` stands for several",
        annotations=(Annotation(tensor.span, "is variadic"),),
        help="name tensors that stand without `*`, or delete the statement",
    )


def contracts_nothing(target: Name | Rest, place: AxisOccurrence, in_output: bool) -> Diagnostic:
    """An axis under ``contracts`` that an output has, or only one input."""
    why = "an output has this axis" if in_output else f"only `{place.tensor.name}` has this axis"
    return Diagnostic(
        "P229",
        f"`{target.span.text.strip()}` is not summed over in a product of two inputs",
        annotations=(Annotation(target.span), Annotation(place.span, why)),
        help="name an axis that two inputs have and no output, or delete the hint",
    )


def usage(function: Function) -> str:
    """How a function is written, in its forms."""
    forms = (f"`{function.name}({', '.join(_EXAMPLES[kind] for kind in form)})`" for form in function.forms)
    return " or ".join(forms)


def function_span(call: Call) -> Span:
    """The name of the function in a call."""
    return Span(call.span.source, call.span.start, call.span.start + len(call.function))
