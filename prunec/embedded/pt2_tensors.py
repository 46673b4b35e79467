"""Tensors of PyTorch's archives: what the file says of them, checked before anything is allocated."""

from dataclasses import dataclass
from math import prod
from typing import Any, Mapping

import numpy as np

from prunec.embedded.pt2_archive import Member
from prunec.embedded.slices import Array, Problem

#: Element types by their numbers: a name, and the type of numpy that has the elements' bits.
TYPES = {
    1: ("uint8", "u1"),
    2: ("int8", "i1"),
    3: ("int16", "<i2"),
    4: ("int32", "<i4"),
    5: ("int64", "<i8"),
    6: ("float16", "<f2"),
    7: ("float32", "<f4"),
    8: ("float64", "<f8"),
    10: ("complex64", "<c8"),
    11: ("complex128", "<c16"),
    12: ("bool", "?"),
    13: ("bfloat16", "<u2"),
    28: ("uint16", "<u2"),
    29: ("float8_e4m3fn", "u1"),
    30: ("float8_e5m2", "u1"),
    31: ("float8_e4m3fnuz", "u1"),
    32: ("float8_e5m2fnuz", "u1"),
    33: ("float8_e8m0fnu", "u1"),
    34: ("uint32", "<u4"),
    35: ("uint64", "<u8"),
}
FORMS = dict(TYPES.values())
#: The only layout that is read: elements at regular distances.
_STRIDED = 7
#: The two lists of tensors, by what their folders and members are called; the second holds constants.
KINDS = (
    ("data/weights/", "_weights_config.json"),
    ("data/constants/", "_constants_config.json"),
)


@dataclass(frozen=True)
class Stored:
    """A tensor of an archive: its elements are those of ``member`` from ``offset`` on, ``strides`` elements
    apart; ``offset`` counts elements.  ``parameter`` says that it is trained."""

    name: str
    dtype: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    member: str
    parameter: bool

    @property
    def form(self) -> np.dtype[Any]:
        """The type of numpy that has the elements' bits."""
        return np.dtype(FORMS[self.dtype])

    @property
    def place(self) -> tuple[object, ...]:
        """Which elements of which member it is: tensors of one place are one tensor of several names."""
        return self.member, self.dtype, self.sizes, self.strides, self.offset


def stored(name: str, entry: Any, folder: str, members: Mapping[str, Member]) -> Stored:
    """A tensor as a list of the archive tells it; ``folder`` is where that list's members are.

    Raises Problem: a pickled tensor (pickle), numbers that are none (meta), an unknown element type (type),
    elements that are not there (short), several of one place (overlap).
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("path_name"), str):
        raise Problem(f"{name!a} has no data", kind="meta", name=name)
    if entry.get("use_pickle"):
        raise Problem(f"{name!a} is pickled", kind="pickle", name=name)
    meta: Any = entry.get("tensor_meta")
    try:
        number = meta["dtype"]
        sizes, strides = (tuple(_integer(size) for size in meta[key]) for key in ("sizes", "strides"))
        offset, layout = _integer(meta["storage_offset"]), meta["layout"]
    except (KeyError, TypeError, ValueError):
        raise Problem(f"{name!a} has no shape", kind="meta", name=name) from None
    if len(sizes) != len(strides) or min((*sizes, *strides, offset), default=0) < 0 or layout != _STRIDED:
        raise Problem(f"{name!a} has no shape", kind="meta", name=name)
    if not isinstance(number, int) or number not in TYPES:
        raise Problem(f"{name!a} is of an unknown type", kind="type", name=name, number=number)
    dtype, form = TYPES[number]
    member = folder + entry["path_name"]
    tensor = Stored(name, dtype, sizes, strides, offset, member, bool(entry.get("is_param")))
    if member not in members:
        raise Problem(f"{name!a} has no data", kind="meta", name=name)
    _check(tensor, members[member].size // np.dtype(form).itemsize)
    return tensor


def _integer(value: Any) -> int:
    number = value["as_int"]
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError(value)
    return number


def _check(tensor: Stored, count: int) -> None:
    """Whether all elements are there, each once.  A member without bytes stands for zeros."""
    if not prod(tensor.sizes):
        return
    long = sorted((stride, size) for stride, size in zip(tensor.strides, tensor.sizes) if size > 1)
    reach = 1
    for stride, size in long:
        if stride < reach:
            raise Problem(f"elements of {tensor.name!a} overlap", kind="overlap", name=tensor.name)
        reach = stride * (size - 1) + reach
    if tensor.offset + reach > count:
        raise Problem(
            f"{tensor.name!a} needs {tensor.offset + reach} elements, {count} are there",
            kind="short",
            name=tensor.name,
            wanted=tensor.offset + reach,
            found=count,
        )


def elements(tensor: Stored, data: Array, writeable: bool = False) -> Array:
    """A tensor out of the bytes of its member, as a view; types that numpy does not have as their bits."""
    form = tensor.form
    if not prod(tensor.sizes):
        return np.zeros(tensor.sizes, form)
    flat = data[: data.size // form.itemsize * form.itemsize].view(form)
    strides = [stride * form.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.sizes, strides, writeable=writeable)
    return view


def values(tensor_type: str, array: Array) -> Array:
    """The numbers that the elements of a tensor are: bfloat16 as float32, all else as it is."""
    if tensor_type != "bfloat16":
        return array
    return (np.ascontiguousarray(array).astype(np.uint32) << 16).view(np.float32)


def bits(tensor_type: str, array: Array) -> Array:
    """The elements that stand for numbers, as they are stored: the reverse of :func:`values`; bfloat16 is
    rounded to the nearest, ties to even."""
    form = np.dtype(FORMS[tensor_type])
    if tensor_type != "bfloat16":
        return np.ascontiguousarray(array, form)
    wide = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = ((wide + 0x7FFF + ((wide >> 16) & 1)) >> 16).astype(np.uint16)
    # What is no number has to stay so.
    return np.where(np.isnan(array), np.uint16(0x7FC0), rounded)
