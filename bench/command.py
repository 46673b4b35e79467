"""The command line of prunec, run as a user does: one process each, on one core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.networks import ROOT

#: One core for each process.
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
#: The most of a message that is kept, from its end.
_MOST_CHARACTERS = 2000


def prunec(arguments: Sequence[str], timeout: float) -> dict[str, Any]:
    """How the command ended, the document that it printed, and what it said where it failed."""
    start = time.monotonic()
    command = [sys.executable, "-m", "prunec", *arguments]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **_QUIET}, capture_output=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return {
            "exit": None,
            "seconds": timeout,
            "message": f"not done after {timeout:.0f} s",
            "document": None,
        }
    text, said = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        document = None
    failed = document is None or "Traceback" in said
    return {
        "exit": done.returncode,
        "seconds": round(time.monotonic() - start, 1),
        "message": said.strip()[-_MOST_CHARACTERS:] if failed else "",
        "document": document,
    }
