"""PyTorch itself, imported where a program is run and nowhere else."""

from __future__ import annotations

import os
from typing import Any

from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.importing import imported

#: Read by the libraries that PyTorch computes with when they are loaded, and here where they were before.
_THREADS = "OMP_NUM_THREADS"


def torch_package() -> Any:
    """PyTorch, in as many threads as the environment allows numerical libraries (``OMP_NUM_THREADS``).

    Raises PrunecError P700 where it cannot be imported.
    """
    purpose = "exported programs are run in it; importing it gave"
    help_text = "pip install torch"
    torch = imported("torch", "P700", "PyTorch is not installed", purpose, help_text)
    threads = os.environ.get(_THREADS, "")
    if threads.isascii() and threads.isdigit() and int(threads) not in (0, torch.get_num_threads()):
        torch.set_num_threads(int(threads))
    return torch


def refused(
    error: BaseException, where: str, headline: str = "PyTorch cannot run the program"
) -> PrunecError:
    """P701 with what PyTorch said."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else f"{type(error).__name__}, without a reason"
    return PrunecError(
        Diagnostic(
            "P701",
            headline,
            printable(where, 200),
            notes=(printable(said, 500),),
            help="check that the inputs belong to the program, and have sizes that it can work on",
        )
    )
