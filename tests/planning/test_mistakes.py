"""What users get wrong with plan, sensitivity and compensate, and what they are told."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import run, write_arrays

from planning.models import parameters, write_model

SHAPE = ("--input", "data=1,3,8,8")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: Any) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_model(tmp_path, parameters()).relative_to(tmp_path)


def images(count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, 8, 8)).astype(np.float32)


def planned(capsys: Any, model: Path, *more: object) -> tuple[int, str]:
    code, _, err = run(capsys, "plan", model, *SHAPE, "--quiet", "--force", *more)
    return code, err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ratio", "1.5"), "argument --ratio: '1.5' is not a share: a number from 0"),
        (("--ratio", "half"), "argument --ratio: 'half' is not a share"),
        (("--target", "macs=fast"), "argument --target: 'fast' in 'macs=fast' is no number above 0"),
        (("--target", "flops=0.5"), "'flops=0.5' is no target: targets are macs=…, params=…, size=…"),
        (
            ("--target", "macs=1.2"),
            "'macs=1.2' is neither a share up to 1 nor a whole number of multiply-adds",
        ),
        (("--target", "size=5"), "'' in 'size=5' is no unit of size: those are B, KB, MB, GB, KiB"),
        (("--align", "0"), "argument --align: '0' is not a whole number from 1 on"),
        (("--min-channels", "-3"), "argument --min-channels: '-3' is not a whole number from 1 on"),
        (("--seed", "-1"), "argument --seed: '-1' is no seed: whole numbers from 0 on are"),
        (("--seed", "x"), "argument --seed: 'x' is no seed"),
        (("--sensitivity", "s.csv"), "argument --sensitivity: only --criterion sensitivity goes by it"),
    ],
)
def test_options_that_say_nothing(model: Path, capsys: Any, options: tuple[str, ...], message: str) -> None:
    code, err = planned(capsys, model, *options)
    assert code == 2 and message in err


@pytest.mark.parametrize("options", [("--min-channels", "9"), ("--align", "16"), ("--max-ratio", "0")])
def test_limits_that_keep_everything(model: Path, capsys: Any, options: tuple[str, ...]) -> None:
    code, err = planned(capsys, model, *options)
    assert (code, err) == (
        0,
        "warning[P524]: nothing goes\n"
        "  note: limits and policy leave no group a channel to lose\n"
        "  help: relax --max-ratio, --min-channels, --align and the policy\n",
    )
    code, err = planned(capsys, model, *options, "--target", "macs=0.5")
    assert code == 1 and "the target macs=0.5 is out of reach" in err and "(1 of the model)" in err


@pytest.mark.parametrize("more", [(), ("--global",)])
def test_a_share_that_is_less_than_a_channel(model: Path, capsys: Any, more: tuple[str, ...]) -> None:
    code, err = planned(capsys, model, "--ratio", "0.01", *more)
    assert code == 0 and "warning[P524]: nothing goes\n  note: a share of 0.01 of any group is less" in err
    assert planned(capsys, model, "--ratio", "0", *more) == (0, "")


def test_an_impossible_target_says_the_smallest(model: Path, capsys: Any) -> None:
    code, err = planned(capsys, model, "--target", "macs=100")
    assert code == 1
    assert err.splitlines()[:2] == [
        "error[P523]: the target macs=100 is out of reach",
        "  note: that is 100 multiply-adds; the smallest that can be reached is 2.308 K multiply-adds "
        "(0.05562 of the model)",
    ]


def test_a_policy_that_is_something_else(model: Path, capsys: Any) -> None:
    Path("r.prune").write_text("op Foo { data[n, c] -> out[n, c] }\n")
    code, err = planned(capsys, model, "--policy", "r.prune")
    assert code == 1 and "error[P101]: `op` cannot stand here" in err
    assert "help: rules stand in files of their own, which --rules takes" in err
    Path("p.prune").write_text('policy "cnv1*" { hold }\n')
    code, err = planned(capsys, model, "--policy", "p.prune")
    assert code == 0 and "warning[P527]: this pattern matches no node of the model" in err
    assert "help: did you mean conv1?" in err
    code, err = planned(capsys, model, "--rules", "p.prune")
    assert code == 1 and "a policy is no rule" in err and "give the file with --policy" in err


def test_parameters_that_hold_infinities(model: Path, capsys: Any) -> None:
    values = parameters()
    values["conv1_weight"][3, 0, 1, 1] = np.inf
    values["bn_gamma"][2] = np.nan
    write_arrays(Path("net-0000.params"), values)
    code, err = planned(capsys, model)
    assert code == 1 and err.count("error[P612]") == 2
    assert "conv1_weight" in err and "bn_gamma" in err and "save the parameters of a model that works" in err
    values["fc_bias"][1] = -np.inf
    write_arrays(Path("net-0000.params"), values)
    np.savez("d.npz", data=images())
    code, more = planned(capsys, model, "--criterion", "activation", "--data", "d.npz")
    assert code == 1 and more.count("error[P612]") == 3 and "the parameter 'fc_bias' holds NaN" in more
    assert planned(capsys, model, "--criterion", "random") == (0, "")
    for command, *given in (
        ("compensate", "--plan", "plan.json"),
        ("sensitivity", "--data", "d.npz", "--criterion", "random"),
    ):
        code, _, err = run(capsys, command, model, *SHAPE, *given)
        assert code == 1 and err == more


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "note: the model has the inputs data; the file has nothing"),
        ({"data": images(0)}, "error[P532]: the arrays hold different numbers of examples, or none"),
        ({"data": images()[:, :2]}, "note: the model takes (any, 3, 8, 8), the file has (12, 2, 8, 8)"),
        ({"data": images().reshape(12, -1)}, "error[P532]: the examples of 'data' have the wrong shape"),
        ({"data": np.full((2, 3, 8, 8), np.nan)}, "error[P533]: the examples of 'data' hold NaN or infinity"),
        ({"data": images().astype("complex64")}, "the array data.npy holds no numbers, but complex64"),
        ({"data": images(), "label": np.eye(12)}, "error[P538]: the labels are no classes"),
        ({"data": images(), "label": np.arange(5)}, "note: data: 12, the labels: 5"),
        ({"a": images(), "b": images()}, "note: the model has the inputs data; the file has a, b"),
    ],
)  # fmt: skip
def test_examples_that_do_not_fit(model: Path, capsys: Any, arrays: Any, message: str) -> None:
    np.savez("d.npz", **arrays)
    code, err = planned(capsys, model, "--criterion", "activation", "--data", "d.npz")
    assert code == 1 and message in err


def test_labels_that_are_no_class_of_the_model(model: Path, capsys: Any) -> None:
    np.savez("d.npz", data=images(), label=np.arange(12))
    code, err = planned(capsys, model, "--criterion", "taylor", "--data", "d.npz")
    assert code == 1 and "error[P538]: a label is none of the model's classes\n  --> d.npz\n" in err
    assert "note: the labels go up to 11, the model has 4 classes, from 0 on\n" in err


def test_policies_that_cannot_be_read(model: Path, capsys: Any) -> None:
    code, err = planned(capsys, model, "--policy", "none.prune")
    assert code == 1 and "error[P107]: cannot read the policy file none.prune\n" in err
    Path("bytes.prune").write_bytes(b"\xff")
    code, err = planned(capsys, model, "--policy", "bytes.prune")
    assert code == 1 and "error[P108]: the policy file bytes.prune is not UTF-8 text\n" in err


def test_what_was_read_is_never_written_over(model: Path, capsys: Any) -> None:
    np.savez("d.npz", data=images())
    assert planned(capsys, model, "--out", "plan.json") == (0, "")
    digests = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path().iterdir()}
    commands = [
        ("plan", "--force", "--data", "d.npz", "--out", "d.npz"),
        ("plan", "--force", "--from", "plan.json", "--out", "plan.json"),
        ("sensitivity", "--force", "--data", "d.npz", "--out", "d.npz"),
        ("sensitivity", "--force", "--data", "d.npz", "--out", model),
        ("sensitivity", "--force", "--data", "d.npz", "--out", "net-0000.params"),
    ]
    for command, *arguments in commands:
        code, _, err = run(capsys, command, model, *SHAPE, *arguments)
        assert code == 1 and err == (
            "error[P511]: the output would replace an input\n"
            f"  --> {arguments[-1]}\n"
            "  note: it was read\n"
            "  help: give another --out; inputs are never written over\n"
        )
    Path("pictures.svg").symlink_to("d.npz")
    code, _, err = run(
        capsys, "sensitivity", model, *SHAPE, "--data", "d.npz", "--out", "s.csv", "--plot", "pictures.svg"
    )
    assert code == 1 and "help: give another --plot; inputs are never written over" in err
    for path, digest in digests.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_sensitivities_that_make_no_sense(model: Path, capsys: Any) -> None:
    np.savez("d.npz", data=images())
    given = ("--data", "d.npz")
    code, _, err = run(capsys, "sensitivity", model, *SHAPE, *given, "--ratios", "0,0.5")
    assert code == 2 and "argument --ratios: '0,0.5' asks for a share of 0" in err
    code, _, err = run(capsys, "sensitivity", model, *SHAPE, *given, "--out", "s.svg", "--plot", "s.svg")
    assert code == 2 and "argument --plot: it is the file of the table, --out; give another" in err
    code, _, err = run(capsys, "sensitivity", model, *SHAPE, *given, "--plot", "s.jpg")
    assert code == 1 and err.startswith("error[P545]: the kind of picture is not known\n  --> s.jpg\n")
    code, _, err = run(capsys, "sensitivity", model, *SHAPE, *given, "--criterion", "l3")
    assert code == 1 and err.startswith("error[P520]: no criterion is called 'l3'\n")
    code, _, err = run(capsys, "sensitivity", model, *SHAPE, *given, "--criterion", "sensitivity")
    assert code == 1 and err.startswith("error[P537]: the criterion sensitivity orders no channels\n")
    assert not Path("sensitivity.csv").exists()


def test_plans_of_something_else(model: Path, capsys: Any) -> None:
    assert planned(capsys, model, "--out", "plan.json") == (0, "")
    other = parameters(seed=1)
    write_arrays(Path("net-0000.params"), other)
    code, _, err = run(capsys, "compensate", model, *SHAPE, "--plan", "plan.json")
    assert code == 1 and "note: the parameters changed: the plan was made for " in err
    Path("net-0000.params").unlink()
    code, _, err = run(capsys, "compensate", model, *SHAPE, "--plan", "plan.json")
    assert code == 1 and "error[P508]: compensation needs the parameters, and there are none" in err
    code, _, err = run(capsys, "compensate", model, *SHAPE, "--plan", "d.csv")
    assert code == 1 and "error[P501]: cannot read the plan" in err
