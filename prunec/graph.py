"""The framework-neutral graph that the core works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, NamedTuple, Optional, Protocol, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.sizes import OpenShape, Size, closed_shape
from prunec.value import Value

#: What a tensor holds, where that is known: a small array.
Known = NDArray[Any]

#: Arrays with more elements than this are not computed with.
MAXIMUM_KNOWN = 4096
#: Longer texts of open sizes are not shown.
_LONGEST_SIZE = 24

#: Scales and bounds are no more than this.
_FEW_NUMBERS = 16
#: Fewer numbers are evenly spaced by chance.
_FEWEST_COUNTED = 4

#: An attribute that no operator has: the one axis, counted from the end, along which a constant that the node
#: takes holds evenly spaced numbers.  The channels along it have a meaning of their own.
COUNTS = "counts"

#: Sizes of a tensor, ``None`` where a size is not known.
Shape = tuple[Optional[int], ...]


class Tensor(NamedTuple):
    """A value of the graph: output ``output`` of node ``node``."""

    node: int
    output: int


@dataclass(frozen=True)
class Node:
    """An operator, or (``operator`` is ``None``) a variable: a model input or a parameter.

    ``attributes`` holds what the file says, its text read into a value; attributes that say
    nothing about the computation (learning rates, context groups) are left out by the reader.

    ``connected`` says for each input the operator has, in order, whether ``inputs`` holds a tensor for it;
    left empty, none is left out before the last.  ``output_count`` is how many outputs the file lists, zero
    where it does not.
    """

    name: str
    operator: Optional[str]
    attributes: Mapping[str, Value]
    inputs: tuple[Tensor, ...]
    connected: tuple[bool, ...] = ()
    output_count: int = 0


class Fold(Protocol):
    """Computes the outputs of a node (by index) from what its inputs hold; ``None`` where it cannot."""

    def __call__(self, node: int, inputs: Sequence[Known]) -> Optional[Sequence[Known]]: ...


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which every input comes before its consumer.

    ``parameters`` holds the node indices of learned variables; the other variables are model
    inputs.  ``shapes`` gives what is known of the variables' shapes, by node index: from the
    parameter file, from shape hints in the model, and from the user.  ``known`` gives what small
    constants hold, ``hints`` the shapes that the file or the framework gives for outputs of operators
    (:class:`prunec.support.late.Late` where that takes time),
    ``fold`` computes with constants, and ``advice`` says by operator what helps where no rule knows it, if
    there is more to do than to write one.  ``nested`` says of nodes with graphs inside them how many
    weights these hold, and how many numbers; what they take of the outer graph is not among these.
    ``output_names`` is what the file calls the outputs, where they have names of their own.
    ``holds_numbers`` says whether the front end can have a node take a number of the original's where the
    model computes one.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[Tensor, ...]
    parameters: frozenset[int]
    shapes: Mapping[int, OpenShape]
    known: Mapping[Tensor, Known] = field(default_factory=dict, compare=False)
    hints: Mapping[Tensor, OpenShape] = field(default_factory=dict)
    fold: Optional[Fold] = field(default=None, compare=False)
    advice: Mapping[str, str] = field(default_factory=dict)
    nested: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    output_names: tuple[str, ...] = ()
    holds_numbers: bool = False

    def output_name(self, place: int) -> str:
        """What the file calls an output: where it has no name for it, as its node, with its place there."""
        if self.output_names:
            return self.output_names[place]
        tensor = self.outputs[place]
        name = self.nodes[tensor.node].name
        return f"{name}[{tensor.output}]" if tensor.output else name


def as_value(array: Known) -> Value:
    """An array as an attribute: a number for one without axes, else its elements in order."""
    entries = array.reshape(-1).tolist()
    return tuple(entries) if array.ndim else entries[0]


def same(left: Known, right: Known) -> bool:
    """Whether two arrays have the same shape, type and elements."""
    return left.dtype == right.dtype and np.array_equal(left, right)


def worth_knowing(array: Known) -> bool:
    """Whether a small constant is to be known.  Of weights nothing has to be; scales and bounds are few
    numbers."""
    return array.dtype.kind in "iub" or (array.dtype.kind == "f" and array.size <= _FEW_NUMBERS)


def counting_axis(array: Known) -> Optional[int]:
    """The one axis of a constant along which it holds evenly spaced numbers, counted from the end."""
    long = [axis - array.ndim for axis, size in enumerate(array.shape) if size > 1]
    if len(long) != 1 or array.size < _FEWEST_COUNTED or array.dtype.kind not in "iuf":
        return None
    with np.errstate(invalid="ignore"):
        steps = np.diff(array.reshape(-1).astype(np.float64))
    even = bool(np.isfinite(steps).all()) and steps[0] != 0 and np.allclose(steps, steps[0], 1e-4, 0)
    return long[0] if even else None


def may_agree(left: OpenShape, right: OpenShape) -> bool:
    """Whether two shapes can be those of one tensor: a size that is open or not known agrees with any."""
    pairs = zip(closed_shape(left), closed_shape(right))
    return len(left) == len(right) and all(None in (a, b) or a == b for a, b in pairs)


def shape_text(shape: Optional[OpenShape]) -> str:
    """A shape as messages show it, ``?`` for a size that is not known."""
    if shape is None:
        return "unknown"
    return "(" + ", ".join("?" if size is None else _size_text(size) for size in shape) + ")"


def _size_text(size: Size) -> str:
    # A name that the file gives says more than what was computed from some.
    text = str(size)
    return text if isinstance(size, int) or len(text) <= _LONGEST_SIZE else "?"


#: What sizes that nothing is known of are called, by the number of axes; the first is that of samples.
_AXIS_WORDS = {
    4: ("CHANNELS", "HEIGHT", "WIDTH"),
    5: ("CHANNELS", "DEPTH", "HEIGHT", "WIDTH"),
}


def input_flags(shapes: Mapping[str, Optional[Shape]]) -> str:
    """The options that give the shapes of inputs, from what is known of these: words stand for sizes to be
    filled in."""
    return " ".join(f"--input {name}={_flag_text(shape)}" for name, shape in shapes.items())


def _flag_text(shape: Optional[Shape]) -> str:
    if shape is None:
        return "SHAPE"
    words = _AXIS_WORDS.get(len(shape), ("LENGTH",) * len(shape))
    if len(shape) in _AXIS_WORDS and shape[-1] is not None and shape[1] is None:
        words = (*words[1:], words[0])
    own = ("1" if len(shape) > 1 else "LENGTH", *words)
    return ",".join(word if size is None else str(size) for size, word in zip(shape, own))
