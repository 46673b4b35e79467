"""What is said of values that were compared."""

from __future__ import annotations

from typing import Optional

from prunec.verifying.verdict import Compared, Outcome, Verdict


def _value(error: float, doubt: Optional[str] = None, tolerance: float = 1e-4) -> Compared:
    return Compared("fc", True, error, tolerance, (1, 4), (1, 4), doubt)


def test_the_error_is_that_of_values_that_prove_something() -> None:
    noisy = _value(0.5, "rounding alone changes it too much", 4.0)
    assert Verdict((_value(2e-6), noisy), ()).error == 2e-6


def test_the_error_of_what_differs_counts_whatever_it_proves() -> None:
    noisy = _value(0.5, "rounding alone changes it too much", 0.1)
    verdict = Verdict((_value(2e-6), noisy), ())
    assert (verdict.outcome, verdict.error) == (Outcome.DIFFERS, 0.5)


def test_where_nothing_proves_anything_the_error_is_that_of_all() -> None:
    assert Verdict((_value(3e-6, "constant"),), ()).error == 3e-6
