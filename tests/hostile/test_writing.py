"""What is written goes into new files, or in the place of regular ones; no trace is left where it fails."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from cli.tools import FILES, bytes_of, run, write_network

from prunec.authoring.formatting import write_text
from prunec.frontends.mxnet.params import ParameterRecord, write_params
from prunec.support import cache
from prunec.support.diagnostics import PrunecError
from prunec.support.files import check_place, write_file, written

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/null")


def folder(path: Path) -> None:
    path.mkdir()


def nowhere(path: Path) -> None:
    path.symlink_to("nothing")


KINDS = pytest.mark.parametrize("make", [pipe, device, folder, nowhere])


def write_parameters(path: Path) -> None:
    write_params(
        path, [ParameterRecord("a", "arg:", (1,), np.dtype("f4"), 2)], lambda record: np.zeros(1, "f4")
    )


WRITERS: tuple[Callable[[Path], None], ...] = (
    lambda path: write_file(path, b"new"),
    lambda path: write_text(path, "new"),
    write_parameters,
)


@KINDS
@pytest.mark.parametrize("write", WRITERS)
def test_what_is_no_file_stays(tmp_path: Path, make: Any, write: Any) -> None:
    make(tmp_path / "it")
    before = os.lstat(tmp_path / "it")
    if (make, write) == (nowhere, WRITERS[1]):
        write(tmp_path / "it")  # a file that is edited in place is the one the link leads to
        assert (tmp_path / "nothing").read_text() == "new" and (tmp_path / "it").is_symlink()
        return
    with pytest.raises(PrunecError, match="P515"):
        write(tmp_path / "it")
    after = os.lstat(tmp_path / "it")
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert os.listdir(tmp_path) == ["it"]


@pytest.mark.parametrize("write", WRITERS)
def test_files_and_links_to_files_are_replaced(tmp_path: Path, write: Any) -> None:
    for name in ("file", "link"):
        (tmp_path / "file").write_bytes(b"old")
        (tmp_path / "file").chmod(0o640)
        if name == "link":
            (tmp_path / "link").symlink_to("file")
        write(tmp_path / name)
        assert (tmp_path / name).read_bytes() != b"old"
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_what_fails_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), written(tmp_path / "file") as file:
        file.write(b"new")
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="announced"):
        write_params_of_two(tmp_path / "file")
    with pytest.raises(PrunecError, match="P513"):
        write_file(tmp_path / "absent" / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]
    check_place(tmp_path / "absent" / "file")


def write_params_of_two(path: Path) -> None:
    from prunec.frontends.mxnet.params import ParameterWriter

    with ParameterWriter(path, 2) as writer:
        writer.add(ParameterRecord("a", "arg:", (1,), np.dtype("f4"), 2), np.zeros(1, "f4"))


def test_a_cache_with_something_else_in_it(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PRUNEC_CACHE", str(tmp_path))
    (tmp_path / "rules").mkdir()
    pipe(tmp_path / "rules" / "x")
    cache.write("rules", "x", b"data")
    assert cache.read("rules", "x", 100) is None  # and does not wait for somebody to write
    assert stat.S_ISFIFO(os.lstat(tmp_path / "rules" / "x").st_mode)


# --- commands ---------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: Any) -> Path:
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path)
    np.savez(tmp_path / "d.npz", data=np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype("f"))
    (tmp_path / "doc.prune").write_text("op  A { d[*x] -> o[*x] }\n")
    return tmp_path


COMMANDS = (
    ("plan", "net-symbol.json", "--out", "it", "--force"),
    ("plan", "net-symbol.json", "--out", "it"),
    ("sensitivity", "net-symbol.json", "--data", "d.npz", "--out", "it", "--force"),
    ("sensitivity", "net-symbol.json", "--data", "d.npz", "--out", "it"),
    ("sensitivity", "net-symbol.json", "--data", "d.npz", "--plot", "it.svg"),
    ("compile", "net-symbol.json", "--out", "it", "--force"),
    ("compensate", "net-symbol.json", "--plan", "p.json", "--out", "it", "--force"),
)


@pytest.mark.parametrize("make", [pipe, device])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_leaves_what_is_no_file(here: Path, capsys: Any, make: Any, command: Any) -> None:
    run(capsys, "plan", "net-symbol.json", "--out", "p.json")
    make(here / "it")
    make(here / "it.svg")
    before = [os.lstat(here / name) for name in ("it", "it.svg")]
    code, _, err = run(capsys, *command)
    assert code == 1 and err.startswith(("error[P515]", "error[P510]: the output folder is a file")), err
    after = [os.lstat(here / name) for name in ("it", "it.svg")]
    assert [(s.st_ino, s.st_mode) for s in before] == [(s.st_ino, s.st_mode) for s in after]


@pytest.mark.parametrize("name", ["report.html", "plan.json", "net-0000.params"])
@pytest.mark.parametrize("make", [pipe, device, nowhere])
def test_a_folder_with_something_else_in_it(here: Path, capsys: Any, name: str, make: Any) -> None:
    (here / "out").mkdir()
    make(here / "out" / name)
    code, _, err = run(capsys, "compile", "net-symbol.json", "--out", "out", "--force", "--report")
    assert code == 1 and err.startswith("error[P515]: the output is no file\n  --> out/")
    assert os.listdir(here / "out") == [name]


def test_the_folder_that_one_is_in(here: Path, capsys: Any, monkeypatch: Any) -> None:
    (here / "out").mkdir(mode=0o750)
    inode = os.stat(here / "out").st_ino
    monkeypatch.chdir(here / "out")
    assert run(capsys, "compile", "../net-symbol.json", "--out", ".")[0] == 0
    assert sorted(os.listdir(here / "out")) == FILES and os.stat(".").st_ino == inode


def test_nothing_of_an_earlier_run_stays_beside_a_new_model(here: Path, capsys: Any) -> None:
    plain = ("compile", "net-symbol.json", "--out", "out", "--force")
    (here / "out").mkdir()
    (here / "out" / "report.html").write_text("mine: no run wrote here yet")
    assert run(capsys, *plain)[0] == 0
    assert (here / "out" / "report.html").exists()
    (here / "out" / "notes.txt").write_text("mine")
    assert run(capsys, *plain, "--report", "--compensate", "--input", "data=1,3,8,8")[0] in (0, 1)
    (here / "out" / "compensated.params").write_bytes(b"of an earlier run")
    (here / "out" / "compensation.json").write_bytes(b"of an earlier run")
    (here / "net-0000.params").rename(here / "elsewhere.params")
    assert run(capsys, *plain)[0] == 0
    written_now = {*FILES, "notes.txt"} - {"net-0000.params"}
    assert set(os.listdir(here / "out")) == written_now
    # What was read stays, whatever it is called.
    (here / "elsewhere.params").rename(here / "out" / "compensated.params")
    before = bytes_of(here / "out")["compensated.params"]
    assert run(capsys, *plain, "--params", "out/compensated.params", "--compensate")[0] in (0, 1)
    assert run(capsys, *plain, "--params", "out/compensated.params")[0] in (0, 1)
    assert bytes_of(here / "out")["compensated.params"] == before
