"""What to say of text that does not follow the grammar: what was found, what could stand there."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Optional

from prunec.language.syntax import MAXIMUM_DIGITS
from prunec.support.diagnostics import Annotation, Diagnostic, Span, printable

#: Deepest nesting of brackets, operators and ``not`` that is accepted.
MAXIMUM_DEPTH = 64
#: Terminals that stand for themselves.
_SYMBOLS = {
    "RBRACE": "}",
    "RPAR": ")",
    "RSQB": "]",
    "COMMA": ",",
    "SEMICOLON": ";",
    "ARROW": "->",
    "LBRACE": "{",
    "LSQB": "[",
    "VBAR": "|",
    "EQUAL": "=",
    "AT": "@",
    "OPTIONAL": "?",
    "VARIADIC": "*",
    "LPAR": "(",
    "TILDE": "~",
    "PLUS": "+",
    "OP": "op",
    "POLICY": "policy",
    "INTERFACE": "interface",
}
#: Groups of terminals under one word: the terminal that tells the group, its name, its members.
_GROUPS: tuple[tuple[str, str, frozenset[str]], ...] = (
    (
        "KEEP",
        "a statement",
        frozenset(
            [
                "KEEP",
                "MIXES",
                "ZERO",
                "PASSES",
                "BALANCED",
                "HOLDS",
                "HINT",
                "NEUTRAL",
                "SCALES",
                "CONTRACTS",
                "DISCONTINUOUS",
                "MACS",
                "NAME",
                "REST",
                "FUNCTION",
            ]
        ),
    ),
    ("TILDE", "an axis", frozenset(["TILDE", "NAME", "REST", "FUNCTION", "INT", "LPAR"])),
    (
        "STRING",
        "a value",
        frozenset(
            [
                "STRING",
                "INT",
                "SIGNED_INT",
                "FLOAT",
                "NONE",
                "TRUE",
                "FALSE",
                "NAME",
                "REST",
                "FUNCTION",
                "LPAR",
                "NOT",
            ]
        ),
    ),
    ("MINUS", "an operator such as `+`", frozenset(["PLUS", "MINUS", "MULTIPLY", "DIVIDE"])),
    ("COMPARE", "a comparison", frozenset(["COMPARE", "IN", "NOT"])),
)
_WORDS = {
    "NAME": "a name",
    "FUNCTION": "a function",
    "REST": "`*` and a name",
    "INT": "a number",
    "SIGNED_INT": "a number",
    "FLOAT": "a number",
    "STRING": 'a text in "quotes"',
    "DOC": "",
    "$END": "the end of the file",
}


def expected_words(accepted: Collection[str]) -> str:
    """The terminals that could stand somewhere, in plain words: ``"a, b or c"``."""
    left = set(accepted)
    if "TILDE" in left:
        left.discard("LSQB")  # behind the name of an axis; not what is meant where another axis can stand
    if "STRING" in left and "INT" not in left:
        left.remove("STRING")
        left.add("a text")
    words: list[str] = []
    for sign, word, members in _GROUPS:
        if sign in left:
            words.append(word)
            left -= members
    if "a text" in left:
        words.append(_WORDS["STRING"])
        left.remove("a text")
    for terminal in sorted(left - {"DOC"}, key=_order):
        symbol = _SYMBOLS.get(terminal, terminal.lower())
        word = _WORDS.get(terminal, f"`{symbol}`")
        if word not in words:
            words.append(word)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _order(terminal: str) -> tuple[int, str]:
    """Names first, then symbols in the order of the table, then keywords."""
    if terminal in _WORDS:
        return 0, terminal
    if terminal in _SYMBOLS:
        return 1, f"{list(_SYMBOLS).index(terminal):02}"
    return 2, terminal


def unexpected_token(error: Any, chunk: Span) -> Diagnostic:
    """The diagnostic for a token that cannot stand where it does, or for an end too early."""
    accepted = error.accepts or error.expected
    token = error.token
    if token.type == "$END":
        return _unexpected_end(accepted, chunk)
    start = chunk.start + token.start_pos
    span = Span(chunk.source, start, start + len(token))
    if token.type == "DOC":
        return _misplaced_documentation(span)
    if token in ("policy", "interface") and "OP" in accepted:
        return _policy(span, alone=not _TEXT_OR_COMMENT.sub("", chunk.source.text[:start]).strip())
    star = _touching_star(chunk, start, token, accepted)
    if star is not None:
        return Diagnostic(
            "P101",
            "this star does not multiply",
            annotations=(Annotation(star, "it touches what follows, and so means any number of axes"),),
            help="to multiply, put a space behind it: `a * b`",
        )
    return Diagnostic(
        "P101",
        f"`{printable(str(token), 40)}` cannot stand here",
        annotations=(Annotation(span, f"expected {expected_words(accepted)}"),),
        help=_advice(token, accepted, chunk, start),
    )


def unexpected_character(error: Any, chunk: Span) -> Diagnostic:
    """The diagnostic for a character that begins nothing of the language."""
    start = chunk.start + error.pos_in_stream
    character = chunk.source.text[start]
    accepted = error.interactive_parser.accepts() or error.allowed
    if character == '"':
        return _unclosed_text(chunk, start)
    shown = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    advice = {
        "'": 'texts stand in double quotes: "…"',
        "!": "write `!=` or `not`",
        "&": "write `and`",
        "|": "write `or`",
        "-": "write `->` between inputs and outputs",
        "\u00a0": "this is a no-break space; write a plain one",
    }
    return Diagnostic(
        "P103",
        f"the character {shown} is not part of the language",
        annotations=(
            Annotation(Span(chunk.source, start, start + 1), f"expected {expected_words(accepted)}"),
        ),
        help=advice.get(character, "delete it, or put the text into double quotes"),
    )


def _unclosed_text(chunk: Span, start: int) -> Diagnostic:
    end = chunk.source.text.find("\n", start)
    end = len(chunk.source.text) if end < 0 else end
    return Diagnostic(
        "P104",
        "this text has no closing quote",
        annotations=(Annotation(Span(chunk.source, start, end), 'expected `"` before the line ends'),),
        help="close the text on the same line; it cannot hold a quote itself",
    )


_NAME_OR_SPACE = "_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \n\t\r"
_TEXT_OR_COMMENT = re.compile(r'"[^"\n]*"|#[^\n]*')


def _length_of_code(text: str) -> int:
    """How much of a text stands before the comments and spaces at its end."""
    length = at = 0
    for found in _TEXT_OR_COMMENT.finditer(text):
        before = len(text[at : found.start()].rstrip())
        length = at + before if before else length
        length = length if found.group().startswith("#") else found.end()
        at = found.end()
    rest = len(text[at:].rstrip())
    return at + rest if rest else length


def _unexpected_end(accepted: Collection[str], chunk: Span) -> Diagnostic:
    text = chunk.text
    if set(accepted) <= {"OP", "POLICY", "DOC"}:
        last = [match for match in _TEXT_OR_COMMENT.finditer(text) if match.group().startswith("##")][-1]
        start = chunk.start + last.start()
        return _misplaced_documentation(Span(chunk.source, start, start + len(last.group().rstrip())))
    end = chunk.start + _length_of_code(text)
    keyword = re.search(r"^op\b", text, re.MULTILINE)
    annotations = [
        Annotation(Span(chunk.source, end - 1, end), f"expected {expected_words(accepted)} behind this")
    ]
    if keyword is not None:
        first = chunk.start + keyword.start()
        header = chunk.source.text[first:end].split("\n", 1)[0].rstrip()
        if first + len(header) <= end - 1:
            annotations.append(
                Annotation(Span(chunk.source, first, first + len(header)), "the rule starts here")
            )
    return Diagnostic(
        "P102",
        "the rule ends too early",
        annotations=tuple(annotations),
        help="close it with `}`" if "RBRACE" in accepted else None,
    )


def _misplaced_documentation(span: Span) -> Diagnostic:
    return Diagnostic(
        "P111",
        "this documentation belongs to no rule",
        annotations=(Annotation(span, "`##` documents the rule below it, and stands above its `op`"),),
        help="write a plain comment with a single `#`",
    )


def _policy(span: Span, alone: bool) -> Diagnostic:
    """For a policy among rules, or a file of policies where one of rules is expected."""
    if alone:
        label, advice = (
            "rules are expected here",
            "give the file with --policy; `rules check` and `rules fmt` take it too",
        )
    else:
        label, advice = "this file holds rules", "move policies into a file of their own, for --policy"
    annotation = Annotation(span, label)
    return Diagnostic("P101", "a policy is no rule", annotations=(annotation,), help=advice)


def _touching_star(chunk: Span, start: int, token: Any, accepted: Collection[str]) -> Optional[Span]:
    """The star of ``a*b`` that was read as the start of another statement, where this is what went wrong: it
    stands right before the token, or was taken for the left side of an equation that never comes."""
    first = max(chunk.start, start - 200)
    before = _TEXT_OR_COMMENT.sub(lambda match: " " * len(match.group()), chunk.source.text[first:start])
    if token.type == "REST" and re.search(r"[\w.)]\Z", before):
        return Span(chunk.source, start, start + 1)
    before = before.rstrip("=")  # of `==`, the first half was taken for that of an equation
    left_side = "EQUAL" in accepted
    behind = before.rfind("=") + 1 if left_side else len(before)
    stars = re.finditer(r"[\w.)]([ \t]*)(\*)(?=[A-Za-z_(]|\Z)", before)
    found = [
        star.start(2)
        for star in stars
        if (left_side or not star.group(1))
        and (star.start() >= behind or not before[star.end() :].strip(_NAME_OR_SPACE))
    ]
    return Span(chunk.source, first + found[0], first + found[0] + 1) if found else None


def _advice(token: Any, accepted: Collection[str], chunk: Span, start: int) -> Optional[str]:
    """What to do about mistakes that are easily made."""
    before = chunk.source.text[max(chunk.start, start - 200) : start]
    if token.type == "LPAR" and re.search(r"[\w.][ \t]+\Z", before):
        return "to call a function, write the bracket right behind its name: `f(x)`"
    if token.type == "MULTIPLY" and "TILDE" in accepted:
        return "factors of a product stand side by side: `(g c)`"
    if token == "op" and "POLICY" in accepted:
        return "rules stand in files of their own, which --rules takes"
    if "HINT" in accepted and "KEEP" not in accepted and token.type in _STATEMENT_BEGINS:
        return "hints stand behind all statements; move it up"
    if token == "=" and "COMPARE" in accepted:
        return "to compare, write `==`"
    if token == "=" and before[-1:] == "=" and "COMPARE" not in accepted:
        return "an equation has a single `=`"
    if "KEEP" in accepted and "MINUS" not in accepted and token.type in _STATEMENT_NEVER_BEGINS:
        return "a statement begins with a name or a function; turn the equation round"
    return None


_STATEMENT_BEGINS = _GROUPS[0][2]
_STATEMENT_NEVER_BEGINS = frozenset(["INT", "SIGNED_INT", "FLOAT", "STRING", "LPAR", "NONE", "TRUE", "FALSE"])


# --- what the grammar lets through ---


def nested_too_deeply(span: Span) -> Diagnostic:
    """P106."""
    return Diagnostic(
        "P106",
        "this is nested too deeply",
        annotations=(Annotation(span, f"more than {MAXIMUM_DEPTH} levels"),),
        help="split the expression into several, or drop brackets that are not needed",
    )


def hint_among_statements(span: Span) -> Diagnostic:
    """P101 for a hint without its word."""
    text = " ".join(span.text.split())
    return Diagnostic(
        "P101",
        f"`{text.split()[0]}` is a hint",
        annotations=(Annotation(span, "says nothing of channels"),),
        help=f"write `hint {text}`, behind the statements",
    )


def no_condition(span: Span) -> Diagnostic:
    """P112."""
    return Diagnostic(
        "P112",
        "nothing says when this axis list holds",
        annotations=(Annotation(span, "and no tensor before has an alternative in this place"),),
        help="put a condition behind it: `| axes when attribute == value`",
    )


def number_out_of_bounds(span: Span) -> Diagnostic:
    """P105."""
    return Diagnostic(
        "P105",
        "this number is too large",
        annotations=(Annotation(span, f"at most {MAXIMUM_DIGITS} digits, or an exponent below 308"),),
        help="sizes and attribute values are far smaller; check for a slip of the key",
    )
