"""Processes that work for this one: they end with it, even where it is killed, and what ends one of them,
or never ends in it, is a result and no end of the run.

Two forms.  :func:`written_by` does one piece of work on a file from a stranger, bounded in time and memory;
on Linux the process is forked, which takes milliseconds.  Its answer is bytes, and never unpickled: it may be
the stranger's.  A :class:`Child` is a fresh interpreter that sets itself up once, as a framework does whose
threads do not survive a fork, and is then given one task at a time.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Optional

from prunec.support.diagnostics import PrunecError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: What work on a file reads, and where it writes to.
Work = Callable[[bytes, BinaryIO], None]
#: Hears what a task says while it is done.
Listener = Callable[[Any], None]
#: Does a task, and may say something meanwhile.
Task = Callable[[Any, Listener], Any]

_FORKS = sys.platform.startswith("linux")
#: The number of the call of Linux that says which signal the end of the parent sends.
_PR_SET_PDEATHSIG = 1
_STDOUT, _STDERR = 1, 2
#: How many seconds a process that closed its pipe has to end before it is killed.
_PATIENCE = 5.0


# --- the bounds of a process, set by itself ----------------------------------------------------


def end_with(parent: int) -> None:
    """Ends this process when its parent, whose number is given, has ended, killed or not (on Linux).

    The system does it: code of a library that never comes back to Python ends too.  It takes the thread that
    started a process for its parent: that thread must not end before.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def end_after(seconds: float) -> None:
    """Ends this process after some seconds, whatever it does then, and whether or not its parent is there."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)


# --- one piece of work -------------------------------------------------------------------------


def written_by(
    work: Work, module: str, data: bytes, seconds: float, memory: int, silence: float = 0.0
) -> bytes:
    """What ``work`` writes when it is given ``data``: all of it, or what was written when the process ended,
    by a fault of its own or because ``seconds`` had passed, or ``silence`` seconds in which it wrote nothing
    (where that is given, and processes are forked).

    ``python -m module`` must do the same work from the standard input to the standard output, and end by
    itself after as many seconds: where nothing is forked, Python is started anew.  ``memory`` is how many
    bytes the work may take, where the system can limit them (Linux).
    """
    if _FORKS:
        return _by_fork(work, data, seconds, memory, silence or seconds)
    return by_command([sys.executable, "-m", module], data, seconds)


def by_command(command: list[str], data: bytes, seconds: float) -> bytes:
    """What a command writes to its standard output."""
    import subprocess

    try:
        done = subprocess.run(
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds
        )
    except subprocess.TimeoutExpired as late:
        return late.output or b""
    except OSError:  # there is no Python to start, as in a packed application
        return b""
    return done.stdout


def _by_fork(work: Work, data: bytes, seconds: float, memory: int, silence: float) -> bytes:
    reading, writing = os.pipe()
    parent = os.getpid()
    with warnings.catch_warnings():
        # Threads of numpy are no harm: the work runs code of one library that has none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            os.close(reading)
            _restrict(memory)
            end_with(parent)
            end_after(seconds)
            with os.fdopen(writing, "wb") as pipe:
                work(data, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        return _read(reading, time.monotonic() + seconds, silence)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _read(pipe: int, deadline: float, silence: float) -> bytes:
    """All that comes out of a pipe up to its end, the deadline, or a time in which nothing comes."""
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([pipe], [], [], min(silence, max(0.0, deadline - time.monotonic())))
        part = os.read(pipe, 1 << 16) if ready else b""
        if not part:
            return b"".join(parts)
        parts.append(part)


def _restrict(memory: int) -> None:
    """Nothing on the screen, no core file, no signal handlers of the parent, and so much memory more."""
    import resource

    faulthandler.disable()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, _STDOUT, _STDERR):
        os.dup2(nowhere, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = held + memory if most == resource.RLIM_INFINITY else min(held + memory, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))


# --- many tasks --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Crash:
    """A process ended in the middle of a task, with this exit code, or was ended because it did not come back
    in time (``None``)."""

    exit_code: Optional[int]


class Child:
    """A process that is given one task at a time.

    ``prepare`` is called there with ``arguments`` when the first task comes; it gives what does a task.  All
    of them are sent, as tasks and results are.  ``output`` is the path of a file that takes what the process
    prints in the task at hand, in place of the screen.
    """

    def __init__(
        self, prepare: Callable[..., Task], arguments: tuple[Any, ...], output: Optional[str] = None
    ) -> None:
        from multiprocessing import get_context

        context = get_context("spawn")
        #: What :func:`multiprocessing.connection.wait` waits for; its class is another on each system.
        self.connection: Any
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, output, os.getpid()), daemon=True)
        self._process.start()
        theirs.close()
        self._unsent: list[Any] = [(prepare, arguments)]

    def give(self, task: Any) -> None:
        """Begins a task, for which there must be an :meth:`answer` before the next."""
        self._unsent.append(task)
        try:
            while self._unsent:
                self.connection.send(self._unsent.pop(0))
        except OSError:
            self._unsent.clear()  # the process is gone, as the answer will say

    def answer(self, seconds: Optional[float] = None, heard: Optional[Listener] = None) -> Any:
        """The result of the task, or a :class:`Crash`, behind which there are no more answers.

        ``seconds`` is how long the task may say nothing; ``heard`` is called with what it says.  Raises the
        PrunecError that the task raised, and RuntimeError for anything else.
        """
        try:
            while self.connection.poll(seconds):
                kind, content = self.connection.recv()
                if kind == "said":
                    if heard is not None:
                        heard(content)
                elif kind == "refused":
                    raise PrunecError(*content)
                elif kind == "failed":
                    raise RuntimeError(content)
                else:
                    return content
        except (EOFError, OSError):
            self._process.join(_PATIENCE)
            self._process.kill()
            self._process.join()
            return Crash(self._process.exitcode)
        return Crash(None)

    def stop(self) -> None:
        """Ends the process, in the middle of whatever it does."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, output: Optional[str], parent: int) -> None:
    """What a child does: it answers tasks until the other end of the pipe is closed."""
    end_with(parent)
    file = None if output is None else _redirected(output)

    def say(content: Any) -> None:
        connection.send(("said", content))

    do: Optional[Task] = None
    try:
        prepare, arguments = connection.recv()
        while True:
            task = connection.recv()
            if file is not None:
                os.ftruncate(file, 0)
            try:
                do = prepare(*arguments) if do is None else do
                answer: tuple[str, Any] = ("done", do(task, say))
            except PrunecError as error:
                answer = ("refused", error.diagnostics)
            except Exception as error:  # told in the parent, which has the user's terminal
                answer = ("failed", f"{type(error).__name__}: {error}")
            connection.send(answer)
    except (EOFError, OSError):
        pass  # whoever gave the tasks is gone, or wants no more


def _redirected(output: str) -> int:
    """Has all that this process prints written to a file."""
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, _STDOUT)
    os.dup2(file, _STDERR)
    sys.stdout = sys.stderr  # which is not kept back
    return file
