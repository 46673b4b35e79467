"""Constants of an ONNX model, checked before anything is allocated.

:mod:`prunec.embedded.onnx_tensors` reads them; here its problems get their messages.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, Callable, NoReturn, Optional, TypeVar

import numpy as np
from numpy.typing import NDArray

from prunec.embedded import onnx_tensors
from prunec.embedded.onnx_tensors import DataLocation, type_of
from prunec.embedded.slices import Problem
from prunec.frontends.graph_building import fail
from prunec.frontends.onnx.protobuf import onnx_package
from prunec.support.diagnostics import printable

_HELP_DAMAGED = "the file is damaged or was cut off; export or download it again"
_UNREADABLE = ("P333", "a tensor that cannot be read")
_OUTSIDE = ("P334", "external data outside of the model's folder")
_MISSING = ("P335", "external data are missing")
_HELP_OUTSIDE = "external data lie beside the model; do not use this file unless you know who made it"
_HELP_MISSING = "copy the external data along with the .onnx file"
#: Code, headline, note and help for each kind of problem.
_MESSAGES = {
    "shape": (*_UNREADABLE, "the shape {shape} is none that an array can have", _HELP_DAMAGED),
    "type": (*_UNREADABLE, "the element type {number} is not known", _HELP_DAMAGED),
    "number": (*_UNREADABLE, "the {key} of its external data is {number!r}", _HELP_DAMAGED),
    "length": (
        *_UNREADABLE,
        "its external data have {found} bytes, its shape and type need {wanted}",
        _HELP_DAMAGED,
    ),
    "outside": (*_OUTSIDE, "the location {location!r} leaves the folder of the model", _HELP_OUTSIDE),
    "link": (*_OUTSIDE, "{location!r} is a link that leads elsewhere", "put the file itself there"),
    "missing": (*_MISSING, "the file {location} is not beside the model", _HELP_MISSING),
    "short": (*_MISSING, "{location} has {size} bytes, {wanted} are needed", _HELP_MISSING),
}
#: How much of a stranger's text is shown.
_SHOWN = {"shape": 60, "location": 80, "number": 40}
T = TypeVar("T")


def refuse(problem: Problem, where: str) -> NoReturn:
    """Raises PrunecError P333 to P335 for what is wrong with a tensor of the file ``where``."""
    facts = problem.facts
    code, headline, note, help_text = _MESSAGES[facts["kind"]]
    shown = {key: printable(str(facts[key]), width) for key, width in _SHOWN.items() if key in facts}
    fail(code, headline, _place(facts["name"], where), note.format(**{**facts, **shown}), help_text)


def _asked(question: Callable[..., T], where: str, *arguments: Any) -> T:
    try:
        return question(*arguments)
    except Problem as problem:
        refuse(problem, where)


def dimensions(tensor: Any, where: str) -> tuple[int, ...]:
    """The shape of a tensor, sparse or not.  Raises PrunecError P333 for one that cannot be."""
    return _asked(onnx_tensors.dimensions_of, where, tensor)


def element_bits(tensor: Any, where: str) -> int:
    """How many bits an element takes in raw bytes.  Raises PrunecError P333 for an unknown type."""
    return _asked(onnx_tensors.bits_of, where, tensor)


def external(tensor: Any, where: str) -> Optional[DataLocation]:
    """Where a tensor's external data stand, ``None`` where it has none.

    Raises PrunecError P334 for a location outside of the model's folder, P333 for numbers that are none.
    """
    return _asked(onnx_tensors.place_of, where, tensor)


def external_path(place: DataLocation, folder: Path, where: str, name: str) -> Path:
    """The file with the elements of a tensor called ``name``.

    Raises PrunecError P334 where a link leads out of the folder, P335 where the file is missing or too short.
    """
    return Path(_asked(onnx_tensors.path_of, where, place, str(folder), name))


def array(tensor: Any, folder: Path, where: str) -> NDArray[Any]:
    """A checked tensor as an array, not to be changed; external data as a view on the file.

    Raises PrunecError as :func:`external` and :func:`external_path`.
    """
    return np.asarray(_asked(onnx_tensors.array_of, where, tensor, str(folder)))


def check_type(value: Any, where: str) -> None:
    """Raises PrunecError P333 for a declared value with elements of an unknown type; no type at all is one
    that is not told."""
    kind = value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else 0
    if kind:
        element_bits(onnx_package().TensorProto(name=value.name, data_type=kind), where)


def check(tensor: Any, folder: Path, where: str) -> None:
    """Whether a tensor's elements are all there.  Raises PrunecError P333 to P335."""
    shape = dimensions(tensor, where)
    bits = element_bits(tensor, where)
    place = external(tensor, where)
    if place is not None:
        external_path(place, folder, where, tensor.name)
        return
    if tensor.HasField("raw_data"):
        wanted = (prod(shape) * bits + 7) // 8
        if len(tensor.raw_data) != wanted:
            _wrong(tensor, where, f"it has {len(tensor.raw_data)} bytes, its shape and type need {wanted}")
        return
    field = onnx_package().helper.tensor_dtype_to_field(tensor.data_type)
    count = len(getattr(tensor, field))
    times = 2 if type_of(tensor).startswith("complex") else 1
    if bits >= 8 or bits == 0:
        if count != prod(shape) * times:
            _wrong(tensor, where, f"it has {count} elements, its shape needs {prod(shape) * times}")
    elif count * 8 < prod(shape) * bits:
        _wrong(tensor, where, f"it has {count} packed elements, too few for its shape")


def _place(name: str, where: str) -> str:
    return f"{where}: tensor {printable(name)!r}"


def _wrong(tensor: Any, where: str, note: str) -> NoReturn:
    fail(*_UNREADABLE, _place(tensor.name, where), note, _HELP_DAMAGED)
