"""Parameter files: all record versions, round trips byte for byte, hostile input."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunec.frontends.mxnet.params import (
    ParameterFile,
    ParameterRecord,
    ParameterWriter,
    read_params,
    write_params,
)
from prunec.support.diagnostics import PrunecError, render

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"
TYPES = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6, "bool": 7}


def record(version: int, array: np.ndarray[Any, Any], context: tuple[int, int] = (1, 0)) -> bytes:
    """One record, put together number by number as the format says."""
    rank, shape = array.ndim, array.shape
    head = {
        0: lambda: struct.pack(f"<I{rank}I", rank, *shape),
        1: lambda: struct.pack(f"<II{rank}q", 0xF993FAC8, rank, *shape),
        2: lambda: struct.pack(f"<IiI{rank}q", 0xF993FAC9, 0, rank, *shape),
        3: lambda: struct.pack(f"<Iii{rank}q", 0xF993FACA, 0, rank, *shape),
    }[version]()
    return head + struct.pack("<iii", *context, TYPES[str(array.dtype)]) + array.tobytes()


def file_of(records: list[bytes], names: list[str]) -> bytes:
    data = struct.pack("<QQQ", 0x112, 0, len(records)) + b"".join(records) + struct.pack("<Q", len(names))
    return data + b"".join(struct.pack("<Q", len(n.encode())) + n.encode() for n in names)


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    generator = np.random.default_rng(3)
    shapes = [(2, 3), (4,), (1, 2, 1, 3), (5,), (3, 1), (7,), (2, 2), (3,)]
    return {
        f"{prefix}p.{dtype}": (generator.standard_normal(shape) * 9).astype(dtype)
        for prefix, dtype, shape in zip(["arg:", "aux:", "", "arg:"] * 2, TYPES, shapes)
    }


def read(tmp_path: Path, data: bytes) -> ParameterFile:
    path = tmp_path / "m.params"
    path.write_bytes(data)
    return read_params(path)


def failure(tmp_path: Path, data: bytes) -> str:
    with pytest.raises(PrunecError) as caught:
        read(tmp_path, data)
    return render(caught.value.diagnostics[0])


def copy(file: ParameterFile, path: Path) -> bytes:
    write_params(path, file.records, lambda r: file.array(r.name), file.reserved)
    return path.read_bytes()


# --- versions ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_each_version_is_read_and_written_back(version: int, tmp_path: Path) -> None:
    wanted = arrays()
    data = file_of([record(version, a, (2, 1)) for a in wanted.values()], list(wanted))
    file = read(tmp_path, data)
    assert [r.prefix + r.name for r in file.records] == list(wanted)
    assert [r.prefix for r in file.records[:3]] == ["arg:", "aux:", ""]
    for stored, array in zip(file.records, wanted.values()):
        assert (stored.version, stored.shape, stored.context) == (version, array.shape, (2, 1))
        view = file.array(stored.name)
        assert view.dtype == array.dtype
        np.testing.assert_array_equal(view, array)
        assert not view.flags.writeable
        assert not view.flags.owndata
    assert copy(file, tmp_path / "copy.params") == data


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_the_framework_reads_the_same(version: int, tmp_path: Path) -> None:
    mx = pytest.importorskip("mxnet", reason="needs MXNet")
    wanted = arrays()
    path = tmp_path / "m.params"
    path.write_bytes(file_of([record(version, a) for a in wanted.values()], list(wanted)))
    file = read_params(path)
    copy(file, tmp_path / "copy.params")
    with mx.util.np_shape(version == 3):
        for loaded in (mx.nd.load(str(path)), mx.nd.load(str(tmp_path / "copy.params"))):
            assert list(loaded) == list(wanted)
            for stored in file.records:
                np.testing.assert_array_equal(
                    loaded[stored.prefix + stored.name].asnumpy(), file.array(stored.name)
                )


@pytest.mark.parametrize("numpy_shapes", [False, True])
def test_what_the_framework_writes_is_read(numpy_shapes: bool, tmp_path: Path) -> None:
    mx = pytest.importorskip("mxnet", reason="needs MXNet")
    wanted = {name: array for name, array in arrays().items() if array.dtype != bool}
    path = tmp_path / "m.params"
    with mx.util.np_shape(numpy_shapes):
        saved = {name: mx.nd.array(array, dtype=array.dtype) for name, array in wanted.items()}
        if numpy_shapes:
            wanted["arg:scalar"] = np.array(2.5, np.float32)
            wanted["arg:none"] = np.zeros((0, 3), np.float32)
            saved["arg:scalar"] = mx.nd.ones((), dtype="float32") * 2.5
            saved["arg:none"] = mx.nd.zeros((0, 3))
        mx.nd.save(str(path), saved)
    file = read_params(path)
    assert {r.version for r in file.records} == {3 if numpy_shapes else 2}
    for name, array in wanted.items():
        np.testing.assert_array_equal(file.array(name.split(":")[-1]), array)
    assert copy(file, tmp_path / "copy.params") == path.read_bytes()


EMPTY = {
    0: struct.pack("<I", 0),
    1: struct.pack("<II", 0xF993FAC8, 0),
    2: struct.pack("<IiI", 0xF993FAC9, -1, 0),
    3: struct.pack("<Iiiqq", 0xF993FACA, 0, 2, -1, 4),
}


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_a_record_without_an_array(version: int, tmp_path: Path) -> None:
    data = file_of([EMPTY[version], record(2, np.ones(2, np.float32))], ["arg:a", "b"])
    file = read(tmp_path, data)
    assert file.shapes == {"b": (2,)}
    assert file.records[0].name == "a"
    with pytest.raises(PrunecError, match='P606: the parameter "a" holds no array'):
        file.array("a")
    assert copy(file, tmp_path / "copy.params") == data


def test_an_unknown_rank_under_numpy_shapes(tmp_path: Path) -> None:
    data = file_of([struct.pack("<Iii", 0xF993FACA, 0, -1)], ["a"])
    file = read(tmp_path, data)
    assert file.records[0].empty
    assert copy(file, tmp_path / "copy.params") == data


# --- writing -------------------------------------------------------------------------------


def test_smaller_arrays_under_the_same_records(tmp_path: Path) -> None:
    wanted = arrays()
    file = read(tmp_path, file_of([record(1, a) for a in wanted.values()], list(wanted)))
    # A view with steps, in the other byte order, is written as what it says.
    write_params(
        tmp_path / "s.params",
        file.records,
        lambda r: file.array(r.name)[::2].astype(r.dtype.newbyteorder(">")),
    )
    smaller = read_params(tmp_path / "s.params")
    for stored in smaller.records:
        assert stored.version == 1
        np.testing.assert_array_equal(smaller.array(stored.name), file.array(stored.name)[::2])


def test_a_file_can_replace_the_one_it_is_made_from(tmp_path: Path) -> None:
    data = file_of([record(2, np.arange(6, dtype=np.float32))], ["a"])
    file = read(tmp_path, data)
    assert copy(file, tmp_path / "m.params") == data


def test_a_failed_writer_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "m.params").write_bytes(b"old")
    one = ParameterRecord("a", "", (), np.dtype("f4"))
    with pytest.raises(RuntimeError, match="stop"), ParameterWriter(tmp_path / "m.params", 2) as writer:
        writer.add(one, np.ones(3, np.float32))
        raise RuntimeError("stop")
    for announced, message in [(2, "and 1 were written"), (0, "and there are more")]:
        expected = f"{announced} arrays were announced, {message}"
        with (
            pytest.raises(ValueError, match=expected),
            ParameterWriter(tmp_path / "m.params", announced) as writer,
        ):
            writer.add(one, np.ones(3, np.float32))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("m.params", b"old")]


@pytest.mark.parametrize(
    ("version", "array", "expected"),
    [
        (2, np.array(1.0, np.float32), "version 2 cannot hold a scalar"),
        (2, np.zeros(2, np.complex64), "no number for the type"),
        (0, np.zeros((0, 1 << 33), np.float32), "version 0 cannot hold a size of 8589934592"),
    ],
)
def test_what_a_version_cannot_hold(version: int, array: Any, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=expected), ParameterWriter(tmp_path / "m.params", 1) as writer:
        writer.add(ParameterRecord("a", "", (), array.dtype, version), array)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PrunecError, match="P608: cannot write the parameters") as caught:
        write_params(tmp_path / "absent" / "m.params", [], lambda r: np.zeros(1))
    assert "No such file or directory" in render(caught.value.diagnostics[0])


# --- errors --------------------------------------------------------------------------------

GOOD = record(2, np.ones((2, 3), np.float32))


def _v2(storage: int = 0, rank: int = 2, sizes: tuple[int, ...] = (2, 3), kind: int = 0) -> bytes:
    return struct.pack(f"<IiI{len(sizes)}qiii", 0xF993FAC9, storage, rank, *sizes, 1, 0, kind) + bytes(64)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "P602|it has 0 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\n", "P602|this is a Git LFS pointer"),
        (b"PK\3\4" + bytes(60), "P602|this one starts with 0x4034b50"),
        (struct.pack("<QQQQ", 0x112, 0, 1 << 60, 0), "P603|announces 1,152,921,504,606,846,976 arrays"),
        (file_of([GOOD], ["a"])[:40], "P603|array 0 needs"),
        (file_of([GOOD], ["a"])[:-1], "P603|name 0 needs 1 bytes"),
        (file_of([GOOD], ["a"]) + b"x", "P603|there are 1 bytes behind the last name"),
        (file_of([GOOD, GOOD[:-4]], ["a", "b"]), "P607|it has 2 arrays and 4,294,967,296 names"),
        (
            file_of([_v2(sizes=(1 << 40, 3))], ["a"]),
            "P603|array 0 of shape (1099511627776, 3) and type float32 needs",
        ),
        (file_of([_v2(sizes=(1 << 62, 1 << 62))], ["a"]), "P604|array 0 is of shape"),
        (file_of([_v2(sizes=(0, 1 << 62))], ["a"]), "P604|array 0 is of shape (0, 4611686018427387904)"),
        (file_of([_v2(sizes=(-2, -3))], ["a"]), "P604|array 0 is of shape (-2, -3)"),
        (file_of([_v2(rank=33)], ["a"]), "P604|array 0 (at byte 24) has 33 axes"),
        (
            file_of([struct.pack("<I", 0xF993FACB) + bytes(64)], ["a"]),
            "P604|or is of a version that is not known",
        ),
        (file_of([_v2(storage=1)], ["a"]), "P605|array 0 (at byte 24) is row_sparse"),
        (file_of([_v2(storage=2)], ["a"]), "P605|array 0 (at byte 24) is csr"),
        (file_of([_v2(storage=9)], ["a"]), "P605|of unknown storage type 9"),
        (
            file_of([_v2(kind=12)], ["a"]),
            "P605|the elements of array 0 are bfloat16; known are float32, float64",
        ),
        (file_of([_v2(kind=-1)], ["a"]), "P605|type number -1"),
        (file_of([GOOD], []), "P607|it has 1 arrays and 0 names"),
        (file_of([GOOD, GOOD], ["arg:a", "aux:a"]), 'P607|two arrays are called "a"'),
        (file_of([GOOD], ["aé"]).replace("é".encode(), b"\xff\xff"), "P607|name 0 (at byte"),
    ],
)
def test_files_that_are_wrong(data: bytes, expected: str, tmp_path: Path) -> None:
    text = failure(tmp_path, data)
    assert all(part in text for part in expected.split("|"))
    assert "help: " in text


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path, "a\0b", "/dev/null"):
        with pytest.raises(PrunecError, match="P601: cannot read the parameters"):
            read_params(path)


SAMPLE = file_of(
    [record(version, np.arange(4, dtype=np.int8).reshape(2, 2)) for version in range(4)]
    + list(EMPTY.values()),
    ["arg:a", "aux:b", "c", "d", "e", "f", "g", "h"],
)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_mangled_bytes_raise_nothing_but_our_errors(data: st.DataObject, tmp_path_factory: Any) -> None:
    mangled = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(mangled) - 1))
        patch = data.draw(st.sampled_from([b"", b"\xff", b"\x01\x00", b"\xff" * 8, bytes(4), b"\x7f"]))
        mangled[start : start + len(patch) + data.draw(st.integers(0, 2))] = patch
    path = tmp_path_factory.mktemp("mangled") / "m.params"
    path.write_bytes(mangled[: data.draw(st.integers(len(mangled) // 2, len(mangled)))])
    try:
        file = read_params(path)
    except PrunecError as error:
        assert error.diagnostics[0].code.startswith("P6")
        return
    for name in file.shapes:
        file.array(name).tobytes()
    assert copy(file, path.with_suffix(".copy")) == path.read_bytes()


# --- the corpus ----------------------------------------------------------------------------


@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the corpus of public models")
def test_public_parameter_files_round_trip(tmp_path: Path) -> None:
    paths = sorted(CORPUS.rglob("*.params"))
    assert len(paths) == 31
    versions = set()
    for path in paths:
        file = read_params(path)
        versions |= {r.version for r in file.records}
        assert copy(file, tmp_path / "copy.params") == path.read_bytes(), path.name
    assert versions == {0, 1, 2}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the corpus of public models")
def test_the_framework_agrees_on_public_parameters() -> None:
    mx = pytest.importorskip("mxnet", reason="needs MXNet")
    for path in sorted(CORPUS.rglob("*.params"))[::5]:
        file = read_params(path)
        loaded = mx.nd.load(str(path))
        assert list(loaded) == [r.prefix + r.name for r in file.records]
        for stored in file.records:
            np.testing.assert_array_equal(
                loaded[stored.prefix + stored.name].asnumpy(), file.array(stored.name)
            )
