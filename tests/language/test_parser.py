"""Parsing: trees, positions, and every syntax error of a file at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunec.language import syntax
from prunec.language.parser import MAXIMUM_BYTES, chunks, parse, read_source
from prunec.support.diagnostics import Diagnostic, PrunecError, Source, Span, render

CONVOLUTION = """\
# A file.

## Convolution.
##
##   Indented.
op Convolution(num_group = 1, kernel, num_filter) as convolution when not num_group in {None, 0} {
  data[n, (g i), *x]; weight[(g o), i, *k], bias?[(g o)] -> out[n, (g o), *y]
  num_group = g
  num_filter = g * o - 1
  zero out
}
"""


def one_rule(text: str) -> syntax.Rule:
    (rule,) = parse(Source("rules.prune", text)).rules
    return rule


def errors(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(PrunecError) as caught:
        parse(Source("rules.prune", text))
    return caught.value.diagnostics


def error(text: str) -> str:
    (diagnostic,) = errors(text)
    return render(diagnostic)


def axes(text: str) -> str:
    rule = one_rule(f"op A {{ data[{text}] -> out[c] }}")
    return repr(rule.signature.data[0].axes)


# --- trees ---


def test_a_rule_and_its_parts() -> None:
    rule = one_rule(CONVOLUTION)
    assert [name.name for name in rule.operators] == ["Convolution"]
    assert rule.label == "convolution"
    assert rule.documentation == "Convolution.\n\n  Indented."
    assert [(a.name, a.default and a.default.value) for a in rule.attributes] == [
        ("num_group", 1),
        ("kernel", None),
        ("num_filter", None),
    ]
    assert isinstance(rule.when, syntax.Not)
    assert [tensor.kind for tensor in rule.signature.parameters] == ["one", "optional"]
    assert [type(statement).__name__ for statement in rule.statements] == ["Equation", "Equation", "Zero"]


def test_spans_point_into_the_text() -> None:
    rule = one_rule(CONVOLUTION)
    assert rule.span.text == CONVOLUTION[CONVOLUTION.index("op C") :].rstrip()
    assert rule.signature.span.text.startswith("data[n") and rule.signature.span.text.endswith("*y]")
    assert rule.signature.parameters[1].span.text == "bias?[(g o)]"
    assert rule.statements[1].span.text == "num_filter = g * o - 1"
    assert rule.statements[1].span.place == "rules.prune:9:3"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("c @ axis", "(Axis(item=Name(name='c'), place=Name(name='axis')),)"),
        ("c @ -1", "(Axis(item=Name(name='c'), place=Literal(value=-1)),)"),
        ("(*x)", "(Axis(item=Product(items=(Rest(name='x'),)), place=None),)"),
        (
            "(h (q + k))",
            "(Axis(item=Product(items=(Name(name='h'), Sum(items=(Name(name='q'), Name(name='k'))))), "
            "place=None),)",
        ),
        (
            "(h(q, k))",
            "(Axis(item=Product(items=(Call(function='h', arguments=(Name(name='q'), Name(name='k'))),)), "
            "place=None),)",
        ),
        (
            "*(r x), ~*x",
            "(Axis(item=Each(item=Product(items=(Name(name='r'), Name(name='x')))), place=None), "
            "Axis(item=Broadcast(item=Rest(name='x')), place=None))",
        ),
        (
            "(+ c), 3",
            "(Axis(item=VariadicSum(item=Name(name='c')), place=None), Axis(item=Fixed(size=3), place=None))",
        ),
    ],
)
def test_axes(text: str, tree: str) -> None:
    assert axes(text) == tree


def test_a_minus_that_touches_a_number_subtracts() -> None:
    (statement,) = one_rule("op A { -> out[c]  a = b -1 }").statements
    assert repr(statement) == (
        "Equation(left=Name(name='a'), right=Arithmetic(operator='-', left=Name(name='b'), "
        "right=Literal(value=1)), when=None)"
    )


def test_keywords_may_touch_a_bracket() -> None:
    rule = one_rule("op A when not(a == 1)and(b == 2) { -> out[c] }")
    assert isinstance(rule.when, syntax.Logic) and rule.when.operator == "and"


def test_words_and_quotes_in_a_set_are_texts() -> None:
    rule = one_rule('op A when a in {None, NCW, "x y", 1, 1e-3} { -> out[c] }')
    assert isinstance(rule.when, syntax.Membership)
    assert [choice.value for choice in rule.when.choices] == [None, "NCW", "x y", 1, 0.001]


def test_chunks_cover_the_text_and_keep_documentation() -> None:
    text = "# file\n\n## a\n# between\n\nop A { }\n## b\nop B { }\n  op C { }\n"
    pieces = [text[start:end] for start, end in chunks(text)]
    assert pieces == ["# file\n\n", "## a\n# between\n\nop A { }\n", "## b\nop B { }\n  op C { }\n"]


# --- errors ---


def test_one_bad_rule_does_not_hide_the_others() -> None:
    found = errors("op A { d[x -> o[x] }\nop B { d[x] -> o[x] }\nop C { d[x] -> o[x]\n\nop D { d[x] o[x] }\n")
    assert [(d.code, d.annotations[0].span.place) for d in found] == [
        ("P101", "rules.prune:1:12"),
        ("P102", "rules.prune:3:19"),
        ("P101", "rules.prune:5:13"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "expected", "advice"),
    [
        (
            "op A { -> o[x]  a = g*o }",
            "1:22",
            "it touches what follows, and so means any number of axes",
            "to multiply, put a space",
        ),
        ("op A { -> o[x]  a = g*(x + 1) }", "1:22", "it touches what follows", "to multiply, put a space"),
        (
            "op A { -> o[x]  hint macs = x*x * x }",
            "1:30",
            "it touches what follows",
            "to multiply, put a space",
        ),
        ("op A { -> o[x]  zero o when g*o == 2 }", "1:30", "it touches what follows", "to multiply, put"),
        ("op A { -> o[x]  a = f (x) }", "1:23", "expected a statement", "right behind its name: `f(x)`"),
        ("op A { -> o[(a * b)] }", "1:16", "expected an axis, `)` or `+`", "stand side by side: `(g c)`"),
        (
            "op A { -> o[x]  scales w }",
            "1:17",
            "says nothing of channels",
            "write `hint scales w`, behind the statements",
        ),
        (
            "op A { -> o[x]  macs = x  keep x }",
            "1:17",
            "says nothing of channels",
            "write `hint macs = x`, behind the statements",
        ),
        (
            "op A { a[x], b[x] -> o[]  contracts x  keep x }",
            "1:27",
            "`contracts` is a hint",
            "write `hint contracts x`, behind the statements",
        ),
        ("op A { -> o[x]  hint macs = x  keep x }", "1:32", "expected", "hints stand behind all statements"),
        ("op A when a = 1 { -> o[x] }", "1:13", "a comparison", "to compare, write `==`"),
        ("op A { -> o[x]  a == 1 }", "1:20", "expected a value", "an equation has a single `=`"),
        ("op A { -> o[x]  3 = a }", "1:17", "expected a statement", "turn the equation round"),
        ("foo", "1:1", "expected the end of the file, `op` or `reason`", ""),
        ("op A { a[x] }", "1:13", "expected `,`, `;` or `->`", ""),
        ("op A opaque because 3", "1:21", 'expected a text in "quotes"', ""),
    ],
)
def test_advice_on_slips(text: str, place: str, expected: str, advice: str) -> None:
    message = error(text)
    assert message.startswith("error[P101]: ") and f"--> rules.prune:{place}\n" in message
    assert expected in message and advice in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("op A { a[\0] -> b[] }", "error[P103]: the character U+0000 is not part of the language"),
        ("op A { a[$] -> b[] }", "error[P103]: the character `$` is not part of the language"),
        ("op A when a != 'b' { -> b[] }", 'texts stand in double quotes: "…"'),
        ("## only words", "error[P111]: this documentation belongs to no rule"),
        ("op A { -> b[] } ## behind", "error[P111]: this documentation belongs to no rule"),
        ("op A { -> b[] a = 1e999 }", "error[P105]: this number is too large"),
        ("op A { -> b[x @ 1234567890123456789] }", "error[P105]: this number is too large"),
        ("op", "expected a name behind this"),
    ],
)
def test_messages(text: str, message: str) -> None:
    assert message in error(text)


@pytest.mark.parametrize(
    "text",
    [
        "op A { -> b[" + "(" * 3000 + "c" + ")" * 3000 + "] }",
        "op A { -> b[] a = " + "(" * 3000 + "c" + ")" * 3000 + " + 1 }",
        "op A { -> b[] a = " + "c + " * 3000 + "c }",
        "op A { -> b[] a = " + "f(" * 3000 + "c" + ")" * 3000 + " }",
        "op A when " + "not " * 3000 + "c { -> b[] }",
        "op A { -> b[" + "*(" * 3000 + "c" + ")" * 3000 + "] }",
    ],
    ids=["axes", "brackets", "sum", "calls", "not", "each"],
)
def test_deep_nesting_is_refused_or_harmless(text: str) -> None:
    try:
        parse(Source("rules.prune", text))
    except PrunecError as refused:
        assert refused.diagnostics[0].headline == "this is nested too deeply"


# --- files ---


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rules.prune"
    path.write_bytes("\ufeffop A { -> b[c] }\r\n".encode())
    source = read_source(path)
    assert source.name == str(path)
    assert one_rule(source.text).label == "A"


def test_a_folder_is_no_rule_file(tmp_path: Path) -> None:
    with pytest.raises(PrunecError, match="P107: cannot read the rule file"):
        read_source(tmp_path)


def test_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "rules.prune"
    path.write_bytes(b" " * MAXIMUM_BYTES)
    assert parse(read_source(path)).rules == ()
    path.write_bytes(b" " * (MAXIMUM_BYTES + 1))
    with pytest.raises(PrunecError, match="P109: the rule file .* is larger than 4 MB"):
        read_source(path)


def test_the_caret_stands_under_the_token() -> None:
    message = error("op A {\n\tdata[x y] -> out[x]\n}")
    lines = message.splitlines()
    assert lines[3:5] == [" 2 | \tdata[x y] -> out[x]", "   | \t       ^ expected `]`, `,`, `|` or `@`"]


def test_equality_leaves_spans_out() -> None:
    here = parse(Source("a", "op A { -> b[c] }"))
    there = parse(Source("b", "\n\nop A   { -> b[ c ] }"))
    assert here == there
    assert isinstance(here.span, Span)
