"""Bad plans, criteria, targets and outputs."""

from __future__ import annotations

import hashlib
import json
from typing import Mapping

import numpy as np

from messages.inputs import GOOD, INPUT, NET, NET_WEIGHTS, Case, Content, examples, symbol

COLUMNS = "group,name,units,removed,ratio,change,accuracy,criterion,measured_for"
ONES = np.ones((4, 3, 8, 8), np.float32)
DATA_OPTIONS = ("net-symbol.json", "--data", "data.npz")


def planned(*options: str) -> tuple[str, ...]:
    """The command line that makes a plan for the network."""
    return ("plan", "net-symbol.json", *options)


def on_data() -> tuple[str, ...]:
    """The command line that makes a plan for the network, by what it does with examples."""
    return ("plan", *DATA_OPTIONS, *INPUT, "--criterion", "activation")


def policy(pattern: str) -> Mapping[str, Content]:
    """The network, and a policy for the nodes of a pattern."""
    return {"net-symbol.json": NET, "my.prune": f'policy "{pattern}" {{ ratio 0.5 }}\n'}


#: One step of a recurrent network, with sizes for its inputs.
STEP_NET = symbol(
    ("null", "x", (), {}),
    ("null", "h_init", (), {"__shape__": "(0, 6)"}),
    ("null", "i2h_weight", (), {}),
    ("null", "h2h_weight", (), {}),
    ("FullyConnected", "i2h", (0, 2), {"num_hidden": "6", "no_bias": "True"}),
    ("FullyConnected", "h2h", (1, 3), {"num_hidden": "6", "no_bias": "True"}),
    ("elemwise_add", "sum", (4, 5), {}),
    ("Activation", "h_last", (6,), {"act_type": "tanh"}),
    ("null", "y_weight", (), {}),
    ("FullyConnected", "y", (7, 8), {"num_hidden": "4", "no_bias": "True"}),
    heads=[[7, 0, 0], [9, 0, 0]],
)
STEP = ("--input", "x=1,3", "--input", "h_init=1,6")


def interface(text: str) -> Mapping[str, Content]:
    """The recurrent network, and what a policy says of its interface."""
    return {"net-symbol.json": STEP_NET, "my.prune": text + "\n"}


def data(content: Content) -> Mapping[str, Content]:
    """The network with parameters, and a file of examples."""
    return {"net-symbol.json": NET, "net-0000.params": NET_WEIGHTS, "data.npz": content}


def earlier() -> Mapping[str, Content]:
    """The network, and a plan for it as the first version of prunec wrote them."""
    plan = {
        "format": "prunec plan",
        "version": 1,
        "prunec": "0.1.0",
        "model": hashlib.sha256(NET.encode()).hexdigest(),
        "rules": None,
        "parameters": None,
        "strict": False,
        "method": {},
        "groups": [],
    }
    return {"net-symbol.json": NET, "earlier.json": json.dumps(plan)}


PLANS = (
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
    Case("misspelt_option", {"net-symbol.json": GOOD}, ("compile", "net-symbol.json", "--ratoi", "0.4")),
    Case("no_policy", {"net-symbol.json": NET}, planned("--policy", "my.prune")),
    Case("policy_for_no_node", policy("stem_*"), planned("--policy", "my.prune")),
    Case("interface_of_no_name", interface('interface "state_*"'), planned("--policy", "my.prune", *STEP)),
    Case(
        "interface_from_no_name",
        interface('interface "h_*" from "*_last"'),
        planned("--policy", "my.prune", *STEP),
    ),
    Case("interface_not_in_pairs", interface('interface "h_*", "y"'), planned("--policy", "my.prune", *STEP)),
    Case("policy_for_no_channel", policy("data"), planned("--policy", "my.prune")),
    Case("plan_of_another_model_continued", earlier(), planned("--from", "earlier.json")),
    Case("no_such_criterion", {"net-symbol.json": NET}, planned("--criterion", "l3")),
    Case("target_out_of_reach", {"net-symbol.json": NET}, planned("--target", "macs=0.0001", *INPUT)),
    Case("target_nearly_met", {"net-symbol.json": NET}, planned("--target", "macs=0.8", *INPUT)),
    Case("cost_of_open_sizes", {"net-symbol.json": NET}, planned("--target", "macs=0.5")),
    Case("latency_without_parameters", {"net-symbol.json": NET}, planned("--target", "latency=0.5", *INPUT)),
    Case(
        "verification_of_open_sizes",
        {"net-symbol.json": NET, "net-0000.params": NET_WEIGHTS},
        ("compile", "net-symbol.json", "--verify", "--out", "out"),
    ),
    Case("examples_are_text", data("hello"), on_data()),
    Case("examples_of_another_input", data(examples(image=ONES, mask=ONES)), on_data()),
    Case("examples_of_another_size", data(examples(data=ONES[:, :, :4])), on_data()),
    Case("labels_between_classes", data(examples(data=ONES, label=np.full(len(ONES), 0.5))), on_data()),
    Case("examples_with_nan", data(examples(data=ONES * np.nan)), on_data()),
    Case(
        "sensitivities_are_text",
        {"net-symbol.json": NET, "s.csv": "hello"},
        planned("--criterion", "sensitivity", "--sensitivity", "s.csv"),
    ),
    Case(
        "sensitivities_of_another_group",
        {"net-symbol.json": NET, "s.csv": f"{COLUMNS}\n7,other_weight,8,4,0.5,0.1,,position,{64 * '0'}\n"},
        planned("--criterion", "sensitivity", "--sensitivity", "s.csv"),
    ),
    Case(
        "picture_of_another_kind",
        data(examples(data=ONES)),
        ("sensitivity", *DATA_OPTIONS, "--plot", "s.gif"),
    ),
    Case("output_among_the_inputs", {"net-symbol.json": NET}, planned("--out", "net-symbol.json", "--force")),
    Case("output_in_no_folder", {"net-symbol.json": NET}, planned("--out", "plans/plan.json")),
    Case("output_is_a_folder", {"net-symbol.json": NET, "plans/notes.txt": ""}, planned("--out", "plans")),
    Case("model_is_called_plan", {"plan.json": NET}, ("compile", "plan.json", "--out", "out")),
)
