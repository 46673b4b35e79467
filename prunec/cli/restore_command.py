"""`prunec restore`: what a plan removes is done by what stays, in the parameters of the model as it is."""

from __future__ import annotations

import argparse

from prunec.cli.options import add_model_options, add_register_option

DESCRIPTION = """Writes parameters, of the same shapes, in which what stays does what goes did, as far as the
examples show it, and the plan for these parameters; `prunec compile --params … --plan …` then does the rest,
and `prunec compile --restore` both at once.  Nothing is trained: each layer that reads what goes is fitted,
in the model's order, to what it computed before.  The examples need no labels; some hundred serve most
models."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_model_options(parser)
    add_register_option(parser)
    parser.add_argument("--plan", metavar="FILE", required=True, help="the plan.json that says what goes")
    parser.add_argument("--policy", metavar="FILE", help="the policy the plan was made with")
    parser.add_argument("--data", metavar="FILE", required=True, help="examples of the inputs (.npz)")
    parser.add_argument(
        "--means", action="store_true", help="only make up for means: less, and harmful in deep networks"
    )
    parser.add_argument("--out", metavar="DIR", help="where to write (default: <prefix>-restored)")
    parser.add_argument("--force", action="store_true", help="replace prunec's own files in DIR")
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors only")


def run(options: argparse.Namespace) -> int:
    """Restores."""
    from prunec.cli.artefacts import RESTORED_COPY, RESTORING_REPORT
    from prunec.cli.made_up import make_up
    from prunec.cli.restored import restored

    return make_up(
        options,
        RESTORED_COPY,
        RESTORING_REPORT,
        lambda inputs, plan, folder: restored(options, inputs, [plan], folder),
    )
