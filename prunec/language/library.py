"""Finding rule files and loading the rules that are asked for.

A model uses a few dozen operators and the built-in rules speak of hundreds, so a :class:`RuleSet`
reads only the headers of built-in files, with a regular expression, and parses a rule when it is
asked for.  The files of the user, who is at work on them, are parsed and checked at once.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Union

from prunec.language.check import check
from prunec.language.parser import chunks, keywords, read_source
from prunec.language.resources import data_folder
from prunec.language.stored import read_chunk
from prunec.language.syntax import Rule, RuleFile
from prunec.support.diagnostics import Diagnostic, PrunecError, Severity, Source, Span, printable

#: The path of a rule file, or the name of a built-in one.
FileName = Union[str, "os.PathLike[str]"]

_NAME = r"[A-Za-z_][A-Za-z0-9_.]*(?:::[A-Za-z_][A-Za-z0-9_.]*)?"
_HEADER = re.compile(
    rf"""op\s+(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)\s*
    (?:\((?:"[^"\n]*"|\(\s*\)|[^()"\#])*\)\s*)?
    (?:as\s+(?P<label>{_NAME})\s*)?
    (?:specialises\s+(?P<specialises>{_NAME}(?:\s*,\s*{_NAME})*)\s*)?
    (?=when\b|opaque\b|\{{)""",
    re.VERBOSE,
)
_NO_RULE = re.compile(rf"""(?:\s|\#(?!\#)[^\n]*(?=\n|\Z)|reason\s+{_NAME}\s*=\s*"[^"\n]*")*""")


def locate(name: str) -> Path:
    """The rule file that a name on the command line means: an existing file, a built-in one (its name
    without ``.prune``), or a folder of rule files.

    Raises ``PrunecError`` (P110) with the names of the built-in files where there is none.
    """
    path = Path(name)
    stem = _stem(name)
    try:
        if path.is_file():
            return path
        if stem in built_in():
            return data_folder("rules") / f"{stem}.prune"
        if path.is_dir() and any(path.glob("*.prune")):
            return path
    except (OSError, ValueError):
        pass  # not a name that a file can have
    known = built_in()
    close = get_close_matches(name, known, 1)
    raise PrunecError(
        Diagnostic(
            "P110",
            f"there is no rule file {printable(name)}",
            notes=(f"built-in rule files: {', '.join(known) or 'none'}",),
            help=f"did you mean `{close[0]}`?"
            if close
            else "give the path of a .prune file, or a built-in name",
        )
    )


def _stem(name: str) -> str:
    """A built-in rule file may be named with or without its ending."""
    return name[: -len(".prune")] if name.endswith(".prune") else name


def built_in() -> tuple[str, ...]:
    """The names of the rule files that come with prunec, sorted."""
    return tuple(sorted(path.stem for path in data_folder("rules").glob("*.prune")))


def load(names: Union[FileName, Sequence[FileName]]) -> RuleSet:
    """The rules of a file or of several, by path or built-in name; a file named twice counts once.

    The files given by path are parsed and checked against each other and the built-in ones. Raises
    ``PrunecError``: P107 to P110 for files, P101 to P111 for syntax errors and P201 to P230 for
    semantic ones, all of them at once.
    """
    sources: dict[Path, tuple[Source, bool]] = {}
    for given in [names] if isinstance(names, (str, os.PathLike)) else names:
        name = os.fspath(given)
        path = locate(name)
        is_built_in = _stem(name) in built_in() and not Path(name).is_file()
        for file in sorted(path.glob("*.prune")) if path.is_dir() else [path]:
            source = read_source(file)
            if is_built_in:
                # The same name on every machine: it goes into messages, plans and reports.
                source = Source(f"rules/{file.name}", source.text, built_in=True)
            sources.setdefault(file.resolve(), (source, is_built_in))
    return RuleSet(tuple(sources.values()))


def header_names(source: Source) -> frozenset[str]:
    """The operators and labels that the headers of a file name, as far as they can be read."""
    headers = (_HEADER.search(source.text, start, end) for start, end in chunks(source.text))
    groups = (h.group(k) or "" for h in headers if h is not None for k in ("names", "specialises"))
    return frozenset(name for group in groups for name in re.findall(_NAME, group))


@dataclass(frozen=True)
class _Chunk:
    """A stretch of a source that holds one rule, and what its header says."""

    source: Source
    start: int
    end: int
    operators: tuple[str, ...]
    label: str


class RuleSet:
    """Rules by operator and by label, parsed when they are first asked for.

    ``sources`` are the texts, each with whether it is a built-in one, whose rules are trusted to be
    correct until they are used. ``warnings`` holds what was found about the others.
    """

    def __init__(self, sources: Sequence[tuple[Source, bool]]) -> None:
        self._chunks: list[_Chunk] = []
        self._rules: dict[int, Rule] = {}
        self._by_operator: dict[str, list[int]] = {}
        self._by_label: dict[str, list[int]] = {}
        digest = hashlib.sha256()
        files: list[RuleFile] = []
        errors: list[Diagnostic] = []
        for source, is_built_in in sources:
            text = source.text.encode("utf-8", "surrogatepass")
            digest.update(b"%d:" % len(text) + text)
            if is_built_in:
                self._scan(source)
                continue
            rules: list[Rule] = []
            for start, end in chunks(source.text):
                try:
                    rules += self._add_parsed(source, start, end)
                except PrunecError as error:
                    errors += error.diagnostics
            files.append(RuleFile(tuple(rules), Span(source, 0, len(source.text))))
        #: SHA-256 over the texts, in their order, as hexadecimal digits.
        self.digest: str = digest.hexdigest()
        if errors:
            raise PrunecError(*errors)
        found = check(files, self._relatives(files)) if files else ()
        if any(diagnostic.severity is Severity.ERROR for diagnostic in found):
            raise PrunecError(*found)
        self.warnings: tuple[Diagnostic, ...] = found

    def __repr__(self) -> str:
        return f"<RuleSet: {len(self._chunks)} rules for {len(self._by_operator)} operators>"

    def operators(self) -> tuple[str, ...]:
        """The operators that have a rule, in the order of the files."""
        return tuple(self._by_operator)

    def rules_for(self, operator: str) -> tuple[Rule, ...]:
        """The rules of an operator, in the order of the files; none where it has none.

        Raises ``PrunecError`` where one of them has a syntax error.
        """
        return self._parsed(self._by_operator.get(operator, ()))

    def label(self, name: str) -> tuple[Rule, ...]:
        """What ``specialises name`` speaks of: the rules with that label, else all of that operator.

        Raises ``PrunecError`` where one of them has a syntax error.
        """
        return self._parsed(self._by_label.get(name) or self._by_operator.get(name) or ())

    def all_rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order of the files. Raises ``PrunecError`` with all syntax errors."""
        return self._parsed(range(len(self._chunks)))

    # --- reading ---

    def _scan(self, source: Source) -> None:
        """Read the headers of a text; what is not plainly one rule is parsed."""
        for start, end in chunks(source.text):
            places = keywords(source.text, start, end)
            if not places and _NO_RULE.fullmatch(source.text, start, end):
                continue
            header = _HEADER.match(source.text, places[0], end) if len(places) == 1 else None
            if header is None or header.start() < start:
                self._add_parsed(source, start, end)
                continue
            operators = tuple(re.findall(_NAME, header.group("names")))
            self._add(_Chunk(source, start, end, operators, header.group("label") or operators[0]))

    def _add_parsed(self, source: Source, start: int, end: int) -> tuple[Rule, ...]:
        rules = read_chunk(source, start, end)
        for rule in rules:
            self._rules[len(self._chunks)] = rule
            operators = tuple(operator.name for operator in rule.operators)
            self._add(_Chunk(source, start, end, operators, rule.label))
        return rules

    def _add(self, chunk: _Chunk) -> None:
        position = len(self._chunks)
        self._chunks.append(chunk)
        for operator in dict.fromkeys(chunk.operators):
            self._by_operator.setdefault(operator, []).append(position)
        self._by_label.setdefault(chunk.label, []).append(position)

    def _parsed(self, positions: Sequence[int]) -> tuple[Rule, ...]:
        errors: list[Diagnostic] = []
        for position in positions:
            if position in self._rules:
                continue
            chunk = self._chunks[position]
            try:
                (self._rules[position],) = read_chunk(chunk.source, chunk.start, chunk.end)
            except PrunecError as error:
                errors += error.diagnostics
        if errors:
            raise PrunecError(*errors)
        return tuple(self._rules[position] for position in positions)

    def _relatives(self, files: Sequence[RuleFile]) -> list[Rule]:
        """The built-in rules that the rules of files have to do with: those of the same operators or
        labels, and all that these specialise."""
        own = {id(rule) for file in files for rule in file.rules}
        found: dict[int, Rule] = {}
        waiting = [rule for file in files for rule in file.rules]
        while waiting:
            rule = waiting.pop()
            related: list[int] = []
            for name in [rule.label, *(target.name for target in rule.specialises)]:
                related += self._by_label.get(name) or self._by_operator.get(name, [])
            if id(rule) in own:
                for operator in rule.operators:
                    related += self._by_operator[operator.name]
            for other in self._parsed(related):
                if id(other) not in own and id(other) not in found:
                    found[id(other)] = other
                    waiting.append(other)
        return list(found.values())
