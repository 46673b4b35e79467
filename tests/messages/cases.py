"""Bad inputs: files and a command line each.  What prunec says of them stands in ``expected/NAME.txt``."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

Content = Union[str, bytes]


@dataclass(frozen=True)
class Case:
    """Files in an empty folder, and a command line of ``prunec`` that is run there."""

    name: str
    files: Mapping[str, Content]
    command: tuple[str, ...]


def rule(name: str, text: str) -> Case:
    """A rule file that is checked."""
    return Case(name, {"my.prune": text}, ("rules", "check", "my.prune", "--alone"))


def model(name: str, content: Content, *options: str, **others: Content) -> Case:
    """A model that is to be pruned, with other files (``_`` stands for ``.`` in their names)."""
    files = {"net-symbol.json": content, **{key.replace("_", "."): value for key, value in others.items()}}
    return Case(name, files, ("groups", "net-symbol.json", *options))


# --- models ---

Node = tuple[str, str, Sequence[int], Mapping[str, str]]


def symbol(*nodes: Node, heads: Any = None, **changes: Any) -> str:
    """A symbol file of nodes (operator, name, numbers of the inputs, attributes); the last one is the
    output."""
    entries = [
        {"op": op, "name": name, "attrs": dict(attributes), "inputs": [[i, 0, 0] for i in inputs]}
        for op, name, inputs, attributes in nodes
    ]
    document = {
        "nodes": entries,
        "arg_nodes": [i for i, node in enumerate(nodes) if node[0] == "null"],
        "heads": [[len(nodes) - 1, 0, 0]] if heads is None else heads,
    }
    return json.dumps({**document, **changes}, indent=2)


DATA: Node = ("null", "data", (), {})
WEIGHT: Node = ("null", "conv_weight", (), {"__shape__": "(8, 3, 3, 3)", "__init__": "zero"})
CONV: Node = (
    "Convolution",
    "conv",
    (0, 1),
    {"kernel": "(3, 3)", "num_filter": "8", "no_bias": "True"},
)
INPUT = ("--input", "data=1,3,8,8")


def changed(node: Node, **attributes: str) -> Node:
    """A node with other attributes."""
    return (node[0], node[1], node[2], {**node[3], **attributes})


def parameters(**shapes: tuple[int, ...]) -> bytes:
    """A parameter file of zeros in float32."""
    data = struct.pack("<QQQ", 0x112, 0, len(shapes))
    for shape in shapes.values():
        size = 1
        for length in shape:
            size *= length
        data += struct.pack("<IiI", 0xF993FAC9, 0, len(shape)) + struct.pack(f"<{len(shape)}q", *shape)
        data += struct.pack("<iii", 1, 0, 0) + bytes(4 * size)
    data += struct.pack("<Q", len(shapes))
    for name in shapes:
        text = f"arg:{name}".encode()
        data += struct.pack("<Q", len(text)) + text
    return data


GOOD = symbol(DATA, WEIGHT, CONV)
WEIGHTS = parameters(conv_weight=(8, 3, 3, 3))

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
    rule("product_of_three", "op dense(k) {\n  data[n, i]; w[i, o] -> out[n, o]\n  macs = n*i * o\n}\n"),
    rule("policy_among_rules", 'op my_gate { data[*x] -> out[*x] }\n\npolicy "stem_*" { hold }\n'),
    rule("share_of_five", 'policy "stem_*" { ratio 5 }\n'),
    Case("list_of_policies", {"my.prune": 'policy "stem_*" { hold }\n'}, ("rules", "list", "my.prune")),
    rule("share_beside_hold", 'policy "stem_*" { ratio 0.5  hold }\n'),
    Case("no_such_rules", {}, ("rules", "check", "defualt")),
    Case("rules_are_latin1", {"my.prune": "# caf\xe9\n".encode("latin-1")}, ("rules", "check", "my.prune")),
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

MODELS = (
    Case("no_model", {}, ("groups", "resnet-symbol.json")),
    model("not_json", "net-0000.params"),
    model("cut_off_json", GOOD[: len(GOOD) // 2]),
    model("git_lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"),
    model("another_json", '{"layers": []}'),
    model("node_without_name", symbol(DATA, WEIGHT, CONV).replace('"name": "conv",', "")),
    model("input_of_a_later_node", symbol(DATA, WEIGHT, ("relu", "act", (3,), {}), CONV)),
    model("no_heads", symbol(DATA, WEIGHT, CONV, heads=[])),
    model("nested_too_deeply", "[" * 100_000),
    model("attribute_is_a_list", GOOD.replace('"(3, 3)"', "[3, 3]")),
    model("unknown_input", GOOD, "--input", "image=1,3,8,8"),
    model("no_input_shape", symbol(DATA, ("Flatten", "flat", (0,), {}))),
    model("wrong_input_shape", GOOD, "--input", "data=1,4,8,8"),
    model("wrong_filter_count", symbol(DATA, WEIGHT, changed(CONV, num_filter="9")), *INPUT),
    model("too_many_inputs", symbol(DATA, WEIGHT, ("relu", "act", (0, 1), {})), *INPUT),
    model("unknown_operator", symbol(DATA, WEIGHT, CONV, ("my_gate", "gate", (2,), {})), *INPUT),
    model(
        "two_rules_hold",
        symbol(DATA, WEIGHT, CONV, ("my_gate", "gate", (2,), {"kind": "1"})),
        *INPUT,
        "--rules",
        "default",
        "--rules",
        "my.prune",
        my_prune="op my_gate(kind) when kind > 0 { d[*x] -> o[*x] }\n"
        "op my_gate(kind, soft = 0) as b when soft < kind { d[*x] -> o[*x] }\n",
    ),
    model(
        "parameters_of_another_model",
        GOOD,
        *INPUT,
        "--params",
        "p.params",
        p_params=parameters(conv_weight=(8, 3, 5, 5)),
    ),
    model("parameters_missing", GOOD, *INPUT, "--params", "p.params"),
    model("parameters_cut_short", GOOD, *INPUT, "--params", "p.params", p_params=WEIGHTS[:-40]),
    model(
        "parameters_are_text", GOOD, *INPUT, "--params", "p.params", p_params="hello, these are no parameters"
    ),
    model(
        "parameters_with_a_huge_shape",
        GOOD,
        *INPUT,
        "--params",
        "p.params",
        p_params=WEIGHTS.replace(struct.pack("<q", 8), struct.pack("<q", 1 << 60), 1),
    ),
    Case("explain_a_slip", {"net-symbol.json": GOOD}, ("explain", "net-symbol.json", "conv_wieght")),
    Case(
        "explain_no_axis",
        {"net-symbol.json": GOOD},
        ("explain", "net-symbol.json", "conv_weight", "--axis", "4"),
    ),
    Case(
        "explain_no_channel",
        {"net-symbol.json": GOOD},
        ("explain", "net-symbol.json", "conv_weight", "--axis", "0", "--channel", "8"),
    ),
    Case(
        "stale_plan",
        {
            "net-symbol.json": GOOD,
            "plan.json": json.dumps(
                {
                    "format": "prunec plan",
                    "version": 1,
                    "prunec": "0.1.0",
                    "model": "0" * 64,
                    "rules": "0" * 64,
                    "parameters": None,
                    "strict": False,
                    "method": {},
                    "groups": [],
                }
            ),
        },
        ("compile", "net-symbol.json", *INPUT, "--plan", "plan.json", "--out", "out"),
    ),
    Case(
        "plan_is_not_a_plan",
        {"net-symbol.json": GOOD, "plan.json": '{"remove": [1, 2]}'},
        ("compile", "net-symbol.json", *INPUT, "--plan", "plan.json", "--out", "out"),
    ),
    Case(
        "plan_is_not_json",
        {"net-symbol.json": GOOD, "plan.json": "remove 1, 2"},
        ("compile", "net-symbol.json", *INPUT, "--plan", "plan.json", "--out", "out"),
    ),
    Case(
        "no_plan",
        {"net-symbol.json": GOOD},
        ("compile", "net-symbol.json", *INPUT, "--plan", "plan.json", "--out", "out"),
    ),
    Case(
        "criterion_without_parameters",
        {"net-symbol.json": GOOD},
        ("compile", "net-symbol.json", *INPUT, "--criterion", "l1", "--out", "out"),
    ),
    Case(
        "verification_without_parameters",
        {"net-symbol.json": GOOD},
        ("compile", "net-symbol.json", *INPUT, "--verify", "--out", "out"),
    ),
    Case(
        "value_of_no_input",
        {"net-symbol.json": GOOD},
        ("compile", "net-symbol.json", *INPUT, "--verify", "--value", "rate=16000", "--out", "out"),
    ),
    Case(
        "operators_that_are_not_there",
        {"net-symbol.json": GOOD},
        ("compile", "net-symbol.json", *INPUT, "--register", "my_ops.py", "--out", "out"),
    ),
    Case(
        "operators_that_fail",
        {"net-symbol.json": GOOD, "my_ops.py": "import a_package_that_is_not_there\n"},
        ("compile", "net-symbol.json", *INPUT, "--register", "my_ops.py", "--out", "out"),
    ),
    Case(
        "output_is_a_file",
        {"net-symbol.json": GOOD, "out": ""},
        ("compile", "net-symbol.json", *INPUT, "--out", "out"),
    ),
    Case(
        "output_is_not_empty",
        {"net-symbol.json": GOOD, "out/notes.txt": "mine"},
        ("compile", "net-symbol.json", *INPUT, "--out", "out"),
    ),
    Case("size_of_zero", {"net-symbol.json": GOOD}, ("groups", "net-symbol.json", "--input", "data=0,3,8,8")),
    Case("ratio_of_one", {"net-symbol.json": GOOD}, ("compile", "net-symbol.json", "--ratio", "1")),
)

CASES = (*RULES, *MODELS)
