"""The output folder: refused, replaced, complete or not there; and the diff in it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.tools import DIGITS, FILES, bytes_of, run, run_process, write_network
from prunec.cli import artefacts
from prunec.rewriting.unified_diff import unified_diff

pytestmark = pytest.mark.slow

GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="needs git")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path)


def refused(capsys: Any, *options: str) -> str:
    code, out, err = run(capsys, "compile", "net-symbol.json", *options)
    assert (code, out) == (1, "")
    return str(err)


# --- the folder -------------------------------------------------------------------------------


def test_a_folder_with_something_in_it(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert refused(capsys, "--out", "out") == (
        "error[P510]: the output folder is not empty\n"
        "  --> out\n"
        "  note: it holds notes.txt\n"
        "  help: give another --out, or --force to replace prunec's own files there\n"
    )
    assert os.listdir(tmp_path / "out") == ["notes.txt"]
    assert run(capsys, "compile", "net-symbol.json", "--out", "out", "--force")[0] == 0
    assert sorted(os.listdir(tmp_path / "out")) == sorted([*FILES, "notes.txt"])
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_used(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "out").mkdir()
    assert run(capsys, "compile", "net-symbol.json", "--out", "out")[0] == 0
    assert sorted(os.listdir(tmp_path / "out")) == FILES


def test_force_replaces_what_was_written(tmp_path: Path, capsys: Any) -> None:
    run(capsys, "compile", "net-symbol.json", "--out", "fresh", "--ratio", "0.25")
    run(capsys, "compile", "net-symbol.json")
    assert run(capsys, "compile", "net-symbol.json", "--ratio", "0.25", "--force")[0] == 0
    assert bytes_of(tmp_path / "net-pruned") == bytes_of(tmp_path / "fresh")


def test_a_folder_that_is_a_link(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "real").mkdir()
    os.symlink("real", tmp_path / "link")
    assert run(capsys, "compile", "net-symbol.json", "--out", "link")[0] == 0
    assert (tmp_path / "link").is_symlink() and sorted(os.listdir(tmp_path / "real")) == FILES


def test_a_file_in_the_place_of_the_folder(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "out").write_text("mine")
    err = refused(capsys, "--out", "out", "--force")
    assert err.startswith("error[P510]: the output folder is a file\n")
    os.symlink("nowhere", tmp_path / "dangling")
    assert "error[P510]: the output folder is a file" in refused(capsys, "--out", "dangling", "--force")
    (tmp_path / "full" / "plan.json").mkdir(parents=True)
    assert "error[P510]: plan.json is a folder there" in refused(capsys, "--out", "full", "--force")


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_inputs_are_never_written_over(tmp_path: Path, capsys: Any, link: Any) -> None:
    before = bytes_of(tmp_path)
    folder = "."
    if link is not None:
        folder = "out"
        (tmp_path / "out").mkdir()
        link(os.path.abspath("net-symbol.json"), tmp_path / "out" / "net-symbol.json")
    err = refused(capsys, "--out", folder, "--force")
    assert err.startswith(f"error[P511]: the output would replace an input\n  --> {folder}\n")
    assert "note: net-symbol.json there is net-symbol.json, which was read" in err
    assert {name: before[name] for name in before} == {
        name: (tmp_path / name).read_bytes() for name in before
    }


def test_the_plan_that_was_read_stays(tmp_path: Path, capsys: Any) -> None:
    run(capsys, "compile", "net-symbol.json")
    err = refused(capsys, "--plan", "net-pruned/plan.json", "--force")
    assert "plan.json there is net-pruned/plan.json, which was read" in err


def test_names_that_prunec_needs_itself(tmp_path: Path, capsys: Any) -> None:
    shutil.copy("net-symbol.json", "plan.json")
    code, _, err = run(capsys, "compile", "plan.json", "--params", "net-0000.params")
    assert code == 1
    assert (
        err.startswith("error[P512]: two files would be called 'plan.json'\n") and "rename the input" in err
    )


def test_a_place_that_cannot_be_written(tmp_path: Path, capsys: Any) -> None:
    err = refused(capsys, "--out", "net-symbol.json/out")
    assert err.startswith("error[P513]: cannot write the output\n  --> net-symbol.json/out\n")
    assert sorted(os.listdir(tmp_path)) == ["net-0000.params", "net-symbol.json"]


@pytest.mark.parametrize("step", ["_slice", "_move"])
def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(artefacts, step, interrupt)
    assert run(capsys, "compile", "net-symbol.json") == (130, "", "")
    assert sorted(os.listdir(tmp_path)) == ["net-0000.params", "net-symbol.json"]


def test_a_stopped_process_leaves_nothing(tmp_path: Path) -> None:
    before = "import os, signal\nfrom prunec.cli import artefacts\n"
    before += f"artefacts._move = lambda *_: os.kill(os.getpid(), {int(signal.SIGTERM)})"
    result = run_process(tmp_path, "compile", "net-symbol.json", before=before)
    assert (result.returncode, result.stdout, result.stderr) == (143, "", "")
    assert sorted(os.listdir(tmp_path)) == ["net-0000.params", "net-symbol.json"]


def test_a_script_that_fails_leaves_nothing(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prunec.rewriting import slicing_script

    original = slicing_script.render_script
    monkeypatch.setattr(
        slicing_script, "render_script", lambda *given: original(*given).replace("conv1_bias", "other_bias")
    )
    err = refused(capsys)
    assert err.startswith("error[P514]: slice_params.py cannot slice the parameters\n")
    assert "note: error: 'other_bias' is missing" in err
    assert sorted(os.listdir(tmp_path)) == ["net-0000.params", "net-symbol.json"]


def test_a_model_named_like_a_module_is_not_run(tmp_path: Path, capsys: Any) -> None:
    shutil.copy("net-symbol.json", "numpy.py")
    result = run(capsys, "compile", "numpy.py", "--params", "net-0000.params", "--out", "out")
    assert result[0] == 0


# --- the diff ---------------------------------------------------------------------------------


def applied(folder: Path, name: str, old: bytes, diff: bytes) -> bytes:
    """What real git makes of a file and a diff."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / name).write_bytes(old)
    (folder / "changes.diff").write_bytes(diff)
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", "apply", "changes.diff"], cwd=folder, env=environment, check=True, capture_output=True
    )
    return (folder / name).read_bytes()


