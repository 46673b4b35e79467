"""Hypothesis strategies for syntax trees."""

from __future__ import annotations

from hypothesis import strategies as st

from prunec.language import policy_syntax, syntax
from prunec.support.diagnostics import Source, Span

NOWHERE = Span(Source("generated", ""), 0, 0)
KEYWORDS = frozenset(
    [
        "op",
        "as",
        "specialises",
        "when",
        "opaque",
        "because",
        "keep",
        "mixes",
        "unless",
        "zero",
        "if",
        "and",
        "or",
        "not",
        "balanced",
        "hint",
        "neutral",
        "scales",
        "contracts",
        "discontinuous",
        "macs",
        "holds",
        "in",
        "None",
        "True",
        "False",
    ]
)

words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,5}", fullmatch=True).filter(lambda w: w not in KEYWORDS)
texts = st.text(st.characters(exclude_characters='"\n', exclude_categories=["Cs"]), max_size=12)
names = st.builds(syntax.Name, words, st.just(NOWHERE))
rests = st.builds(syntax.Rest, words, st.just(NOWHERE))
numbers = st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | numbers | texts | st.just(())
literals = st.builds(syntax.Literal, values, st.just(NOWHERE))


def calls(arguments: st.SearchStrategy[syntax.Expression]) -> st.SearchStrategy[syntax.Call]:
    listed = st.lists(arguments, min_size=1, max_size=3).map(tuple)
    return st.builds(syntax.Call, words, listed, st.just(NOWHERE))


def _operations(inner: st.SearchStrategy[syntax.Expression]) -> st.SearchStrategy[syntax.Expression]:
    return calls(inner) | st.builds(
        syntax.Arithmetic, st.sampled_from("+-*/"), inner, inner, st.just(NOWHERE)
    )


def _guards(inner: st.SearchStrategy[syntax.Expression]) -> st.SearchStrategy[syntax.Expression]:
    comparison = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    choices = st.lists(literals, max_size=3).map(tuple)
    joined = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return (
        _operations(inner)
        | st.builds(syntax.Comparison, comparison, inner, inner, st.just(NOWHERE))
        | st.builds(syntax.Membership, inner, choices, st.booleans(), st.just(NOWHERE))
        | st.builds(syntax.Logic, st.sampled_from(["and", "or"]), joined, st.just(NOWHERE))
        | st.builds(syntax.Not, inner, st.just(NOWHERE))
    )


guards = st.recursive(names | rests | literals, _guards, max_leaves=6)
expressions = st.recursive(names | rests | literals, _operations, max_leaves=6)


@st.composite
def left_sides(draw: st.DrawFn) -> syntax.Expression:
    """An expression that begins with a name, as the left side of an equation does."""
    side = draw(names | rests | calls(expressions))
    for operators in ("*/", "+-"):
        for _ in range(draw(st.integers(0, 2))):
            right = draw(expressions)
            side = syntax.Arithmetic(draw(st.sampled_from(operators)), side, right, NOWHERE)
    return side


def _compounds(inner: st.SearchStrategy[syntax.AxisExpression]) -> st.SearchStrategy[syntax.AxisExpression]:
    products = st.builds(syntax.Product, st.lists(inner, min_size=1, max_size=3).map(tuple), st.just(NOWHERE))
    sums = st.builds(syntax.Sum, st.lists(inner, min_size=2, max_size=3).map(tuple), st.just(NOWHERE))
    return products | sums | st.builds(syntax.Each, products | sums, st.just(NOWHERE))


axis_expressions = st.recursive(
    names
    | rests
    | st.builds(syntax.Fixed, st.integers(0, 10**17), st.just(NOWHERE))
    | st.builds(syntax.Broadcast, names | rests, st.just(NOWHERE))
    | st.builds(syntax.VariadicSum, names, st.just(NOWHERE))
    | st.builds(syntax.Element, names, names, st.just(NOWHERE))
    | calls(expressions),
    _compounds,
    max_leaves=5,
)
places = st.none() | names | st.builds(syntax.Literal, st.integers(-9, 9), st.just(NOWHERE))
axes = st.builds(syntax.Axis, axis_expressions, places, st.just(NOWHERE))
kinds = st.sampled_from(["one", "optional", "variadic"])
axis_lists = st.lists(axes, max_size=3).map(tuple)
alternatives = st.builds(syntax.Alternative, axis_lists, guards, st.just(NOWHERE))
tensors = st.builds(
    syntax.TensorPattern,
    words,
    kinds,
    axis_lists,
    st.just(NOWHERE),
    alternatives=st.just(()) | st.lists(alternatives, max_size=2).map(tuple),
)


values_carried = st.builds(
    syntax.TensorPattern,
    words,
    st.sampled_from(["one", "optional"]),
    st.just(()),
    st.just(NOWHERE),
    st.just(True),
)


