"""The sizes of a model's inputs: numbers, and symbols for what the file leaves open."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from prunec.graph import Shape
from prunec.sizes import OpenShape, Size, open_size


def declared_shape(value: Any) -> Optional[Shape]:
    """The shape that the message declares for a value, ``None`` for a size it leaves open."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in value.type.tensor_type.shape.dim
    )


def input_sizes(values: Sequence[Any], given: Mapping[str, Shape]) -> dict[str, OpenShape]:
    """The shapes of the inputs as they are declared: a size that is left open is a symbol of the name it has
    there, and what is given an example of it.  Where nothing is declared, the shape is what is given.

    Sizes of one name that are given as different ones are not the same, whatever the file says: each has
    a name of its own.
    """
    declared = {value.name: declared_shape(value) for value in values}
    names = {value.name: _dimension_names(value) for value in values if declared[value.name] is not None}
    examples: dict[str, set[int]] = {}
    for value, own in names.items():
        for name, size in zip(own, given.get(value, ())):
            if size is not None:
                examples.setdefault(name, set()).add(size)
    shapes: dict[str, OpenShape] = {}
    for value in values:
        shape = declared[value.name]
        if shape is None and value.name in given:
            shapes[value.name] = given[value.name]
        elif shape is not None:
            sizes = given.get(value.name, (None,) * len(shape))
            shapes[value.name] = tuple(
                _size(name, f"{value.name}.{axis}", examples, own) if size is None else size
                for axis, (name, size, own) in enumerate(zip(names[value.name], shape, sizes))
            )
    return shapes


def _size(name: str, own_name: str, examples: Mapping[str, set[int]], given: Optional[int]) -> Size:
    """The symbol of a size that is left open, with its example."""
    found = examples.get(name, set())
    return open_size(own_name, given) if len(found) > 1 else open_size(name, min(found, default=None))


def _dimension_names(value: Any) -> tuple[str, ...]:
    """A name for each axis of an input: that of the file, or one after the input.  Exporters write marks such
    as a question mark for any size at all, which is no name."""
    dims = value.type.tensor_type.shape.dim
    return tuple(
        dim.dim_param if any(c.isalpha() for c in dim.dim_param) else f"{value.name}.{axis}"
        for axis, dim in enumerate(dims)
    )
