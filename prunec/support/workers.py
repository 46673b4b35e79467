"""Work spread over processes: each sets itself up once and is then given one task at a time.

Processes are started afresh, not forked, so that a framework may be in use here or there.  Each of them
computes in one thread: sums are then taken in one order, whatever the number of processes.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import Any, Callable, Generator, Iterable, Iterator, Optional, Protocol, TypeVar

from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.support.environment import environment
from prunec.support.lifetime import end_with

Task = TypeVar("Task")
Found = TypeVar("Found")
Task_contra = TypeVar("Task_contra", contravariant=True)
Found_co = TypeVar("Found_co", covariant=True)

#: Read by the libraries of numpy and of frameworks when they are loaded.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: How many seconds a process has to end before it is killed.
_PATIENCE = 5.0


class Work(Protocol[Task_contra, Found_co]):
    """What processes do; it is sent to them, as tasks and what they find are."""

    def open(self) -> Callable[[Task_contra], Found_co]:
        """Sets up a process and gives the function that does a task."""


def processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def spread(
    work: Work[Task, Found], tasks: Iterable[Task], jobs: int
) -> Generator[tuple[int, Found], None, None]:
    """The number of each task with what was found, in the order in which tasks are done.

    At most ``jobs`` processes run at a time; a task is made when a process is free for it.  No process
    outlives the iteration, however it ends, nor this process.  Raises PrunecError as the work does, and P544
    where a process dies.
    """
    waiting = enumerate(tasks)
    first = list(islice(waiting, jobs))
    workers = _Workers(len(first))
    try:
        for pipe, task in zip(workers.pipes, first):
            pipe.send(work)
            pipe.send(task)
        busy = list(workers.pipes)
        while busy:
            ready: list[Any] = list(wait(busy))
            for pipe in ready:
                yield workers.answer(pipe)
                following = next(waiting, None)
                if following is None:
                    busy.remove(pipe)
                else:
                    pipe.send(following)
    except BrokenPipeError:
        raise PrunecError(_died()) from None
    finally:
        workers.stop()


class _Workers:
    """Processes and the pipes to them."""

    def __init__(self, count: int) -> None:
        context = get_context("spawn")
        # The class of a pipe's end is another on each system.
        self.pipes: list[Any] = []
        self.processes = []
        with _inherited():
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                self.pipes.append(ours)
                self.processes.append(process)

    def answer(self, pipe: Any) -> Any:
        """What a process found.  Raises what it raised, PrunecError P544 where it is gone."""
        try:
            found, error = pipe.recv()
        except (EOFError, ConnectionResetError):
            raise PrunecError(_died()) from None
        if isinstance(error, tuple):
            raise PrunecError(*error)
        if error is not None:
            raise RuntimeError(error)
        return found

    def stop(self) -> None:
        """Ends all processes, in the middle of whatever they do."""
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()


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


def _serve(pipe: Any) -> None:
    """What a process does: it answers tasks until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(os.getppid())
    do: Optional[Callable[[Any], Any]] = None
    try:
        work = pipe.recv()
        while True:
            number, task = pipe.recv()
            try:
                do = work.open() if do is None else do
                answer: Any = ((number, do(task)), None)
            except PrunecError as error:
                answer = (None, error.diagnostics)
            except Exception as error:
                answer = (None, f"{type(error).__name__}: {error}")
            pipe.send(answer)
    except (EOFError, OSError):
        pass  # whoever gave the tasks is gone, or wants no more


def _died() -> Diagnostic:
    return Diagnostic(
        "P544",
        "a process that measures was ended from outside",
        notes=("the memory of the machine may not be enough for as many at a time",),
        help="run again with fewer --jobs; what was measured is kept",
    )
