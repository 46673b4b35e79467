"""What a command costs: a process of its own, measured by another that is small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Mapping, Sequence

from bench.networks import ROOT

#: A child's peak counts the memory of the process it was forked from: that must be a small one.
_MEASURED = """
import json, os, subprocess, sys, time
start = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
elapsed = time.monotonic() - start
print(json.dumps([status, usage.ru_utime + usage.ru_stime, elapsed, usage.ru_maxrss * 1024]))
"""


@dataclass(frozen=True)
class Run:
    """CPU and wall time in seconds, and the peak memory in bytes."""

    cpu: float
    elapsed: float
    peak: int


def child(command: Sequence[str], environment: Mapping[str, str] = {}) -> Run:
    """Runs a command with variables added to the environment.  Ends the program where it fails."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, **environment},
    )
    status, cpu, elapsed, peak = json.loads(done.stdout)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return Run(cpu, elapsed, peak)
