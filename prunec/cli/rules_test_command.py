"""`prunec rules test`: operators run in small networks, and the examples beside rules."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Optional, Sequence

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.authoring.graph_examples import ExampleOutcome


def run(options: argparse.Namespace) -> int:
    """Runs operators and examples, as the options say; 1 where a rule or an example is wrong."""
    names = options.files or ["default"]
    failed = False
    if options.only != "numeric":
        failed |= _examples(names, options.update)
    if options.only != "examples" and not options.update:
        failed |= _numeric(names, options)
    return int(failed)


def _examples(names: Sequence[str], update: bool) -> bool:
    """Runs or rewrites the examples beside rule files; whether one is not as it says."""
    from prunec.authoring.graph_examples import example_path
    from prunec.language.library import locate

    found = False
    failed = False
    for name in names:
        path = locate(name)
        for file in sorted(path.glob("*.prune")) if path.is_dir() else [path]:
            beside = example_path(file)
            if beside.is_file():
                found = True
                failed |= _examples_in(file, beside, update)
    if not found:
        print("no examples: they would stand in NAME_test.md beside NAME.prune")
    return failed


def _examples_in(rules_file: Path, beside: Path, update: bool) -> bool:
    from prunec.authoring.formatting import write_text
    from prunec.authoring.graph_examples import read_examples, run_example, updated
    from prunec.authoring.rule_checks import built_in_name, libraries_for
    from prunec.language.library import load
    from prunec.language.parser import read_source
    from prunec.support.diagnostics import printable

    source = read_source(beside)
    # Helper layers of an example come from the built-in rules.
    own = read_source(rules_file)
    others = [] if built_in_name(own) is not None else libraries_for([own])
    rules = load([str(rules_file), *others])
    outcomes = tuple(run_example(example, rules) for example in read_examples(source))
    wrong = [outcome for outcome in outcomes if not outcome.right]
    name = printable(str(beside))
    if update:
        text = updated(source, outcomes)
        if text != source.text:
            write_text(beside, text)
        print(f"{name}: {len(outcomes)} examples, {len(wrong)} rewritten")
        return False
    for outcome in wrong:
        print(_difference(outcome))
    print(f"{name}: {len(outcomes) - len(wrong)} of {len(outcomes)} examples are as they say")
    return bool(wrong)


def _difference(outcome: ExampleOutcome) -> str:
    """An example that is not as it says: what it expects, and what there is."""
    import difflib

    from prunec.support.diagnostics import Annotation, Diagnostic, Span, printable, render

    example = outcome.example
    span = Span(example.source, example.start, example.source.text.find("\n", example.start))
    expects = "nothing yet" if example.kind is None else f"`{example.kind}`"
    message = Diagnostic(
        "P722",
        f"the example {example.title!r} is not as it says",
        annotations=(Annotation(span, f"expects {expects}"),),
        help="correct the rule or the example, or accept what there is with --update",
    )
    old = (example.expected or "").splitlines()
    lines = difflib.unified_diff(old, outcome.text.splitlines(), "expected", "found", lineterm="", n=1)
    return "\n".join([render(message), *(f"    {printable(line, 500)}" for line in lines)]) + "\n"


def _numeric(names: Sequence[str], options: argparse.Namespace) -> bool:
    """Runs the operators of rules; whether a rule is wrong."""
    from prunec.authoring.rule_checks import built_in_name, libraries_for, read_sources
    from prunec.language.library import locate

    own = [source for source in read_sources(names) if built_in_name(source) is None]
    usual = options.against or (libraries_for(own)[0] if own else None)
    by_library: dict[str, list[str]] = {}
    for name in names:
        path = locate(name)
        for file in sorted(map(str, path.glob("*.prune"))) if path.is_dir() else [name]:
            (source,) = read_sources([file])
            library = built_in_name(source) or usual
            assert library is not None
            by_library.setdefault(library, []).append(file)
    failed = [_prove(library, files, options) for library, files in by_library.items()]
    return any(failed)


def _prove(library: str, names: Sequence[str], options: argparse.Namespace) -> bool:
    """Runs the operators of rules that are used with a built-in library; whether a rule is wrong."""
    from pathlib import Path

    from prunec.authoring.rule_checks import read_sources
    from prunec.language.library import load
    from prunec.language.parser import parse
    from prunec.proving.prove import prove
    from prunec.proving.rule_verdict import WRONG, report

    own = [rule for source in read_sources(names) for rule in parse(source).rules]
    known = {rule.label for rule in own} | {name.name for rule in own for name in rule.operators}
    wanted = options.operator
    if any(target.name not in known for rule in own for target in rule.specialises):
        # A rule specialises a built-in one, which then has to be there; it is not proved again.
        rules = load([*names, library])
        wanted = wanted or [rule.label for rule in own]
    else:
        rules = load(names)
    register: Optional[Path] = None if options.register is None else Path(options.register)
    verdicts = prove(
        rules,
        options.seed,
        options.cases,
        register,
        wanted,
        not options.no_strictness,
        max(options.jobs, 1),
        library=library,
    )
    print(report(verdicts))
    return any(verdict.verdict == WRONG for verdict in verdicts)
