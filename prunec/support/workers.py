"""Work spread over processes: each sets itself up once and is then given one task at a time.

Each of them computes in one thread: sums are then taken in one order, whatever the number of processes.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import wait
from typing import Any, Callable, Generator, Iterable, Iterator, TypeVar

from prunec.support import processes
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.support.environment import environment
from prunec.support.processes import Child, Crash

Task = TypeVar("Task")
Found = TypeVar("Found")

#: Read by the libraries of numpy and of frameworks when they are loaded.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def spread(
    prepare: Callable[[], Callable[[Task], Found]], tasks: Iterable[Task], jobs: int
) -> Generator[tuple[int, Found], None, None]:
    """The number of each task with what was found, in the order in which tasks are done.

    ``prepare`` sets up a process and gives the function that does a task; it is sent there, as tasks and what
    they find are.
    At most ``jobs`` processes run at a time; a task is made when a process is free for it.  No process
    outlives the iteration, however it ends, nor this process.  Raises PrunecError as tasks do, and P544
    where a process dies.
    """
    waiting = enumerate(tasks)
    first = list(islice(waiting, jobs))
    children: list[Child] = []
    try:
        with _inherited():
            for _ in first:
                children.append(Child(_prepared, (prepare,)))
        doing: dict[Any, tuple[Child, int]] = {}
        for child, (number, task) in zip(children, first):
            child.give(task)
            doing[child.connection] = child, number
        while doing:
            for ready in wait(list(doing)):
                child, number = doing.pop(ready)
                found = child.answer()
                if isinstance(found, Crash):
                    raise PrunecError(_died())
                yield number, found
                following = next(waiting, None)
                if following is not None:
                    number, task = following
                    child.give(task)
                    doing[ready] = child, number
    finally:
        for child in children:
            child.stop()


def _prepared(prepare: Callable[[], Callable[[Any], Any]]) -> processes.Task:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    do = prepare()
    return lambda task, say: do(task)


@contextmanager
def _inherited() -> Iterator[None]:
    """What processes started meanwhile take over: one thread, and no ear for Ctrl-C, which is for this
    process to hear."""
    in_front = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_front else None
    try:
        with environment(_ONE_THREAD):
            yield
    finally:
        if in_front:
            signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)


def _died() -> Diagnostic:
    return Diagnostic(
        "P544",
        "a process that measures was ended from outside",
        notes=("the memory of the machine may not be enough for as many at a time",),
        help="run again with fewer --jobs; what was measured is kept",
    )
