"""A process of its own for a framework, which can crash on what no check of its own refuses."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from typing import Any, Callable, Optional

from prunec.support import processes
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.support.processes import Child

#: Tells a listener what is about to be run.
Notice = Callable[[str, str], None]

#: A case that takes longer than this, in seconds, is given up.
_PATIENCE = 60.0
#: The last line of a traceback, in what an operator written in Python says before the process ends.
_PYTHON_ERROR = re.compile(rb"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit)\b[^\n]*", re.MULTILINE)
#: So much of what a process says last is looked at, in bytes.
_LAST_WORDS = 1 << 14


@dataclass(frozen=True)
class TrialCrash:
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
        self._arguments = (prepare, *arguments)
        self._child: Optional[Child] = None
        # A framework writes warnings of its own, and crash reports; only the cause of a crash is of interest.
        self._output = tempfile.NamedTemporaryFile(prefix="prunec-")  # noqa: SIM115 (closed in __exit__)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()
        self._output.close()

    def run(self, task: Any) -> Any:
        """The result of a task, or a :class:`TrialCrash`.  Raises the ``PrunecError`` that the task raised,
        and P712 for any other error."""
        if self._child is None:
            self._child = Child(_prepare, self._arguments, self._output.name)
        tried = [("", "")]
        try:
            self._child.give(task)
            found = self._child.answer(_PATIENCE, tried.append)
        except PrunecError:
            self._stop()
            raise
        except RuntimeError as error:
            self._stop()
            raise PrunecError(_failed(str(error))) from None
        if not isinstance(found, processes.Crash):
            return found
        self._stop()
        if found.exit_code is None:
            reason = f"{self.framework} does not come back within {_PATIENCE:.0f} seconds"
        else:
            reason = f"{self.framework} crashes (exit code {found.exit_code}){self.cause(': ')}"
        return TrialCrash(*tried[-1], reason)

    def cause(self, before: str = "") -> str:
        """The last error of Python code in the task at hand, behind ``before``; empty without one."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(size - _LAST_WORDS, 0))
        errors = _PYTHON_ERROR.findall(self._output.read())
        return f"{before}{errors[-1].decode('utf-8', 'replace')[:300]}" if errors else ""

    def _stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        self._child = None


def _prepare(prepare: Callable[..., Callable[[Any, Notice], Any]], *arguments: Any) -> processes.Task:
    do = prepare(*arguments)
    return lambda task, say: do(task, lambda operator, words: say((operator, words)))


def _failed(note: str) -> Diagnostic:
    return Diagnostic(
        "P712",
        "the proof of a rule failed",
        notes=(note,),
        help="this is a fault of prunec; please report it with the rule",
    )
