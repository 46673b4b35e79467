"""Processes that work for another one: they end with it, and they do not go on for ever."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys

#: The number of the call of Linux that says which signal the end of the parent sends.
_PR_SET_PDEATHSIG = 1
_STDERR = 2


def end_with(parent: int) -> None:
    """Ends this process when its parent, whose number is given, has ended, killed or not (on Linux).

    The system does it: code of a library that never comes back to Python ends too.
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
