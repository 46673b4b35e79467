"""What is written: the smaller program, byte for byte, and nothing in it changed but widths."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prunec.analysis.analyse import analyse
from prunec.channels.removal import uniform
from prunec.cli.main import main
from prunec.embedded.slices import sliced
from prunec.frontends.pytorch import model as model_module
from prunec.frontends.pytorch.front_end import FRONT_END
from prunec.frontends.pytorch.model import PytorchModel, read_model
from prunec.language.library import load
from prunec.rewriting.emit import Pruned, emit
from prunec.support.diagnostics import PrunecError
from tests.frontends.pytorch.archives import FIXTURES, NEWEST, changed, members

SCRIPT = "slice_params.py"


def compiled(path: Path, out: Path, *options: str) -> dict[str, bytes]:
    """The files that `compile` writes, by name."""
    assert main(["compile", str(path), "--out", str(out), "--no-restore", "--quiet", *options]) == 0
    return {own.name: own.read_bytes() for own in out.iterdir()}


def smaller(path: Path = NEWEST, share: float = 0.5, seed: int = 0) -> tuple[PytorchModel, Pruned]:
    """A model, and what a random choice of units leaves of it."""
    model = read_model(path)
    analysis = analyse(model, load(["aten.prune"]))
    scores = np.random.default_rng(seed).random(analysis.solution.unit_count)
    return model, emit(analysis, uniform(analysis.solution, share, scores))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_nothing_removed_is_the_input(path: Path, tmp_path: Path) -> None:
    (tmp_path / "all.prune").write_text('policy "*" { hold because "a test" }\n')
    files = compiled(path, tmp_path / "out", "--policy", str(tmp_path / "all.prune"))
    assert files[path.name] == path.read_bytes() and files["changes.diff"] == b""


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_the_same_bytes_twice_wherever_they_stand(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    copy = Path(shutil.copy(path, tmp_path / "elsewhere"))
    first, second = compiled(path, tmp_path / "a"), compiled(copy, tmp_path / "b")
    assert first == second and first[path.name] != path.read_bytes()


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_the_script_writes_the_same_program(path: Path, tmp_path: Path) -> None:
    files = compiled(path, tmp_path / "out")
    command = [sys.executable, "-I", str(tmp_path / "out" / SCRIPT), str(path), str(tmp_path / "own.pt2")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "own.pt2").read_bytes() == files[path.name]


def test_the_script_refuses_another_program(tmp_path: Path) -> None:
    compiled(NEWEST, tmp_path / "out")
    small = tmp_path / "out" / NEWEST.name
    command = [sys.executable, str(tmp_path / "out" / SCRIPT), str(small), str(tmp_path / "own.pt2")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "sliced already" in done.stderr and not (tmp_path / "own.pt2").exists()


def texts(path: Path) -> Any:
    """The program of an archive, its metadata of nodes left out."""
    return json.loads(members(path)["models/model.json"])


def differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Where two documents differ."""
    if isinstance(old, dict) and isinstance(new, dict) and list(old) == list(new):
        return [one for key in old for one in differences(old[key], new[key], f"{place}/{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new))
        return [one for n, pair in pairs for one in differences(*pair, f"{place}/{n}")]
    return [] if old == new else [place]


def test_only_sizes_change_in_the_text(tmp_path: Path) -> None:
    compiled(NEWEST, tmp_path / "out")
    places = differences(texts(NEWEST), texts(tmp_path / "out" / NEWEST.name))
    graph = "/graph_module/graph"
    stated = [one for one in places if one.startswith(f"{graph}/tensor_values/")]
    others = [one for one in places if one not in stated]
    assert stated and all("/sizes/" in one or "/strides/" in one for one in stated)
    # The view that lines up pairs of channels, whose first size is computed: batch * 2.
    targets = {one.split("/")[4] for one in others}
    nodes = texts(NEWEST)["graph_module"]["graph"]["nodes"]
    assert all(one.startswith(f"{graph}/nodes/") for one in others)
    assert {nodes[int(place)]["target"] for place in targets} <= {
        "_operator.mul",
        "torch.ops.aten.view.default",
    }


def test_tensors_are_sliced_and_all_else_is_copied(tmp_path: Path) -> None:
    model, pruned = smaller()
    FRONT_END.write_data(model, pruned, tmp_path)
    written = read_model(tmp_path / NEWEST.name)
    slices = {own.name: own for own in pruned.slices}
    assert {"first.weight", "norm.running_var", "scale", "shift"} <= set(slices)
    for name in model.program.tensors:
        first = model.content.tied.get(name, name)
        own = model.program.raw(name)
        expected = sliced(np.ascontiguousarray(own), slices[first]) if first in slices else own
        assert np.array_equal(written.program.raw(name), expected), name
    old, new = members(NEWEST), members(tmp_path / NEWEST.name)
    assert list(old) == list(new)
    same = [name for name in old if not name.startswith(("data/weights", "data/constants", "models/"))]
    assert all(old[name] == new[name] for name in same) and "data/sample_inputs/model.pt" in same


def test_tied_tensors_stay_tied(tmp_path: Path) -> None:
    model, pruned = smaller()
    FRONT_END.write_data(model, pruned, tmp_path)
    tensors = read_model(tmp_path / NEWEST.name).program.tensors
    assert tensors["mix.weight"].place == tensors["again.weight"].place
    assert tensors["mix.weight"].sizes < (6, 6)


def test_a_written_program_that_is_damaged_is_refused(tmp_path: Path) -> None:
    """The check of what was written sees a tensor of another size than the text states, and a lost node."""
    model, pruned = smaller()
    path = tmp_path / NEWEST.name
    FRONT_END.write_data(model, pruned, tmp_path)
    FRONT_END.check_written(model, tmp_path)
    for change in (
        lambda document: document["graph_module"]["graph"]["tensor_values"]["p_first_bias"].update(
            sizes=[{"as_int": 7}]
        ),
        lambda document: document["graph_module"]["graph"]["nodes"].pop(2),
    ):
        path.write_bytes(changed(text=change))
        with pytest.raises(PrunecError, match="P516"):
            FRONT_END.check_written(model, tmp_path)


def test_strides_follow_sizes(tmp_path: Path) -> None:
    """Where the axes stand in another order in memory, they still do."""

    def channels_last(document: Any) -> None:
        meta = document["graph_module"]["graph"]["tensor_values"]["conv2d"]
        batch = meta["strides"][0]
        meta["strides"] = [batch, {"as_int": 1}, {"as_int": 64}, {"as_int": 8}]

    path = tmp_path / "net.pt2"
    path.write_bytes(changed(text=channels_last))
    compiled(path, tmp_path / "out")
    meta = texts(tmp_path / "out" / "net.pt2")["graph_module"]["graph"]["tensor_values"]["conv2d"]
    channels = meta["sizes"][1]["as_int"]
    assert channels < 8
    assert meta["strides"][1:] == [{"as_int": 1}, {"as_int": 8 * channels}, {"as_int": channels}]
    assert meta["strides"][0] == {"as_int": 64 * channels}


def test_what_edits_are_in_the_program_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    original = model_module.program_edits

    def counted(*given: Any) -> Any:
        found.append(given)
        return original(*given)

    monkeypatch.setattr(model_module, "program_edits", counted)
    written = compiled(NEWEST, tmp_path / "out")
    assert {SCRIPT, "apply_to_module.py", NEWEST.name} <= set(written)
    assert len(found) == 1
