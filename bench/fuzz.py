"""Hostile and careless inputs by the thousand: no traceback, no fault of prunec's, no hang, nothing touched.

    python bench/fuzz.py                          200,000 inputs, or as many as fit into --minutes
    python bench/fuzz.py --only 4711 --show       one of them again, with what it says

Every command runs in a process of its own, in a folder of its own, with bounded memory.  An input that fails
is kept in --failures with all it takes to run it again.  A run goes on where the last of its seed stopped.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import io
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence, TextIO

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from bench.fuzz_good import Good, good  # noqa: E402
from bench.fuzz_inputs import Case, case  # noqa: E402

#: What commands end with: done, at fault in three ways, not proved, interrupted, nobody reads.
STATUSES = frozenset((0, 1, 2, 3, 4, 130, 141))
SECONDS = 30
_MEMORY = 6 << 30
_CHUNK, _BATCH = 100, 25
#: What ends a command that takes too long, and how many times as long it may wait.
_LATE, _WAITING = (signal.SIGALRM, signal.SIGPROF), 4
_ESCAPED = "backslashreplace"
#: What runs a command line; gives the exit status.
Main = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Result:
    """How a command ended (below zero: the number of a signal), what it printed, and what is wrong."""

    status: int
    printed: str
    faults: tuple[str, ...]


def prunec_main(command: Sequence[str]) -> int:
    """Runs prunec in this process."""
    from prunec.cli.main import main

    return main(list(command))


def judge(own: Case, folder: Path, run: Main = prunec_main, seconds: int = SECONDS) -> Result:
    """Runs a case in a process and in ``folder``, made anew with a canary beside that of the command."""
    before = _laid_out(own, folder)
    child = os.fork()
    if not child:
        status = 99
        try:
            _restrict()
            status = _run_here(own, folder, run, seconds)
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    status = -os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else os.WEXITSTATUS(ended)
    return _result(own, folder, status, before)


def judge_many(cases: Sequence[Case], folder: Path, out: TextIO) -> None:
    """Runs cases one after the other in this process, which may not outlive one; writes a line for each."""
    _restrict()
    for own in cases:
        before = _laid_out(own, folder)
        status = _run_here(own, folder, prunec_main, SECONDS)
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        result = _result(own, folder, status, before)
        out.write(f"{result.status} {int(bool(result.faults))}\n")
        out.flush()


def _laid_out(own: Case, folder: Path) -> dict[str, str]:
    """Lays out the files of a case; gives the state of the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    here, canary = folder / "here", folder / "canary"
    here.mkdir(parents=True)
    canary.mkdir()
    (canary / "file").write_bytes(b"nobody touches this")
    for name, data in own.files.items():
        (here / name).write_bytes(data)
    (folder / "stdin").write_bytes(own.text.encode("utf-8", "replace"))
    return _state(folder)


def _result(own: Case, folder: Path, status: int, before: Mapping[str, str]) -> Result:
    printed = (folder / "printed").read_bytes().decode("utf-8", "replace")
    return Result(status, printed, tuple(_faults(own, status, printed, before, _state(folder))))


def _restrict() -> None:
    gc.disable()
    for number in _LATE:
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run_here(own: Case, folder: Path, run: Main, seconds: int) -> int:
    """Runs a command in this process, which ends if that takes so many seconds of a processor, or waits for
    several times as long: on a machine that does other things a slow command is none that hangs."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(_WAITING * seconds)
    _redirect(folder)
    os.chdir(folder / "here")
    status = 99
    try:
        status = run(own.command)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _redirect(folder: Path) -> None:
    printed = os.open(folder / "printed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    given = os.open(folder / "stdin", os.O_RDONLY)
    for source, number in ((given, 0), (printed, 1), (printed, 2)):
        os.dup2(source, number)
    os.close(printed)
    os.close(given)
    # As the command itself prepares its streams.
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115 (used to the end)
        for number, mode, errors in ((0, "r", "replace"), (1, "w", _ESCAPED), (2, "w", _ESCAPED))
    )


def _state(folder: Path) -> dict[str, str]:
    """What is where, with a digest of what it holds; not what the judge itself keeps there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in ("printed", "stdin"):
            kept = path.is_file() and not path.is_symlink()
            found[name] = (
                hashlib.sha256(path.read_bytes()).hexdigest() if kept else f"mode {path.lstat().st_mode}"
            )
    return found


