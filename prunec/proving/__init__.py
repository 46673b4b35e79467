"""Proof of rules by execution: small networks around an operator, pruned and run in its framework.

verdicts = prove(load(["default"]), seed=0, cases=12)
print(report(verdicts))
"""

from __future__ import annotations

from prunec.proving.prove import prove
from prunec.proving.rule_verdict import Failure, RuleVerdict, report

__all__ = ["Failure", "RuleVerdict", "prove", "report"]
