"""Bad models, shapes and parameters, and what is asked of good ones that they do not have."""

from __future__ import annotations

import struct

from messages.inputs import (
    CONV,
    DATA,
    GOOD,
    INPUT,
    NET,
    NET_WEIGHTS,
    WEIGHT,
    WEIGHTS,
    Case,
    changed,
    model,
    parameters,
    symbol,
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
    model("window_larger_than_its_input", GOOD, "--input", "data=1,3,2,8"),
    Case(
        "rule_of_a_parameter",
        {"net-symbol.json": GOOD},
        ("explain", "net-symbol.json", "conv_weight", "--rule"),
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
    Case("explain_no_code", {}, ("explain", "P403")),
    model("symbol_file_of_12_million_objects", lambda: b"[" + b"{}," * (12 << 20) + b"0]"),
    model(
        "flattened_image_of_unknown_size",
        symbol(
            DATA,
            WEIGHT,
            CONV,
            ("Flatten", "flat", (2,), {}),
            ("null", "dense_weight", (), {}),
            ("FullyConnected", "dense", (3, 4), {"num_hidden": "10", "no_bias": "True"}),
        ),
    ),
    model(
        "more_channels_than_can_be",
        GOOD.replace('"8"', '"2000000000"').replace("(8, ", "(2000000000, "),
        *INPUT,
    ),
    model(
        "parameters_of_an_unknown_type",
        GOOD,
        *INPUT,
        "--params",
        "p.params",
        p_params=WEIGHTS.replace(struct.pack("<qiii", 3, 1, 0, 0), struct.pack("<qiii", 3, 1, 0, 99), 1),
    ),
    model(
        "parameters_without_names",
        GOOD,
        *INPUT,
        "--params",
        "p.params",
        p_params=WEIGHTS[: -len("arg:conv_weight") - 16] + struct.pack("<Q", 0),
    ),
    Case(
        "parameters_that_are_no_numbers",
        {
            "net-symbol.json": NET,
            "p.params": NET_WEIGHTS.replace(
                struct.pack("<qiiif", 3, 1, 0, 0, 0.0), struct.pack("<qiiif", 3, 1, 0, 0, float("nan")), 1
            ),
        },
        ("compile", "net-symbol.json", "--params", "p.params", "--out", "out"),
    ),
)
