"""A process of its own for a framework, which can crash on what no check of its own refuses."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Callable, Optional

from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.support.lifetime import end_with

#: Tells a listener what is about to be run.
Notice = Callable[[str, str], None]

#: A case that takes longer than this, in seconds, is given up.
_PATIENCE = 60.0
#: The last line of a traceback, in what an operator written in Python says before the process ends.
_PYTHON_ERROR = re.compile(rb"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit)\b[^\n]*", re.MULTILINE)
#: So much of what a process says last is looked at, in bytes.
_LAST_WORDS = 1 << 14


@dataclass(frozen=True)
class Crash:
    """The process ended, or did not answer, while it tried ``operator``; ``words`` describe the case."""

    operator: str
    words: str
    reason: str


class Worker:
    """Runs tasks in another process, which is started when it is needed and again after a crash.

    ``prepare`` is called there once with ``arguments``; it gives the function that does a task.
    ``framework`` is what messages call what runs there.
    """

    def __init__(
        self,
        framework: str,
        prepare: Callable[..., Callable[[Any, Notice], Any]],
        arguments: tuple[Any, ...],
    ) -> None:
        self.framework = framework
        self._prepare, self._arguments = prepare, arguments
        self._process: Optional[multiprocessing.process.BaseProcess] = None
        self._connection: Optional[Connection] = None
        # A framework writes warnings of its own, and crash reports; only the cause of a crash is of interest.
        self._said = tempfile.NamedTemporaryFile(prefix="prunec-")  # noqa: SIM115 (closed in __exit__)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()
        self._said.close()

    def run(self, task: Any) -> Any:
        """The result of a task, or a :class:`Crash`.  Raises the ``PrunecError`` that the task raised."""
        if self._process is None:
            self._start()
        assert self._connection is not None
        operator = words = ""
        try:
            self._connection.send(task)
            while self._connection.poll(_PATIENCE):
                kind, first, second = self._connection.recv()
                if kind == "at":
                    operator, words = first, second
                elif kind == "refused":
                    self._stop()
                    raise PrunecError(*first)
                else:
                    return first
            reason = f"{self.framework} does not come back within {_PATIENCE:.0f} seconds"
        except (EOFError, OSError):
            code = None
            if self._process is not None:
                self._process.join(5)
                code = self._process.exitcode
            reason = f"{self.framework} crashes (exit code {code}){self.cause(': ')}"
        self._stop()
        return Crash(operator, words, reason)

    def _start(self) -> None:
        # A fresh interpreter: a framework's threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._prepare, self._arguments, self._said.name), daemon=True
        )
        self._process.start()
        theirs.close()

    def cause(self, before: str = "") -> str:
        """The last error of Python code in the task at hand, behind ``before``; empty without one."""
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(size - _LAST_WORDS, 0))
        errors = _PYTHON_ERROR.findall(self._said.read())
        return f"{before}{errors[-1].decode('utf-8', 'replace')[:300]}" if errors else ""

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


def _serve(
    connection: Connection, prepare: Callable[..., Any], arguments: tuple[Any, ...], said: str
) -> None:
    end_with(os.getppid())
    words = os.open(said, os.O_WRONLY | os.O_APPEND)
    os.dup2(words, 1)
    os.dup2(words, 2)
    sys.stdout = sys.stderr  # which is not kept back

    def notice(operator: str, words: str) -> None:
        connection.send(("at", operator, words))

    task_of: Optional[Callable[[Any, Notice], Any]] = None
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            os.ftruncate(words, 0)
            if task_of is None:
                task_of = prepare(*arguments)
            connection.send(("done", task_of(task, notice), None))
        except PrunecError as error:
            connection.send(("refused", error.diagnostics, None))
        except Exception as error:  # told in the parent, which has the user's terminal
            problem = Diagnostic(
                "P712",
                "the proof of a rule failed",
                notes=(f"{type(error).__name__}: {error}",),
                help="this is a fault of prunec; please report it with the rule",
            )
            connection.send(("refused", (problem,), None))
