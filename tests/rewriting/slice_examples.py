"""Parameter files, slices of every kind, and what numpy makes of them."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from typing import Any

import numpy as np

from prunec.embedded.slices import Gather, ParameterSlice

FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}
MAGIC = {1: 0xF993FAC8, 2: 0xF993FAC9, 3: 0xF993FACA}


# --- parameter files, written independently of the script --------------------------------------


def record(array: np.ndarray, version: int) -> bytes:
    head = b"" if version == 0 else struct.pack("<I", MAGIC[version])
    head += struct.pack("<i", 0) if version >= 2 else b""
    head += struct.pack("<I", array.ndim) + struct.pack(
        f"<{array.ndim}{'I' if version == 0 else 'q'}", *array.shape
    )
    return head + struct.pack("<iii", 1, 0, FLAGS[array.dtype.name]) + array.tobytes()


def container(records: list[bytes], names: list[bytes]) -> bytes:
    named = b"".join(struct.pack("<Q", len(name)) + name for name in names)
    head = struct.pack("<QQQ", 0x112, 0, len(records))
    return head + b"".join(records) + struct.pack("<Q", len(names)) + named


def parameter_file(arrays: dict[str, np.ndarray], version: int = 2) -> bytes:
    names = [name.encode("utf-8", "surrogateescape") for name in arrays]
    return container([record(array, version) for array in arrays.values()], names)


# --- slices of every kind ------------------------------------------------------------------------


def reference(array: np.ndarray, take: Gather) -> np.ndarray:
    """A take as numpy's take_along_axis says it."""
    order = (*take.rows, take.axis)
    shape = [1] * array.ndim
    for axis, size in zip(order, take.kept.shape):
        shape[axis] = size
    indices = take.kept.transpose(np.argsort(order)).reshape(shape)
    full = [size if axis != take.axis else shape[axis] for axis, size in enumerate(array.shape)]
    return np.take_along_axis(array, np.broadcast_to(indices, full), take.axis)


def expected(parameter: ParameterSlice, array: np.ndarray) -> np.ndarray:
    array = array.reshape(parameter.view)
    for take in parameter.gathers:
        array = reference(array, take)
    return array.reshape(parameter.new_shape)


def example() -> tuple[list[ParameterSlice], dict[str, np.ndarray]]:
    """One axis, two axes, rows of a grouped convolution, a dense layer behind a flatten; two left alone."""
    random = np.random.default_rng(7)
    inputs = np.array([[0, 2, 5], [1, 2, 3], [0, 4, 5], [3, 4, 5]])
    outputs = np.array([[0, 1], [0, 2], [1, 2], [0, 2]])
    slices = [
        ParameterSlice("bias", (9,), (9,), (Gather(0, (), np.array([0, 1, 5, 8])),), (4,)),
        ParameterSlice(
            "conv", (70, 6, 3, 3), (70, 6, 3, 3),
            (Gather(0, (), np.r_[0:30, 40:70]), Gather(1, (), np.array([0, 2, 4]))), (60, 3, 3, 3),
        ),
        ParameterSlice(
            "grouped", (12, 6, 2, 2), (4, 3, 6, 2, 2),
            (Gather(2, (0,), inputs), Gather(1, (0,), outputs)), (8, 3, 2, 2),
        ),
        ParameterSlice("dense", (5, 24), (5, 6, 4), (Gather(1, (), np.array([1, 2, 4])),), (5, 12)),
        ParameterSlice("variance", (9,), (9,), (Gather(0, (), np.array([2, 3])),), (2,), neutral=1.0),
    ]  # fmt: skip
    arrays = {}
    for name, dtype, shape in [
        ("before", "uint8", (7,)),  # an odd number of bytes: nothing behind it is aligned
        *((parameter.name, dtype, parameter.shape) for parameter, dtype in zip(slices, list(FLAGS))),
        ("after", "int64", (2, 2)),
    ]:
        arrays[name] = random.integers(-100, 100, shape).astype(dtype)
    return slices, arrays


def module(script: str, folder: Path) -> Any:
    """The script, loaded as a module."""
    path = folder / "loaded_slice_params.py"
    path.write_text(script)
    spec = importlib.util.spec_from_file_location("loaded_slice_params", path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
