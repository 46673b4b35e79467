"""A whole file of rules or of policies in canonical text, with its comments.

Comments stand nowhere in the syntax tree.  They are read from the source and put to what they are
about: a comment at the end of a line stays behind what it follows, any other stands above what comes
next; one inside a header, a signature or a statement moves above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional, Union

from prunec.language.canonical import (
    print_body_signature,
    print_body_statement,
    print_documentation,
    print_header,
    print_interface,
    print_on_one_line,
    print_policy_header,
    print_policy_on_one_line,
    print_setting,
)
from prunec.language.policy_syntax import Interface, Policy, PolicyFile
from prunec.language.syntax import Reason, Rule, RuleFile
from prunec.language.wrapping import wrap
from prunec.support.diagnostics import Source, Span

_COMMENT = re.compile(r'"[^"\n]*"|##[^\n]*|(#[^\n]*)')


@dataclass(frozen=True)
class _Comment:
    """A ``#`` comment: where it starts, its text, whether code precedes it on its line, and
    whether an empty line stands above or below it."""

    start: int
    text: str
    trailing: bool
    space_above: bool
    space_below: bool


@dataclass(frozen=True)
class _Block:
    """A rule, a policy or what stands beside them: on one line (``None`` where it has no room there), or a
    header and the items of a body, each with its place (no body: ``None``).  Comments before ``inside`` stand
    above it."""

    span: Span
    inside: int
    documentation: list[str]
    one_line: Optional[str]
    header: list[str]
    items: Optional[list[tuple[Span, list[str]]]]


def _of_rule(rule: Rule) -> _Block:
    items = None
    if rule.opaque is None:
        items = [(rule.signature.span, print_body_signature(rule.signature))]
        said = (*rule.statements, *rule.hints)
        items += [(statement.span, print_body_statement(statement)) for statement in said]
    inside = rule.span.start if items is not None else rule.span.end
    documentation = print_documentation(rule.documentation)
    return _Block(rule.span, inside, documentation, print_on_one_line(rule), print_header(rule), items)


def _of_reason(reason: Reason) -> _Block:
    line = f'reason {reason.name} = "{reason.text}"'
    return _Block(reason.span, reason.span.start, [], line, [line], None)


def _of_policy(policy: Policy) -> _Block:
    items = [(setting.span, wrap(print_setting(setting), "  ", "    ")) for setting in policy.settings]
    documentation = print_documentation(policy.documentation)
    one_line = print_policy_on_one_line(policy)
    return _Block(policy.span, policy.span.start, documentation, one_line, print_policy_header(policy), items)


def _of_interface(interface: Interface) -> _Block:
    lines = print_interface(interface)
    documentation = print_documentation(interface.documentation)
    one_line = lines[0] if len(lines) == 1 else None
    return _Block(interface.span, interface.span.end, documentation, one_line, lines, None)


def format_file(file: Union[RuleFile, PolicyFile]) -> str:
    """The canonical text of a file of rules or of policies.

    It parses to an equal tree, holds every comment of ``file.span.source``, and is its own canonical text.
    Between blocks stands one empty line; between blocks of one line each, only where the source
    has one.  A tree made without a source has no comments.
    """
    source = file.span.source
    if isinstance(file, PolicyFile):
        blocks = [*map(_of_policy, file.policies), *map(_of_interface, file.interfaces)]
    else:
        blocks = [*map(_of_reason, file.reasons), *map(_of_rule, file.rules)]
    blocks.sort(key=lambda block: block.span.start)
    comments = list(_comments(source))
    lines: list[str] = []
    previous_long = False
    for index, block in enumerate(blocks):
        end = blocks[index + 1].span.start if index + 1 < len(blocks) else len(source.text)
        mine, comments = _until(comments, end)
        leading, rest = _until(mine, block.inside)
        own = _lines(block, rest)
        after = [c for c in rest if c.start >= block.span.end and not c.trailing]
        space = previous_long or len(own) > 1 or _space_above(source, block, leading)
        if lines and space and lines[-1]:
            lines.append("")
        lines += _own_lines(leading, "")
        if leading and leading[-1].space_below and lines[-1]:
            lines.append("")
        lines += own
        previous_long = len(own) > 1
        comments = after + comments
    lines += _closing(lines, comments)
    return "\n".join(lines).strip("\n") + "\n" if lines else ""


def _closing(lines: Sequence[str], comments: Sequence[_Comment]) -> list[str]:
    """The comments behind the last block."""
    if not comments:
        return []
    return [*([""] if lines and comments[0].space_above else []), *_own_lines(comments, "")]


def _comments(source: Source) -> Iterator[_Comment]:
    text = source.text
    for match in _COMMENT.finditer(text):
        if match.group(1) is None:
            continue
        line_start = text.rfind("\n", 0, match.start()) + 1
        above = text[text.rfind("\n", 0, max(line_start - 1, 0)) + 1 : max(line_start - 1, 0)]
        below = text[match.end() + 1 :].split("\n", 1)[0]
        trailing = bool(text[line_start : match.start()].strip())
        space_above = line_start > 0 and not above.strip()
        yield _Comment(match.start(), match.group(1).rstrip(), trailing, space_above, not below.strip())


def _until(comments: Sequence[_Comment], end: int) -> tuple[list[_Comment], list[_Comment]]:
    return [c for c in comments if c.start < end], [c for c in comments if c.start >= end]


def _own_lines(comments: Sequence[_Comment], indent: str) -> list[str]:
    lines: list[str] = []
    for comment in comments:
        if comment.space_above and lines and lines[-1]:
            lines.append("")
        lines.append(indent + comment.text)
    return lines


def _space_above(source: Source, block: _Block, leading: Sequence[_Comment]) -> bool:
    """Whether an empty line stands above a block and what belongs to it."""
    if leading:
        return leading[0].space_above
    before = source.text[: block.span.start]
    while True:
        line = before.rstrip(" \t\r").rsplit("\n", 1)
        if len(line) < 2:
            return False
        above = line[0].rsplit("\n", 1)[-1].strip()
        if not above.startswith("##"):
            return not above
        before = line[0]


def _lines(block: _Block, comments: Sequence[_Comment]) -> list[str]:
    """The lines of a block with the comments inside it and at the end of its last line."""
    inside, behind = _until(comments, block.span.end)
    trailing = [c for c in behind if c.trailing][:1]
    lines = list(block.documentation)
    if block.one_line is not None and not inside:
        lines.append(block.one_line)
    else:
        lines += block.header
        if block.items is not None:
            lines += _body(block.items, inside)
            lines.append("}")
    if trailing:
        lines[-1] += f"  {trailing[0].text}"
    return lines


def _body(items: Sequence[tuple[Span, list[str]]], comments: Sequence[_Comment]) -> list[str]:
    left = list(comments)
    lines: list[str] = []
    for span, text in items:
        above, left = _until(left, span.end)
        lines += [f"  {comment.text}" for comment in above]
        lines += text
        if left and left[0].trailing and span.source.position(left[0].start)[0] == _last_line(span):
            following = [other.start for other, _ in items if other.start >= span.end]
            if not following or left[0].start < following[0]:
                lines[-1] += f"  {left[0].text}"
                left = left[1:]
    return lines + [f"  {comment.text}" for comment in left]


def _last_line(span: Span) -> int:
    return span.source.position(max(span.end - 1, 0))[0]
