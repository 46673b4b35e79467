"""Work on files from strangers that can end its process: it gets a process of its own.

Where the system is Linux the process is forked, which takes milliseconds; elsewhere Python is started anew.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from typing import BinaryIO, Callable

from prunec.support.lifetime import end_after, end_with

#: What the work reads, and where it writes to.
Work = Callable[[bytes, BinaryIO], None]

_FORKS = sys.platform.startswith("linux")


def written_by(
    work: Work, module: str, data: bytes, seconds: float, memory: int, silence: float = 0.0
) -> bytes:
    """What ``work`` writes when it is given ``data``: all of it, or what was written when the process ended,
    by a fault of its own or because ``seconds`` had passed, or ``silence`` seconds in which it wrote nothing
    (where that is given, and processes are forked).

    ``python -m module`` must do the same work from the standard input to the standard output, and end by
    itself after as many seconds.  ``memory`` is how many bytes the work may take, where the system can limit
    them (Linux).  The process does not outlive this one, however that ends.
    """
    if _FORKS:
        return _by_fork(work, data, seconds, memory, silence or seconds)
    return by_command([sys.executable, "-m", module], data, seconds)


def by_command(command: list[str], data: bytes, seconds: float) -> bytes:
    """What a command writes to its standard output."""
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
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = held + memory if most == resource.RLIM_INFINITY else min(held + memory, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