def slots(least: int) -> st.SearchStrategy[tuple[syntax.TensorPattern, ...]]:
    return st.lists(tensors, min_size=least, max_size=3).map(tuple)


inputs = st.lists(tensors | values_carried, max_size=3).map(tuple)
signatures = st.builds(syntax.Signature, inputs, slots(0), slots(1), st.just(NOWHERE))

targets = st.lists(names | rests | calls(expressions), min_size=1, max_size=3).map(tuple)
given_reasons = st.builds(syntax.Reason, texts, st.just(""), st.just(NOWHERE))
reasons = st.none() | given_reasons
whens = st.none() | guards


@st.composite
def conditions(draw: st.DrawFn) -> syntax.ZeroCondition:
    listed = draw(st.lists(names, min_size=1, max_size=3).map(tuple))
    operator = draw(st.sampled_from(["and", "or"])) if len(listed) > 1 else "and"
    return syntax.ZeroCondition(operator, listed, NOWHERE)


statements = (
    st.builds(syntax.Equation, left_sides(), expressions, whens, st.just(NOWHERE))
    | st.builds(syntax.Keep, targets, reasons, whens, st.just(NOWHERE))
    | st.builds(syntax.Mixes, targets, st.none() | conditions(), reasons, whens, st.just(NOWHERE))
    | st.builds(syntax.Zero, names, st.none() | conditions(), whens, st.just(NOWHERE))
    | st.builds(syntax.Balanced, names, whens, st.just(NOWHERE))
    | st.builds(syntax.Holds, names, expressions, whens, st.just(NOWHERE))
)
hints = (
    st.builds(syntax.Neutral, names, literals, whens, st.just(NOWHERE))
    | st.builds(syntax.Scales, names, whens, st.just(NOWHERE))
    | st.builds(syntax.Contracts, targets, whens, st.just(NOWHERE))
    | st.builds(syntax.Discontinuous, whens, st.just(NOWHERE))
    | st.builds(syntax.MultiplyAdds, expressions, whens, st.just(NOWHERE))
)

attributes = st.builds(syntax.Attribute, words, st.none() | literals, st.just(NOWHERE))
lines = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=12).map(
    str.rstrip
)


@st.composite
def rules(draw: st.DrawFn) -> syntax.Rule:
    operators = draw(st.lists(names, min_size=1, max_size=8).map(tuple))
    opaque = draw(st.booleans())
    return syntax.Rule(
        operators=operators,
        attributes=draw(st.lists(attributes, max_size=6).map(tuple)),
        label=draw(st.just(operators[0].name) | words),
        specialises=draw(st.lists(names, max_size=2).map(tuple)),
        when=draw(st.none() | guards),
        signature=syntax.Signature((), (), (), NOWHERE) if opaque else draw(signatures),
        statements=() if opaque else draw(st.lists(statements, max_size=4).map(tuple)),
        hints=() if opaque else draw(st.lists(hints, max_size=2).map(tuple)),
        opaque=draw(given_reasons) if opaque else None,
        documentation="\n".join(draw(st.lists(lines, max_size=3))),
        span=NOWHERE,
    )


counts = st.integers(0, 10**18 - 1).map(float)
shares = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
settings = st.one_of(
    st.builds(
        policy_syntax.Setting,
        st.sampled_from(["hold", "whole", "free", "uniform"]),
        st.none(),
        st.none() | texts,
        st.just(NOWHERE),
    ),
    st.builds(
        policy_syntax.Setting, st.sampled_from(["ratio", "max_ratio"]), shares, st.none(), st.just(NOWHERE)
    ),
    st.builds(
        policy_syntax.Setting, st.sampled_from(["align", "min_channels"]), counts, st.none(), st.just(NOWHERE)
    ),
)
policies = st.builds(
    policy_syntax.Policy,
    st.lists(st.builds(syntax.Literal, texts, st.just(NOWHERE)), min_size=1, max_size=5).map(tuple),
    st.lists(settings, max_size=5).map(tuple),
    st.lists(lines, max_size=3).map("\n".join),
    st.just(NOWHERE),
)
patterns = st.lists(st.builds(syntax.Literal, texts, st.just(NOWHERE)), min_size=1, max_size=5).map(tuple)
interfaces = st.builds(
    policy_syntax.Interface,
    patterns,
    st.just(()) | patterns,
    st.none() | texts,
    st.lists(lines, max_size=3).map("\n".join),
    st.just(NOWHERE),
)
policy_files = st.builds(
    policy_syntax.PolicyFile,
    st.lists(policies, max_size=3).map(tuple),
    st.just(NOWHERE),
    st.lists(interfaces, max_size=2).map(tuple),
)
files = st.builds(syntax.RuleFile, st.lists(rules(), max_size=3).map(tuple), st.just(NOWHERE))
