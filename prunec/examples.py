"""Examples of a model's inputs, read from a file."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Callable, Iterator, Mapping, NoReturn, Optional, Sequence, TypeVar, Union

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from prunec.graph import Shape
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

Array = NDArray[Any]

Member = TypeVar("Member")

#: An example file holds at most this many bytes when unpacked.
MAXIMUM_BYTES = 8 << 30
#: Examples that are run at a time, where the model does not fix how many.
BATCH = 32
#: What an array of labels is called.
LABEL_NAMES = ("label", "labels", "y")
_HELP = "give an .npz file with an array for each input, examples along the first axis (numpy.savez)"


@dataclass(frozen=True, eq=False)
class Data:
    """Examples: ``inputs`` by name, each (examples, …); ``labels`` (examples,) are classes, if there are any.

    ``digest`` is the SHA-256 of the file, ``batch`` the number of examples to run at a time,
    always as many where ``whole`` says so.
    """

    name: str
    inputs: Mapping[str, Array]
    labels: Optional[Array]
    digest: str
    batch: int
    whole: bool = False

    @property
    def count(self) -> int:
        """The number of examples."""
        return len(next(iter(self.inputs.values())))

    def within(self, each: int, held: int) -> Data:
        """The same in batches for which values of ``each`` bytes an example take at most ``held``, or of one
        example; as they are where the model fixes the number."""
        return self if self.whole else replace(self, batch=max(1, min(self.batch, held // max(each, 1))))

    def batches(self) -> Iterator[tuple[dict[str, Array], Optional[Array]]]:
        """Inputs and labels of one run after the other; a last batch that is not full is left out where the
        model fixes the number."""
        for start in range(0, self.count, self.batch):
            part = slice(start, start + self.batch)
            if self.whole and start + self.batch > self.count:
                return
            inputs = {name: array[part] for name, array in self.inputs.items()}
            yield inputs, None if self.labels is None else self.labels[part]


def read_data(path: Union[str, os.PathLike[str]], wanted: Mapping[str, Shape]) -> Data:
    """Reads examples for inputs of these shapes, as far as they are known; the first size of each is the
    number of examples that the model takes at a time, ``None`` where it takes any.

    Raises PrunecError: P530 where the file cannot be read or is no such file, P531 where its arrays are not
    those of the model's inputs, P532 where they have other shapes, P533 where they hold no numbers, P538 for
    labels that are no classes.
    """
    name = os.fspath(path)
    arrays = _read_arrays(name)
    inputs, labels = _assigned(name, arrays, tuple(wanted))
    held = {**inputs, **({} if labels is None else {"the labels": labels})}
    counts = {len(array) for array in held.values()}
    if len(counts) != 1 or 0 in counts:
        shown = ", ".join(f"{printable(key)}: {len(array)}" for key, array in held.items())
        _fail("P532", "the arrays hold different numbers of examples, or none", name, shown)
    count = counts.pop()
    for key, array in inputs.items():
        _check_input(name, key, array, wanted[key])
    batch = max((shape[0] for shape in wanted.values() if shape and shape[0] is not None), default=None)
    if batch is not None and batch > count:
        note = f"the model takes {batch} examples at a time, the file has {count}"
        _fail("P532", "there are too few examples for one run", name, note)
    return Data(name, inputs, labels, _digest(name), batch or min(BATCH, count), batch is not None)


def bytes_of_example(shape: Shape) -> int:
    """What one example takes of a value of this shape, its first size that of examples, in single
    precision."""
    return 4 * prod(size or 1 for size in shape[1:])


# --- reading ---------------------------------------------------------------------------------


def example_shapes(path: Union[str, os.PathLike[str]], wanted: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of single examples of some inputs, a first size of one, as far as the file has any.

    Raises PrunecError P530 where the file cannot be read or is no such file.
    """
    shapes = _read_members(os.fspath(path), lambda archive, info: _read_header(archive, info)[0])
    found = {key: shape for key, shape in shapes.items() if shape}
    named = {key: found[key] for key in wanted if key in found}
    others = [key for key in found if key not in LABEL_NAMES]
    if not named and len(wanted) == 1 and len(others) == 1:
        named = {wanted[0]: found[others[0]]}
    return {key: (1, *shape[1:]) for key, shape in named.items()}


