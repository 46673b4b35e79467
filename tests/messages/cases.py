"""Bad inputs: files and a command line each.  What prunec says of them stands in ``expected/NAME.txt``."""

from __future__ import annotations

from messages.model_cases import MODELS
from messages.onnx_cases import ONNX
from messages.plan_cases import PLANS
from messages.rule_cases import RULES

CASES = (*RULES, *MODELS, *PLANS, *ONNX)
