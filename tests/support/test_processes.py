"""What ends a process, or never ends, does so in a process of its own, which ends with the one that started
it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator

import numpy as np
import pytest

from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.support.processes import Child, Crash, by_command, written_by
from prunec.support.workers import spread

GIGABYTE = 1 << 30
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs what Linux offers")


# --- one piece of work ---


def doubled(data: bytes, out: BinaryIO) -> None:
    out.write(data * 2)


def crashing(data: bytes, out: BinaryIO) -> None:
    out.write(data)
    out.flush()
    os.kill(os.getpid(), signal.SIGSEGV)


def raising(data: bytes, out: BinaryIO) -> None:
    out.write(data)
    raise ValueError("the screen shows nothing of this")


def endless(data: bytes, out: BinaryIO) -> None:
    out.write(data)
    out.flush()
    time.sleep(1000)


def hungry(data: bytes, out: BinaryIO) -> None:
    out.write(data)
    out.flush()
    held = [np.ones(GIGABYTE // 8) for _ in range(64)]
    out.write(b"%d" % len(held))


@linux_only
@pytest.mark.parametrize("work", [crashing, raising, endless, hungry])
def test_what_was_written_before_the_end_is_known(
    work: Callable[[bytes, BinaryIO], None], capfd: Any
) -> None:
    assert written_by(work, "", b"so far", 2.0 if work is endless else 60.0, GIGABYTE) == b"so far"
    assert capfd.readouterr() == ("", "")


@linux_only
def test_silence_ends_the_work() -> None:
    start = time.monotonic()
    assert written_by(endless, "", b"so far", 60.0, GIGABYTE, silence=0.5) == b"so far"
    assert time.monotonic() - start < 30


@linux_only
def test_more_than_a_pipe_holds() -> None:
    data = bytes(range(256)) * 5000
    assert written_by(doubled, "", data, 60.0, GIGABYTE) == data * 2


def test_a_command_ends_by_itself() -> None:
    program = "from prunec.support.processes import end_after; end_after(0.5); pow(3, 10**9)"
    start = time.monotonic()
    assert by_command([sys.executable, "-c", program], b"", 60.0) == b""
    assert time.monotonic() - start < 30


def test_commands_do_the_same() -> None:
    read = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data * 2); sys.stdout.flush()"
    assert by_command([sys.executable, "-c", read], b"abc", 60.0) == b"abcabc"
    assert by_command([sys.executable, "-c", f"{read}; import os; os.abort()"], b"abc", 60.0) == b"abcabc"
    slow = f"{read}; import time; time.sleep(1000)"
    assert by_command([sys.executable, "-c", slow], b"abc", 3.0) == b"abcabc"
    assert by_command(["no-such-command-here"], b"abc", 60.0) == b""


# --- many tasks ---


def prepared(offset: int) -> Callable[[Any, Callable[[Any], None]], Any]:
    state: list[Any] = []

    def do(task: Any, say: Callable[[Any], None]) -> Any:
        state.append(task)
        say(f"task {len(state)}")
        if task == "print":
            print("printed")
            subprocess.run([sys.executable, "-c", "print('by another')"])
        elif task == "crash":
            os._exit(3)
        elif task == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif task == "sleep":
            time.sleep(1000)
        elif task == "refuse":
            raise PrunecError(Diagnostic("P404", "no"))
        elif task == "fail":
            raise KeyError("what")
        elif task == "number":
            return os.getpid()
        return offset, task

    return do


@pytest.fixture()
def child() -> Iterator[Child]:
    child = Child(prepared, (7,))
    yield child
    child.stop()


def test_a_child_sets_itself_up_once_and_says_what_it_does(child: Child) -> None:
    heard: list[Any] = []
    for task in ("a", b"b" * 5_000_000):
        child.give(task)
        assert child.answer(60.0, heard.append) == (7, task)
    assert heard == ["task 1", "task 2"]
    assert child._process.is_alive()


def test_what_a_task_raises_comes_back_and_the_child_goes_on(child: Child) -> None:
    child.give("refuse")
    with pytest.raises(PrunecError) as caught:
        child.answer()
    assert caught.value.diagnostics == (Diagnostic("P404", "no"),)
    child.give("fail")
    with pytest.raises(RuntimeError, match="^KeyError: 'what'$"):
        child.answer()
    child.give("a")
    assert child.answer() == (7, "a")


@pytest.mark.parametrize(("task", "code"), [("crash", 3), ("kill", -9), ("sleep", None)])
def test_the_end_of_a_child_is_a_result(child: Child, task: str, code: Any) -> None:
    heard: list[Any] = []
    child.give("a")
    child.answer()
    child.give(task)
    assert child.answer(3.0 if task == "sleep" else 60.0, heard.append) == Crash(code)
    assert heard == ["task 2"]
    if task != "sleep":
        child.give("a")
        assert child.answer() == Crash(code)


def test_an_end_before_a_task_is_a_result(child: Child) -> None:
    child._process.kill()
    child._process.join()
    child.give("a" * 5_000_000)
    assert child.answer() == Crash(-9)


def test_what_a_child_prints_in_the_task_at_hand_is_in_a_file(tmp_path: Path, capfd: Any) -> None:
    output = tmp_path / "output"
    output.write_text("")
    child = Child(prepared, (7,), str(output))
    try:
        for text in ("printed\nby another\n", "printed\nby another\n"):
            child.give("print")
            child.answer()
            assert output.read_text() == text
        child.give("a")
        child.answer()
        assert output.read_text() == ""
    finally:
        child.stop()
    assert capfd.readouterr() == ("", "")


# --- work spread over children ---


def squares() -> Callable[[int], tuple[int, int]]:
    return square


def square(number: int) -> tuple[int, int]:
    if number < 0:
        os._exit(1)
    if number > 99:
        raise PrunecError(Diagnostic("P404", "too large"))
    return number * number, os.getpid()


def test_every_task_is_done_once() -> None:
    found = dict(spread(squares, range(7), 2))
    assert {number: value for number, (value, _) in found.items()} == {n: n * n for n in range(7)}
    assert len({process for _, process in found.values()}) == 2
    assert list(spread(squares, [], 2)) == []


@pytest.mark.parametrize(("task", "code"), [(-1, "P544"), (100, "P404")])
def test_what_ends_a_process_or_its_work_ends_all(task: int, code: str) -> None:
    done = []
    with pytest.raises(PrunecError) as caught:
        for number, (_, process) in spread(squares, [1, 2, task, 3], 2):
            done.append((number, process))
    assert caught.value.diagnostics[0].code == code
    assert all(not os.path.exists(f"/proc/{process}") for _, process in done)


# --- a parent that is killed ---


FORKED = """
from prunec.support.processes import written_by
written_by(lambda data, out: endless(None, None), "", b"", 1000.0, 1 << 30)
"""
SPAWNED = """
from prunec.support.processes import Child
if __name__ == "__main__":
    child = Child(prepared, ())
    child.give("task")
    child.answer()
"""


@linux_only
@pytest.mark.parametrize("start", [FORKED, SPAWNED], ids=["forked", "spawned"])
@pytest.mark.parametrize("busy", ["time.sleep(1000)", "pow(3, 10**9)"])
def test_a_process_ends_with_a_parent_that_is_killed(tmp_path: Path, start: str, busy: str) -> None:
    """Sleeping, and in the middle of a computation that never comes back to Python."""
    (tmp_path / "program.py").write_text(f"""
import os, time
from pathlib import Path
def endless(task, say):
    Path({str(tmp_path / "number")!r}).write_text(str(os.getpid()))
    {busy}
def prepared():
    return endless
{start}
""")
    parent = subprocess.Popen([sys.executable, str(tmp_path / "program.py")])
    child = until(lambda: (tmp_path / "number").read_text() if (tmp_path / "number").exists() else "")
    time.sleep(0.2)
    assert os.path.exists(f"/proc/{child}")
    parent.kill()
    parent.wait()
    until(lambda: not os.path.exists(f"/proc/{child}") or "(zombie)" in state(child))


def until(found: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What a function gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("nothing came of it")


def state(number: str) -> str:
    try:
        return Path(f"/proc/{number}/status").read_text()
    except OSError:
        return "(zombie)"
