"""Reading rule files: text to syntax tree, with every syntax error of the file at once.

The text is cut into chunks at each ``op`` that stands at the start of a line, and each chunk is
parsed on its own: one bad rule does not hide the errors of the others, and a library of rules can
parse only those it needs.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from prunec.language.policy_syntax import PolicyFile
from prunec.language.reasons import named_reasons, with_reasons
from prunec.language.resources import data_folder
from prunec.language.syntax import Rule, RuleFile
from prunec.support.diagnostics import Annotation, Diagnostic, PrunecError, Source, Span, printable

if TYPE_CHECKING:
    from lark import Lark

#: Largest rule file that is read, in bytes.
MAXIMUM_BYTES = 4_000_000

# A comment ends with its line: were it to end anywhere, there would be many ways to read one.
_POLICY_START = re.compile(r"\s*(?:#[^\n]*\n\s*)*(?:policy|interface)(?![\w.])")
_RULE_START = re.compile(r"^op(?![\w.])", re.MULTILINE)
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\r(?!\n)"
)
_KEYWORD = re.compile(r'"[^"\n]*"|#[^\n]*|(?<![\w.])(op)(?![\w.])')


def read_source(path: Path, kind: str = "rule file") -> Source:
    """The text of a rule file, or of another ``kind`` of file in the language; a byte order mark is left out.

    Raises ``PrunecError``: P107 where the file cannot be read, P108 where it is not UTF-8,
    P109 where it is larger than ``MAXIMUM_BYTES``, P103 for characters that cannot be seen.
    """
    name = printable(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PrunecError(
            Diagnostic(
                "P107",
                f"cannot read the {kind} {name}",
                notes=(f"the system says: {reason}",),
                help="check the path and that you may read the file",
            )
        ) from None
    if len(data) > MAXIMUM_BYTES:
        raise PrunecError(
            Diagnostic(
                "P109",
                f"the {kind} {name} is larger than {MAXIMUM_BYTES // 1_000_000} MB",
                notes=(f"what stands in one is a few lines each, so this is hardly a {kind}",),
                help="give the path of a .prune file, or split the file",
            )
        )
    try:
        source = Source(str(path), data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PrunecError(
            Diagnostic(
                "P108",
                f"the {kind} {name} is not UTF-8 text",
                notes=(f"byte {error.start} (line {line}) cannot be decoded",),
                help="save the file as UTF-8",
            )
        ) from None
    check_characters(source)
    return source


def check_characters(source: Source) -> None:
    """Whether a text can be seen as it is: comments and texts in quotes are shown to people.

    Raises ``PrunecError`` P103 for a control character, or one that turns the direction of writing.
    """
    found = _UNSEEN.search(source.text)
    if found is not None:
        place = Span(source, found.start(), found.end())
        raise PrunecError(
            Diagnostic(
                "P103",
                f"the character U+{ord(found.group()):04X} is not part of the language",
                annotations=(Annotation(place, "it cannot be seen"),),
                help="delete it",
            )
        )


def parse(source: Source) -> RuleFile:
    """All rules of a file, in its order.

    Raises ``PrunecError`` with the first syntax error of each chunk of the file: P101 to P106
    and P111.
    """
    rules: list[Rule] = []
    errors: list[Diagnostic] = []
    for start, end in chunks(source.text):
        try:
            rules += with_reasons(parse_chunk(source, start, end), source)
        except PrunecError as error:
            errors += error.diagnostics
    if errors:
        raise PrunecError(*errors)
    return RuleFile(tuple(rules), Span(source, 0, len(source.text)), named_reasons(source))


def chunks(text: str) -> tuple[tuple[int, int], ...]:
    """Where the text is cut: start and end offsets, without gaps.

    A chunk starts at an ``op`` in the first column, or at the first of the ``##`` lines above it.
    """
    starts = [_with_documentation(text, match.start()) for match in _RULE_START.finditer(text)]
    if not starts or text[: starts[0]].strip():
        starts.insert(0, 0)
    return tuple(zip(starts, [*starts[1:], len(text)]))


def keywords(text: str, start: int, end: int) -> list[int]:
    """Where the word ``op`` stands between two offsets of a text, comments and texts in quotes left out."""
    return [match.start(1) for match in _KEYWORD.finditer(text, start, end) if match.group(1)]


def _with_documentation(text: str, start: int) -> int:
    """The start of the documentation above a rule, past comments and empty lines between."""
    first = line_end = start
    while line_end > 0:
        line_start = text.rfind("\n", 0, line_end - 1) + 1
        line = text[line_start:line_end].strip()
        if line and not line.startswith("#"):
            break
        if line.startswith("##"):
            first = line_start
        line_end = line_start
    return first


def parse_chunk(source: Source, start: int, end: int) -> tuple[Rule, ...]:
    """The rules between two offsets of a source. Raises ``PrunecError`` with one syntax error."""
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput

    from prunec.language.builder import build
    from prunec.language.syntax_errors import unexpected_character, unexpected_token

    try:
        tree = grammar("start").parse(source.text[start:end])
    except UnexpectedInput as error:
        span = Span(source, start, end)
        if isinstance(error, UnexpectedCharacters):
            raise PrunecError(unexpected_character(error, span)) from None
        raise PrunecError(unexpected_token(error, span)) from None
    return build(tree, source, start)


def holds_policies(source: Source) -> bool:
    """Whether a file is one of policies: the first thing in it is one."""
    return _POLICY_START.match(source.text) is not None


def parse_policies(source: Source) -> PolicyFile:
    """All policies of a file. Raises ``PrunecError`` with the first syntax error."""
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput

    from prunec.language.policy_builder import build_policies
    from prunec.language.syntax_errors import unexpected_character, unexpected_token

    span = Span(source, 0, len(source.text))
    try:
        tree = grammar("policies").parse(source.text)
    except UnexpectedInput as error:
        if isinstance(error, UnexpectedCharacters):
            raise PrunecError(unexpected_character(error, span)) from None
        raise PrunecError(unexpected_token(error, span)) from None
    policies, interfaces = build_policies(tree, source)
    return PolicyFile(policies, span, interfaces)


@lru_cache(maxsize=2)
def grammar(start: str = "start") -> Lark:
    """The parser made from ``grammar/prune.lark`` for one kind of file, once in the life of the process.

    ``start`` is ``"start"`` for rules, or ``"policies"``.
    """
    from lark import Lark

    path = data_folder("grammar") / "prune.lark"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise PrunecError(
            Diagnostic(
                "P711",
                f"cannot read the grammar of the rule language, {path}",
                notes=("the file comes with prunec, so the installation is incomplete",),
                help="install prunec anew",
            )
        ) from None
    return Lark(text, parser="lalr", start=start, propagate_positions=True, maybe_placeholders=True)
