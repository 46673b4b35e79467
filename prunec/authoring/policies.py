"""What of a policy says nothing, as far as that can be told without a model."""

from __future__ import annotations

from typing import Iterator, Sequence, Union

from prunec.language.canonical import print_setting
from prunec.language.policy_syntax import UNCOUNTED, Policy, Setting
from prunec.language.syntax import Literal
from prunec.support.diagnostics import Annotation, Diagnostic, Severity


def policy_warnings(policy: Policy) -> Iterator[Diagnostic]:
    """Warnings (P726) for patterns and statements that change nothing."""
    yield from repeated_patterns(policy.patterns)
    if not policy.settings:
        yield _idle("this policy says nothing", policy.patterns[0], None, "write a statement, such as `hold`")
    kinds: dict[str, Setting] = {}
    for setting in policy.settings:
        first_setting = kinds.setdefault(setting.kind, setting)
        if first_setting is not setting:
            headline = f"`{_keyword(setting)}` stands twice in this policy"
            yield _idle(headline, setting, first_setting, "keep the stricter one, which is what holds")
    hold, ratio, most = (kinds.get(kind) for kind in ("hold", "ratio", "max_ratio"))
    for setting in policy.settings if hold is not None else ():
        # Rows that go as a whole, and channels that may go at all, are another grouping, whatever goes; what
        # is held holds all that is to lose the same.
        if setting.kind not in ("hold", *UNCOUNTED):
            headline = f"`{print_setting(setting)}` says nothing beside `hold`"
            yield _idle(headline, setting, hold, "delete one of them: `hold` keeps everything")
    if ratio is not None and most is not None and (ratio.number or 0) > (most.number or 0):
        headline = f"`{print_setting(ratio)}` is above `{print_setting(most)}`"
        yield _idle(headline, ratio, most, "give one of them: a share, or the most that may go")


def repeated_patterns(patterns: Sequence[Literal]) -> Iterator[Diagnostic]:
    """A warning (P726) for each pattern that stands there once more."""
    known: dict[object, Literal] = {}
    for pattern in patterns:
        first = known.setdefault(pattern.value, pattern)
        if first is not pattern:
            yield _idle("this pattern stands here twice", pattern, first, "delete one of them")


def _keyword(setting: Setting) -> str:
    return "whole rows" if setting.kind == "whole" else setting.kind


def _idle(
    headline: str, item: Union[Literal, Setting], other: Union[Literal, Setting, None], help_text: str
) -> Diagnostic:
    others = () if other is None else (Annotation(other.span, "and here"),)
    return Diagnostic(
        "P726",
        headline,
        annotations=(Annotation(item.span, "here" if others else ""), *others),
        help=help_text,
        severity=Severity.WARNING,
    )
