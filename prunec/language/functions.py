"""The built-in functions of the rule language: one table for checks, messages and documentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

#: Where a call can stand.
AXIS = "axis"  #: in the axis list of an output
INPUT = "input"  #: in the axis list of an input
TARGET = "target"  #: behind ``keep`` and ``mixes``
SIZE = "size"  #: in an equation and in ``macs``
GUARD = "guard"  #: behind ``when``

#: What an argument can be.
ONE_AXIS = "axis"  #: the name of an axis
REST = "rest"  #: ``*x``
PARTS = "parts"  #: the name of an axis of a variadic slot
VALUE = "value"  #: made of attributes and numbers
MEASURE = "size"  #: made of attributes, numbers, axes and rests
TENSOR = "tensor"  #: the name of a slot
VARIADIC = "variadic"  #: the name of a variadic slot


@dataclass(frozen=True)
class Function:
    """A built-in function.

    ``kinds`` says where a call of it can stand, ``forms`` what arguments it takes: one entry for
    each number of arguments, naming the kind of each; ``size_forms``, where there are any, take
    their place in equations.
    """

    name: str
    kinds: tuple[str, ...]
    forms: tuple[tuple[str, ...], ...]
    summary: str
    size_forms: tuple[tuple[str, ...], ...] = ()

    def form(self, count: int, context: str = "") -> Optional[tuple[str, ...]]:
        """The kinds of ``count`` arguments, or ``None`` where the function does not take so many.

        ``context`` is where the call stands.
        """
        forms = self.size_forms if context == SIZE and self.size_forms else self.forms
        return next((form for form in forms if len(form) == count), None)

    @property
    def arity(self) -> str:
        """The numbers of arguments it takes, in words: ``"2 or 3 arguments"``."""
        counts = sorted(len(form) for form in self.forms)
        noun = "argument" if counts == [1] else "arguments"
        return f"{' or '.join(str(count) for count in counts)} {noun}"


_TABLE = (
    Function("permute", (AXIS,), ((REST, VALUE),), "the axes in another order"),
    Function("swap", (AXIS,), ((REST, VALUE, VALUE),), "two axes exchanged"),
    Function("view", (AXIS,), ((REST, VALUE), (REST, VALUE, VALUE)), "the axes reshaped"),
    Function(
        "view_np", (AXIS,), ((REST, VALUE),), "the axes reshaped, with the codes of numpy-style operators"
    ),
    Function(
        "view_old",
        (AXIS,),
        ((REST, VALUE), (REST, VALUE, VALUE)),
        "the axes reshaped, with the sizes of the oldest reshape",
    ),
    Function(
        "reduced",
        (AXIS,),
        ((REST, VALUE), (REST, VALUE, VALUE)),
        "the axes without some of them, or one of size one where none is left",
    ),
    Function(
        "squeezed",
        (AXIS,),
        ((REST, VALUE),),
        "the axes without those of size one, or one of size one where none is left",
    ),
    Function("drop", (AXIS,), ((REST, VALUE), (REST, VALUE, VALUE)), "the axes without some of them"),
    Function(
        "ones",
        (AXIS,),
        ((REST,), (REST, VALUE), (REST, VALUE, VALUE)),
        "the axes, some of them replaced by ones",
    ),
    Function("squeeze", (AXIS,), ((REST, VALUE),), "the axes without those of size one"),
    Function("reverse", (AXIS,), ((ONE_AXIS,), (REST, VALUE)), "the elements in the opposite order"),
    Function("letters", (AXIS, INPUT), ((REST, VALUE),), "the axes that a formula of letters names"),
    Function("summed", (TARGET,), ((REST, VALUE),), "the axes that only the inputs of a formula have"),
    Function("take", (AXIS,), ((ONE_AXIS, VALUE),), "the elements of an axis at listed positions"),
    Function("pick", (TARGET, SIZE), ((REST, VALUE), (REST, VALUE, VALUE)), "some of the axes"),
    Function(
        "join",
        (SIZE,),
        ((MEASURE, MEASURE), (MEASURE, MEASURE, MEASURE)),
        "the sizes of axes or rests, one behind the other",
    ),
    Function("insert", (AXIS,), ((REST, VALUE),), "the axes with new ones of size one among them"),
    Function(
        "stepped",
        (AXIS, TARGET),
        ((REST, MEASURE), (REST, MEASURE, REST)),
        "the axes that are gone over in steps, or all axes with others in the place of those",
    ),
    Function("put", (AXIS,), ((REST, VALUE, REST),), "the axes with others in the place of some"),
    Function("before", (SIZE,), ((VALUE,),), "the first half of a list: what stands before each axis"),
    Function("after", (SIZE,), ((VALUE,),), "the second half of a list: what stands behind each axis"),
    Function("skip", (SIZE,), ((VALUE, VALUE),), "a list without its first entries"),
    Function("between", (SIZE,), ((REST, VALUE, VALUE),), "the sizes of a stretch of axes"),
    Function(
        "on",
        (SIZE,),
        ((MEASURE, VALUE, REST), (MEASURE, VALUE, REST, VALUE)),
        "for each axis the entry of a list that speaks of it",
    ),
    Function(
        "window",
        (SIZE,),
        ((MEASURE, MEASURE, MEASURE, MEASURE, MEASURE),),
        "sizes after a sliding window, rounded down",
    ),
    Function(
        "window_up",
        (SIZE,),
        ((MEASURE, MEASURE, MEASURE, MEASURE, MEASURE),),
        "sizes after a sliding window, rounded up",
    ),
    Function(
        "unwindow",
        (SIZE,),
        ((MEASURE, MEASURE, MEASURE, MEASURE, MEASURE, MEASURE),),
        "sizes before a sliding window",
    ),
    Function("prod", (SIZE,), ((REST,),), "the product of the sizes"),
    Function("max", (SIZE,), ((MEASURE, MEASURE),), "the larger size"),
    Function("min", (SIZE,), ((MEASURE, MEASURE),), "the smaller size"),
    Function("count", (SIZE, GUARD), ((VARIADIC,),), "the number of tensors in a variadic slot"),
    Function("offsets", (SIZE,), ((PARTS,),), "where the parts of a variadic sum start"),
    Function(
        "cuts", (SIZE,), ((PARTS,),), "where the parts of a variadic sum start, without the leading zero"
    ),
    Function("interleave", (SIZE,), ((MEASURE, MEASURE),), "sizes of two rests in turn"),
    Function(
        "start",
        (SIZE,),
        ((MEASURE, MEASURE), (MEASURE, MEASURE, MEASURE)),
        "an index that starts a range on an axis of a given size",
    ),
    Function(
        "stop",
        (SIZE,),
        ((MEASURE, MEASURE), (MEASURE, MEASURE, MEASURE)),
        "an index that ends a range on an axis of a given size",
    ),
    Function(
        "copy_zero", (SIZE,), ((MEASURE, MEASURE),), "a shape in which 0 stands for the size in its place"
    ),
    Function(
        "stretch", (SIZE,), ((MEASURE, MEASURE),), "a shape in which 1 stands for the size in its place"
    ),
    Function("scaled", (SIZE,), ((MEASURE, MEASURE),), "a size times a fraction, rounded down"),
    Function(
        "strided",
        (SIZE,),
        ((MEASURE, MEASURE, MEASURE, MEASURE),),
        "how many elements a range in steps takes from an axis",
    ),
    Function("size", (GUARD,), ((TENSOR, VALUE),), "the size of an axis of a tensor"),
    Function(
        "rank",
        (SIZE, GUARD),
        ((TENSOR,),),
        "the number of axes of a tensor, in equations of a rest",
        size_forms=((REST,),),
    ),
    Function("length", (SIZE, GUARD), ((VALUE,),), "the number of entries of an attribute"),
    Function("entry", (GUARD,), ((VALUE, VALUE),), "an entry of a list, counted from 0"),
    Function("given", (GUARD,), ((TENSOR,),), "whether an optional input is connected"),
)

#: The functions by name.
FUNCTIONS: dict[str, Function] = {function.name: function for function in _TABLE}
