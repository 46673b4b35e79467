"""The state dict beside a smaller program, the script that slices others like it, and the twin to train."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frontends.pytorch.archives import FIXTURES, NEWEST, archive, changed, members
from frontends.pytorch.compiling import compiled
from prunec.embedded.safetensors import NewTensor, read_safetensors, read_tensor, write_safetensors
from prunec.frontends.pytorch.front_end import FRONT_END
from prunec.frontends.pytorch.model import read_model
from prunec.frontends.pytorch.program import read_program
from prunec.frontends.pytorch.training import has_training_mode, training_document


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled")
    _, pruned = compiled(path)
    assert {"first.weight", "mix.weight", "shift", "scale"} <= {own.name for own in pruned.slices}
    return path


def tensors_of(path: Path) -> dict[str, tuple[str, Any]]:
    with open(path, "rb") as file:
        found, remarks = read_safetensors(file)
        assert remarks == {"format": "pt"}
        return {name: (own.dtype, read_tensor(file, own)) for name, own in found.items()}


def write(path: Path, tensors: dict[str, tuple[str, Any]]) -> None:
    new = {name: NewTensor(dtype, a.shape, [a.tobytes()]) for name, (dtype, a) in tensors.items()}
    with open(path, "wb") as file:
        write_safetensors(file, new, {"format": "pt"})


def state() -> dict[str, tuple[str, Any]]:
    """The state dict of the program before it was made smaller."""
    program = read_program(NEWEST)
    listed = json.loads(members()["data/weights/model_weights_config.json"])["config"]
    return {name: (program.type_of(name), np.array(program.raw(name))) for name in listed}


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "slice_params.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


# --- the state dict ---


def test_the_state_dict_is_that_of_the_smaller_program(folder: Path) -> None:
    program = read_program(folder / NEWEST.name)
    tensors = tensors_of(folder / f"{NEWEST.stem}.safetensors")
    # Tied names are there both; the buffer that is not saved is not.
    assert set(tensors) == set(state()) >= {"mix.weight", "again.weight", "shift", "norm.running_mean"}
    assert "scale" in program.tensors and "scale" not in tensors
    for name, (dtype, array) in tensors.items():
        assert dtype == program.type_of(name)
        np.testing.assert_array_equal(array, program.raw(name))
    before = state()
    assert tensors["first.weight"][1].shape < before["first.weight"][1].shape
    np.testing.assert_array_equal(tensors["mix.weight"][1], tensors["again.weight"][1])


def test_the_script_slices_state_dicts(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "in.safetensors", state())
    ran = run(folder, tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    assert ran.returncode == 0, ran.stderr
    expected = (folder / f"{NEWEST.stem}.safetensors").read_bytes()
    assert (tmp_path / "out.safetensors").read_bytes() == expected


def test_a_newer_state_dict_may_lack_tied_names_and_have_others(folder: Path, tmp_path: Path) -> None:
    newer = {name: (dtype, array + 1) for name, (dtype, array) in state().items()}
    del newer["mix.weight"]
    newer["a new one"] = ("int64", np.arange(3))
    write(tmp_path / "in.safetensors", newer)
    ran = run(folder, tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    assert ran.returncode == 0, ran.stderr
    old, new = tensors_of(folder / f"{NEWEST.stem}.safetensors"), tensors_of(tmp_path / "out.safetensors")
    assert set(new) == set(newer)
    np.testing.assert_array_equal(new["a new one"][1], np.arange(3))
    for name in set(old) & set(new):
        np.testing.assert_array_equal(new[name][1], old[name][1] + 1)


def test_looking_writes_nothing(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "in.safetensors", state())
    checked = run(folder, "--check", tmp_path / "in.safetensors")
    assert (checked.returncode, checked.stderr) == (0, "") and "all of the" in checked.stdout
    dry = run(folder, "--dry-run", tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    assert dry.returncode == 0 and "'first.weight': (8, 3, 3, 3) -> " in dry.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]


@pytest.mark.parametrize("wrong", ["missing", "shape", "type", "sliced", "no file", "tied"])
def test_other_state_dicts_are_refused(folder: Path, tmp_path: Path, wrong: str) -> None:
    tensors = state()
    dtype, array = tensors["norm.weight"]
    said = {
        "missing": "'norm.weight' is missing",
        "shape": "'norm.weight' has the shape (9,), not (8,)",
        "type": "'norm.weight' is of type float64, not float32",
        "sliced": "it is sliced already",
        "no file": "it is no file of tensors",
        "tied": "'again.weight' shares its elements: 'mix.weight' has the shape (6, 5), not (6, 6)",
    }[wrong]
    if wrong == "missing":
        del tensors["norm.weight"]
    if wrong == "shape":
        tensors["norm.weight"] = (dtype, np.zeros(9, np.float32))
    if wrong == "type":
        tensors["norm.weight"] = ("float64", array.astype(float))
    if wrong == "tied":
        tensors["again.weight"] = (dtype, np.zeros((6, 5), np.float32))
    write(tmp_path / "in.safetensors", tensors)
    if wrong == "sliced":
        shutil.copy(folder / f"{NEWEST.stem}.safetensors", tmp_path / "in.safetensors")
    if wrong == "no file":
        (tmp_path / "in.safetensors").write_bytes(b"{}")
    ran = run(folder, tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    assert ran.returncode == 1 and said in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]


@pytest.mark.parametrize(
    "name, dtype", [("\ud800.weight", 7), ("__metadata__", 7), ("fine.weight", 11), ("fine.weight", 7)]
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path: Path, name: str, dtype: int) -> None:
    def renamed(document: Any) -> None:
        entries = document["config"]
        entries[name] = entries.pop("last.bias")
        entries[name]["tensor_meta"].update({"dtype": dtype, "sizes": [{"as_int": 1}]})
        entries["last.bias"] = entries[name]

    (tmp_path / "net.pt2").write_bytes(changed(weights=renamed))
    files = {own.name: own.made for own in FRONT_END.further_files(read_model(tmp_path / "net.pt2"))}
    assert files["net.safetensors"] is ((name, dtype) == ("fine.weight", 7))


def test_the_library_reads_the_state_dict(folder: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    path = folder / f"{NEWEST.stem}.safetensors"
    read = library.load_file(path)
    for name, (_, array) in tensors_of(path).items():
        np.testing.assert_array_equal(read[name], array)


# --- the twin ---


def differences(one: Any, other: Any, where: str = "") -> dict[str, tuple[Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict) and set(one) == set(other):
        pairs = [(f"{where}.{key}", one[key], other[key]) for key in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{where}.{place}", *pair) for place, pair in enumerate(zip(one, other))]
    else:
        return {} if one == other else {where: (one, other)}
    return {place: pair for own in pairs for place, pair in differences(own[1], own[2], own[0]).items()}


def test_the_twin_differs_in_what_trains_alone(folder: Path) -> None:
    small, twin = folder / NEWEST.name, folder / f"{NEWEST.stem}-train.pt2"
    found = differences(read_program(small).document, read_program(twin).document)
    # One normalisation, one dropout.
    assert list(found.values()) == [(False, True)] * 2 and all(".as_bool" in place for place in found)
    old, new = members(small), members(twin)
    assert list(old) == list(new)
    assert [name for name in old if old[name] != new[name]] == ["models/model.json"]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_what_trains_is_found_in_all_versions(path: Path) -> None:
    document = read_program(path).document
    assert has_training_mode(document)
    trained = training_document(document)
    assert len(differences(document, trained)) == 2 and not has_training_mode(trained)


def test_arguments_by_place_and_left_out_ones_are_found() -> None:
    def node(target: str, *inputs: Any) -> dict[str, Any]:
        return {"target": f"torch.ops.aten.{target}", "inputs": [*inputs]}

    tensor, share, off = {"as_tensor": {"name": "x"}}, {"as_float": 0.5}, {"as_bool": False}
    nodes = [
        node("dropout.default", {"arg": tensor}, {"arg": share}, {"arg": dict(off)}),
        node("rrelu.default", {"name": "self", "arg": tensor, "kind": 1}),
        node("relu.default", {"name": "self", "arg": tensor, "kind": 1}),
        node("unknown.default", {"name": "train", "arg": dict(off), "kind": 1}),
    ]
    document = {"graph_module": {"graph": {"nodes": nodes}}}
    new = training_document(document)["graph_module"]["graph"]["nodes"]
    assert new[0]["inputs"][2] == {"arg": {"as_bool": True}}
    assert new[1]["inputs"][1] == {"name": "training", "arg": {"as_bool": True}, "kind": 2}
    assert new[2:] == nodes[2:] and nodes[0]["inputs"][2]["arg"] == off


def test_nothing_is_written_where_nothing_trains(tmp_path: Path) -> None:
    parts = members()
    parts["models/model.json"] = json.dumps(training_document(read_program(NEWEST).document)).encode()
    (tmp_path / "net.pt2").write_bytes(archive(parts))
    (tmp_path / "out").mkdir()
    model, _ = compiled(tmp_path / "out", path=tmp_path / "net.pt2")
    assert not (tmp_path / "out/net-train.pt2").exists()
    # Still one that an earlier run may have left.
    made = {own.name: own.made for own in FRONT_END.further_files(model)}
    assert made["net.safetensors"] and made["net-train.pt2"] is False
    assert {own.name for own in FRONT_END.further_files(read_model(NEWEST)) if own.made} == {
        f"{NEWEST.stem}.safetensors",
        f"{NEWEST.stem}-train.pt2",
        "apply_to_module.py",
    }