def _read_arrays(name: str) -> dict[str, Array]:
    return _read_members(name, _read_array)


def _read_members(name: str, read: Callable[[zipfile.ZipFile, zipfile.ZipInfo], Member]) -> dict[str, Member]:
    """What is read of each array of a file, by name."""
    try:
        with zipfile.ZipFile(name) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if sum(info.file_size for info in members) > MAXIMUM_BYTES:
                _fail("P530", "the examples are too large", name, f"at most {MAXIMUM_BYTES:,} bytes are read")
            return {info.filename[: -len(".npy")]: read(archive, info) for info in members}
    except OSError as error:
        _fail("P530", "cannot read the examples", name, f"the system says: {error.strerror or error}")
    except PrunecError:
        raise
    except Exception as error:  # archives, their packing and headers of arrays have their own
        note = printable(str(error), 200) or "it is damaged"
        _fail("P530", "the examples are no .npz file of numbers", name, note)


def _read_header(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """The shape of an array, whether it is in Fortran's order, its type, and where its elements start, after
    these were found to agree with the size of the file; never pickled objects."""
    with archive.open(info) as file:
        numpy_format: Any = npy
        version = numpy_format.read_magic(file)
        wide = version != (1, 0)
        read = numpy_format.read_array_header_2_0 if wide else numpy_format.read_array_header_1_0
        shape, fortran, dtype = read(file)
        if dtype.kind not in "biuf":
            raise ValueError(f"the array {info.filename} holds no numbers, but {dtype}")
        if prod(shape) * dtype.itemsize != info.file_size - file.tell():
            raise ValueError(f"the array {info.filename} is not as long as its shape {shape} says")
        return shape, fortran, dtype, file.tell()


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    shape, fortran, dtype, start = _read_header(archive, info)
    with archive.open(info) as file:
        file.read(start)
        array = np.frombuffer(file.read(), dtype=dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _assigned(
    name: str, arrays: Mapping[str, Array], wanted: Sequence[str]
) -> tuple[dict[str, Array], Optional[Array]]:
    """The arrays of the inputs, and the labels."""
    left = {key: array for key, array in arrays.items() if array.ndim}
    labels = next((left.pop(key) for key in LABEL_NAMES if key in left and key not in wanted), None)
    if labels is not None:
        # A size of -1 cannot be found where there are no labels.
        labels = labels.reshape(len(labels), prod(labels.shape[1:]))
        classes = (labels == np.floor(labels)) & (labels >= 0) & (labels < 2**31)
        if labels.shape[1] != 1 or not classes.all():
            note = (
                f"labels are whole numbers from 0 on, one for each example; these have shape {labels.shape}"
            )
            _fail("P538", "the labels are no classes", name, note)
        labels = labels[:, 0].astype(np.int64)
    if len(wanted) == 1 and len(left) == 1:
        left = {wanted[0]: next(iter(left.values()))}
    missing = [key for key in wanted if key not in left]
    if missing or not wanted:
        held = ", ".join(printable(key, 60) for key in arrays) or "nothing"
        note = (
            f"the model has the inputs {', '.join(printable(key, 60) for key in wanted)}; the file has {held}"
        )
        _fail("P531", f"no examples of the input {', '.join(missing)}", name, note)
    return {key: left[key] for key in wanted}, labels


def _check_input(name: str, key: str, array: Array, shape: Shape) -> None:
    fits = not shape or (
        array.ndim == len(shape) and all(b is None or a == b for a, b in zip(array.shape[1:], shape[1:]))
    )
    if not fits:
        expected = ", ".join("any" if size is None else str(size) for size in ("any", *shape[1:]))
        note = f"the model takes ({expected}), the file has {array.shape}"
        _fail("P532", f"the examples of {printable(key)!r} have the wrong shape", name, note)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        _fail(
            "P533", f"the examples of {printable(key)!r} hold NaN or infinity", name, "no model takes these"
        )


def _digest(name: str) -> str:
    digest = hashlib.sha256()
    with open(name, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _fail(code: str, headline: str, where: str, note: str) -> NoReturn:
    raise PrunecError(Diagnostic(code, headline, printable(where), notes=(note,), help=_HELP)) from None
