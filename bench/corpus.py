"""Runs prunec over all networks of the corpus: ``python bench/corpus.py [--write] [WORD…]``.

Exit status 1 when a network gives a traceback or keeps more parameters than the prototype did.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.coverage import write_coverage
from bench.measure import Measurement, measure
from bench.networks import BUILD, CORPUS, chosen


def main() -> int:
    """Measures, prints a line for each network and the totals."""
    parser = argparse.ArgumentParser(description="run prunec over all networks of the corpus")
    parser.add_argument("words", nargs="*", help="only networks whose file name holds one of these")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="the folder with the networks")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write docs/coverage.md")
    options = parser.parse_args()
    if options.write and options.words:
        parser.error("--write describes the whole corpus: leave out the words")
    found = chosen(options.words, options.corpus)
    work = [(n, False) for n in found] + [(n, True) for n in found if n.parameters is not None]
    measured = []
    with ProcessPoolExecutor(options.processes) as pool:
        for one in pool.map(measure, *zip(*work)):
            print(line(one), flush=True)
            measured.append(one)
    print(totals(measured))
    BUILD.mkdir(exist_ok=True)
    (BUILD / "corpus.json").write_text(json.dumps([asdict(one) for one in measured], indent=1))
    if options.write:
        write_coverage(measured)
    bad = [one for one in measured if one.outcome == "traceback" or one.above_floor]
    return 1 if bad else 0


def line(one: Measurement) -> str:
    """One network in one line, and the message where it was refused."""
    name = f"{one.file[-60:]:60s}{' +params' if one.with_parameters else '        '}"
    if one.outcome in ("refused", "traceback"):
        message = "\n    ".join(one.message.strip().splitlines()[-12:])
        return f"{name} {one.outcome.upper()} {one.code}\n    {message}"
    share = one.removable / one.channels if one.channels else 0.0
    floor = "" if one.floor is None else f" floor {one.floor:.3f}"
    flag = "  ABOVE FLOOR" if one.above_floor else ""
    text = f"{name} {one.outcome:6s} channels {share:6.1%} left {one.left:.3f}{floor}{flag}"
    text += f" groups {one.groups} approximate {one.approximate} {one.seconds:.2f} s"
    return text + (f" {dict(one.barriers)}" if one.barriers else "")


def totals(measured: list[Measurement]) -> str:
    """The sums over all networks."""
    done = [one for one in measured if one.outcome in ("pruned", "kept")]
    alone = [one for one in done if not one.with_parameters]
    counts = {
        word: sum(one.outcome == word for one in measured)
        for word in ("pruned", "kept", "refused", "traceback")
    }
    lines = [
        f"{len(measured)} runs: " + ", ".join(f"{count} {word}" for word, count in counts.items()),
        f"above the floor: {sum(one.above_floor for one in measured)}"
        f" of {sum(one.floor is not None for one in measured)}",
    ]
    if alone:
        left = sum(one.left for one in alone) / len(alone)
        channels = sum(one.channels for one in alone)
        removable = sum(one.removable for one in alone) / max(channels, 1)
        lines.append(f"parameters left, mean over networks: {left:.3f}; removable channels: {removable:.1%}")
        lines.append(f"analysis: {sum(one.seconds for one in alone):.1f} s of one core")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
