"""Examples: reading them, and criteria that look at what a model does with them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planning.models import parameters, scores_of, small_analysis

from prunec.examples import Data, read_data
from prunec.frontends.mxnet.gradients import head_gradients
from prunec.scoring.criteria import Settings, unit_scores
from prunec.support.diagnostics import PrunecError, render

pytestmark = pytest.mark.slow

SHAPES = {"data": (None, 3, 8, 8)}


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def examples(count: int = 10, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3, 8, 8)).astype(np.float32)


def read(path: Path) -> Data:
    return read_data(path, SHAPES)


def test_examples_are_read_under_any_name(tmp_path: Path) -> None:
    data = read(write(tmp_path / "d.npz", x=examples(), label=np.arange(10)[:, None]))
    assert list(data.inputs) == ["data"] and np.array_equal(data.inputs["data"], examples())
    assert data.labels is not None and data.labels.tolist() == list(range(10))
    assert (data.count, data.batch) == (10, 10)
    assert len(data.digest) == 64


@pytest.mark.parametrize(
    ("arrays", "code", "words"),
    [
        (
            {"data": np.zeros((4, 3, 9, 8))},
            "P532",
            "the model takes (any, 3, 8, 8), the file has (4, 3, 9, 8)",
        ),
        ({"data": np.zeros((4, 3, 8))}, "P532", "the examples of 'data' have the wrong shape"),
        ({"data": np.zeros((0, 3, 8, 8))}, "P532", "different numbers of examples, or none"),
        ({"data": examples(4), "label": np.zeros(3)}, "P532", "different numbers of examples, or none"),
        ({"data": examples(4), "label": np.ones(4) / 2}, "P538", "labels are whole numbers from 0 on"),
        ({"data": examples(4), "label": np.zeros(0)}, "P532", "different numbers of examples, or none"),
        ({"data": examples(4), "label": np.zeros((0, 3))}, "P538", "labels are whole numbers from 0 on"),
        ({"data": examples(4), "label": np.full(4, 1e300)}, "P538", "labels are whole numbers from 0 on"),
        ({"data": np.full((4, 3, 8, 8), np.inf)}, "P533", "the examples of 'data' hold NaN or infinity"),
        ({"a": examples(4), "b": examples(4)}, "P531", "the model has the inputs data; the file has a, b"),
        ({}, "P531", "the file has nothing"),
        ({"data": np.array(["text"])}, "P530", "the array data.npy holds no numbers"),
        ({"data": np.array([{}], dtype=object)}, "P530", "the array data.npy holds no numbers"),
    ],
)
def test_wrong_examples(tmp_path: Path, arrays: Any, code: str, words: str) -> None:
    path = write(tmp_path / "d.npz", **arrays)
    with pytest.raises(PrunecError) as caught:
        read(path)
    text = render(caught.value.diagnostics[0])
    assert text.startswith(f"error[{code}]: ") and words in text
    assert f"--> {path}" in text


def test_files_that_are_no_examples(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not a zip")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 8)}
    )
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("data.npy", header.getvalue() + b"\0" * 16)
    for name, words in (
        ("absent.npz", "the system says: No such file or directory"),
        ("text.npz", "File is not a zip file"),
        ("huge.npz", "is not as long as its shape (1099511627776, 8) says"),
    ):
        with pytest.raises(PrunecError) as caught:
            read(tmp_path / name)
        text = render(caught.value.diagnostics[0])
        assert text.startswith("error[P530]: ") and words in text


@pytest.mark.parametrize(
    "packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_damaged_files_are_refused(tmp_path: Path, packing: int) -> None:
    held = io.BytesIO()
    np.save(held, examples())
    with zipfile.ZipFile(tmp_path / "good.npz", "w", packing) as archive:
        archive.writestr("data.npy", held.getvalue())
    good = (tmp_path / "good.npz").read_bytes()
    refused = 0
    for place in range(0, len(good), 41):
        changed = bytearray(good)
        changed[place] ^= 0x5A
        (tmp_path / "damaged.npz").write_bytes(changed)
        try:
            read(tmp_path / "damaged.npz")
        except PrunecError as error:
            refused += error.diagnostics[0].code == "P530"
    assert refused > 100


@pytest.mark.parametrize(
    "shape", ["(1 << 70, 0)", "(-1,)", "(True, 2)", "(0, 1180591620717411303424)", "((2,),)", "3"]
)
def test_headers_of_arrays_that_cannot_be(tmp_path: Path, shape: str) -> None:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
        archive.writestr("data.npy", b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(PrunecError, match="P53"):
        read(tmp_path / "odd.npz")


def test_gradients_of_the_loss() -> None:
    labels = np.array([1, 0])
    logits = np.array([[0.2, 1.1, -0.3], [2.0, 0.1, 0.4]])
    (found,) = head_gradients([logits], labels)

    def loss(values: np.ndarray) -> float:
        return float(np.mean(np.log(np.exp(values).sum(axis=1)) - values[[0, 1], labels]))

    for place in np.ndindex(2, 3):
        step = np.zeros((2, 3))
        step[place] = 1e-5
        assert found[place] == pytest.approx((loss(logits + step) - loss(logits - step)) / 2e-5, abs=1e-6)
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    (found,) = head_gradients([probabilities], labels)
    assert found.tolist() == [[0, -2, 0], [-5, 0, 0]]
    (found,) = head_gradients([logits], None)
    assert np.allclose(found, logits / (logits**2).sum())


# --- measured ----------------------------------------------------------------------------------


@pytest.fixture
def measured(tmp_path: Path) -> Any:
    """An analysis, examples, and the values of tensors by node name."""
    pytest.importorskip("mxnet", reason="needs MXNet")
    from prunec.frontends.mxnet.sessions import run

    values = parameters()
    analysis = small_analysis(tmp_path / "model", values)
    data = read(write(tmp_path / "d.npz", data=examples(70), label=np.arange(70) % 4))
    names = [node.name for node in analysis.model.graph.nodes]
    model: Any = analysis.model

    def tensors(*wanted: str) -> list[np.ndarray]:
        places = [(names.index(name), 0) for name in wanted]
        return run(model.file.data, values, {"data": examples(70)}, places)

    return analysis, data, tensors, values


def score(analysis: Any, name: str, data: Data, aggregate: str = "mean") -> np.ndarray:
    scores = unit_scores(analysis, name, Settings(aggregate, "none", data=data))
    return scores_of(analysis, scores, "bn_gamma")


def test_mean_activation_and_apoz(measured: Any) -> None:
    analysis, data, tensors, _ = measured
    (relu,) = tensors("relu")
    # Three runs, of 32, 32 and 6 examples, count alike.
    parts = [relu[:32], relu[32:64], relu[64:]]
    expected = np.mean([part.mean(axis=(0, 2, 3)) for part in parts], axis=0)
    assert np.allclose(score(analysis, "activation", data), expected, rtol=1e-4)
    expected = np.mean([(part > 0).mean(axis=(0, 2, 3)) for part in parts], axis=0)
    assert np.allclose(score(analysis, "apoz", data), expected, rtol=1e-4)


def test_reconstruction(measured: Any) -> None:
    analysis, data, tensors, values = measured
    relu, conv2 = tensors("relu", "conv2")
    parts = [slice(0, 32), slice(32, 64), slice(64, 70)]
    square = np.mean([(relu[part] ** 2).mean(axis=(0, 2, 3)) for part in parts], axis=0)
    energy = np.mean([(conv2[part] ** 2).mean() for part in parts])
    expected = square * (values["conv2_weight"] ** 2).sum(axis=(0, 2, 3)) / (6 * energy)
    assert np.allclose(score(analysis, "reconstruction", data, "sum"), expected, rtol=1e-4)


def test_taylor_is_the_first_order_change_of_the_loss(measured: Any, tmp_path: Path) -> None:
    from prunec.frontends.mxnet.sessions import run

    analysis, data, _, values = measured
    model: Any = analysis.model
    found = score(analysis, "taylor", data, "max")

    def loss(changed: Any, part: slice) -> float:
        (logits,) = run(model.file.data, changed, {"data": examples(70)[part]})
        logits, labels = logits.astype(float), (np.arange(70) % 4)[part]
        return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]))

    parts = [slice(0, 32), slice(32, 64), slice(64, 70)]
    for channel in (0, 3, 5):
        squares = []
        for name, index in (
            ("conv1_weight", np.s_[channel]),
            ("bn_gamma", np.s_[channel]),
            ("conv2_weight", np.s_[:, channel]),
        ):
            changes = []
            for part in parts:
                up, down = ({**values, name: values[name].copy()} for _ in range(2))
                up[name][index] *= 1 + 1e-2
                down[name][index] *= 1 - 1e-2
                changes.append((loss(up, part) - loss(down, part)) / 2e-2)
            squares.append(np.mean(np.square(changes)))
        assert found[channel] == pytest.approx(max(squares), rel=0.1, abs=1e-6)


def test_models_that_fix_the_number_of_examples(tmp_path: Path) -> None:
    path = write(tmp_path / "d.npz", data=examples(10))
    data = read_data(path, {"data": (4, 3, 8, 8)})
    assert [len(inputs["data"]) for inputs, _ in data.batches()] == [4, 4]
    with pytest.raises(PrunecError) as caught:
        read_data(path, {"data": (16, 3, 8, 8)})
    assert "the model takes 16 examples at a time, the file has 10" in render(caught.value.diagnostics[0])
