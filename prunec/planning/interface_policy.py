"""What a policy says of the model's interface: the inputs and outputs that may change their width."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Iterator, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.interface import Interface
from prunec.graph import Tensor, may_agree, shape_text
from prunec.language import policy_syntax
from prunec.support.diagnostics import Annotation, Diagnostic, PrunecError, Severity, Span, printable

#: So many names are listed.
_MOST_NAMES = 8
_WILD = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")


def read_interfaces(
    statements: Sequence[policy_syntax.Interface], analysis: Analysis
) -> tuple[tuple[Interface, ...], tuple[Diagnostic, ...]]:
    """For each statement the inputs and outputs that it names, in pairs where a caller feeds one back to the
    other, and warnings (P548) for inputs and outputs that are not taken for pairs.

    Raises PrunecError P547 for patterns that match neither input nor output, and for pairs that are none.
    """
    found = [_Names(analysis).read(statement) for statement in statements]
    return tuple(own for own, _ in found), tuple(warning for _, own in found for warning in own)


def joined(interfaces: Sequence[Interface]) -> Interface:
    """What several statements allow together."""
    return Interface(
        frozenset().union(*(own.inputs for own in interfaces)),
        frozenset().union(*(own.outputs for own in interfaces)),
        tuple(dict.fromkeys(pair for own in interfaces for pair in own.pairs)),
    )


def interface_problems(statement: policy_syntax.Interface) -> Iterator[Diagnostic]:
    """An error (P547) where a statement does not say for each of its patterns what is fed back."""
    if statement.sources and len(statement.sources) != len(statement.patterns):
        count, sources = len(statement.patterns), len(statement.sources)
        note = f"{_count(count, 'pattern')} of inputs, {_count(sources, 'pattern')} of outputs"
        help_text = "write one pattern behind `from` for each before it"
        yield _problem(
            "not every pattern has its counterpart behind `from`", statement.sources[-1].span, note, help_text
        )


class _Names:
    """The inputs and outputs of a model by name."""

    def __init__(self, analysis: Analysis) -> None:
        self.graph, self.shapes = analysis.model.graph, analysis.lowered.open_shapes
        inputs = sorted(analysis.solution.propagation.inputs)
        self.inputs = {self.graph.nodes[index].name: Tensor(index, 0) for index in inputs}
        self.outputs = {self.graph.output_name(place): place for place in range(len(self.graph.outputs))}

    def read(self, statement: policy_syntax.Interface) -> tuple[Interface, list[Diagnostic]]:
        """What one statement names, and warnings."""
        problems = list(interface_problems(statement))
        if problems:
            raise PrunecError(*problems)
        if statement.sources:
            return self._fed_back(statement), []
        patterns = [str(pattern.value) for pattern in statement.patterns]
        for pattern, literal in zip(patterns, statement.patterns):
            if not any(fnmatchcase(name, pattern) for name in (*self.inputs, *self.outputs)):
                raise PrunecError(
                    self._nothing("neither input nor output of the model has such a name", literal.span)
                )
        inputs = [name for name in self.inputs if any(fnmatchcase(name, own) for own in patterns)]
        outputs = [name for name in self.outputs if any(fnmatchcase(name, own) for own in patterns)]
        places = [self.outputs[name] for name in outputs]
        if not inputs or not outputs:
            return Interface(frozenset(inputs), frozenset(places)), []
        pairs = tuple(zip(inputs, places))
        apart = len(inputs) != len(outputs) or not all(self._may_be_one(*pair) for pair in pairs)
        own = Interface(frozenset(inputs), frozenset(places), () if apart else pairs)
        return own, [_apart(statement, inputs, outputs)] if apart else []

    def _fed_back(self, statement: policy_syntax.Interface) -> Interface:
        pairs: dict[str, int] = {}
        for pattern, source in zip(statement.patterns, statement.sources):
            wild = _expression(str(pattern.value))
            matches = [(name, found) for name in self.inputs for found in (wild.fullmatch(name),) if found]
            if not matches:
                raise PrunecError(
                    self._nothing("no input of the model has such a name", pattern.span, outputs=False)
                )
            for name, found in matches:
                made = self._source(str(source.value), found.groups())
                if made is None:
                    headline = (
                        f"no output of the model is named so that {printable(name, 60)!r} is fed from it"
                    )
                    note = "wildcards behind `from` stand for the same characters as those before it"
                    raise PrunecError(self._nothing(headline, source.span, note, inputs=False))
                if not self._may_be_one(name, self.outputs[made]):
                    raise PrunecError(self._unlike(name, made, source.span))
                pairs[name] = self.outputs[made]
        return Interface(frozenset(pairs), frozenset(pairs.values()), tuple(pairs.items()))

    def _source(self, pattern: str, stood_for: Sequence[str]) -> Optional[str]:
        """The one output whose name matches a pattern, its wildcards standing for given characters."""
        expression = _expression(pattern)
        found = [
            n
            for n in self.outputs
            for m in (expression.fullmatch(n),)
            if m and m.groups() == tuple(stood_for)
        ]
        return found[0] if len(found) == 1 else None

    def _may_be_one(self, name: str, place: int) -> bool:
        """Whether an output may be fed back to an input; what grows from step to step has one axis of another
        size."""
        given, made = self.shapes.get(self.inputs[name]), self.shapes.get(self.graph.outputs[place])
        if given is None or made is None or len(given) != len(made):
            return given is None or made is None
        return sum(not may_agree((a,), (b,)) for a, b in zip(given, made)) <= 1

    def _unlike(self, name: str, output: str, span: Span) -> Diagnostic:
        given, made = self.inputs[name], self.graph.outputs[self.outputs[output]]
        note = (
            f"the input {printable(name, 60)} is {shape_text(self.shapes.get(given))}, "
            f"the output {printable(output, 60)} {shape_text(self.shapes.get(made))}"
        )
        headline = "an input and the output fed back to it have other shapes"
        return _problem(headline, span, note, "name the output that a caller gives back to this input")

    def _nothing(
        self, headline: str, span: Span, more: str = "", inputs: bool = True, outputs: bool = True
    ) -> Diagnostic:
        lists = [("inputs", list(self.inputs), inputs), ("outputs", list(self.outputs), outputs)]
        notes = [f"its {kind} are {_listed(names)}" for kind, names, shown in lists if shown]
        help_text = "`*` stands for any characters, `?` for one; names are those of the model file"
        return _problem(headline, span, "; ".join(filter(None, (more, *notes))), help_text)


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression with a group for each of its wildcards."""
    text, end = "", 0
    for wild in _WILD.finditer(pattern):
        text += re.escape(pattern[end : wild.start()])
        own = wild.group()
        if own in ("*", "?"):
            text += "(.*)" if own == "*" else "(.)"
        else:
            inner = own[1:-1].replace("\\", "\\\\")
            text += f"([{'^' + inner[1:] if inner.startswith('!') else inner}])"
        end = wild.end()
    try:
        return re.compile(text + re.escape(pattern[end:]), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))


