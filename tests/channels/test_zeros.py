"""What is taken to be zero where channels are masked, for divisors above all: one masks them."""

from __future__ import annotations

from typing import Callable

import numpy as np
import pytest
from core.small import Builder, compare, solved

from prunec.channels.removal import uniform
from prunec.graph import Tensor

Layer = Callable[[Builder, Tensor], Tensor]


def summed(build: Layer):
    """A sum over channels, which is exact for those that are zero when masked."""
    b = Builder()
    data = b.input(3, 5)
    return b.finish(b.one("total", build(b, data), axes=(1,)))


def divided_by_itself(b: Builder, data: Tensor) -> Tensor:
    scale = b.parameter(3, 6)
    return b.one("quotient", scale, scale)


def divided_by_another(b: Builder, data: Tensor) -> Tensor:
    return b.one("quotient", b.parameter(3, 6), b.parameter(3, 6))


def divisor_that_multiplies(b: Builder, data: Tensor) -> Tensor:
    scale = b.parameter(3, 6)
    quotient = b.one("quotient", b.dense(data, 6), scale)
    return b.one("add", quotient, b.one("double", scale))


def multiplier_that_divides(b: Builder, data: Tensor) -> Tensor:
    scale = b.parameter(3, 6)
    product = b.one("double", scale)
    return b.one("add", b.one("quotient", b.dense(data, 6), scale), product)


def divisor_of_a_normalisation(b: Builder, data: Tensor) -> Tensor:
    shift = b.parameter(6)
    divided = b.one("quotient", b.parameter(6), shift)
    normalised = b.one(
        "normalise", b.dense(data, 6), b.parameter(6), shift, b.parameter(6), b.parameter(6, positive=True)
    )
    wide = b.one("copies", b.one("widen", divided, axis=0), reps=(3, 1))
    return b.one("add", normalised, wide)


def layer_divided_by_itself(b: Builder, data: Tensor) -> Tensor:
    layer = b.dense(data, 6)
    return b.one("quotient", layer, layer)


def layer_divided_by_a_layer(b: Builder, data: Tensor) -> Tensor:
    return b.one("quotient", b.dense(data, 6), b.dense(data, 6))


def layer_divided_by_more(b: Builder, data: Tensor) -> Tensor:
    layer = b.dense(data, 6)
    return b.one("quotient", layer, b.one("shift", b.one("multiply", layer, layer)))


EXACT = (divided_by_another, layer_divided_by_more)
APPROXIMATE = (
    divided_by_itself,
    divisor_that_multiplies,
    multiplier_that_divides,
    divisor_of_a_normalisation,
    layer_divided_by_itself,
    layer_divided_by_a_layer,
)


@pytest.mark.parametrize("build", EXACT)
def test_a_masked_divisor_leaves_zeros(build: Layer) -> None:
    analysis = solved(summed(build), strict=False)
    assert analysis.solution.groups and not any(group.approximate for group in analysis.solution.groups)
    assert error_of(analysis) < 1e-9


@pytest.mark.parametrize("build", APPROXIMATE)
def test_what_is_one_or_no_number_when_masked_is_not_zero(build: Layer) -> None:
    model = summed(build)
    analysis = solved(model, strict=False)
    assert analysis.solution.groups and all(group.approximate for group in analysis.solution.groups)
    assert not error_of(analysis) < 1e-9
    assert solved(model, strict=True).solution.groups == ()


def test_a_weight_divided_by_its_own_length_is_zero() -> None:
    """Zero is put in the place of what follows from parameters alone and is no number."""
    b = Builder()
    weight = b.parameter(3, 6)
    quotient = b.one("quotient", weight, b.one("double", weight))
    analysis = solved(b.finish(b.one("total", quotient, axes=(1,))), strict=False)
    assert analysis.solution.groups and not any(group.approximate for group in analysis.solution.groups)


def error_of(analysis) -> float:
    scores = np.random.default_rng(0).random(analysis.solution.unit_count)
    return compare(analysis, uniform(analysis.solution, 0.5, scores)).error
