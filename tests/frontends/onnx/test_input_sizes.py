"""The sizes of a model's inputs: which of those that a file leaves open are the same."""

from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")

from prunec.frontends.onnx.input_sizes import input_sizes  # noqa: E402
from prunec.sizes import OpenSize, exemplary  # noqa: E402


def declared(*shape):
    return onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(shape))


def names(sizes):
    return [symbol.name for size in sizes if isinstance(size, OpenSize) for symbol in size.symbols]


def test_sizes_of_one_name_are_the_same():
    (sizes,) = input_sizes([declared("n", 3, "side", "side")], {"x": (1, 3, 32, 32)}).values()
    assert names(sizes) == ["n", "side", "side"]
    assert [exemplary(size, {}) for size in sizes] == [1, 3, 32, 32]


def test_sizes_of_one_name_that_are_given_as_different_are_not():
    (sizes,) = input_sizes([declared("n", 3, "side", "side")], {"x": (1, 3, 48, 192)}).values()
    assert names(sizes) == ["n", "x.2", "x.3"]
    assert [exemplary(size, {}) for size in sizes] == [1, 3, 48, 192]


def test_a_question_mark_is_no_name():
    (sizes,) = input_sizes([declared("?", 3, "?", "?")], {}).values()
    assert names(sizes) == ["x.0", "x.2", "x.3"]
