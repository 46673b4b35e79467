"""The command of a script: its options, its errors, and writing aside."""

import argparse
import os
import signal
import sys
from typing import BinaryIO, Callable

from prunec.embedded.slices import Problem


def check_output(options: argparse.Namespace) -> None:
    """Whether the output, if there is one, can be replaced."""
    if options.output and os.path.exists(options.output):
        if os.path.samefile(options.input, options.output):
            raise Problem("the output is the input; give another file")
        if not os.path.isfile(options.output):
            raise Problem("the output is there and not a file; give another name")


def write_aside(path: str, write: Callable[[BinaryIO], None]) -> None:
    """Writes next to ``path`` and renames when complete; on any failure leaves nothing."""
    path = os.path.realpath(path)
    part = f"{path}.{os.getpid()}.part"
    with open(part, "xb") as target:
        try:
            write(target)
            target.close()
            os.replace(part, path)
        except BaseException:
            target.close()
            if os.path.exists(part):
                os.remove(part)
            raise


def command(what: str, ending: str, run: Callable[[argparse.Namespace], None]) -> int:
    """Reads the options, runs, and tells what went wrong; gives the exit status."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("input", metavar=f"IN{ending}")
    parser.add_argument("output", metavar=f"OUT{ending}", nargs="?")
    only_check = f"only check that IN{ending} fits, write nothing"
    parser.add_argument("--check", action="store_true", help=only_check)
    parser.add_argument("--dry-run", action="store_true", help="print what would be sliced, write nothing")
    options = parser.parse_args()
    if not options.output and not options.check and not options.dry_run:
        parser.error(f"OUT{ending} is missing")
    for stop in {"SIGTERM", "SIGHUP"} & set(dir(signal)):  # so that a stopped run cleans up
        signal.signal(getattr(signal, stop), lambda number, _: sys.exit(128 + number))
    try:
        run(options)
    except Problem as problem:
        print("\n".join(f"error: {text}" for text in problem.args), file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename!a}: " if error.filename else ""
        print(f"error: {where}{error.strerror}; nothing was written", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0
