"""`compile` with examples, and `restore`: what is written, what is said, and what examples are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net

from cli.schemas import SCHEMAS, validate
from cli.tools import plan_of, run

pytestmark = pytest.mark.slow

RATIO = ("--ratio", "0.5")


def write_net(folder: Path, batch: Any = "n", dead: bool = False) -> None:
    """Two convolutions that make much of few channels, and a classifier; ``dead`` has a branch besides whose
    rectifier never fires where the input is not negative."""
    net = Net()
    x = net.input("x", batch, 2, 6, 6)
    a = net.op("Relu", net.conv(x, "first", 2, 12))
    b = net.op("Relu", net.conv(a, "second", 12, 16))
    if dead:
        shut = net.op("Relu", net.op("Neg", net.op("Relu", x)))
        c = net.op("Conv", net.op("Relu", net.op("Conv", shut, net.weight("shut_w", 8, 2, 1, 1))), "open_w")
        net.weight("open_w", 16, 8, 1, 1)
        b = net.op("Add", b, c)
    net.head(b, 16)
    (folder / "net.onnx").write_bytes(net.proto().SerializeToString())


def images(count: int, seed: int = 0) -> np.ndarray:
    """Examples that vary."""
    return np.random.default_rng(seed).random((count, 2, 6, 6)).astype(np.float32)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_net(tmp_path)
    np.savez("examples.npz", x=images(96))


def _outputs(path: str, inputs: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": inputs})[0])


def _change(folder: str) -> float:
    """How far a smaller model is off on inputs that nobody gave prunec."""
    fresh = images(64, seed=9)
    before, after = _outputs("net.onnx", fresh), _outputs(f"{folder}/net.onnx", fresh)
    return float(np.sqrt(np.square(after - before).mean() / np.square(before).mean()))


def test_with_examples_a_model_is_restored(capsys: Any, tmp_path: Path) -> None:
    code, out, err = run(capsys, "compile", "net.onnx", *RATIO, "--data", "examples.npz", "--verify")
    assert code == 0 and "P566" not in err and "P565" not in err
    assert "restored, the best of 4 plans" in out and "restored (kept)" in out and "proved:" in out
    run(capsys, "compile", "net.onnx", *RATIO, "--no-restore", "--out", "cut")
    assert _change("net-pruned") < 0.25 * _change("cut")
    plan = plan_of(tmp_path / "net-pruned")
    tried = [(own["criterion"], own["global"]) for own in plan["method"]["tried"]]
    assert tried == [("obs", False), ("obs", True), ("reconstruction", False), ("reconstruction", True)]
    taken = (plan["method"]["criterion"], bool(plan["method"].get("global")))
    changes = dict(zip(tried, (own["change"] for own in plan["method"]["tried"])))
    assert changes[taken] == min(changes.values())


def test_a_plan_that_gives_no_numbers_is_not_kept(
    capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prunec.cli import restored

    own = restored._with_progress
    calls: list[float] = []

    def broken_first(*arguments: Any) -> Any:
        found = own(*arguments)
        calls.append(found.best.quality.change)
        if len(calls) > 1:
            return found
        lost = replace(found.best, quality=replace(found.best.quality, change=float("nan")))
        return replace(found, methods=(lost, *found.methods[1:]))

    monkeypatch.setattr(restored, "_with_progress", broken_first)
    assert run(capsys, "compile", "net.onnx", *RATIO, "--data", "examples.npz")[0] == 0
    method = plan_of(tmp_path / "net-pruned")["method"]
    changes = [each["change"] for each in method["tried"]]
    assert changes[0] is None and changes[1:] == [round(change, 4) for change in calls[1:]]
    kept = method["tried"][calls.index(min(calls[1:]), 1)]
    assert (method["criterion"], bool(method.get("global"))) == (kept["criterion"], kept["global"])


def test_the_document_says_what_becomes_of_the_outputs(capsys: Any, tmp_path: Path) -> None:
    np.savez("labelled.npz", x=images(96), y=_outputs("net.onnx", images(96)).argmax(axis=1))
    command = ("compile", "net.onnx", *RATIO, "--criterion", "obs", "--data", "labelled.npz", "--json")
    code, out, _ = run(capsys, *command)
    assert code == 0
    document = json.loads(out)
    validate(document, json.loads((SCHEMAS / "summary.schema.json").read_text()))
    quality = document["quality"]
    assert (quality["examples"], quality["held_back"], quality["kept"]) == (96, True, "restored")
    models = {own["name"]: own for own in quality["models"]}
    assert list(models)[0] == "original" and set(models) == {"original", "restored", "cut", "means"}
    assert models["original"]["change"] == 0 and models["original"]["accuracy"] == 1
    assert models["restored"]["change"] < models["cut"]["change"]
    report = json.loads((tmp_path / "net-pruned" / "restoring.json").read_text())
    assert report["left"] == [] and [own["gone"] for own in report["layers"]] == [6, 8]


def test_a_cut_model_is_measured_and_said_to_be_one(capsys: Any) -> None:
    command = ("compile", "net.onnx", *RATIO, "--data", "examples.npz", "--no-restore")
    code, out, err = run(capsys, *command)
    assert code == 0 and "P565" not in err
    assert "cut" in out and "measured on the 96 examples given" in out and "restored" not in out
    code, _, err = run(capsys, "compile", "net.onnx", *RATIO, "--out", "a")
    assert code == 0 and err.startswith("warning[P565]: the model is cut, not restored")
    assert run(capsys, "compile", "net.onnx", "--ratio", "0", "--out", "b")[2] == ""


def test_a_plan_is_restored_by_a_command_of_its_own(capsys: Any, tmp_path: Path) -> None:
    run(capsys, "plan", "net.onnx", *RATIO, "--criterion", "l1", "--out", "plan.json")
    code, out, _ = run(capsys, "restore", "net.onnx", "--plan", "plan.json", "--data", "examples.npz")
    assert code == 0 and "restored (kept)" in out
    command = (
        "compile",
        "net-restored/net.onnx",
        "--plan",
        "net-restored/plan.json",
        "--verify",
        "--out",
        "a",
    )
    code, out, err = run(capsys, *command)
    assert code == 0 and "proved:" in out and "P565" not in err
    run(capsys, "compile", "net.onnx", "--plan", "plan.json", "--no-restore", "--out", "cut")
    assert _change("a") < 0.5 * _change("cut")
    both = ("compile", "net.onnx", "--plan", "plan.json", "--restore", "--data", "examples.npz", "--out", "b")
    assert run(capsys, *both)[0] == 0
    assert (tmp_path / "a/net.onnx").read_bytes() == (tmp_path / "b/net.onnx").read_bytes()


@pytest.mark.parametrize(
    "options, said",
    [
        (("--restore",), "give some hundred with --data"),
        (("--means", "--no-restore", "--data", "examples.npz"), "leave out --no-restore"),
        (("--restore", "--compensate", "--data", "examples.npz"), "leave out --compensate"),
        (("--criterion", "auto"), "auto is for `compile` with --data"),
        (("--criterion", "auto", "--no-restore", "--data", "examples.npz"), "auto is for `compile`"),
    ],
)
def test_what_does_not_go_together(capsys: Any, options: tuple[str, ...], said: str) -> None:
    code, _, err = run(capsys, "compile", "net.onnx", *options)
    assert code == 2 and said in err


# --- examples that tell little ---


def _said(capsys: Any, *options: str, **arrays: Any) -> str:
    """What a compile with these examples warns of."""
    np.savez("bad.npz", **arrays)
    command = ("compile", "net.onnx", *RATIO, "--criterion", "obs", "--data", "bad.npz", "--force")
    code, _, err = run(capsys, *command, *options)
    assert code == 0, err
    return err


@pytest.mark.parametrize("count", [1, 3, 7])
def test_too_few_examples_are_said_to_be(capsys: Any, count: int) -> None:
    err = _said(capsys, x=images(count))
    assert "warning[P566]" in err or "warning[P563]" in err
    assert _change("net-pruned") < 10


def test_examples_that_are_all_alike(capsys: Any) -> None:
    for same in (np.zeros((64, 2, 6, 6)), np.full((64, 2, 6, 6), 0.5), np.repeat(images(1), 64, axis=0)):
        err = _said(capsys, x=same.astype(np.float32))
        assert "warning[P566]: the examples say little of others" in err
        assert "of the 64 given only 1 is different" in err
        assert "the model gives the same for all of them" in err
    nearly = np.full((64, 2, 6, 6), 0.5) + 1e-6 * images(64)
    err = _said(capsys, x=nearly.astype(np.float32))
    assert "the model gives the same for all of them" in err


def test_a_layer_that_no_example_reaches_is_named(capsys: Any, tmp_path: Path) -> None:
    write_net(tmp_path, dead=True)
    err = _said(capsys, x=images(96))
    assert "warning[P566]" in err and "what is read there is the same in all of them" in err
    named = next(line for line in err.splitlines() if "what is read there" in line)
    assert "Conv_3" in named and "Conv_1" not in named


def test_labels_that_are_not_the_models(capsys: Any) -> None:
    right = _outputs("net.onnx", images(96)).argmax(axis=1)
    counts = np.bincount(right, minlength=5)
    rare = int(counts.argmin())
    assert "P567" in _said(capsys, x=images(96), y=np.full(96, rare))
    good = np.append(right[:95], (right[95] + 1) % 5)
    assert "P567" not in _said(capsys, x=images(96), y=good)


def test_numbers_beyond_all_bounds_leave_layers_as_they_are(capsys: Any) -> None:
    err = _said(capsys, x=(images(64) * 1e30).astype(np.float32))
    assert "warning[" in err and "RuntimeWarning" not in err
    assert np.isfinite(_outputs("net-pruned/net.onnx", images(8))).all()


@pytest.mark.parametrize(
    "arrays, code",
    [
        ({"x": np.full((8, 2, 6, 6), np.nan, np.float32)}, "P533"),
        ({"x": np.zeros((8, 3, 6, 6), np.float32)}, "P532"),
        ({"image": images(8), "other": images(8)}, "P531"),
        ({"x": images(8), "y": np.arange(8) + 0.5}, "P538"),
        ({"x": images(8), "y": np.arange(7)}, "P532"),
    ],
)
def test_examples_that_are_none(capsys: Any, tmp_path: Path, arrays: Any, code: str) -> None:
    np.savez("bad.npz", **arrays)
    status, _, err = run(capsys, "compile", "net.onnx", *RATIO, "--data", "bad.npz")
    assert (status, err.startswith(f"error[{code}]")) == (1, True), err
    assert not (tmp_path / "net-pruned").exists()


def test_a_batch_that_is_fixed_takes_as_many(capsys: Any, tmp_path: Path) -> None:
    write_net(tmp_path, batch=16)
    np.savez("few.npz", x=images(12))
    code, _, err = run(capsys, "compile", "net.onnx", *RATIO, "--data", "few.npz")
    assert code == 1 and "the model takes 16 examples at a time, the file has 12" in err
    assert "they are too few to hold some back" in _said(capsys, x=images(40))
