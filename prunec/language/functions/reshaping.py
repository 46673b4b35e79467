"""The axes reshaped, and shapes some of whose entries stand for the size in their place."""

from __future__ import annotations

from collections.abc import Sequence

from prunec.language.functions.base import (
    AXIS,
    CODES,
    LIKE_LISTS,
    MEASURE,
    REST,
    SIZE,
    VALUE,
    Function,
    Number,
)
from prunec.language.functions.codes import Dialect

#: As MXNet's Reshape documents its codes, and PyTorch and ONNX theirs.
_USUAL = Dialect(copy=0, infer=-1, skip=None, copy_rest=-2, merge=-3, split=-4)
#: As MXNet's numpy-style reshape does.
_NUMPY = Dialect(copy=-2, infer=-1, skip=-3, copy_rest=-4, merge=-5, split=-6)
#: As MXNet's oldest reshape takes sizes: zero infers.
_OLD = Dialect(copy=-1, infer=0, skip=None, copy_rest=-2, merge=-3, split=-4, reversible=False, tried=False)


def _copy_zero(value: Number, size: Number) -> Number:
    return size if value in (0, None) else value


def _restyle_zero(old: Number, old_size: Number, size: Number, value: int) -> Number:
    return old if old in (0, None) else value


def _zero_styles(value: int, size: int, nullable: bool) -> Sequence[Number]:
    return [value, value, 0] if value == size else [value]


def _stretch(entry: Number, size: Number) -> Number:
    return size if entry in (1, None) else entry


def _restyle_one(old: Number, old_size: Number, size: Number, value: int) -> Number:
    return old if old in (1, None) else value


def _copy_negative(entry: Number, size: Number) -> Number:
    return size if _says_nothing(entry) else entry


def _restyle_negative(old: Number, old_size: Number, size: Number, value: int) -> Number:
    return old if _says_nothing(old) else value


def _says_nothing(entry: Number) -> bool:
    # An open size is no number that can be compared.
    return entry is None or (isinstance(entry, int) and entry < 0)


def _negative_styles(value: int, size: int, nullable: bool) -> Sequence[Number]:
    return [value, value, -1] if value == size else [value]


def _one_styles(value: int, size: int, nullable: bool) -> Sequence[Number]:
    return [value, value, value, 1, 1]


FUNCTIONS = (
    Function("view", (AXIS,), ((REST, CODES), (REST, CODES, VALUE)), "the axes reshaped", view=_USUAL),
    Function(
        "view_np",
        (AXIS,),
        ((REST, CODES),),
        "the axes reshaped, with the codes of numpy-style operators",
        view=_NUMPY,
    ),
    Function(
        "view_old",
        (AXIS,),
        ((REST, CODES), (REST, CODES, VALUE)),
        "the axes reshaped, with the sizes of the oldest reshape",
        view=_OLD,
    ),
    Function(
        "view_like", (AXIS,), ((REST, REST),), "the axes reshaped to those of another tensor", regroups=True
    ),
    Function(
        "copy_zero",
        (SIZE,),
        ((MEASURE, MEASURE),),
        "a shape in which 0 stands for the size in its place",
        elementwise=_copy_zero,
        length=LIKE_LISTS,
        invert_keeping_style=_restyle_zero,
        styles=_zero_styles,
        makes_axes=True,
    ),
    Function(
        "copy_negative",
        (SIZE,),
        ((MEASURE, MEASURE),),
        "a shape in which -1 stands for the size in its place",
        elementwise=_copy_negative,
        length=LIKE_LISTS,
        invert_keeping_style=_restyle_negative,
        styles=_negative_styles,
        makes_axes=True,
    ),
    Function(
        "stretch",
        (SIZE,),
        ((MEASURE, MEASURE),),
        "a shape in which 1 stands for the size in its place",
        elementwise=_stretch,
        length=LIKE_LISTS,
        invert_keeping_style=_restyle_one,
        styles=_one_styles,
        makes_axes=True,
    ),
)
