"""All semantic errors and warnings of rule files at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prunec.language.check_axes import check_axes
from prunec.language.check_given import check_given
from prunec.language.check_names import check_names
from prunec.language.overlap import always_holds, overlap
from prunec.language.syntax import Rule, RuleFile
from prunec.support.diagnostics import Annotation, Diagnostic, Severity


def check(files: Sequence[RuleFile], known: Sequence[Rule] = ()) -> tuple[Diagnostic, ...]:
    """Every error and warning of the files, P201 to P230, in the order of their places.

    ``known`` are rules that were checked before: labels, specialisations and guards are compared
    with theirs, but nothing is said of them alone.
    """
    own = [rule for file in files for rule in file.rules]
    found: list[Diagnostic] = []
    for rule in own:
        found += _operators_twice(rule)
        about = [*check_names(rule), *check_axes(rule), *check_given(rule)]
        # An error elsewhere in the rule can be all that makes an axis stand alone.
        wrong = any(diagnostic.severity is Severity.ERROR for diagnostic in about)
        found += [diagnostic for diagnostic in about if not (wrong and diagnostic.code == "P217")]
    found += _Relations(own, known).diagnostics()
    order = {id(file.span.source): index for index, file in enumerate(files)}

    def place(diagnostic: Diagnostic) -> tuple[int, int]:
        span = diagnostic.annotations[0].span
        return order.get(id(span.source), -1), span.start

    return tuple(sorted(found, key=place))


def resolve(
    name: str, rule: Rule, labels: Mapping[str, Sequence[Rule]], operators: Mapping[str, Sequence[Rule]]
) -> list[Rule]:
    """The rules that ``specialises name`` of a rule speaks of: those with that label, else all of
    that operator; never the rule itself."""
    labelled = [other for other in labels.get(name, ()) if other is not rule]
    return labelled or [other for other in operators.get(name, ()) if other is not rule]


def _operators_twice(rule: Rule) -> Iterator[Diagnostic]:
    seen = set()
    for operator in rule.operators:
        if operator.name in seen:
            yield Diagnostic(
                "P226",
                f"the operator `{operator.name}` is named twice",
                annotations=(Annotation(operator.span, "again here"),),
                help="delete it",
                severity=Severity.WARNING,
            )
        seen.add(operator.name)


class _Relations:
    """How rules stand to each other. Rules are known by their position: the own ones come first."""

    def __init__(self, own: Sequence[Rule], known: Sequence[Rule]) -> None:
        self.rules = [*own, *known]
        self.own = len(own)
        self.position = {id(rule): index for index, rule in enumerate(self.rules)}
        self.labels: dict[str, list[Rule]] = {}
        self.operators: dict[str, list[Rule]] = {}
        for rule in self.rules:
            self.labels.setdefault(rule.label, []).append(rule)
            for name in dict.fromkeys(operator.name for operator in rule.operators):
                self.operators.setdefault(name, []).append(rule)
        self.direct = [self._targets(rule) for rule in self.rules]
        self.general = [self._reachable(index) for index in range(len(self.rules))]

    def _targets(self, rule: Rule) -> set[int]:
        return {
            self.position[id(other)]
            for name in rule.specialises
            for other in resolve(name.name, rule, self.labels, self.operators)
        }

    def _reachable(self, start: int) -> frozenset[int]:
        """All rules that a rule specialises, over any number of steps."""
        found: set[int] = set()
        waiting = list(self.direct[start])
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting += self.direct[index]
        return frozenset(found)

    def diagnostics(self) -> Iterator[Diagnostic]:
        yield from self._unknown_targets()
        yield from self._cycles()
        clashing = list(self._overlaps())
        yield from (diagnostic for _, diagnostic in clashing)
        yield from self._labels_twice({pair for pair, _ in clashing})
        yield from self._shadowed()

    def _unknown_targets(self) -> Iterator[Diagnostic]:
        for rule in self.rules[: self.own]:
            for name in rule.specialises:
                if not resolve(name.name, rule, self.labels, self.operators):
                    own = name.name == rule.label or name.name in {o.name for o in rule.operators}
                    yield Diagnostic(
                        "P215",
                        f"there is no {'other ' if own else ''}rule `{name.name}` to specialise",
                        annotations=(Annotation(name.span),),
                        help="name the label of a rule, or an operator that has one",
                    )

    def _cycles(self) -> Iterator[Diagnostic]:
        reported: set[int] = set()
        for index in range(self.own):
            if index not in self.general[index] or index in reported:
                continue
            cycle = sorted(i for i in self.general[index] if index in self.general[i])
            reported.update(cycle)
            yield Diagnostic(
                "P216",
                f"the rule `{self.rules[index].label}` specialises itself by a detour",
                annotations=tuple(_points(self.rules[i], "specialises the next") for i in cycle),
                notes=("of two rules that match one node, the one that specialises the other is meant",),
                help="drop one of the `specialises`",
            )

    def _overlaps(self) -> Iterator[tuple[tuple[int, int], Diagnostic]]:
        seen: set[tuple[int, int]] = set()
        for name, rules in self.operators.items():
            for later, rule in enumerate(rules):
                for other in rules[:later]:
                    a, b = self.position[id(other)], self.position[id(rule)]
                    # The rule that the user is at work on stands first in the message.
                    first, second = (b, a) if b < self.own else (a, b)
                    related = a in self.general[b] or b in self.general[a]
                    if (first, second) in seen or related or first >= self.own:
                        continue
                    seen.add((first, second))
                    if overlap(other.when, rule.when):
                        yield (first, second), self._overlap(name, first, second)

    def _overlap(self, operator: str, first: int, second: int) -> Diagnostic:
        rule, other = self.rules[first], self.rules[second]
        label = rule.label if rule.label != other.label else f"my_{operator}"
        return Diagnostic(
            "P219",
            f"two rules match one `{operator}`",
            annotations=(_points(rule, "this rule"), _points(other, "and this one can hold for one node")),
            notes=("which one is meant is never guessed from their order",),
            help=f"let their guards exclude each other, or say which one is meant: "
            f"`op {operator} as {label} specialises {other.label}`",
        )

    def _labels_twice(self, clashing: set[tuple[int, int]]) -> Iterator[Diagnostic]:
        for label, rules in self.labels.items():
            for rule in rules[1:]:
                first, second = self.position[id(rules[0])], self.position[id(rule)]
                if second < self.own:
                    pair, new, old = (second, first), rule, rules[0]
                else:
                    pair, new, old = (first, second), rules[0], rule
                if pair in clashing or pair[0] >= self.own:
                    continue
                yield Diagnostic(
                    "P214",
                    f"two rules are called `{label}`",
                    annotations=(_points(new, "this rule"), _points(old, "and this one")),
                    notes=("a rule without `as` is called as its first operator",),
                    help=f"name one of them: `op {new.operators[0].name} as another_name`",
                )

    def _shadowed(self) -> Iterator[Diagnostic]:
        """Only within one file: a rule of the user may well replace a built-in one."""
        for index, rule in enumerate(self.rules[: self.own]):
            operators = {operator.name for operator in rule.operators}
            for special, other in enumerate(self.rules[: self.own]):
                if index not in self.general[special] or other.span.source is not rule.span.source:
                    continue
                if special == index or not operators <= {operator.name for operator in other.operators}:
                    continue
                if always_holds(other.when) and special not in self.general[index]:
                    yield Diagnostic(
                        "P220",
                        f"the rule `{rule.label}` is never used",
                        annotations=(
                            _points(rule, "this rule"),
                            _points(other, "specialised by this, always"),
                        ),
                        help=f"give `{other.label}` a guard (`when …`), or delete one of them",
                        severity=Severity.WARNING,
                    )


def _points(rule: Rule, text: str) -> Annotation:
    return Annotation(rule.operators[0].span, text)
