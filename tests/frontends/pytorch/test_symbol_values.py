"""What sizes in symbols are, by the shapes of values; and what is said without PyTorch."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from prunec import PrunecError
from prunec.frontends.pytorch.package import torch_package
from prunec.frontends.pytorch.symbol_values import number_of, symbol_values

S, T = (f"Symbol('s{k}', positive=True, integer=True)" for k in (0, 1))


def sized(text: str) -> dict[str, Any]:
    return {"as_expr": {"expr_str": text, "hint": None}}


def test_symbols_follow_from_what_they_stand_in() -> None:
    assert symbol_values([(sized(S), 5)]) == {"s0": 5}
    assert symbol_values([(sized(f"Add(Mul(Integer(4), {S}), Integer(1))"), 21)]) == {"s0": 5}
    # The product alone tells neither; with one of them it tells the other.
    assert symbol_values([(sized(f"Mul({S}, {T})"), 12)]) == {}
    assert symbol_values([(sized(f"Mul({S}, {T})"), 12), (sized(T), 4)]) == {"s0": 3, "s1": 4}


def test_what_does_not_follow_is_left_open() -> None:
    assert symbol_values([(sized(f"Mul(Integer(4), {S})"), 6)]) == {}
    assert symbol_values([(sized(f"Pow({S}, Integer(2))"), 9)]) == {}
    assert symbol_values([({"as_int": 3}, 4), (sized("nonsense("), 1), (None, 2)]) == {}


def test_expressions_are_computed() -> None:
    values = {"s0": 7, "s1": 2}
    assert number_of({"as_int": 3}, {}) == 3
    assert number_of(sized(f"Add(FloorDiv(Add({S}, Integer(-1)), {T}), Integer(1))"), values) == 4
    assert number_of(sized(f"Max({S}, Mul({T}, Integer(8)))"), values) == 16
    assert number_of(sized(f"Mul({S}, {T})"), {"s0": 7}) is None
    assert number_of(sized("__import__('os')"), values) is None


def test_without_pytorch_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PrunecError) as caught:
        torch_package()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "P700"
    assert diagnostic.help == "pip install torch"
