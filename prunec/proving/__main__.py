"""``python -m prunec.proving [RULEFILE…]``: proves rules by running their operators."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from prunec.language.library import load
from prunec.proving.prove import prove
from prunec.proving.rule_verdict import WRONG, report
from prunec.support.diagnostics import PrunecError, render_all


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Prints the report; 1 where a rule is wrong, 2 where nothing could be tried."""
    parser = argparse.ArgumentParser(
        prog="python -m prunec.proving",
        description="Run the operators of rules in small networks that are pruned at random.",
    )
    parser.add_argument(
        "files", nargs="*", default=["default"], help="rule files (default: the built-in rules)"
    )
    parser.add_argument(
        "--against",
        metavar="NAME",
        default="default",
        help="built-in rules for the operators (default: default)",
    )
    parser.add_argument("--cases", type=int, default=12, help="networks for each rule (default: 12)")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other networks")
    parser.add_argument(
        "--operator", action="append", metavar="NAME", help="only rules of this operator or label; repeatable"
    )
    parser.add_argument(
        "--register", type=Path, metavar="FILE", help="a Python file that registers operators; it is executed"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in (default: 1)")
    parser.add_argument(
        "--no-strictness", action="store_true", help="do not look for what is kept without need"
    )
    options = parser.parse_args(arguments)
    try:
        verdicts = prove(
            load(options.files),
            options.seed,
            options.cases,
            options.register,
            options.operator,
            not options.no_strictness,
            options.jobs,
            library=options.against,
        )
    except PrunecError as error:
        print(render_all(error.diagnostics), file=sys.stderr)
        return 2
    print(report(verdicts))
    return int(any(verdict.verdict == WRONG for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
