"""Lists in which open sizes stand among numbers, and what nodes make of them."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunec.graph import Known
from prunec.lowering.open_values import as_array, folded_open, generic, is_open, key_of
from prunec.sizes import OpenSize, Symbol, open_size

N, S, H = open_size("n", 2), open_size("s", 5), open_size("h", 9)


def fold(function: Callable[..., Any], *inputs: Known) -> Optional[Known]:
    """What a node that computes ``function`` makes of inputs."""

    def node(index: int, arrays: Sequence[Known]) -> Optional[Sequence[Known]]:
        return [np.asarray(function(*arrays))]

    found = folded_open(node, 0, "node", inputs)
    return None if found is None else found[0]


def test_moved_elements_keep_their_sizes() -> None:
    shape = as_array([N, 8, S, S], (4,))
    assert is_open(shape)
    found = fold(lambda a: np.concatenate([a[:1], [4, 2], a[2:3]]), shape)
    assert found is not None and found.tolist() == [N, 4, 2, S]


@given(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 3))
def test_polynomials_are_found(a: int, b: int, c: int) -> None:
    found = fold(lambda x: x[0] * x[1] * a + x[1] * b + c, as_array([N, S], (2,)))
    assert found is not None
    assert found.reshape(-1).tolist() == [a * (N * S) + b * S + c]


def test_what_is_no_polynomial_is_a_symbol_with_an_example() -> None:
    found = fold(lambda x: x // 4, as_array([H, S], (2,)))
    assert found is not None
    half, other = found.tolist()
    assert isinstance(half, OpenSize) and half != other and half.example == 9 // 4


def test_comparisons_that_come_out_the_same_are_known() -> None:
    found = fold(lambda x: x == -1, as_array([N, -1, S], (3,)))
    assert found is not None and not is_open(found) and found.tolist() == [False, True, False]
    found = fold(lambda x: np.where(x == -1, 7, x), as_array([N, -1], (2,)))
    assert found is not None and found.tolist() == [N, 7]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x == 1,  # of one sample it is true
        lambda x: x > 4,
        lambda x: np.arange(x[0]),  # how many elements there are is open
        lambda x: x * 0.5,  # no whole numbers
        lambda x: x[x > 3],
    ],
)
def test_what_depends_on_the_sizes_is_not_known(function: Callable[[Known], Any]) -> None:
    assert fold(function, as_array([N, S], (2,))) is None


def test_more_symbols_than_can_be_told_apart() -> None:
    many = as_array([open_size(f"s{n}") for n in range(9)], (9,))
    assert fold(lambda x: x, many) is None


def test_numbers_for_sizes_are_the_same_for_the_same() -> None:
    numbers: dict[Symbol, int] = {}
    first = generic(as_array([N, 4, S], (3,)), numbers)
    second = generic(as_array([S * 2, N], (2,)), numbers)
    assert first.dtype == second.dtype == np.int64
    assert second.tolist() == [first[2] * 2, first[0]] and first[1] == 4 and first[0] != first[2]
    closed = np.array([1, 2])
    assert generic(closed, numbers) is closed


def test_keys_say_what_arrays_hold() -> None:
    assert key_of(as_array([N, 4], (2,))) == key_of(as_array([N, 4], (2,)))
    assert key_of(as_array([N, 4], (2,))) != key_of(as_array([S, 4], (2,)))
    assert key_of(np.array([3, 4])) == key_of(as_array([3, 4], (2,)))
