"""Bad rule files, policies and examples beside rules."""

from __future__ import annotations

from messages.inputs import Case, rule

RULES = (
    rule("missing_comma", "op my_gate {\n  data[n, c], gate[n, c] -> out[n c]\n}\n"),
    rule("unclosed_rule", "op my_gate {\n  data[n, c] -> out[n, c]\n  zero out\n"),
    rule("single_quotes", "op my_gate(kind) when kind == 'soft' {\n  data[*x] -> out[*x]\n}\n"),
    rule("unclosed_text", 'op my_sort opaque because "elements change places\n'),
    rule(
        "star_without_space",
        "op my_conv(filters) {\n  data[n, i]; w[(g o), i] -> out[n, (g o)]\n  filters = g*o\n}\n",
    ),
    rule("call_with_space", "op flat(axes) {\n  data[*x] -> out[permute (*x, axes)]\n}\n"),
    rule("number_first", "op two(k) {\n  data[c] -> out[c]\n  2 * c = k\n}\n"),
    rule("equals_in_guard", "op my_gate(kind) when kind = 1 {\n  data[*x] -> out[*x]\n}\n"),
    rule(
        "double_equals_in_equation",
        "op dense(units) {\n  data[n, i]; w[o, i] -> out[n, o]\n  units == o\n}\n",
    ),
    rule("no_arrow", "op my_gate {\n  data[*x], out[*x]\n}\n"),
    rule("arrow_of_another_language", "op my_gate {\n  data[*x] => out[*x]\n}\n"),
    rule("documentation_inside", "op my_gate {\n  ## halves everything\n  data[*x] -> out[*x]\n}\n"),
    rule("two_broken_rules", "op a { data[*x -> out[*x] }\n\nop b { data[*x] -> out[*x] zero }\n"),
    rule("unknown_function", "op turn(axes) {\n  data[*x] -> out[permut(*x, axes)]\n}\n"),
    rule("wrong_argument_count", "op turn {\n  data[*x] -> out[permute(*x)]\n}\n"),
    rule("attribute_not_in_header", "op dense {\n  data[n, i]; w[o, i] -> out[n, o]\n  units = o\n}\n"),
    rule("rest_as_axis", "op turn {\n  data[*x] -> out[x]\n}\n"),
    rule("two_rests_of_one_name", "op turn {\n  data[*x, *x] -> out[*x]\n}\n"),
    rule("unknown_tensor", "op my_gate {\n  data[*x] -> out[*x]\n  zero output if data\n}\n"),
    rule("axis_in_guard", "op my_gate when c > 1 {\n  data[n, c] -> out[n, c]\n}\n"),
    rule(
        "two_rules_for_one_operator",
        "op my_gate { data[*x] -> out[*x] }\n\nop my_gate as soft { data[n, *x] -> out[n, *x] }\n",
    ),
    rule("specialises_nothing", "op my_gate specialises gate { data[*x] -> out[*x] }\n"),
    rule("size_that_nothing_gives", "op pad(width) {\n  data[(p + c)] -> out[(q + c)]\n}\n"),
    rule("axis_alone", "op dense(units) {\n  data[n, i]; w[o, i, k] -> out[n, o]\n  units = o\n}\n"),
    rule("product_of_three", "op dense(k) {\n  data[n, i]; w[i, o] -> out[n, o]\n  hint macs = n*i * o\n}\n"),
    rule(
        "nothing_to_contract",
        "op dense {\n  data[n, i]; weight[o, i] -> out[n, o]\n  hint contracts i\n  hint contracts o\n}\n",
    ),
    rule(
        "unknown_reason",
        'reason chosen = "elements are chosen by their position"\n\n'
        "op my_gather {\n  data[c], indices[i] -> out[i]\n  keep c, i because chosn\n}\n",
    ),
    rule("policy_among_rules", 'op my_gate { data[*x] -> out[*x] }\n\npolicy "stem_*" { hold }\n'),
    rule("share_of_five", 'policy "stem_*" { ratio 5 }\n'),
    Case("list_of_policies", {"my.prune": 'policy "stem_*" { hold }\n'}, ("rules", "list", "my.prune")),
    rule("share_beside_hold", 'policy "stem_*" { ratio 0.5  hold }\n'),
    Case("rules_of_a_model", {"my.prune": b" " * 4_000_001}, ("rules", "check", "my.prune")),
    Case("no_such_rules", {}, ("rules", "check", "defualt")),
    Case("rules_are_latin1", {"my.prune": "# caf\xe9\n".encode("latin-1")}, ("rules", "check", "my.prune")),
    Case(
        "doc_into_a_file",
        {"my.prune": "op my_gate { data[*x] -> out[*x] }\n"},
        ("rules", "doc", "my.prune", "--output", "my.prune"),
    ),
    Case("fmt_of_a_built_in", {}, ("rules", "fmt", "default")),
    Case(
        "example_without_output",
        {"my.prune": "op my_gate { data[*x] -> out[*x] }\n", "my_test.md": "```graph\ninput x[2, 3]\n```\n"},
        ("rules", "test", "my.prune", "--only", "examples"),
    ),
    Case(
        "example_with_a_slip",
        {
            "my.prune": "op my_gate { data[*x] -> out[*x] }\n",
            "my_test.md": "# Gates\n\n```graph\ninput x[2, 3]\ny = my_gate(z)\noutput y\n```\n",
        },
        ("rules", "test", "my.prune", "--only", "examples"),
    ),
    Case(
        "example_that_is_wrong",
        {
            "my.prune": "op my_gate { data[*x] -> out[*x] }\n",
            "my_test.md": "# Gates\n\n```graph\ninput x[2, 3]\ny = my_gate(x)\noutput y\n```\n\n"
            "```couplings\nshape: y (2, 4)\n```\n",
        },
        ("rules", "test", "my.prune", "--only", "examples"),
    ),
    Case(
        "expectation_without_graph",
        {"my.prune": "op my_gate { data[*x] -> out[*x] }\n", "my_test.md": "```couplings\ngo: all\n```\n"},
        ("rules", "test", "my.prune", "--only", "examples"),
    ),
)
