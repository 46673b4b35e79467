"""Every operator of onnx has a rule; one that keeps everything says why."""

from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import RULES  # noqa: E402

SCHEMAS = onnx.defs.get_all_schemas_with_history()
#: Operators by the name that rules call them.
NAMES = sorted({f"{s.domain}::{s.name}" if s.domain else s.name for s in SCHEMAS})


@pytest.mark.parametrize("name", NAMES)
def test_operator_has_a_rule(name):
    rules = RULES.rules_for(name)
    assert rules, "write a rule; where nothing can go: opaque because a reason"
    assert all(rule.opaque is None or len(rule.opaque.text) > 20 for rule in rules)


def test_most_operators_of_the_standard_domain_are_pruned_through():
    standard = [name for name in NAMES if "::" not in name]
    through = [name for name in standard if any(rule.opaque is None for rule in RULES.rules_for(name))]
    assert len(through) >= 145, len(through)
