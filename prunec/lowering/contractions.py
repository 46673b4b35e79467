"""Axes along which an operator multiplies two of its inputs and sums, and matrices applied along them.

Where a rule says so of an axis, f(M x, w) = f(x, w M) for any square matrix M: what M does to the one input
along that axis may be done to the other instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.lowering.bound import BoundTensor, PlainAxis, PlainRule, names_of, term_size
from prunec.lowering.expressions import Sizes

Array = NDArray[Any]


@dataclass(frozen=True)
class Contraction:
    """That a node multiplies two of its inputs and sums over ``name``.

    ``inputs`` are their positions among the node's inputs.  ``shared`` are the other names that both have,
    in the order of the first: M may be another one for each combination of their elements.
    """

    name: str
    inputs: tuple[int, int]
    shared: tuple[str, ...]


def contractions(rule: PlainRule) -> tuple[Contraction, ...]:
    """What a rule says of a node's contracted axes.

    Nothing of an axis that fewer or more than two connected inputs have, that stands twice on one of them,
    or in a sum; a name in whose place an input has size one, which broadcasts, is not on that input.
    """
    factors = [_factors(tensor) for tensor in rule.inputs]
    found = []
    for name in rule.contracted:
        holding = [n for n, tensor in enumerate(rule.inputs) if _mentions(tensor, name)]
        if len(holding) != 2 or not all(name in factors[n] for n in holding):
            continue
        first, second = holding
        shared = tuple(other for other in factors[first] if other != name and other in factors[second])
        found.append(Contraction(name, (first, second), shared))
    return tuple(found)


def _mentions(tensor: BoundTensor, name: str) -> bool:
    """Whether a tensor has a name anywhere; one whose axes are not known may have any."""
    return tensor.axes is None or any(name in names_of(axis) for axis in tensor.axes)


def _factors(tensor: BoundTensor) -> tuple[str, ...]:
    """The names that a tensor has once, as an axis or as a factor of one."""
    axes = tensor.axes or ()
    every = [name for axis in axes for name in names_of(axis)]
    return tuple(term for axis in axes for term in axis if isinstance(term, str) and every.count(term) == 1)


def apply_along(
    array: Array,
    axes: tuple[PlainAxis, ...],
    sizes: Sizes,
    contraction: Contraction,
    matrices: Array,
    transposed: bool = False,
) -> Array:
    """A tensor with these plain axes, multiplied by matrices along the contracted one.

    ``matrices`` has the axes of ``contraction.shared`` and two more, ``(..., rows, columns)``.  The elements
    along the axis are the columns, and the rows take their place (M x), or, ``transposed``, the reverse
    (w M).  Raises ``ValueError`` where a size is not a number that is known.
    """
    terms = [term for axis in axes for term in axis]
    lengths = [_length(term_size(term, sizes)) for term in terms]
    column = terms.index(contraction.name)
    shared = [terms.index(name) for name in contraction.shared]
    row, labels = len(terms), list(range(len(terms)))
    replaced = [row if label == column else label for label in labels]
    matrix_labels = [*shared, column, row] if transposed else [*shared, row, column]
    expanded = array.reshape(lengths)
    result: Array = np.einsum(expanded, labels, matrices, matrix_labels, replaced)
    lengths[column] = matrices.shape[-1] if transposed else matrices.shape[-2]
    shape, start = [], 0
    for axis in axes:
        shape.append(int(np.prod(lengths[start : start + len(axis)], dtype=np.int64)))
        start += len(axis)
    return result.reshape(shape)


def _length(size: Optional[object]) -> int:
    if not isinstance(size, int):
        raise ValueError(f"the size {size} is not known")
    return size
