"""What the records of functions say, family by family, on axes that are plain texts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import numpy as np
import pytest

import prunec
from prunec.language.functions import ELEMENTWISE, FUNCTIONS
from prunec.language.functions.base import SIZE, ArgumentError, Making, Open
from prunec.language.functions.positions import chosen_positions, listed_positions

PACKAGE = Path(prunec.__file__).parent
SIZES: dict[str, Optional[int]] = {"a": 4, "b": 1, "c": 5}
MAKING: Making[str] = Making(
    one="1",
    reverse=lambda axis: f"-{axis}",
    product=lambda axes: f"({''.join(axes)})",
    size=lambda axis: SIZES.get(axis),
    is_one=lambda axis: SIZES[axis] == 1 if axis in SIZES else None,
)


def rearranged(name: str, *arguments: object, axes: str = "abc") -> str:
    rearrange = FUNCTIONS[name].rearrange
    assert rearrange is not None
    return "".join(rearrange(list(axes), arguments, MAKING))


@pytest.mark.parametrize(
    ("name", "arguments", "axes"),
    [
        ("permute", [(2, 0, 1)], "cab"),
        ("permute", [(-1, 0, 1)], "cab"),
        ("permute", [None], "cba"),
        ("permute", [()], "cba"),
        ("swap", [0, -1], "cba"),
        ("reverse", [], "-a-b-c"),
        ("reverse", [(1, -1)], "a-b-c"),
        ("move", [0, -1], "bca"),
        ("move", [(0, 2), (1, 0)], "cab"),
        ("merged", [0, -1], "(abc)"),
        ("merged", [-2, 2], "a(bc)"),
        ("merged", [1, 1], "a(b)c"),
        ("put", [(-1, 0), ["x", "y"]], "ybx"),
        ("put", [None, ["x", "y", "z"]], "xyz"),
        ("stepped", [[2, 1, None]], "a"),
        ("stepped", [[None]], ""),
        ("stepped", [[1, -1], ["x", "y", "z"]], "ayc"),
        ("drop", [1], "ac"),
        ("drop", [(0, -1)], "b"),
        ("drop", [None], ""),
        ("drop", [1, True], "b"),
        ("reduced", [None], "1"),
        ("reduced", [(0, 1)], "c"),
        ("ones", [], "111"),
        ("ones", [(1,)], "a1c"),
        ("ones", [(1,), True], "1b1"),
        ("squeeze", [None], "ac"),
        ("squeeze", [0], "bc"),
        ("squeezed", [(0, 1, 2)], "1"),
        ("without_ones", [None], "ac"),
        ("without_ones", [(0, 1)], "ac"),
        ("without_ones", [-1], "abc"),
        ("insert", [(0, -1)], "1abc1"),
        ("insert", [1], "a1bc"),
        ("pick", [(2, 0)], "ca"),
        ("pick", [None], "abc"),
        ("pick", [(2, 0), 1], "b"),
    ],
)
def test_axes_are_rearranged(name: str, arguments: list[object], axes: str) -> None:
    assert rearranged(name, *arguments) == axes


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("permute", [(0, 0, 1)]),
        ("swap", [0, 3]),
        ("move", [(0, 1), (1, 1)]),
        ("merged", [2, 0]),
        ("merged", [0, 3]),
        ("insert", [(0, 0)]),
        ("put", [(0,), ["x", "y"]]),
    ],
)
def test_arguments_that_do_not_fit(name: str, arguments: list[object]) -> None:
    with pytest.raises(ArgumentError):
        rearranged(name, *arguments)


@pytest.mark.parametrize(
    ("name", "arguments"), [("swap", [None, 1]), ("squeeze", [None]), ("without_ones", [(-1,)])]
)
def test_what_has_to_be_known_first(name: str, arguments: list[object]) -> None:
    with pytest.raises(Open):
        rearranged(name, *arguments, axes="abx")


def entries(name: str, *arguments: object) -> list[object]:
    function = FUNCTIONS[name].entries
    assert function is not None
    return list(function(arguments, lambda operator, left, right: f"{left}{operator}{right}"))


@pytest.mark.parametrize(
    ("name", "arguments", "values"),
    [
        ("join", ["ab", "c"], ["a", "b", "c"]),
        ("interleave", ["ab", "cd"], ["a", "c", "b", "d"]),
        ("last_first", ["ab", "cd"], ["b", "d", "a", "c"]),
        ("offsets", ["abc"], [0, "a", "a+b"]),
        ("cuts", ["abc"], ["a", "a+b"]),
        ("cuts", ["a"], []),
        ("prod", ["abc"], ["a*b*c"]),
        ("prod", [""], [1]),
        ("before", ["abcd"], ["a", "b"]),
        ("after", ["abcd"], ["c", "d"]),
        ("before", ["a"], ["a"]),
        ("after", ["a"], ["a"]),
        ("skip", ["abcd", 2], ["c", "d"]),
        ("on", ["ab", (2, 0), "xyz"], ["b", None, "a"]),
        ("on", ["ab", (-1, 0), "xyz", 7], ["b", 7, "a"]),
        ("on", ["ab", None, "xyz"], ["a", "b", None]),
        ("between", ["abcd", 1, -1], ["b", "c"]),
        ("between", ["abcd", 1, None], ["b", "c", "d"]),
        ("count", [3], [3]),
        ("rank", ["abc"], [3]),
        ("length", [(4, 5)], [2]),
        ("length", [None], [0]),
    ],
)
def test_lists_of_values(name: str, arguments: list[object], values: list[object]) -> None:
    assert entries(name, *arguments) == values


def test_axes_merged_of_a_tensor_without_any() -> None:
    assert rearranged("merged", 0, -1, axes="") == "1"


def test_elements_of_an_axis_count_from_both_ends() -> None:
    elements = FUNCTIONS["take"].elements
    assert elements is not None
    assert elements((0, -1), 4) == (0, 3) and elements(2, 4) == (2,)
    with pytest.raises(ArgumentError):
        elements((4,), 4)


def test_ones_and_zeros_in_shapes_stay_when_sizes_change() -> None:
    zero, one = FUNCTIONS["copy_zero"], FUNCTIONS["stretch"]
    assert zero.invert_keeping_style is not None and one.invert_keeping_style is not None
    assert zero.invert_keeping_style(0, 8, 4, 4) == 0 and zero.invert_keeping_style(8, 8, 4, 4) == 4
    assert one.invert_keeping_style(1, 8, 4, 4) == 1 and one.invert_keeping_style(8, 8, 4, 4) == 4
    assert [ELEMENTWISE["copy_zero"](entry, 8) for entry in (0, 5, None)] == [8, 5, 8]
    assert [ELEMENTWISE["stretch"](entry, 8) for entry in (1, 5, None)] == [8, 5, 8]


def test_scaled_sizes_are_those_of_single_precision() -> None:
    for size in (1, 7, 30, 224, 16777217):
        for factor in (0.1, 0.3, 1.5, 1e-3, 2.0):
            expected = int(np.float32(size) * np.float32(factor))
            assert ELEMENTWISE["scaled"](size, factor) == expected
    assert ELEMENTWISE["scaled"](3, 1e300) is None and ELEMENTWISE["scaled"](3, None) is None


def test_positions_count_from_the_end_and_can_be_excluded() -> None:
    assert listed_positions((2, -1), 3) == [2, 2] and listed_positions(1, 0) == []
    assert chosen_positions((0, -1), True, 3, default_all=True) == [1]
    assert chosen_positions((), False, 2, default_all=False) == []


# --- what a record has to say ----------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_can_be_applied_where_it_can_stand(name: str) -> None:
    function = FUNCTIONS[name]
    asked = {
        "axis": (
            function.rearrange,
            function.view,
            function.regroups,
            function.formula,
            function.written_out,
        ),
        "input": (function.formula,),
        "target": (function.rearrange, function.formula),
        "size": (function.elementwise, function.entries),
        "guard": (function.guard,),
    }
    for kind in function.kinds:
        assert any(asked[kind]), kind
    assert len({len(form) for form in function.forms}) == len(function.forms)
    assert function.form(len(function.forms[0]), SIZE) or SIZE not in function.kinds
    assert (function.invert_keeping_style is None) == (function.styles is None)


#: Words that are also names of functions, where they mean something else.
OTHER_SENSES = {
    "language/parser.py": {"start"},
    "language/check_messages.py": {"size"},
    "lowering/sizes.py": {"given"},
    "proving/random_network.py": {"size"},
}


def test_no_other_room_knows_a_function_by_its_name() -> None:
    for room in ("language", "lowering", "rewriting", "proving", "authoring", "language_server"):
        for path in sorted((PACKAGE / room).rglob("*.py")):
            if PACKAGE / "language" / "functions" in path.parents:
                continue
            found = set(_texts(ast.parse(path.read_text(encoding="utf-8")))) & FUNCTIONS.keys()
            inner = path.relative_to(PACKAGE).as_posix()
            assert found <= OTHER_SENSES.get(inner, set()), inner


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