def _faults(
    own: Case, status: int, printed: str, before: Mapping[str, str], after: Mapping[str, str]
) -> list[str]:
    faults = []
    if -status in _LATE:
        faults.append(f"a hang of {SECONDS} seconds")
    elif status not in STATUSES:
        faults.append(f"the exit status {status}")
    faults += [word for word in ("Traceback (most recent call last)", "P999") if word in printed]
    shown = {c for c in printed if not c.isprintable() and c not in "\n\t"}
    # What is formatted, and what a rule file says of itself, is printed as it is.
    if shown:
        faults.append(f"characters that steer a terminal: {sorted(shown)!a}")
    for name in sorted({*before, *after}):
        top = name.split("/")[1] if name.startswith("here/") else ""
        if before.get(name) != after.get(name) and top not in own.outputs:
            faults.append(f"{name!a} was touched")
    if status not in (0, 2) and not printed.strip():
        faults.append("no word of what is wrong")
    return faults


# --- many ------------------------------------------------------------------------------------


def made(folder: Path) -> Good:
    """The good files that all others are made of."""

    def planned(files: Mapping[str, bytes], command: Sequence[str]) -> bytes:
        result = judge(Case("plan", files, tuple(command), frozenset(("plan.json",))), folder)
        if result.status or result.faults:
            raise RuntimeError(f"{' '.join(command)}: {result}")
        return (folder / "here" / "plan.json").read_bytes()

    return good(planned)


@dataclass(frozen=True)
class Task:
    """Some numbers of cases for one process."""

    good: Good
    seed: int
    numbers: Sequence[int]
    failures: Path
    until: float


