"""Semantic checks. docs/diagnostics.md holds an example of each message; here are the other cases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prunec.language.check import check
from prunec.language.functions import WRITTEN
from prunec.language.parser import parse
from prunec.support.diagnostics import Diagnostic, Severity, Source, render

DOCS = Path(__file__).parents[2] / "docs"


IMPLIED = [
    ("a[*x], m?[*y] -> o[*x]  zero o when rank(m) == 2", 1),
    ("a[*x], m?[*y] -> o[*x]  zero o when not given(m) and size(m, 0) == 2", 1),
    ("a[*x], m?[*y] -> o[*x]  zero o when given(m) or rank(m) == 2", 1),
    ("a[*x], m?[*y | z when rank(m) == 1] -> o[*x]", 1),
    ("a[*x], m?[*y] -> o[*x]  zero o when given(m) and (rank(m) == 2 or size(m, 0) != 1)", 0),
    ("a[*x], m?[*y] -> o[*x]  zero o when rank(m) == 2 and given(m)", 0),
    ("a[*x], m?[*y] -> o[*x]  zero o when not given(m) or not rank(m) == 2", 0),
    ("a[*x], m?[*y] -> o[*x]  zero o when rank(a) == 2", 0),
]


def found(text: str) -> tuple[Diagnostic, ...]:
    return check([parse(Source("rules.prune", text))])


def body(text: str, header: str = "op A") -> list[str]:
    """``code [text under the caret] headline | help`` of every message about a rule."""
    return [
        f"{d.code} [{d.annotations[0].span.text}] {d.headline} | {d.help}"
        for d in found(f"{header} {{ {text} }}")
    ]


GOOD = {
    "convolution": """
        op Convolution(num_group = 1, stride = 1, dilate = 1, pad = 0, kernel, num_filter) {
          data[n, (g i), *x]; weight[(g o), i, *k], bias?[(g o)] -> out[n, (g o), *y]
          num_group = g  num_filter = g * o  kernel = *k
          *y = window(*x, kernel, stride, pad, dilate)
          zero out
          hint macs = n * g * o * i * prod(*k) * prod(*y)
        }""",
    "depthwise": """
        op Convolution(num_group = 1, num_filter) when num_group == size(data, 1) {
          data[n, g, *x]; weight[(g m), 1, *k], bias?[(g m)] -> out[n, (g m), *x]
          num_group = g  num_filter = g * m  keep m
        }""",
    "concat": "op Concat(dim = 1) { data*[*a, c @ dim, *b] -> out[*a, (+ c), *b] }",
    "split": """
        op Split(axis = 1, num_outputs) {
          data[*a, (+ c) @ axis, *b] -> out*[*a, c, *b]  num_outputs = count(out)  balanced c
        }""",
    "split at indices": """
        op Split(axis, indices) { data[*a, (+ c) @ axis, *b] -> out*[*a, c, *b]  indices = offsets(c) }""",
    "slice": """
        op slice(begin, end) {
          data[*(p + c + q)] -> out[*c]
          start(begin, *p + *c + *q) = *p
          stop(end, *p + *c + *q) = *p + *c
        }""",
    "pad": """
        op pad(pad_width) { data[*c] -> out[*(p + c + q)]  pad_width = interleave(*p, *q)  keep *p, *q }""",
    "tile": "op tile(reps) { data[*x] -> out[*(r x)]  reps = *r }",
    "roll": "op roll(shift) { data[(a + b)] -> out[(b + a)]  shift = b }",
    "depth to space": """
        op depth_to_space(block_size) {
          data[n, (s t c), h, w] -> out[n, c, (h s), (w t)]  block_size = s  block_size = t
        }""",
    "attention": """
        op qkv(heads) { qkv[l, n, (h (d + d + d))] -> out[(n h), l, d]
          heads = h }""",
    "dense": """
        op FullyConnected(num_hidden) {
          data[n, *x]; weight[o, (*x)], bias?[o] -> out[n, o]  num_hidden = o
        }""",
    "made by an attribute": "op expand(size) { data[n, 1] -> out[n, s]  size = s }",
    "dropped": "op cut(nothing_) { data[n, (c + d)] -> out[n, c]  nothing_ = d }",
    "mixed": 'op mean { data[n, c] -> out[n]  mixes c unless zero data because "a mean" }',
    "opaque": 'op sort(axis) when axis == None opaque because "order"',
    "picked": "op mean(axis) { data[*x] -> out[ones(*x, axis)]  keep pick(*x, axis) }",
    "disjoint": """
        op A(k) when k == 1 { d[c] -> o[c] }
        op A(k) as other when k in {2, 3} { d[c] -> o[c] }
        op A(k) as third specialises A, other { d[c] -> o[c]  keep c  k = 1 when k == 4 }""",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_nothing_is_said_of_good_rules(text: str) -> None:
    messages = [d for d in found(text) if d.code != "P220"]
    assert [render(d) for d in messages] == []


def test_the_example_of_the_language_document_is_good() -> None:
    examples = re.findall(
        r"^```\n(.*?)^```", (DOCS / "language.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    rules = [example for example in examples if "op " in example]
    assert rules and [render(d) for text in rules for d in found(text)] == []


def test_the_table_of_functions_is_that_of_the_language_document() -> None:
    text = (DOCS / "language.md").read_text("utf-8")
    calls = re.findall(r"`(?:[^`|]*?[ ,=])??([a-z_]+)\(", text[text.index("## The header") :])
    documented = set(calls) - {"f"}
    assert documented == set(WRITTEN)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("d[reverse(c)] -> o[c]", ["P211 [reverse(c)] `reverse` cannot stand here"]),
        ("d[c] -> o[take(c, 1)]", ["P201 [take] there is no function `take` | write `c[positions]`"]),
        (
            "d[*x] -> o[stepped(*x, 1)]",
            ["P201 [stepped] there is no function `stepped` | write `range(*x, starts, ends, axes, steps)`"],
        ),
        (
            "d[*x] -> o[range(*x, 0, 1)], u[range(*x, 1, 2)]",
            ["P225 [range(*x, 1, 2)] part of `x` is taken twice"],
        ),
        ("d[*x] -> o[range(3, 1, 2)]", ["P203 [3] `range` cannot take this argument"]),
        ("d[*x] -> o[range(*x, 1)]", ["P202 [range(*x, 1)] `range` takes 3 or 4 or 5 arguments, not 2"]),
        ("d[c] -> o[c[m]]", ["P204 [m] `m` is no attribute of this rule"]),
        ("d[*x] -> o[pick(*x, 1)]", ["P211 [pick(*x, 1)] `pick` cannot stand here"]),
        ("d[*x] -> o[prod(*x)]", ["P211 [prod(*x)] `prod` cannot stand here"]),
        ("d[*x] -> o[*x]  keep reverse(*x, 1)", ["P211 [reverse(*x, 1)] `reverse` cannot stand here"]),
        ("d[*x] -> o[*x]  hint macs = given(d)", ["P211 [given(d)] `given` cannot stand here"]),
        (
            "d[c] -> o[c]  zero o when prod(c) == 1",
            ["P211 [prod(c)] `prod` cannot stand here", "P205 [c] `prod` takes any"],
        ),
        (
            "d[(h(c))] -> o[c]",
            ["P201 [h] there is no function `h` | known here: letters; for a product, put a space"],
        ),
        ("d[c] -> o[revers(c)]", ["P201 [revers] there is no function `revers` | did you mean `reverse`?"]),
        ("d[c] -> o[reverse(c, 1, 2)]", ["P202 [reverse(c, 1, 2)] `reverse` takes 1 or 2 arguments, not 3"]),
        ("d[*x] -> o[reverse(*x)]", ["P205 [*x] `reverse` takes one axis | write `x` without the star"]),
        ("d[c] -> o[c]  hint macs = prod(c)", ["P205 [c] `prod` takes any number of axes | write `*c`"]),
        ("d[c] -> o[c]  hint macs = count(d)", ["P203 [d] `count` cannot take this argument"]),
        ("d[c] -> o[c]  hint macs = offsets(c)", ["P203 [c] `offsets` cannot take this argument"]),
        ("d[c] -> o[c]  zero o when size(c, 1) == 1", ["P210 [c] this rule has no tensor `c`"]),
        (
            "d[c] -> o[c]  zero o when c == 1",
            ["P204 [c] `c` is an axis, and only attributes can stand here"],
        ),
        (
            "d[c] -> o[c]  zero o when *c == 1",
            ["P204 [*c] `*c` is an axis, and only attributes can stand here"],
        ),
        ("d[c] -> o[c]  hint macs = *c", ["P205 [*c] `c` is one axis | write `c` without the star"]),
        ("d[c] -> o[c]  hint macs = *z", ["P204 [*z] no tensor of this rule has axes `*z`"]),
        (
            "d[chan] -> o[chan]  hint macs = chn",
            ["P204 [chn] `chn` is neither an axis nor an attribute of this rule | did"],
        ),
        ("d[c] -> o[c]  keep z", ["P204 [z] no tensor of this rule has an axis `z`"]),
        ("d[*x] -> o[*x]  keep x", ["P205 [x] `x` is a rest | write `*x`"]),
        ("d[c] -> o[c]  balanced z", ["P204 [z] no tensor of this rule has an axis `z`"]),
        ("d[c @ axis] -> o[c]", ["P204 [axis] `axis` is no attribute of this rule"]),
        ("d[c]; w[c] -> o[c]  hint scales d", ["P223 [d] `d` is not a parameter of this rule"]),
        ("d[c]; w[c] -> o[c]  hint neutral o = 1", ["P223 [o] `o` is not an input of this rule"]),
        ("d[n, i]; w[o, i] -> o[n, o]  hint contracts i", []),
        ("d[n, i]; w[o, i] -> o[n, o]  hint contracts n", ["P229 [n] `n` is not summed over"]),
        ("d[*x]; w[o, *x] -> o[o]  hint contracts *x", []),
        ("d[n, i]; w[o] -> o[n, o]  keep i  hint contracts i", ["P229 [i] `i` is not summed over"]),
        (
            "d[n, i]; w[o, i] -> o[n, o]  hint contracts z",
            ["P204 [z] no tensor of this rule has an axis `z`"],
        ),
        (
            "d[c], shape -> o[c]",
            ["P204 [shape] the input `shape` carries a value, and no attribute has its name"],
        ),
        ("d[*x] -> o[s]  d holds *x  keep s", ["P223 [d] `d` is not an output of this rule"]),
        ("d[c] -> o[c]  zero o if o", ["P223 [o] `o` is not an input of this rule"]),
        ("d[c] -> o[c]  mixes c unless zero o", ["P223 [o] `o` is not an input of this rule"]),
        ("d[c] -> o*[c], p[c]", ["P212 [o*[c]] the variadic tensor `o` is not the last one"]),
        ("d*[c]; w[c] -> o[c]", ["P212 [d*[c]] the variadic tensor `d` is not the last one"]),
        ("d[n, *x @ 1] -> o[n, *x]", []),
        (
            "d[reverse(c) @ 1], e[c] -> o[c]",
            ["P211", "P225 [reverse(c)] only an axis or a rest can have a place"],
        ),
        (
            "d[n, c | c, n when rank(d) > 1 | c, 1 when rank(d) == 2], e[n] -> o[n, c]",
            ["P227 [| c, n when rank(d) > 1] two axis lists of `d` can hold at once"],
        ),
        (
            "d[n, c | c, n, m when rank(d) == 3] -> o[n, c]",
            ["P217 [m] the axis `m` stands in one place only"],
        ),
        ("d[_, _, c], e[c, *_] -> o[c]", []),
        ("d[_, c] -> o[_, c]", ["P225 [_] an output has no axes that are not read"]),
        ("d[(g _), c], e[g] -> o[c, g]", ["P225 [_] `_` cannot be part of an axis"]),
        ("d[_, c] -> o[c]  keep _", ["P204 [_] no tensor of this rule has an axis `_`"]),
        ("d[n, c | n, e when rank(d) == 3] -> o[n, c]", ["P217 [e]", "P217 [c]"]),
        ("d[c, (~c *x)] -> o[c, *x]", ["P225 [~c] `~` cannot stand inside an axis"]),
        ("d[*x] -> o[*(*x 2)]", ["P225 [*x] a rest inside `*(…)`"]),
        ("d[*x] -> o[(*(x 2) *x)]", ["P225 [*(x 2)] `*(…)` cannot be part of an axis"]),
        (
            "d[*x] -> o[(2 ones(*x))]",
            ["P225 [ones(*x)] `ones` of a rest cannot be part of an axis | write it in the axis list, not"],
        ),
        ("d[c], e[k] -> o[c]", ["P217 [k] the axis `k` stands in one place only"]),
        (
            "d[(c + e)] -> o[c]",
            ["P218 [c] nothing gives the size of `c`", "P218 [e] nothing gives the size of `e`"],
        ),
        (
            "d[n] -> o[(n c)]",
            ["P218 [c] nothing gives the size of `c`"],
        ),
        (
            "d[n] -> o[*(n c)]",
            [
                "P205 [n] `n` stands for one axis and for any number of axes",
                "P218 [n] nothing gives the size of `*n`",
                "P218 [c] nothing gives the size of `*c`",
            ],
        ),
        (
            "d[*x] -> o[x]",
            ["P205 [x] `x` stands for one axis and for any number of axes | give one of them another name"],
        ),
    ],
)
def test_messages_about_one_rule(text: str, messages: list[str]) -> None:
    printed = body(text)
    assert len(printed) == len(messages), printed
    for line, start in zip(printed, messages):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("d[c[k]] -> o[c]", "P225 [c[k]] elements are taken in an output"),
        ("d[c] -> o[(c[k] 2)]", "P225 [c[k]] only part of an axis is taken here"),
        ("d[c] -> o[(range(c, k, 1) 2)]", "P225 [range(c, k, 1)] only part of an axis is taken here"),
    ],
)
def test_parts_of_axes_are_taken_in_axis_lists_of_outputs(text: str, message: str) -> None:
    (printed,) = body(text, "op A(k)")
    assert printed.startswith(message)


def test_an_opaque_rule_has_no_tensors() -> None:
    (message,) = found('op A when size(d, 1) == 1 opaque because "b"')
    assert message.headline == "this rule has no tensor `d`"
    assert message.help == "an opaque rule has no tensors"


def test_a_cycle_is_reported_once_with_all_its_rules() -> None:
    text = "\n".join(f"op A as r{i} specialises r{(i + 1) % 3} {{ d[c] -> o[c] }}" for i in range(3))
    (message,) = found(text)
    assert message.code == "P216"
    assert [a.span.place for a in message.annotations] == [f"rules.prune:{i}:4" for i in (1, 2, 3)]


def test_specialising_over_a_step_settles_an_overlap() -> None:
    text = "op A { d[c] -> o[c] }\nop A(k) as b specialises A when k == 1 { d[c] -> o[c] }\n"
    assert found(text + "op A(k) as c specialises b when k == 1 and k != 2 { d[c] -> o[c] }") == ()
    (message,) = found(text + "op A(k) as c specialises A when k in {1, 2} { d[c] -> o[c] }")
    assert message.headline == "two rules match one `A`"


def test_a_pair_is_reported_once_for_all_its_operators() -> None:
    (message,) = found("op A, B, C { d[c] -> o[c] }\nop B, C as d { d[c] -> o[c] }")
    assert message.help is not None and "`op B as d specialises A`" in message.help


def test_guards_about_sizes_are_left_to_the_binding() -> None:
    first = "op A(k) when k > 1 { d[c] -> o[c] }\n"
    assert found(first + "op A(k) as b when size(d, 0) == k and k != 3 { d[c] -> o[c] }") == ()


def test_rules_across_files_are_compared() -> None:
    files = [parse(Source(name, "op A { d[c] -> o[c] }")) for name in ("one", "two")]
    (message,) = check(files)
    assert [a.span.place for a in message.annotations] == ["two:1:4", "one:1:4"]
    assert check(files[:1], known=files[1].rules)[0].annotations[0].span.place == "one:1:4"


def test_a_rule_may_replace_one_of_another_file() -> None:
    first = parse(Source("one", "op A { d[c] -> o[c] }"))
    second = parse(Source("two", "op A as mine specialises A { d[c] -> o[c] }"))
    assert check([first, second]) == ()


def test_messages_come_in_the_order_of_the_text() -> None:
    found_here = found("op A(u) { d[c] -> o[c]  zero p }\nop B(v) { d[c] -> o[c]  zero q }")
    places = [d.annotations[0].span.start for d in found_here]
    assert places == sorted(places)
    assert [d.severity for d in found_here] == [Severity.WARNING, Severity.ERROR] * 2


@pytest.mark.parametrize("text, count", IMPLIED)
def test_conditions_ask_whether_an_input_is_given(text, count):
    messages = [message for message in body(text) if message.startswith("P230")]
    assert len(messages) == count, messages


def test_a_guard_tells_that_an_input_is_given():
    text = "a[*x], m?[*y] -> o[*x]  zero o when rank(m) == 2"
    assert any(message.startswith("P230") for message in body(text, "op A when rank(m) > 1"))
    assert not any(message.startswith("P230") for message in body(text, "op A when given(m) and rank(m) > 1"))
