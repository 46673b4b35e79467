"""Reshaping as regrouping: which input sizes stand behind each output axis, and the codes that say so.

A reshape is written as a list of codes.  Reading it gives the output sizes; the channel algebra then
needs nothing more, because splitting and merging axes is a matter of sizes alone.  When sizes shrink
the codes are written again: a number that stood for a size changes, a code that copies or infers
does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional, Sequence

from prunec.language.functions.base import ArgumentError
from prunec.sizes import OpenShape, OpenSize, Size, product, quotient


@dataclass(frozen=True)
class ViewCodes:
    """What the codes of a reshape say.

    ``sizes[k]`` is the size of output axis ``k``; ``literal[k]`` the index into the codes of the number
    that gives this size, ``None`` where the axis is copied, merged or inferred.  ``segments`` pairs runs
    of input axes with the runs of output axes that hold the same elements, as
    ``(input start, input end, output start, output end)``; it covers all axes.
    """

    sizes: OpenShape
    literal: tuple[Optional[int], ...]
    segments: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True)
class Dialect:
    """What stands for what in the codes of a reshape; all other numbers above zero are sizes."""

    copy: int
    infer: int
    skip: Optional[int]
    copy_rest: int
    merge: int
    split: int
    reversible: bool = True
    """Whether its flag says that codes are read from the right, not that the first axis is copied."""
    tried: bool = True
    """Whether models write its codes, besides the one that infers a size."""


def read_codes(dialect: Dialect, codes: Sequence[Size], shape: OpenShape, flag: bool = False) -> ViewCodes:
    """What codes say of a shape.  ``flag`` reads them from the right, or copies the first axis.

    Raises :class:`ArgumentError` where they do not fit.
    """
    if not dialect.reversible:
        codes = [dialect.copy, *codes[1:]] if flag else codes
        return _walk(dialect, list(enumerate(codes)), shape)
    return _read(dialect, codes, shape, flag)


def regrouped(shape: OpenShape, sizes: OpenShape) -> tuple[tuple[int, int, int, int], ...]:
    """The segments of a reshape from one shape to another, all of whose sizes are known or open.

    Raises :class:`ArgumentError` where they do not hold as many elements.
    """
    _check_total(sizes, shape)
    return tuple(_refined((0, len(shape), 0, len(sizes)), shape, sizes))


def _read(dialect: Dialect, codes: Sequence[Size], shape: OpenShape, reverse: bool) -> ViewCodes:
    if not reverse:
        return _walk(dialect, list(enumerate(codes)), shape)
    # Read from the right: the codes and the shape are mirrored, and so is what comes out.  The two
    # numbers behind a split code keep their place behind it.
    mirrored: list[tuple[int, Size]] = []
    position = 0
    while position < len(codes):
        width = 3 if codes[position] == dialect.split else 1
        group = list(enumerate(codes))[position : position + width]
        if width == 3:
            group = [group[0], *reversed(group[1:])]
        mirrored = group + mirrored
        position += width
    walked = _walk(dialect, mirrored, tuple(reversed(shape)))
    before, after = len(shape), len(walked.sizes)
    segments = tuple(
        (before - b, before - a, after - d, after - c) for a, b, c, d in reversed(walked.segments)
    )
    return ViewCodes(tuple(reversed(walked.sizes)), tuple(reversed(walked.literal)), segments)


def _walk(dialect: Dialect, codes: list[tuple[int, Size]], shape: OpenShape) -> ViewCodes:
    walker = _Walker(dialect, codes, shape)
    while walker.position < len(codes):
        walker.step()
    return walker.finish()


class _Walker:
    """Goes through the codes of a reshape from left to right."""

    def __init__(self, dialect: Dialect, codes: list[tuple[int, Size]], shape: OpenShape) -> None:
        self.dialect, self.codes, self.shape = dialect, codes, shape
        self.sizes: list[Optional[Size]] = []
        self.literal: list[Optional[int]] = []
        self.inferred: Optional[int] = None
        self.source = 0
        self.position = 0
        # Known parts of unknown sizes: of an input that is split, and of two axes that are merged.
        self.hidden_before: Size = 1
        self.hidden_after: Size = 1
        self.segments: list[tuple[int, int, int, int]] = []
        # Only while every code says which input axes it uses do the runs so far hold the same elements.
        self.definite = True

    def step(self) -> None:
        """Reads one code, with the sizes behind it where it is a split."""
        dialect = self.dialect
        index, code = self.codes[self.position]
        self.position += 1
        begin = (self.source, len(self.sizes))
        if isinstance(code, OpenSize):
            self._put(code, index)
            self.source += 1
        elif code == dialect.copy:
            self._put(self._take())
        elif code == dialect.skip:
            if self._take() not in (1, None):
                raise ArgumentError("an axis to be left out is not of size one")
        elif code == dialect.copy_rest:
            while self.source < len(self.shape):
                self._put(self._take())
        elif code == dialect.merge:
            self._merge()
        elif code == dialect.split:
            self._split()
        elif code == dialect.infer:
            if self.inferred is not None:
                raise ArgumentError("more than one size is to be inferred")
            self.inferred = len(self.sizes)
            self._put(None)
            self.source += 1
        elif code < 0:
            raise ArgumentError(f"{code} is not a reshape code")
        else:
            self._put(code, index)
            self.source += 1
        says_which = (
            isinstance(code, int) and code <= dialect.copy_rest or code in (dialect.copy, dialect.skip)
        )
        self.definite = self.definite and says_which
        if self.definite:
            self.segments.append((begin[0], self.source, begin[1], len(self.sizes)))

    def finish(self) -> ViewCodes:
        """What the codes say, with what is to be inferred and the run that is left."""
        sizes, shape = self.sizes, self.shape
        end = self.segments[-1] if self.segments else (0, 0, 0, 0)
        if (end[1], end[3]) != (len(shape), len(sizes)):
            self.segments.append((end[1], len(shape), end[3], len(sizes)))
        if self.inferred is not None:
            sizes[self.inferred] = _infer(sizes, self.inferred, shape, self.hidden_before, self.hidden_after)
            if self.inferred == 0 and len(self.segments) == 1 and _same_first(sizes, shape):
                self.segments = [(0, 1, 0, 1), (1, len(shape), 1, len(sizes))]
        _check_total(sizes, shape)
        self.segments = [part for run in self.segments for part in _refined(run, shape, sizes)]
        return ViewCodes(tuple(sizes), tuple(self.literal), tuple(self.segments))

    def _take(self) -> Optional[Size]:
        if self.source >= len(self.shape):
            raise ArgumentError("the codes name more axes than the input has")
        self.source += 1
        return self.shape[self.source - 1]

    def _put(self, size: Optional[Size], literal: Optional[int] = None) -> None:
        self.sizes.append(size)
        self.literal.append(literal)

    def _merge(self) -> None:
        first, second = self._take(), self._take()
        if first is None or second is None:
            self.hidden_after = self.hidden_after * (1 if first is None else first)
            self.hidden_after = self.hidden_after * (1 if second is None else second)
            self._put(None)
        else:
            self._put(first * second)

    def _split(self) -> None:
        if self.position + 2 > len(self.codes):
            raise ArgumentError("a split code needs two sizes behind it")
        parts = self.codes[self.position : self.position + 2]
        self.position += 2
        whole = self._take()
        for size, (at, written) in zip(_split(whole, parts[0][1], parts[1][1]), parts):
            self._put(size, at if isinstance(written, int) and written > 0 else None)
        if whole is None and None in self.sizes[-2:]:
            self.hidden_before = self.hidden_before * product(code for _, code in parts if code != -1)


def _split(size: Optional[Size], first: Size, second: Size) -> list[Optional[Size]]:
    if first == -1 and second == -1:
        raise ArgumentError("a split cannot infer both its sizes")
    if size is None:
        return [first if first != -1 else None, second if second != -1 else None]
    if isinstance(size, OpenSize) or isinstance(first, OpenSize) or isinstance(second, OpenSize):
        if first == -1:
            return [quotient(size, second), second]
        return [first, quotient(size, first) if second == -1 else second]
    if first == -1:
        first = size // second if second else 0
    if second == -1:
        second = size // first if first else 0
    if first * second != size:
        raise ArgumentError(f"an axis of size {size} cannot be split into {first} by {second}")
    return [first, second]


def _infer(
    sizes: list[Optional[Size]], at: int, shape: OpenShape, before: Size, after: Size
) -> Optional[Size]:
    # Unknown sizes on both sides are cancelled: an axis copied through does not hide the rest.  What is known
    # of them (``before``, ``after``) counts.
    rest = [size for i, size in enumerate(sizes) if i != at]
    unknown = [size for size in shape if size is None]
    if rest.count(None) != len(unknown):
        return None
    total = before * product(size for size in shape if size is not None)
    known = after * product(size for size in rest if size is not None)
    size = quotient(total, known)
    if size is None and isinstance(total, int) and isinstance(known, int):
        raise ArgumentError(f"a size cannot be inferred: {total} elements do not divide by {known}")
    return size


def _same_first(sizes: Sequence[Optional[Size]], shape: OpenShape) -> bool:
    """Whether the first axis, of a size that is not known, is inferred to be what it was: the samples."""
    if not shape or shape[0] is not None or sizes[0] is not None or None in (*shape[1:], *sizes[1:]):
        return False
    return product(size or 0 for size in shape[1:]) == product(size or 0 for size in sizes[1:])


def _check_total(sizes: Sequence[Optional[Size]], shape: OpenShape) -> None:
    if None in sizes or None in shape:
        return
    before, after = product(size or 0 for size in shape), product(size or 0 for size in sizes)
    if before != after and isinstance(before, int) and isinstance(after, int):
        raise ArgumentError(f"{before} elements cannot be seen as {after}")


#: Input start and end, output start and end.
_Run = tuple[int, int, int, int]


def _refined(run: _Run, shape: OpenShape, sizes: Sequence[Optional[Size]]) -> list[_Run]:
    """A run with open sizes cut where as many elements lie in front on both sides, or behind."""
    start, end, first, last = run
    before, after = shape[start:end], sizes[first:last]
    if not any(isinstance(size, OpenSize) for size in (*before, *after)):
        return [run]
    behind = _cuts(before[::-1], after[::-1])
    cuts = [*_cuts(before, after), *((len(before) - a, len(after) - b) for a, b in reversed(behind))]
    places = [(0, 0)]
    for a, b in (*cuts, (len(before), len(after))):
        if a >= places[-1][0] and b >= places[-1][1] and (a, b) != places[-1]:
            places.append((a, b))
    return [(start + a, start + c, first + b, first + d) for (a, b), (c, d) in zip(places, places[1:])]


def _cuts(before: Sequence[Optional[Size]], after: Sequence[Optional[Size]]) -> list[tuple[int, int]]:
    """The places, from the front, before which both sides have as many elements."""
    place = {size: b for b, size in reversed(list(enumerate(_products(after), 1)))}
    return [(a, place[size]) for a, size in enumerate(_products(before), 1) if size in place]


def _products(sizes: Sequence[Optional[Size]]) -> Iterator[Size]:
    """The numbers of elements before each place, as far as they are known."""
    total: Size = 1
    for size in sizes:
        if size is None:
            return
        total = total * size
        yield total
