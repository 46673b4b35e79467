"""Start-up and checking are quick: CPU time of whole processes, the least of three runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
resource = pytest.importorskip("resource", reason="needs the CPU times of child processes")

pytestmark = pytest.mark.slow


def seconds(*arguments: str) -> float:
    """CPU seconds of a Python process, user and system."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)


def allowed(limit: float) -> float:
    """Twice as much where other processes compete for the caches: then CPU seconds do less."""
    return limit * (2 if os.getloadavg()[0] > 0.7 * (os.cpu_count() or 1) else 1)


def test_help_takes_no_time() -> None:
    python = seconds("-c", "pass")
    assert seconds("-m", "prunec.cli.main", "--help") - python < allowed(0.15)


def test_checking_the_built_in_rules_takes_a_third_of_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRUNEC_CACHE", str(tmp_path))
    program = (
        "from prunec.authoring.rule_checks import check_sources, read_sources\n"
        "from prunec.authoring.registered_operators import registered_operators\n"
        "checked = check_sources(read_sources(['default']), registered=registered_operators)\n"
        "assert checked.rules and not checked.errors\n"
    )
    seconds("-c", program)  # the operators of an installed MXNet are read once, and rules that are new
    assert seconds("-c", program) < allowed(0.3)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom prunec.cli.main import main\ncode = main(['--help'])\n"
        "heavy = {'numpy', 'lark', 'rich', 'jinja2', 'mxnet'} & set(sys.modules)\n"
        "assert code == 0 and not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
