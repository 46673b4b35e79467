"""Lists and reference pages of rules, from their ``##`` comments."""

from __future__ import annotations

import re
from typing import Optional, Sequence

from prunec.language.canonical import print_expression, print_rule
from prunec.language.reasons import told_in_full
from prunec.language.syntax import Rule, RuleFile

_SECTION = re.compile(r"^# ---+(?!-)(?P<title>[^\n]*)--- *$", re.MULTILINE)


def summary(rule: Rule) -> str:
    """The first sentence of a rule's documentation; of a rule without, the reason it gives or nothing."""
    text = " ".join(rule.documentation.split())
    if not text:
        return rule.opaque.text if rule.opaque is not None else ""
    sentence = re.match(r".*?[.!?](?=\s|$)", text)
    return sentence.group() if sentence else text


def listing(rules: Sequence[Rule]) -> list[tuple[str, str, str]]:
    """For each rule its label, its operators, and its summary."""
    return [(rule.label, ", ".join(o.name for o in rule.operators), summary(rule)) for rule in rules]


def reference_page(file: RuleFile) -> str:
    """The Markdown page of a rule file: its sections, and each rule with its documentation and its text."""
    source = file.span.source
    name = source.name.replace("\\", "/").rsplit("/", 1)[-1]
    sections = [
        (match.start(), match["title"].rstrip("-").strip()) for match in _SECTION.finditer(source.text)
    ]
    lines = [f"# Rules in {name}", ""]
    lines += _contents(file, sections)
    current: Optional[str] = None
    for rule in file.rules:
        title = _section_of(rule, sections)
        if title != current:
            current = title
            lines += [f"## {_capital(title)}", ""] if title else []
        lines += _entry(rule)
    return "\n".join(lines).rstrip() + "\n"


def _contents(file: RuleFile, sections: Sequence[tuple[int, str]]) -> list[str]:
    """All operators with links to their rules."""
    by_operator: dict[str, list[str]] = {}
    for rule in file.rules:
        for operator in dict.fromkeys(name.name for name in rule.operators):
            by_operator.setdefault(operator, []).append(rule.label)
    if not by_operator:
        return ["There are no rules in this file.", ""]
    rows = [
        f"| `{operator}` | {', '.join(f'[{label}](#{anchor(label)})' for label in labels)} |"
        for operator, labels in sorted(by_operator.items(), key=lambda entry: entry[0].lower())
    ]
    return ["| operator | rules |", "|---|---|", *rows, ""]


def anchor(label: str) -> str:
    """The identifier that Markdown renderers give a heading with a rule's label."""
    return re.sub(r"[^a-z0-9_\- ]", "", label.lower()).replace(" ", "-")


def _entry(rule: Rule) -> list[str]:
    lines = [f"### {rule.label}", ""]
    lines += [f"Operators: {', '.join(f'`{name.name}`' for name in rule.operators)}", ""]
    if rule.documentation.strip():
        lines += [*rule.documentation.strip().split("\n"), ""]
    if rule.when is not None:
        lines += [f"Holds when `{print_expression(rule.when)}`.", ""]
    if rule.opaque is not None:
        lines += [f"Everything it touches is kept: {rule.opaque.text}.", ""]
    return [*lines, "```prune", _bare(rule), "```", ""]


def _bare(rule: Rule) -> str:
    """The rule's canonical text without its documentation."""
    return "\n".join(
        line for line in print_rule(told_in_full(rule)).rstrip().split("\n") if not line.startswith("##")
    )


def _section_of(rule: Rule, sections: Sequence[tuple[int, str]]) -> str:
    return next((title for start, title in reversed(sections) if start < rule.span.start), "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
