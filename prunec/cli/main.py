"""The command ``prunec``: finds the command asked for, and turns failures into messages and exit codes.

0: done.  1: the model, the rules, the plan or the parameters are at fault, or a verification found a
difference.  2: the command line is at fault.  3: a verification proved nothing.  4: what a verification needs
cannot be read or run.  130: interrupted.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn, Optional, Sequence

from prunec import __version__
from prunec.cli.terminal import Terminal
from prunec.cli.usage import CommandParser, UsageError
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

#: Each command's module and what it does in a few words.  The module has DESCRIPTION, ``add_options(parser)``
#: and ``run(options) -> exit code``, and imports what is heavy inside ``run``; FAILURE is its exit code for
#: errors, where that is not 1.
COMMANDS = {
    "compile": ("prunec.cli.compile_command", "write a smaller model"),
    "groups": ("prunec.cli.groups_command", "list the groups of channels that go together"),
    "plan": ("prunec.cli.plan_command", "decide which channels go"),
    "sensitivity": ("prunec.cli.sensitivity_command", "measure what pruning each group alone does"),
    "restore": ("prunec.cli.restore_command", "have what stays do what a plan removes, without training"),
    "compensate": ("prunec.cli.compensate_command", "make up for what a plan removes"),
    "verify": ("prunec.cli.verify_command", "prove the smaller model against the original by running both"),
    "explain": (
        "prunec.cli.explain_command",
        "say what a channel goes with, why it stays, or what a message means",
    ),
    "diff": ("prunec.cli.diff_command", "compare the structure of two models"),
    "doctor": ("prunec.cli.doctor_command", "say what is installed, and what is missing for more"),
    "rules": ("prunec.cli.rules_command", "check, try, format, list and document rules"),
}

#: Set to anything, this shows where in prunec an unexpected error came from.
TRACEBACK_VARIABLE = "PRUNEC_TRACEBACK"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs a command line (``sys.argv`` where none is given) and returns the exit code."""
    if argv is None:
        # A run makes many small objects that live until its end; looking for garbage among them takes
        # as long as the work itself.
        gc.set_threshold(200_000, 20, 20)
        _prepare_process()
    words = sys.argv[1:] if argv is None else argv
    terminal, failure = Terminal(), 1
    try:
        options = command_parser(words).parse_args(words)
        options.command_line = ("prunec", *words)
        terminal = options.terminal = _terminal(options)
        failure = options.failure
        code = int(options.run(options))
        terminal.close()
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse: --help or --version
        return stop.code if isinstance(stop.code, int) else 2
    except UsageError as error:
        Terminal(json="--json" in words).close([error.diagnostic])
        return 2
    except PrunecError as error:
        terminal.close(error.diagnostics)
        return failure
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _forget_output()
        return 141
    except MemoryError as error:
        terminal.close([_no_memory(error)])
        return failure
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        terminal.close([_unexpected(error)])
        return failure


def command_parser(argv: Sequence[str]) -> CommandParser:
    """The parser of a command line.  Of the command that it names it knows the options; of others, which
    would take longer to set up than many a run takes, no more than ``--help`` shows."""
    parser = CommandParser(
        prog="prunec",
        description="Makes trained neural networks smaller: removes channels of a serialised model, exactly.",
    )
    parser.add_argument("--version", action="version", version=f"prunec {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    wanted = next((word for word in argv if not word.startswith("-")), None)
    for name, (path, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name == wanted:
            module = import_module(path)
            command.description = module.DESCRIPTION
            module.add_options(command)
            command.set_defaults(run=module.run, parser=command, failure=getattr(module, "FAILURE", 1))
    return parser


def _terminal(options: argparse.Namespace) -> Terminal:
    """Who asks for JSON gets JSON, of errors too."""
    json = getattr(options, "json", False) or getattr(options, "format", None) == "json"
    return Terminal(getattr(options, "quiet", False), json)


def _forget_output() -> None:
    """The reader went away, as `head` does: what is still buffered must not fail again at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass  # an output that is no file of the system's has nothing to forget


def _unexpected(error: Exception) -> Diagnostic:
    return Diagnostic(
        "P999",
        f"prunec failed in a way it should not: {type(error).__name__}",
        notes=(printable(str(error), 500) or "no reason given",),
        help=f"please report this with the model, and what is printed with {TRACEBACK_VARIABLE}=1 set",
    )


def _no_memory(error: MemoryError) -> Diagnostic:
    return Diagnostic(
        "P732",
        "there is not enough memory for this",
        notes=(printable(str(error), 500),) if str(error) else (),
        help="compile without --verify, --data and --latency, which takes little more than the largest array "
        "twice; then prove with `prunec verify` and small inputs, and use fewer examples",
    )


def _prepare_process() -> None:
    """What only the process of the command itself may do: text that the terminal cannot show is escaped,
    and a process that is asked to end cleans up first."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)


def _stop(number: int, frame: Optional[FrameType]) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
