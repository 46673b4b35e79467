"""What ends the process of a framework, or never ends, is told, and the next task finds a new one."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Callable

import pytest

from prunec.proving import worker
from prunec.proving.worker import Notice, TrialCrash, Worker
from prunec.support.diagnostics import Diagnostic, PrunecError


def prepared(name: str) -> Callable[[Any, Notice], Any]:
    def do(task: Any, notice: Notice) -> Any:
        notice("an operator", "(a=1)")
        notice(name, "(a=2)")
        if task == "die":
            print("Traceback (most recent call last):", "MyError: of its own", sep="\n", file=sys.stderr)
            os._exit(3)
        elif task == "sleep":
            time.sleep(1000)
        elif task == "refuse":
            raise PrunecError(Diagnostic("P713", "no"))
        elif task == "fail":
            raise KeyError("what")
        return task, os.getpid()

    return do


def test_a_crash_names_what_was_tried_last_and_the_cause() -> None:
    with Worker("MXNet", prepared, ("another",)) as own:
        _, first = own.run("live")
        assert own.run("live") == ("live", first) and own.cause() == ""
        crash = own.run("die")
        assert crash == TrialCrash("another", "(a=2)", "MXNet crashes (exit code 3): MyError: of its own")
        _, second = own.run("live")
        assert second != first


def test_what_does_not_come_back_is_given_up(monkeypatch: Any) -> None:
    with Worker("MXNet", prepared, ("another",)) as own:
        own.run("live")
        monkeypatch.setattr(worker, "_PATIENCE", 3.0)
        crash = own.run("sleep")
        assert crash == TrialCrash("another", "(a=2)", "MXNet does not come back within 3 seconds")


@pytest.mark.parametrize(("task", "code"), [("refuse", "P713"), ("fail", "P712")])
def test_errors_are_raised_here(task: str, code: str) -> None:
    with Worker("MXNet", prepared, ("another",)) as own:
        _, first = own.run("live")
        with pytest.raises(PrunecError) as caught:
            own.run(task)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.code == code
        assert diagnostic.notes == ((KeyError.__name__ + ": 'what'",) if task == "fail" else ())
        assert own.run("live")[1] != first
