"""Prunes every network of the corpus at random and compares with MXNet: ``python bench/exact.py [WORD…]``.

Each network runs in a process of its own.  Results go to ``build/exact.jsonl``, and a run that broke
off goes on from there; ``--again`` starts anew.  Exit status 1 when a network that runs differs,
is refused or fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.evidence import evidence_text
from bench.networks import BUILD, CORPUS, ROOT, Network, chosen

#: One core for each process: two run at once.
_QUIET = {"OMP_NUM_THREADS": "1", "MXNET_ENGINE_TYPE": "NaiveEngine", "OPENBLAS_NUM_THREADS": "1"}


#: What MXNet says of values with five axes in the layout of its own library, and what it is run with then.
_OWN_LAYOUT, _PLAIN_LAYOUT = "to.IsDefaultData()", {"MXNET_MKLDNN_ENABLED": "0"}
#: Gigabytes for one of several that run at once, and for one that runs alone.
_MEMORY, _MEMORY_ALONE = 10.0, 20.0
_NO_MEMORY = "not enough memory"

#: Outcomes that are mistakes.
_WRONG = ("differs", "failed", "refused")


def main() -> int:
    """Runs what has no result yet, and prints everything."""
    parser = argparse.ArgumentParser(description="prune at random and compare with MXNet")
    parser.add_argument("words", nargs="*", help="only networks whose file name holds one of these")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="the folder with the networks")
    parser.add_argument("--results", type=Path, default=BUILD / "exact.jsonl")
    parser.add_argument("--again", action="store_true", help="forget earlier results")
    parser.add_argument("--retry", action="store_true", help="run again what was not proved")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=1800.0, help="in seconds, for one network")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    if options.again and options.results.exists():
        options.results.unlink()
    known = {} if not options.results.exists() else _read(options.results)
    if options.retry:
        known = {key: one for key, one in known.items() if one["outcome"] == "proved"}
    found = chosen(options.words, options.corpus)
    work = [(n, False) for n in found] + [(n, True) for n in found if n.parameters is not None]
    results = []
    with open(options.results, "a", encoding="utf-8") as out:

        def note(one: dict[str, Any]) -> None:
            if (one["file"], one["real"]) not in known:
                out.write(json.dumps(one) + "\n")
                out.flush()
            print(line(one), flush=True)
            results.append(one)

        large = []
        with ThreadPoolExecutor(options.processes) as pool:
            for item, one in zip(work, pool.map(lambda item: _one(item[0], item[1], known, options), work)):
                if one.get("reason") == _NO_MEMORY:
                    large.append(item)
                else:
                    note(one)
        # What several at once have no room for has it alone.
        for network, real in large:
            note(_alone(network, real, options))
    print(totals(results))
    return 1 if any(one["outcome"] in _WRONG for one in results) else 0


def _read(path: Path) -> dict[tuple[str, bool], dict[str, Any]]:
    """The results of earlier runs; of several for one network the last counts."""
    results = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text]
    return {(one["file"], one["real"]): one for one in results}


def _one(
    network: Network, real: bool, known: dict[tuple[str, bool], dict[str, Any]], options: argparse.Namespace
) -> dict[str, Any]:
    key = (network.file, real)
    if key in known:
        return known[key]
    if network.note.startswith("load_fail"):
        head = {"file": network.file, "label": network.label, "real": real}
        return {**head, "outcome": None, "reason": "MXNet cannot load it"}
    found = _run(network, real, options, _MEMORY, {})
    if _OWN_LAYOUT in str(found.get("reason")):
        found = _run(network, real, options, _MEMORY, _PLAIN_LAYOUT)
    return found


def _alone(network: Network, real: bool, options: argparse.Namespace) -> dict[str, Any]:
    """One that needs more memory than there is for several."""
    found = _run(network, real, options, _MEMORY_ALONE, {})
    if _OWN_LAYOUT in str(found.get("reason")):
        found = _run(network, real, options, _MEMORY_ALONE, _PLAIN_LAYOUT)
    return found


def _run(
    network: Network, real: bool, options: argparse.Namespace, memory: float, settings: dict[str, str]
) -> dict[str, Any]:
    """One in a process of its own."""
    head = {"file": network.file, "label": network.label, "real": real}
    command = [sys.executable, "-m", "bench.exact_one", network.file, "--corpus", str(options.corpus)]
    command += ["--seed", str(options.seed), "--memory", str(memory)] + (["--real"] if real else [])
    environment = {**os.environ, **_QUIET, **settings}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=options.timeout
        )
    except subprocess.TimeoutExpired:
        return {**head, "outcome": None, "reason": f"longer than {options.timeout:.0f} s"}
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if done.returncode == 0 and lines:
        answer = {**head, **json.loads(lines[-1])}
        short = "Failed to allocate" in str(answer.get("reason")) and answer["outcome"] is None
        return {**answer, "reason": _NO_MEMORY} if short else answer
    error = done.stderr.decode("utf-8", "replace").strip()
    # Memory that is not there is a limit of the machine; everything else is a mistake.
    if "MemoryError" in error or "alloc" in error:
        return {**head, "outcome": None, "reason": _NO_MEMORY}
    last = error.splitlines()[-1][:300] if error else ""
    return {**head, "outcome": "failed", "reason": f"exit status {done.returncode}: {last}"}


def line(one: dict[str, Any]) -> str:
    """One network in one line."""
    name = f"{one['file'][-60:]:60s}{' +params' if one['real'] else '        '}"
    if "error" not in one:
        return f"{name} {one['outcome'] or 'not run'}: {one['reason']}"
    text = f"{name} left {one['left']:.3f} {one['seconds']} s {evidence_text(one)}"
    return text + (f" (refused for {one['refused']})" if "refused" in one else "")


def totals(results: list[dict[str, Any]]) -> str:
    """The sums over all networks."""
    outcomes = Counter(one["outcome"] or "that MXNet does not run here" for one in results)
    kinds: Counter[str] = Counter()
    for one in results:
        kinds.update(one.get("evidence", {}))
    counted = ", ".join(f"{count} {word}" for word, count in outcomes.most_common())
    told = ", ".join(f"{count} {word}" for word, count in kinds.most_common())
    return f"{len(results)} runs: {counted}; sliced parameters: {told}"


if __name__ == "__main__":
    sys.exit(main())
