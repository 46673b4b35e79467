"""`prunec explain`: why channels go together, and why others stay; and what a message means."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Optional, Sequence

from prunec.cli.options import add_model_options

if TYPE_CHECKING:
    from prunec.cli.inputs import Inputs
    from prunec.rewriting.edits import Edits

DESCRIPTION = """Explains a parameter or a node of a model: the group its channels are in, what else goes with
them, and the chain of nodes and rule lines that ties them; or, for what stays, the shortest way to the
reason.  --kept lists all layers that keep channels.  With the code of a message alone, as in
`prunec explain P404`, says what the message means, why it is given and what to do."""

FORMATS = ("text", "json", "mermaid", "dot")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    model = add_model_options(parser, _ModelOrCode)
    name = parser.add_argument("name", metavar="NODE_OR_PARAMETER", help="what to explain")
    parser.add_argument("--channel", metavar="N", type=number, help="only this channel, counted from 0")
    parser.add_argument(
        "--axis",
        metavar="N",
        type=int,
        help="only this axis (default: all; with --channel the first that can shrink)",
    )
    kept = parser.add_argument("--kept", action=_Kept, help="list all layers that keep channels, and why")
    assert isinstance(model, _ModelOrCode) and isinstance(kept, _Kept)
    model.name = kept.name = name
    parser.add_argument(
        "--rule", action="store_true", help="print what the rule became for this node, and stop"
    )
    parser.add_argument("--plan", metavar="FILE", help="with --rule: also what this plan does to the node")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")


class _ModelOrCode(argparse.Action):
    """The path of a model, or the code of a message, which makes the name needless.  An optional positional
    would not do: it has to stand right behind the model, and not behind options."""

    name: argparse.Action

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, *others: object
    ) -> None:
        """Keeps the path or the code."""
        setattr(namespace, self.dest, value)
        if _is_code(value):
            self.name.required = False


class _Kept(argparse.Action):
    """A flag that makes the name needless, too."""

    name: argparse.Action

    def __init__(self, option_strings: Sequence[str], dest: str, **others: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=False, **others)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *others: object
    ) -> None:
        """Sets the flag."""
        setattr(namespace, self.dest, True)
        self.name.required = False


def _is_code(text: str) -> bool:
    return text[:1] in ("P", "p") and text[1:].isdigit()


def number(text: str) -> int:
    """A whole number from 0 on."""
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Prints the explanation."""
    if options.name is None and not options.kept and _is_code(options.model):
        return _explain_code(options)
    if options.kept == (options.name is not None):
        options.parser.error("give the name of a node or parameter, or --kept")
    if options.kept and (options.channel is not None or options.axis is not None):
        options.parser.error("--kept speaks of whole layers: leave out --channel and --axis")
    if options.rule and (options.kept or options.axis is not None or options.channel is not None):
        options.parser.error("--rule speaks of a whole node: leave out --kept, --channel and --axis")
    if options.rule and options.format != "text":
        options.parser.error("--rule is text only")
    if options.plan is not None and not options.rule:
        options.parser.error("--plan goes with --rule")
    from prunec.cli.inputs import read_inputs
    from prunec.explaining import diagrams, explanation_text
    from prunec.explaining.explain import explain
    from prunec.explaining.kept import kept, unread

    inputs = read_inputs(options, options.plan)
    analysis = inputs.analysis
    if options.rule:
        from prunec.explaining.records import records_text

        shown = records_text(analysis, options.name, _edits(inputs))
    elif options.kept:
        layers, whole = kept(analysis), unread(analysis)
        shown = {
            "text": lambda: explanation_text.kept_text(layers, whole),
            "json": lambda: explanation_text.kept_json(layers, whole),
            "mermaid": lambda: diagrams.mermaid(diagrams.kept_diagram(layers)),
            "dot": lambda: diagrams.dot(diagrams.kept_diagram(layers)),
        }[options.format]()
    else:
        found = explain(analysis, options.name, options.axis, options.channel)
        shown = {
            "text": lambda: explanation_text.explanation_text(found),
            "json": lambda: explanation_text.explanation_json(found),
            "mermaid": lambda: diagrams.mermaid(diagrams.explanation_diagram(found)),
            "dot": lambda: diagrams.dot(diagrams.explanation_diagram(found)),
        }[options.format]()
    print(shown, end="")
    return 0


def _edits(inputs: Inputs) -> Optional[Edits]:
    """What the plan does, where there is one."""
    from prunec.planning.checked import edits_checked
    from prunec.planning.planfile import plan_for

    if inputs.plan is None:
        return None
    return edits_checked(inputs.analysis, plan_for(inputs.plan, inputs.analysis, inputs.origin).removed)


def _explain_code(options: argparse.Namespace) -> int:
    if options.channel is not None or options.axis is not None or options.rule or options.plan is not None:
        options.parser.error("a message has no node: leave out --channel, --axis, --rule and --plan")
    if options.format not in ("text", "json"):
        options.parser.error(f"a message is no diagram: leave out --format {options.format}")
    from prunec.support.codes import pages, record_of

    record = record_of(options.model.upper())
    print(pages.json_text(record) if options.format == "json" else pages.text(record), end="")
    return 0
