"""What the shipped rules say of zeros, against what MXNet's operators make of zeros."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prunec.language.parser import parse, read_source
from prunec.language.syntax import Rest, Rule, Zero
from prunec.lowering.guards import holds

RULE_FILE = Path(__file__).resolve().parents[2] / "rules" / "default.prune"

#: Attribute values worth trying where a rule reads them.
VALUES: dict[str, list[Any]] = {
    "scalar": [-1.5, 0.0, 2.0],
    "a_min": [-1.0, 0.0, 1.0],
    "a_max": [2.0],
    "beta": [-0.5, 0.0, 0.5],
    "c": [0.0, 1.0],
}

#: The functions of the operators that have several.
ACTIVATIONS = {
    "Activation": ["relu", "sigmoid", "tanh", "softrelu", "softsign"],
    "LeakyReLU": ["leaky", "elu", "selu", "gelu"],
}

#: Operators on whole numbers, which MXNet does not run on the floats used here.
WHOLE_NUMBERS = ("bitwise", "lcm")

#: Rules of one shape that are no functions of each element, or take any number of inputs.
OTHERS = ("add_n", "broadcast_to", "_random_uniform_like")

#: Attributes an operator asks for although no rule reads them.
REQUIRED: dict[str, dict[str, str]] = {
    "Cast": {"dtype": "float32"},
    "cast": {"dtype": "float32"},
    "amp_cast": {"dtype": "float32"},
    "_npi_cast": {"dtype": "float32"},
    "_npx_cast": {"dtype": "float32"},
    "cast_storage": {"stype": "default"},
    "_sparse_cast_storage": {"stype": "default"},
    "smooth_l1": {"scalar": "1"},
    "_npx_smooth_l1": {"scalar": "1"},
    "_npi_full_like": {"fill_value": "3"},
}


def _elementwise(rule: Rule, inputs: int) -> bool:
    """Whether a rule takes so many tensors of one shape and gives one of the same shape."""
    if rule.opaque is not None or rule.signature.parameters or len(rule.signature.data) != inputs:
        return False
    tensors = (*rule.signature.data, rule.signature.outputs[0])
    items = [axis.item.item if hasattr(axis.item, "item") else axis.item for t in tensors for axis in t.axes]
    return len(items) == len(tensors) and all(isinstance(i, Rest) and i.name == "x" for i in items)


def _cases() -> Iterator[tuple[Rule, str, int]]:
    for rule in parse(read_source(RULE_FILE)).rules:
        for inputs in (1, 2):
            if _elementwise(rule, inputs) and rule.label not in OTHERS:
                for operator in rule.operators:
                    if not any(word in operator.name for word in WHOLE_NUMBERS):
                        yield rule, operator.name, inputs


def _attribute_sets(rule: Rule) -> Iterator[dict[str, Any]]:
    sets: list[dict[str, Any]] = [{}]
    for attribute in rule.attributes:
        values = ACTIVATIONS.get(rule.label) if attribute.name == "act_type" else VALUES.get(attribute.name)
        if values:
            sets = [{**known, attribute.name: value} for known in sets for value in values]
    yield from sets


def _claims(rule: Rule, attributes: dict[str, Any]) -> list[tuple[str, ...]]:
    """The sets of inputs of which the rule says: where they are zero, the output is."""
    defaults = {a.name: a.default.value if a.default else None for a in rule.attributes}
    claims: list[tuple[str, ...]] = []
    for statement in rule.statements:
        if isinstance(statement, Zero) and holds(statement.when, {**defaults, **attributes}, {}):
            if statement.condition is None:
                claims.append(())
            elif statement.condition.operator == "or":
                claims += [(tensor.name,) for tensor in statement.condition.tensors]
            else:
                claims.append(tuple(tensor.name for tensor in statement.condition.tensors))
    return claims


def _run(mx: Any, operator: str, values: list[Any], attributes: dict[str, Any]) -> Any:
    variables = [{"op": "null", "name": f"x{i}", "inputs": []} for i in range(len(values))]
    texts = {key: str(value) for key, value in {**REQUIRED.get(operator, {}), **attributes}.items()}
    node = {"op": operator, "name": "node", "attrs": texts, "inputs": [[i, 0, 0] for i in range(len(values))]}
    document = {
        "nodes": [*variables, node],
        "arg_nodes": list(range(len(values))),
        "heads": [[len(values), 0, 0]],
    }
    symbol = mx.sym.load_json(json.dumps(document))
    arrays = {f"x{i}": mx.nd.array(value) for i, value in enumerate(values)}
    executor = symbol.bind(mx.cpu(), {name: arrays[name] for name in symbol.list_arguments()})
    return executor.forward()[0].asnumpy()


@pytest.mark.parametrize(("rule", "operator", "inputs"), _cases(), ids=lambda value: str(value)[:40])
def test_zeros_stay_where_the_rule_says_so(rule: Rule, operator: str, inputs: int) -> None:
    mx = pytest.importorskip("mxnet", reason="needs MXNet")
    names = [tensor.name for tensor in rule.signature.data]
    ones = [[0.5, 0.75, 0.25]] * 2
    for attributes in _attribute_sets(rule):
        for claim in _claims(rule, attributes):
            values = [[[0.0] * 3] * 2 if name in claim else ones for name in names]
            result = _run(mx, operator, values, attributes)
            assert (result == 0).all(), (operator, attributes, claim, result)
