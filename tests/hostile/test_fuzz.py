"""The fuzzer: it sees each of the faults it looks for, and finds none in a short run."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable, Sequence

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="commands are forked")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from frontends.pytorch.archives import NEWEST  # noqa: E402

from bench import fuzz, fuzz_good, fuzz_inputs  # noqa: E402

CASE = fuzz_inputs.Case("planted", {"in": b"input"}, ("command",), frozenset(("out",)))


def says(text: str) -> Callable[[Sequence[str]], int]:
    def run(command: Sequence[str]) -> int:
        print(text)
        return 1

    return run


def raising(command: Sequence[str]) -> int:
    raise ValueError("planted")


def hanging(command: Sequence[str]) -> int:
    time.sleep(60)
    return 0


def endless(command: Sequence[str]) -> int:
    while True:
        pass


def crashing(command: Sequence[str]) -> int:
    os.abort()


def silent(command: Sequence[str]) -> int:
    return 1


def elsewhere(path: str) -> Callable[[Sequence[str]], int]:
    def run(command: Sequence[str]) -> int:
        Path(path).write_bytes(b"planted")
        return 0

    return run


def removing(command: Sequence[str]) -> int:
    Path("in").unlink()
    return 0


def hungry(command: Sequence[str]) -> int:
    print(len(bytearray(64 << 30)))
    return 0


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        (raising, "Traceback (most recent call last)"),
        (hungry, "Traceback (most recent call last)"),
        (hanging, "a hang"),
        (endless, "a hang"),
        (crashing, "the exit status -6"),
        (silent, "no word of what is wrong"),
        (lambda command: 7, "the exit status 7"),
        (says("error[P999]: planted"), "P999"),
        (says("\x1b[31m"), "characters that steer a terminal: ['\\x1b']"),
        (says("\u202e"), "characters that steer a terminal: ['\\u202e']"),
        (elsewhere("other"), "'here/other' was touched"),
        (elsewhere("in"), "'here/in' was touched"),
        (elsewhere("../canary/file"), "'canary/file' was touched"),
        (elsewhere("../canary/more"), "'canary/more' was touched"),
        (removing, "'here/in' was touched"),
    ],
)
def test_planted_faults_are_seen(tmp_path: Path, run: Any, fault: str) -> None:
    result = fuzz.judge(CASE, tmp_path / "folder", run, seconds=1)
    assert any(fault in found for found in result.faults), result


@pytest.mark.parametrize("run", [says("error[P301]: fine"), elsewhere("out"), lambda command: 2])
def test_what_is_no_fault(tmp_path: Path, run: Any) -> None:
    assert fuzz.judge(CASE, tmp_path / "folder", run, seconds=10).faults == ()


def test_a_failure_is_kept_with_all_it_takes(tmp_path: Path) -> None:
    result = fuzz.judge(CASE, tmp_path / "folder", raising, seconds=10)
    fuzz.keep(tmp_path / "kept", CASE, result)
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"in", "case.json", "printed.txt"}
    assert "ValueError: planted" in (tmp_path / "kept" / "printed.txt").read_text()


def test_a_short_run_fails_nowhere_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: Any) -> None:
    """In a process of its own: this one has threads, and has imported what must not be forked."""
    import subprocess

    command = [
        sys.executable,
        str(ROOT / "bench" / "fuzz.py"),
        "--seed",
        "1",
        "--failures",
        str(tmp_path / "f"),
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    for count in ("100", "1500"):
        # On a slow machine not all of them are tried.
        done = subprocess.run(
            [*command, "--count", count, "--minutes", "0.8"], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert " inputs (seed 1, from " in done.stdout and ", 0 failed" in done.stdout
    assert "(seed 1, from 100 on)" in done.stdout
    assert json.loads((tmp_path / "f" / "progress-1.json").read_text())["next"] > 100
    assert all(f" {kind} " in f" {done.stdout} " for kind in ("symbol", "rules", "flags", "plan"))


def test_a_number_is_the_same_case_each_time() -> None:
    good = fuzz_good.Good(
        [b'{"nodes": [{"op": "null", "name": "a", "inputs": []}]}'],
        b"x" * 99,
        [],
        [NEWEST.read_bytes()],
        {},
        [],
    )
    good = fuzz_good.Good(
        good.symbols,
        good.parameters,
        [],
        good.programs,
        {"net-symbol.json": b"{}"},
        [b"a,b\n"],
        ["op A { d[x] -> o[x] }"],
        ["A"],
    )
    made = [fuzz_inputs.case(good, 5, number) for number in range(200)]
    assert made == [fuzz_inputs.case(good, 5, number) for number in range(200)]
    assert len({case.kind for case in made}) == 9
