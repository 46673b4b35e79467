"""Reasons that a file names once, ``reason NAME = "…"``, for many rules.

They are found by a regular expression, so that a rule can be read without the file around it being parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Optional

from prunec.language.syntax import Keep, Mixes, Reason, Rule, Statement
from prunec.support.diagnostics import Source, Span

_NAMED = re.compile(r"""^[ \t]*reason\s+([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*"([^"\n]*)\"""", re.MULTILINE)


@lru_cache(maxsize=16)
def named_reasons(source: Source) -> tuple[Reason, ...]:
    """The reasons that a file names, in its order."""
    return tuple(
        Reason(match[2], match[1], Span(source, match.start() + match[0].index("reason"), match.end()))
        for match in _NAMED.finditer(source.text)
    )


def with_reasons(rules: tuple[Rule, ...], source: Source) -> tuple[Rule, ...]:
    """The rules of a file, each with the texts of the reasons that it gives by name."""
    texts = {reason.name: reason.text for reason in named_reasons(source)}
    return tuple(_with_texts(rule, texts) for rule in rules) if texts else rules


def told_in_full(rule: Rule) -> Rule:
    """The rule with the texts of its reasons in the place of their names."""
    names = {reason.name: reason.text for reason in _reasons(rule)}
    return _with_texts(rule, names, named=False) if names else rule


def unknown_reasons(rule: Rule) -> list[Reason]:
    """The reasons that a rule gives by a name that none has."""
    return [reason for reason in _reasons(rule) if not reason.text]


def _reasons(rule: Rule) -> list[Reason]:
    given = [s.because for s in rule.statements if isinstance(s, (Keep, Mixes))]
    return [reason for reason in (*given, rule.opaque) if reason is not None and reason.name]


def _with_texts(rule: Rule, texts: Mapping[str, str], named: bool = True) -> Rule:
    def filled(reason: Optional[Reason]) -> Optional[Reason]:
        if reason is None or reason.name not in texts:
            return reason
        return replace(reason, text=texts[reason.name], name=reason.name if named else "")

    def said(statement: Statement) -> Statement:
        if isinstance(statement, (Keep, Mixes)):
            return replace(statement, because=filled(statement.because))
        return statement

    statements = tuple(said(statement) for statement in rule.statements)
    return replace(rule, statements=statements, opaque=filled(rule.opaque))
