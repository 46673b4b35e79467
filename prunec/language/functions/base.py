"""What is known of a function of the rule language: one record, which all rooms ask by its properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, Protocol, TypeVar, Union

from prunec.sizes import OpenShape
from prunec.value import Value

if TYPE_CHECKING:
    from prunec.language.functions.codes import Dialect
    from prunec.language.functions.formulas import Formula
    from prunec.language.syntax import AxisExpression, Call, Name, Rest, Statement

#: Where a call can stand.
AXIS = "axis"  #: in the axis list of an output
INPUT = "input"  #: in the axis list of an input
TARGET = "target"  #: behind ``keep`` and ``mixes``
SIZE = "size"  #: in an equation and in ``macs``
GUARD = "guard"  #: behind ``when``

#: What an argument can be.
ONE_AXIS = "axis"  #: the name of an axis
REST = "rest"  #: ``*x``
ANY_AXES = "axis or rest"  #: the name of an axis, or ``*x``
COUNTED = "counted rest"  #: ``*x``, of which it matters only how many axes it stands for
PARTS = "parts"  #: the name of an axis of a variadic slot
VALUE = "value"  #: made of attributes and numbers
LIST = "list"  #: an attribute taken entry by entry, or what a function makes of one
AXES = "axes"  #: an attribute that names axes by their index
CODES = "codes"  #: an attribute with the codes of a reshape
POSITIONS = "positions"  #: an attribute that lists elements
FORMULA = "formula"  #: an attribute that holds a formula
MEASURE = "size"  #: made of attributes, numbers, axes and rests
TENSOR = "tensor"  #: the name of a slot
VARIADIC = "variadic"  #: the name of a variadic slot

#: Kinds of arguments that are made of attributes and numbers alone,
VALUES = (VALUE, AXES, CODES, POSITIONS, FORMULA)
#: and kinds of rests.
RESTS = (REST, COUNTED)

#: How many values a call gives in an equation.
LIKE_LISTS = "like lists"  #: as many as its rests have axes, and its attributes entries
LIKE_AXES = "like axes"  #: as many as its rests have axes; an attribute may have fewer entries
ITS_OWN = "its own"  #: whatever its rests have

#: A number; ``None`` where it is not known, or, of an attribute, "not given".
Number = Optional[int]
Shape = OpenShape

T = TypeVar("T")


class Open(Exception):
    """A function cannot be applied yet: a rank, a size or an attribute that it needs is not known."""


class ArgumentError(Exception):
    """An argument does not fit what a function is applied to."""


class Unknown:
    """The type of :data:`UNKNOWN`."""


#: What a guard function gives where it needs a shape that is not known yet.
UNKNOWN = Unknown()


@dataclass(frozen=True)
class Making(Generic[T]):
    """How the axes are made that a function gives besides those it is applied to: one of size ``one``, and
    one in the opposite order, and one made of several.  ``size`` is that of an axis, ``None`` where it is not
    known or open; ``is_one`` says whether it is one, which an open size is not."""

    one: T
    reverse: Callable[[T], T]
    product: Callable[[Sequence[T]], T]
    size: Callable[[T], Number]
    is_one: Callable[[T], Optional[bool]]


class Rearrangement(Protocol):
    """The axes that a function makes of ``axes``.  The other arguments are values, those that are rests or
    sizes are sequences.  Raises :class:`Open` and :class:`ArgumentError`."""

    def __call__(self, axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]: ...


class Entries(Protocol):
    """The values of a call in an equation.  Of the arguments, those that are lists, sizes, rests or parts are
    sequences of expressions, those that name a variadic slot its number of tensors, all others values;
    ``join`` makes an expression of an operator and two."""

    def __call__(self, arguments: Sequence[Any], join: Callable[[str, Any, Any], Any]) -> Sequence[Any]: ...


class Restyle(Protocol):
    """The attribute that makes a function give ``value`` for an axis of ``size``.

    It is written in the style of the ``old`` attribute, which stood for an axis of ``old_size``: what counted
    from the end, was left out, or pointed past the end still does."""

    def __call__(self, old: Number, old_size: Number, size: Number, value: int) -> Number: ...


class Random(Protocol):
    """What trials draw with: a generator of numpy."""

    def integers(self, low: int, high: Optional[int] = None) -> Any:
        """A whole number from ``low`` up to ``high``, or below ``low``."""

    def permutation(self, count: int) -> Any:
        """The numbers below ``count`` in some order."""


@dataclass(frozen=True)
class WrittenOut:
    """What an axis function, or an element of an axis, is short for.

    Everywhere else ``name`` stands for its ``parts``, one behind the other; here stand ``axes``, and the rule
    has ``statements`` besides.  Without parts the name stays as it is.
    """

    name: Union[Name, Rest]
    parts: tuple[Union[Name, Rest], ...]
    axes: tuple[AxisExpression, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Function:
    """A function of the language.

    ``kinds`` says where a call of it can stand, ``forms`` what arguments it takes: one entry for
    each number of arguments, naming the kind of each; ``size_forms``, where there are any, take
    their place in equations.
    """

    name: str
    kinds: tuple[str, ...] = ()
    forms: tuple[tuple[str, ...], ...] = ()
    summary: str = ""
    size_forms: tuple[tuple[str, ...], ...] = ()

    instead: str = ""
    """What rules say where they mean this function, which stands only in what they are written out as."""
    written_out: Optional[Callable[[Call], WrittenOut]] = None
    """What a rule with a call says at length."""

    # --- in axis lists, and behind `keep` and `mixes` ---

    rearrange: Optional[Rearrangement] = None
    view: Optional[Dialect] = None
    """The codes of the reshape that it is."""
    regroups: bool = False
    """Whether it gives the axes of its second rest, over the elements of the first."""
    elements: Optional[Callable[[Value, int], tuple[int, ...]]] = None
    """The elements of an axis of some size that it takes, from an attribute.  Raises ``ArgumentError``."""
    formula: Optional[Callable[[Value, Sequence[Number]], Optional[Formula]]] = None
    """Reads the formula that says which axes of its rest each tensor has, from the ranks of the inputs."""
    takes_ones_away: bool = False
    """Whether axes of size one are taken away, all of them where no attribute names any."""
    leaves_others: bool = False
    """Whether those that are named and have another size stay."""

    # --- in equations ---

    elementwise: Optional[Callable[..., Number]] = None
    """What it gives for one number each of its arguments; it is applied axis by axis."""
    fractions: bool = False
    """Whether an argument may be a fraction."""
    least: Optional[Callable[[Sequence[int]], int]] = None
    """The least value it can have as a size, from those of its arguments; none where that is zero."""
    entries: Optional[Entries] = None
    """What it gives for whole lists."""
    lenient: bool = False
    """Whether ``entries`` takes an attribute that is not given for one entry that is not given."""
    length: str = LIKE_AXES
    values_per_axis: int = 1
    """How many values it gives for each axis of its rests."""
    one_by_one: bool = False
    """Whether its values tell each of the sizes it is made of."""
    concatenates: bool = False
    """Whether its length is that of all its arguments together."""
    stands_for: Optional[Callable[[Value], Number]] = None
    """How many axes, or tensors, its argument stands for, from the attribute that it is to give."""

    # --- attributes that an equation gives ---

    invert_keeping_style: Optional[Restyle] = None
    """Set where the first argument is an attribute for which an equation can be solved."""
    styles: Optional[Callable[[int, int, bool], Sequence[Number]]] = None
    """The ways to write what it is to give, for an axis of some size, each as often as trials are to choose
    it; the last argument says whether it may be left out."""
    whole_by_default: bool = False
    """Whether an attribute that is not given stands for all of the axis."""
    makes_axes: bool = False
    """Whether an axis that is on outputs only is made by the attribute."""
    places_entries: bool = False
    """Whether its second argument names the axes that the entries of the first one speak of."""
    half: Optional[int] = None
    """The half of a list that it gives: the first (0) or the second (1)."""

    # --- in guards ---

    guard: Optional[Callable[..., Union[Value, Unknown]]] = None
    """What it gives there: slots are sequences of shapes, empty where nothing is connected."""
    asks_what_is_connected: bool = False
    counts_entries: bool = False
    """Whether it gives how many entries an attribute has."""

    # --- how trials draw arguments ---

    draw_axes: Optional[Callable[[int, Random], Value]] = None
    """An attribute that names axes, for a rank; none where any of them will do."""
    entries_for: Optional[Callable[[int, Sequence[Value]], int]] = None
    """How many entries a list needs to give some number of values, from the other arguments."""
    trial_sizes: tuple[int, ...] = ()
    """The sizes that axes are tried with of which it computes others."""

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


def by_name(*families: Sequence[Function]) -> Mapping[str, Function]:
    """The functions of all families by name.  Raises ``ValueError`` where two have the same."""
    found: dict[str, Function] = {}
    for function in (function for family in families for function in family):
        if function.name in found:
            raise ValueError(f"two functions are called {function.name}")
        found[function.name] = function
    return found