def _apart(statement: policy_syntax.Interface, inputs: Sequence[str], outputs: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "P548",
        "these inputs and outputs are not taken for pairs",
        annotations=(Annotation(statement.span),),
        notes=(
            f"inputs: {_listed(inputs)}; outputs: {_listed(outputs)}",
            "they differ in number or in shape, and are narrowed without regard to each other",
        ),
        help='where a caller feeds outputs back, say which: `interface "input" from "output"`',
        severity=Severity.WARNING,
    )


def interface_warnings(
    analysis: Analysis, statements: Sequence[policy_syntax.Interface], interfaces: Sequence[Interface]
) -> Iterator[Diagnostic]:
    """A warning (P529) for each statement after which nothing of what it names can go."""
    graph, solution = analysis.model.graph, analysis.solution
    in_groups = np.zeros(solution.unit_count + 1, dtype=bool)
    for group in solution.groups:
        in_groups[group.units] = True
    for statement, own in zip(statements, interfaces):
        named = [Tensor(n, 0) for n in solution.propagation.inputs if graph.nodes[n].name in own.inputs]
        named += [graph.outputs[place] for place in own.outputs]
        channels = [solution.propagation.channels.get(tensor) for tensor in named]
        arrays = [array for found in channels if found is not None for array in found.arrays]
        if not any(in_groups[solution.units(array)].any() for array in arrays):
            yield Diagnostic(
                "P529",
                "no channel of these inputs and outputs can go",
                annotations=(Annotation(statement.span),),
                help="`prunec explain` tells why; name the outputs too that these channels reach",
                severity=Severity.WARNING,
            )


def _problem(headline: str, span: Span, note: str, help_text: str) -> Diagnostic:
    return Diagnostic("P547", headline, annotations=(Annotation(span),), notes=(note,), help=help_text)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name, 60) for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return (shown + (f" and {more} more" if more > 0 else "")) or "none"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