@needs_git
@pytest.mark.parametrize("style", ["indented", "one line", "digits", "no line end", "carriage returns"])
def test_git_applies_the_diff(tmp_path: Path, capsys: Any, style: str) -> None:
    path = tmp_path / "net-symbol.json"
    if style == "digits":
        path = DIGITS / "digits-symbol.json"
    document = path.read_text()
    if style == "one line":
        path.write_text(json.dumps(json.loads(document)))
    elif style == "no line end":
        path.write_bytes(document.rstrip().encode())
    elif style == "carriage returns":
        path.write_bytes(document.replace("\n", "\r\n").encode())
    assert run(capsys, "compile", path, "--out", "out")[0] == 0
    files = bytes_of(tmp_path / "out")
    new = applied(tmp_path / "repository", path.name, path.read_bytes(), files["changes.diff"])
    assert new == files[path.name]


def test_the_diff_touches_only_lines_that_change(tmp_path: Path, capsys: Any) -> None:
    run(capsys, "compile", "net-symbol.json")
    diff = (tmp_path / "net-pruned" / "changes.diff").read_text().splitlines()
    assert diff[:3] == [
        "diff --git a/net-symbol.json b/net-symbol.json",
        "--- a/net-symbol.json",
        "+++ b/net-symbol.json",
    ]
    assert [line.strip("-+ ,") for line in diff if line[0] in "-+" and line[:3] not in ("---", "+++")] == [
        '"num_filter": "8"',
        '"num_filter": "4"',
        '"num_filter": "6"',
        '"num_filter": "3"',
    ]
    headings = [line.split(" @@ ")[1] for line in diff if line.startswith("@@")]
    assert headings == ["conv1", "conv2"]


@needs_git
def test_git_applies_any_diff(tmp_path: Path) -> None:
    generator = random.Random(5)
    for name in ("a.json", "with space.json", 'ümläut\tand "quotes".json'):
        for count in (1, 2, 9, 40):
            old = [f"line {i} {generator.choice('xyz')}" for i in range(count)]
            new = [line if generator.random() < 0.8 else line + "!" for line in old]
            new[generator.randrange(count)] += "?"
            end = generator.choice(["", "\n"])
            before, after = ("\n".join(lines) + end for lines in (old, new))
            diff = unified_diff(name, before.encode(), after.encode())
            result = applied(tmp_path / "repository", name, before.encode(), diff)
            assert result == after.encode(), (name, count)
    longer = unified_diff("a.json", b"one\ntwo", b"one\n2\nthree\n")
    assert applied(tmp_path / "repository", "a.json", b"one\ntwo", longer) == b"one\n2\nthree\n"
    assert unified_diff("a.json", b"same", b"same") == b""
