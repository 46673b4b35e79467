"""The safetensors format: what is written is read again, and what lies is refused."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import pytest

from prunec.embedded.pt2_tensors import FORMS
from prunec.embedded.safetensors import (
    SAFE_NAMES,
    NewTensor,
    copied,
    read_safetensors,
    read_tensor,
    write_safetensors,
)
from prunec.embedded.slices import Problem


def file_of(table: object, data: bytes = b"", length: int = -1) -> io.BytesIO:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return io.BytesIO(struct.pack("<Q", len(text) if length < 0 else length) + text + data)


def written(arrays: dict[str, tuple[str, Any]], remarks: dict[str, str]) -> io.BytesIO:
    out = io.BytesIO()
    tensors = {
        name: NewTensor(dtype, array.shape, [array.tobytes()]) for name, (dtype, array) in arrays.items()
    }
    write_safetensors(out, tensors, remarks)
    return out


def drawn(seed: int, count: int) -> dict[str, tuple[str, Any]]:
    """Some tensors of all types, with odd names, sizes of zero and no axes."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for place in range(count):
        dtype = str(generator.choice(list(SAFE_NAMES)))
        shape = tuple(int(size) for size in generator.integers(0, 4, generator.integers(0, 4)))
        form = np.dtype(FORMS[dtype])
        data = generator.integers(0, 2 if dtype == "bool" else 256, (*shape, form.itemsize), np.uint8)
        array = np.frombuffer(data.tobytes(), form).reshape(shape)
        arrays[f'{place}.\u00e9"\n{generator.integers(9)}'] = (dtype, array)
    return arrays


def check(arrays: dict[str, tuple[str, Any]], remarks: dict[str, str]) -> None:
    file = written(arrays, remarks)
    tensors, found = read_safetensors(file)
    assert found == remarks and set(tensors) == set(arrays)
    for name, (dtype, array) in arrays.items():
        assert tensors[name].dtype == dtype and tensors[name].sizes == array.shape
        assert read_tensor(file, tensors[name]).tobytes() == array.tobytes()
        assert b"".join(copied(file, tensors[name])) == array.tobytes()
    again = {
        name: NewTensor(own.dtype, own.sizes, copied(file, own)) for name, own in reversed(tensors.items())
    }
    second = io.BytesIO()
    write_safetensors(second, again, found)
    assert second.getvalue() == file.getvalue()


def test_what_is_written_is_read_again() -> None:
    hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
    from hypothesis import strategies as st

    texts = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)

    @hypothesis.settings(max_examples=100, deadline=None)
    @hypothesis.given(st.integers(0, 2**32 - 1), st.integers(0, 8), texts)
    def try_one(seed: int, count: int, remarks: dict[str, str]) -> None:
        check(drawn(seed, count), remarks)

    try_one()


@pytest.mark.parametrize("seed", range(5))
def test_fixed_draws_are_read_again(seed: int) -> None:
    check(drawn(seed, 6), {"format": "pt"} if seed else {})


ONE = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
LIES = {
    "short": (io.BytesIO(b"1234567"), "safetensors"),
    "length": (file_of({}, length=1 << 62), "safetensors"),
    "length of more than the file": (file_of({}, length=3), "safetensors"),
    "no JSON": (file_of(b"{a}"), "safetensors"),
    "no UTF-8": (file_of(b'{"\xff": 1}'), "safetensors"),
    "deep": (file_of(b"[" * 100_000), "safetensors"),
    "a list": (file_of([]), "safetensors"),
    "twice": (file_of(b'{"a": 1, "a": 1}'), "safetensors"),
    "remarks": (file_of({"__metadata__": {"a": 1}}), "safetensors"),
    "no entry": (file_of({"a": 3}), "meta"),
    "no place": (file_of({"a": {"dtype": "F32", "shape": []}}), "meta"),
    "three places": (file_of({"a": {**ONE, "data_offsets": [0, 1, 2]}}), "meta"),
    "negative": (file_of({"a": {**ONE, "shape": [-2, -3]}}, bytes(24)), "meta"),
    "truth": (file_of({"a": {**ONE, "shape": [True]}}), "meta"),
    "fractions": (file_of({"a": {**ONE, "shape": [2.0, 3]}}, bytes(24)), "meta"),
    "axes": (file_of({"a": {**ONE, "shape": [1] * 65, "data_offsets": [0, 4]}}, bytes(4)), "meta"),
    "type": (file_of({"a": {**ONE, "dtype": "F7"}}, bytes(24)), "type"),
    "list as type": (file_of({"a": {**ONE, "dtype": []}}, bytes(24)), "type"),
    "not there": (file_of({"a": ONE}, bytes(23)), "range"),
    "more is there": (file_of({"a": ONE}, bytes(25)), "range"),
    "too small": (file_of({"a": {**ONE, "shape": [2, 4]}}, bytes(24)), "range"),
    "huge": (file_of({"a": {**ONE, "shape": [1 << 60, 1 << 60]}}, bytes(24)), "range"),
    "overlap": (file_of({"a": ONE, "b": {**ONE, "data_offsets": [12, 36]}}, bytes(36)), "range"),
    "same place": (file_of({"a": ONE, "b": ONE}, bytes(24)), "range"),
    "gap": (file_of({"a": ONE, "b": {**ONE, "data_offsets": [28, 52]}}, bytes(52)), "range"),
    "backwards": (file_of({"a": {**ONE, "data_offsets": [24, 0]}}, bytes(24)), "range"),
}


@pytest.mark.parametrize("lie", LIES)
def test_files_that_lie_are_refused(lie: str) -> None:
    file, kind = LIES[lie]
    with pytest.raises(Problem) as caught:
        read_safetensors(file)
    assert caught.value.facts["kind"] == kind


def test_a_large_table_is_refused_before_it_is_read() -> None:
    class Large(io.BytesIO):
        def seek(self, place: int, whence: int = 0) -> int:
            return 1 << 40 if whence == 2 else super().seek(place, whence)

        def read(self, count: int = -1) -> bytes:  # type: ignore[override]
            assert count == 8
            return super().read(count)

    with pytest.raises(Problem) as caught:
        read_safetensors(Large(struct.pack("<Q", 100_000_001)))
    assert caught.value.facts["kind"] == "large"


def test_a_file_cut_off_meanwhile_is_told() -> None:
    file = file_of({"a": ONE}, bytes(24))
    tensors, _ = read_safetensors(file)
    file.truncate(40)
    for read in (lambda: read_tensor(file, tensors["a"]), lambda: list(copied(file, tensors["a"]))):
        with pytest.raises(Problem) as caught:
            read()
        assert caught.value.facts["kind"] == "shorter"


def test_the_bytes_are_those_of_the_library() -> None:
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    known = {"bool", "uint8", "int8", "int16", "uint16", "float16", "int32", "uint32", "float32"}
    known |= {"float64", "int64", "uint64"}
    for seed in range(20):
        arrays = {name: own for name, own in drawn(seed, 9).items() if own[0] in known}
        plain = {name: array.copy() for name, (_, array) in arrays.items()}
        remarks = {"format": "pt"} if seed % 2 else None
        data = library.save(plain, remarks)
        assert written(arrays, remarks or {}).getvalue() == data
        assert set(library.load(data)) == set(read_safetensors(io.BytesIO(data))[0])