def work(task: Task) -> tuple[int, dict[str, int], list[str]]:
    """How many cases were tried, how many ended with which status, and what failed."""
    statuses: dict[str, int] = {}
    failed: list[str] = []
    folder = Path(tempfile.gettempdir()) / f"prunec-fuzz-{os.getpid()}"
    numbers = list(task.numbers)
    tried = 0
    try:
        while numbers and time.time() < task.until:
            batch = [(number, case(task.good, task.seed, number)) for number in numbers[:_BATCH]]
            found = _batch([own for _, own in batch], folder)
            # The one that ended the process is run again by itself, as is what seems to be at fault.
            if len(found) < len(batch):
                found.append((99, True))
            for (number, own), (status, fault) in zip(batch, found):
                result = judge(own, folder) if fault else Result(status, "", ())
                key = f"{own.kind} {result.status}"
                statuses[key] = statuses.get(key, 0) + 1
                if result.faults:
                    failed.append(f"{number} ({' '.join(own.command)}): {'; '.join(result.faults)}")
                    keep(task.failures / f"{task.seed}-{number}", own, result)
            tried += len(found)
            del numbers[: len(found)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return tried, statuses, failed


def _batch(cases: Sequence[Case], folder: Path) -> list[tuple[int, bool]]:
    """The exit status of each case and whether it is at fault, up to one that ended the process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as out:
                judge_many(cases, folder, out)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        found = [(int(status), fault == "1") for status, fault in map(str.split, lines)]
    os.waitpid(child, 0)
    return found


def keep(folder: Path, own: Case, result: Result) -> None:
    """Keeps a case that failed: its files, its command line, what was printed and what is wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in own.files.items():
        (folder / name).write_bytes(data)
    told = {"command": own.command, "status": result.status, "faults": result.faults, "stdin": own.text}
    (folder / "case.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    (folder / "printed.txt").write_text(result.printed, encoding="utf-8")


def prepare() -> None:
    """Imports what commands need once, and keeps what they write about themselves in a folder of its own."""
    os.environ["PRUNEC_CACHE"] = str(Path(tempfile.gettempdir()) / f"prunec-fuzz-cache-{os.getuid()}")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ["COLUMNS"] = "80"


#: Run once in this process, so that those forked from it have imported what commands need.
_WARMING = (
    ("groups", "net-symbol.json"),
    ("explain", "net-symbol.json", "--kept"),
    ("explain", "net-symbol.json", "conv1", "--format", "dot"),
    ("plan", "net-symbol.json", "--input", "data=1,3,8,8", "--force"),
    ("compile", "net-symbol.json", "--input", "data=1,3,8,8", "--report", "--json", "--force"),
    ("plan", "net-symbol.json", "--criterion", "activation", "--data", "absent.npz"),
    ("plan", "net-symbol.json", "--sensitivity", "absent.csv", "--criterion", "sensitivity"),
    ("diff", "net-symbol.json", "net-symbol.json", "--format", "markdown"),
    ("compile", "net.onnx", "--report", "--force"),
    ("compile", "net.pt2", "--report", "--force"),
    ("rules", "check", "my.prune", "--format", "json"),
    ("rules", "fmt", "my.prune"),
    ("rules", "list", "my.prune"),
    ("rules", "doc", "my.prune"),
)


def warm(files: Good, folder: Path) -> None:
    """Imports what commands need by running each of them once."""
    folder.mkdir()
    contents = {"net-symbol.json": files.symbols[0], "my.prune": b"op My {\n  d[*x] -> o[*x]\n}\n"}
    contents.update({"net.onnx": files.models[0]} if files.models else {}, **{"net.pt2": files.programs[-1]})
    # What frameworks say of their operators is kept in the cache: another process asks them.
    judge(Case("rules", contents, ("rules", "check", "my.prune")), folder / "first")
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    here = os.getcwd()
    os.chdir(folder)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            for command in _WARMING:
                prunec_main(command)
    finally:
        os.chdir(here)
    if "mxnet" in sys.modules:
        raise RuntimeError("MXNet has threads, which a forked process lacks")
    gc.collect()
    gc.freeze()


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs; the exit status is 1 where any input failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=200_000, help="how many inputs (default: 200000)")
    parser.add_argument("--first", type=int, help="the first number (default: where the last run stopped)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other inputs")
    parser.add_argument("--minutes", type=float, default=600, help="stop after so long (default: 600)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument(
        "--failures", type=Path, default=Path("fuzz-failures"), help="where failures are kept"
    )
    parser.add_argument("--only", type=int, help="one number")
    parser.add_argument("--show", action="store_true", help="with --only: what it prints")
    options = parser.parse_args(arguments)
    prepare()
    with tempfile.TemporaryDirectory(prefix="prunec-fuzz-") as scratch:
        files = made(Path(scratch) / "good")
        warm(files, Path(scratch) / "warm")
        if options.only is not None:
            own = case(files, options.seed, options.only)
            result = judge(own, Path(scratch) / "one")
            print("$ prunec", *(ascii(word) for word in own.command))
            print(f"{ascii(result.printed) if options.show else ''}\nstatus {result.status}")
            if result.faults:
                keep(options.failures / f"{options.seed}-{options.only}", own, result)
            print("\n".join(result.faults) or "no fault")
            return int(bool(result.faults))
    return _run(files, options)


def _run(files: Good, options: argparse.Namespace) -> int:
    state = options.failures / f"progress-{options.seed}.json"
    progress = json.loads(state.read_text()) if state.is_file() else {"next": 0, "tried": 0, "failed": 0}
    first = progress["next"] if options.first is None else options.first
    end = first + options.count if options.first is not None else options.count
    until = time.time() + options.minutes * 60
    starts = range(first, end, _CHUNK)
    tasks = (
        Task(files, options.seed, range(at, min(at + _CHUNK, end)), options.failures, until) for at in starts
    )
    options.failures.mkdir(parents=True, exist_ok=True)
    statuses: dict[str, int] = {}
    tried = failures = 0
    begun = time.time()
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        for start, (count, found, failed) in zip(starts, pool.imap(work, tasks)):
            tried += count
            failures += len(failed)
            for key, number in found.items():
                statuses[key] = statuses.get(key, 0) + number
            print("".join(f"FAILED {line}\n" for line in failed), end="", flush=True)
            progress.update(next=start + count)
            if (start // _CHUNK) % 20 == 0:
                print(
                    f"{start + count:,} at {tried / max(time.time() - begun, 1e-9):.0f} a second", flush=True
                )
            if options.first is None:
                told = {
                    **progress,
                    "tried": progress["tried"] + tried,
                    "failed": progress["failed"] + failures,
                }
                state.write_text(json.dumps(told))
            if time.time() > until:
                pool.terminate()
                break
    for key in sorted(statuses):
        print(f"{key:>14}  {statuses[key]:,}")
    print(f"{tried:,} inputs (seed {options.seed}, from {first:,} on), {failures:,} failed")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
