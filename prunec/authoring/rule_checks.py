"""Everything that is wrong with rule files, in one go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Optional, Sequence, Union

from prunec.authoring.policies import policy_warnings, repeated_patterns
from prunec.authoring.registered_operators import Registry, check_attributes
from prunec.frontends.registry import libraries
from prunec.language.check import check
from prunec.language.library import built_in, header_names, load, locate
from prunec.language.parser import chunks, holds_policies, parse_chunk, parse_policies, read_source
from prunec.language.policy_syntax import Interface, Policy
from prunec.language.reasons import with_reasons
from prunec.language.resources import data_folder
from prunec.language.stored import read_chunk
from prunec.language.syntax import Rule, RuleFile
from prunec.support.diagnostics import Diagnostic, PrunecError, Severity, Source, Span


@dataclass(frozen=True)
class Checked:
    """Rule files with all that was found about them; a file with syntax errors has the rules without.

    ``policies`` are those of files of policies.
    """

    files: tuple[RuleFile, ...]
    diagnostics: tuple[Diagnostic, ...]
    policies: tuple[Union[Policy, Interface], ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What must be put right."""
        return tuple(d for d in self.diagnostics if d.severity is Severity.ERROR)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules that could be read."""
        return tuple(rule for file in self.files for rule in file.rules)


def read_sources(names: Sequence[str]) -> tuple[Source, ...]:
    """The texts of rule files, by path, folder or built-in name; each once.  Raises PrunecError P107 to P110
    with everything that cannot be read."""
    found: dict[Path, Source] = {}
    problems: list[Diagnostic] = []
    for name in names:
        try:
            path = locate(name)
            for file in sorted(path.glob("*.prune")) if path.is_dir() else [path]:
                if file.resolve() not in found:
                    found[file.resolve()] = _named(read_source(file), file)
        except PrunecError as error:
            problems += error.diagnostics
    if problems:
        raise PrunecError(*problems)
    return tuple(found.values())


def _named(source: Source, path: Path) -> Source:
    """A built-in file has the same name on every machine."""
    if path.parent.resolve() == data_folder("rules").resolve() and path.stem in built_in():
        return Source(f"rules/{path.name}", source.text)
    return source


def check_sources(
    sources: Sequence[Source],
    against: Optional[Sequence[str]] = None,
    registered: Optional[Registry] = None,
) -> Checked:
    """Checks texts together: syntax, names, axes, sizes, overlaps, and attributes against ``registered``
    operators (``None``: against none).

    A syntax error hides nothing but its own rule.  ``against`` names built-in rule files that these will be
    used with (``None``: as :func:`libraries_for`): rules are compared with those of them that they have to do
    with.  Each built-in file, being for another kind of model, is checked by itself.
    """
    if against is None:
        against = libraries_for(sources)
    files: list[RuleFile] = []
    found: list[Diagnostic] = []
    policies: list[Union[Policy, Interface]] = []
    for source in sources:
        if holds_policies(source):
            policies += _policies(source, found)
            continue
        rules: list[Rule] = []
        # A file that is being written changes with every run.
        read = parse_chunk if built_in_name(source) is None else read_chunk
        for start, end in chunks(source.text):
            try:
                rules += with_reasons(read(source, start, end), source)
            except PrunecError as error:
                found += error.diagnostics
        files.append(RuleFile(tuple(rules), Span(source, 0, len(source.text))))
    broken = bool(found)
    own = [file for file in files if built_in_name(file.span.source) is None]
    # The rules of a front end that a package brings are not compared with themselves.
    others = [name for name in against if not _stands_among(name, sources)]
    for together in [own, *([file] for file in files if file not in own)]:
        known = _relatives(own, others) if together is own and own and others else ()
        # The rule that is meant may be one that could not be read.
        found += [d for d in check(together, known) if not (broken and d.code == "P215")]
    for file in files:
        name = built_in_name(file.span.source)
        for library in [name] if name else against or libraries_for([file.span.source]):
            known_operators = {} if registered is None else registered(library)
            for rule in file.rules:
                found += check_attributes(rule, library, known_operators)
    return Checked(tuple(files), tuple(_in_order(found, sources)), tuple(policies))


def _stands_among(name: str, sources: Sequence[Source]) -> bool:
    """Whether rules named by their path are among some texts."""
    path = Path(name)
    return path.is_file() and any(path.resolve() == Path(source.name).resolve() for source in sources)


def _policies(source: Source, found: list[Diagnostic]) -> tuple[Union[Policy, Interface], ...]:
    """The policies of a file; what is wrong with them goes to ``found``."""
    from prunec.planning.interface_policy import interface_problems
    from prunec.planning.policy import setting_problems

    try:
        file = parse_policies(source)
    except PrunecError as error:
        found += error.diagnostics
        return ()
    for interface in file.interfaces:
        found += [*interface_problems(interface), *repeated_patterns(interface.patterns)]
    for policy in file.policies:
        found += [problem for setting in policy.settings for problem in setting_problems(setting)]
        found += policy_warnings(policy)
    return (*file.policies, *file.interfaces)


def built_in_name(source: Source) -> Optional[str]:
    """The name of a built-in file, or of a file that is called like one and so takes its place; ``None`` for
    any other."""
    path = Path(source.name)
    return path.stem if path.suffix == ".prune" and path.stem in built_in() else None


def libraries_for(sources: Sequence[Source]) -> tuple[str, ...]:
    """The rules that files will be used with: the built-in ones among them, else those of the front end whose
    rules know most of the operators that the files speak of (the first one's where none knows more)."""
    named = tuple(name for name in map(built_in_name, sources) if name is not None)
    if named:
        return named
    names = frozenset(name for source in sources for name in header_names(source))
    known = {name: sum(operator in names for operator in load([name]).operators()) for name in libraries()}
    return (max(known, key=lambda name: known[name]),)


def _in_order(found: Iterable[Diagnostic], sources: Sequence[Source]) -> list[Diagnostic]:
    order = {id(source): index for index, source in enumerate(sources)}

    def place(diagnostic: Diagnostic) -> tuple[int, int]:
        span = diagnostic.annotations[0].span
        return order.get(id(span.source), len(order)), span.start

    return sorted(found, key=place)


def _relatives(files: Sequence[RuleFile], against: Sequence[str]) -> tuple[Rule, ...]:
    """The rules of built-in files that rules have to do with: those of the same operators or labels, and all
    that any of these specialise."""
    library = load(against)
    own = [rule for file in files for rule in file.rules]
    found: dict[int, Rule] = {}
    waiting = list(own)
    mine = {id(rule) for rule in own}
    while waiting:
        rule = waiting.pop()
        related: list[Rule] = []
        for name in [rule.label, *(target.name for target in rule.specialises)]:
            related += library.label(name)
        if id(rule) in mine:
            for operator in rule.operators:
                related += library.rules_for(operator.name)
        for other in related:
            if id(other) not in found:
                found[id(other)] = other
                waiting.append(other)
    return tuple(found.values())
