"""Operators in place: as good as others, but where what they wrote to is read again."""

from __future__ import annotations

import pytest

from prunec.frontends.pytorch.aliases import seen_elsewhere
from prunec.frontends.pytorch.document import InputSpec, ProgramNode, Value


def node(target, *names, gives):
    arguments = tuple(zip(("self", "other"), map(Value, names)))
    return ProgramNode(gives, f"torch.ops.aten.{target}", arguments, (Value(gives),), "")


def places(*nodes, output, given=("x",), tensors=()):
    specs = [InputSpec("user_input", "", Value(name)) for name in given]
    specs += [InputSpec("parameter", name, Value(name)) for name in tensors]
    return set(seen_elsewhere(specs, nodes, [Value(output)]))


def test_what_is_not_read_again_is_as_good_as_a_copy():
    made = node("neg.default", "x", gives="a")
    assert places(made, node("relu_.default", "a", gives="b"), output="b") == set()


def test_what_is_read_under_its_old_name_is_seen():
    made, wrote = node("neg.default", "x", gives="a"), node("relu_.default", "a", gives="b")
    assert places(made, wrote, node("add.Tensor", "a", "b", gives="c"), output="c") == {1}
    assert places(made, wrote, output="a") == {1}


@pytest.mark.parametrize("view", ["view.default", "transpose.int", "slice.Tensor", "expand.default"])
def test_what_is_read_through_a_view_is_seen(view):
    made, seen = node("neg.default", "x", gives="a"), node(view, "a", gives="v")
    wrote = node("relu_.default", "v", gives="b")
    assert places(made, seen, wrote, output="b") == set()
    assert places(made, seen, wrote, node("add.Tensor", "a", "b", gives="c"), output="c") == {2}
    # A view that was made before, of what was written to.
    wrote = node("relu_.default", "a", gives="b")
    assert places(made, seen, wrote, node("add.Tensor", "v", "b", gives="c"), output="c") == {2}


def test_what_is_read_before_is_not_seen():
    made, read = node("neg.default", "x", gives="a"), node("exp.default", "a", gives="e")
    wrote = node("relu_.default", "a", gives="b")
    assert places(made, read, wrote, node("add.Tensor", "e", "b", gives="c"), output="c") == set()


def test_views_of_the_result_are_read_as_they_are():
    made, wrote = node("neg.default", "x", gives="a"), node("relu_.default", "a", gives="b")
    seen = node("view.default", "b", gives="v")
    assert places(made, wrote, seen, node("add.Tensor", "b", "v", gives="c"), output="c") == set()


def test_what_lasts_longer_than_a_run_is_seen():
    wrote = node("add_.Tensor", "state", "x", gives="b")
    assert places(wrote, output="b", tensors=("state",)) == {0}


def test_unknown_operators_go_by_their_names():
    made = node("neg.default", "x", gives="a")
    wrote = ProgramNode("b", "torch.ops.mine.add_.default", (("self", Value("a")),), (Value("b"),), "")
    assert places(made, wrote, output="a") == {1} and places(made, wrote, output="b") == set()
