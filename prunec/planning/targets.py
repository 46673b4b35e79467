"""What a plan is to reach: targets and limits, as the user writes them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

#: Costs by the words of the command line, with what they are called in messages.
COSTS = {
    "macs": "multiply-adds",
    "params": "parameters",
    "size": "bytes of the parameter file",
    "latency": "seconds for one run",
}
_UNITS = {
    "macs": {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
    "params": {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9},
    "size": {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 2.0**10, "MIB": 2.0**20, "GIB": 2.0**30},
    "latency": {"S": 1.0, "MS": 1e-3, "US": 1e-6},
}
_NUMBER = re.compile(r"((?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?)\s*(%|[A-Za-z]*)")


@dataclass(frozen=True)
class Target:
    """A cost to come down to: a share of what the model costs now (``relative``), or a number."""

    cost: str
    value: float
    relative: bool
    text: str

    def goal(self, now: float) -> float:
        """The number to reach, for a model that costs ``now``."""
        return self.value * now if self.relative else self.value


@dataclass(frozen=True)
class Limits:
    """What every choice obeys: at most this share of it goes, at least this many channels stay, and what
    stays of a choice that loses anything is a multiple of ``align`` channels."""

    max_ratio: float = 1.0
    min_channels: int = 1
    align: int = 1


def parse_target(text: str) -> Target:
    """``macs=0.5``, ``params=10M``, ``size=20MB``, ``latency=0.6``, ``latency=5ms``, ``macs=40%``.

    A number without a unit up to 1 is a share of what the model costs now.  Raises ValueError with a
    message that says what is wrong.
    """
    word, sign, amount = text.partition("=")
    cost = word.strip().lower()
    if not sign or cost not in COSTS:
        raise ValueError(f"{text!r} is no target: targets are {', '.join(f'{name}=…' for name in COSTS)}")
    found = _NUMBER.fullmatch(amount.strip())
    value = float(found.group(1)) if found else -1.0
    if found is None or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{amount!r} in {text!r} is no number above 0")
    unit = found.group(2)
    if not unit and value > 1 and cost in ("macs", "params") and not value.is_integer():
        raise ValueError(f"{text!r} is neither a share up to 1 nor a whole number of {COSTS[cost]}")
    if unit == "%" or (not unit and value <= 1):
        share = value / 100 if unit == "%" else value
        if share > 1:
            raise ValueError(f"{text!r} is more than the whole model")
        return Target(cost, share, True, text)
    units = _UNITS[cost]
    if unit.upper() not in units:
        known = ", ".join(_shown(cost, name) for name in units if name)
        raise ValueError(f"{unit!r} in {text!r} is no unit of {cost}: those are {known}, or a share up to 1")
    return Target(cost, value * units[unit.upper()], False, text)


def amount(cost: str, value: float) -> str:
    """An amount of a cost for messages: ``2.05 G multiply-adds``, ``12.3 MB``, ``4.1 ms``."""
    if cost == "latency":
        return f"{value * 1e3:.3g} ms"
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}{'B' if cost == 'size' else ' ' + COSTS[cost]}"
    return f"{value:.0f} {COSTS[cost]}"


def _shown(cost: str, unit: str) -> str:
    return unit.lower() if cost == "latency" else unit.replace("IB", "iB")
