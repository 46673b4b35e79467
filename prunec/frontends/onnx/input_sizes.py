"""The sizes of a model's inputs: numbers, and symbols for what the file leaves open."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from prunec.graph import Shape
from prunec.sizes import OpenShape, open_size


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
    there, and what is given an example of it.  Where nothing is declared, the shape is what is given."""
    declared = {value.name: declared_shape(value) for value in values}
    names = {value.name: _dimension_names(value) for value in values if declared[value.name] is not None}
    examples = {
        name: size
        for value, own in names.items()
        for name, size in zip(own, given.get(value, ()))
        if size is not None
    }
    shapes: dict[str, OpenShape] = {}
    for value in values:
        shape = declared[value.name]
        if shape is None and value.name in given:
            shapes[value.name] = given[value.name]
        elif shape is not None:
            own = names[value.name]
            shapes[value.name] = tuple(
                open_size(name, examples.get(name)) if size is None else size
                for name, size in zip(own, shape)
            )
    return shapes


def _dimension_names(value: Any) -> tuple[str, ...]:
    """A name for each axis of an input: that of the file, or one after the input."""
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_param or f"{value.name}.{axis}" for axis, dim in enumerate(dims))
