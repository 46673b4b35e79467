"""What the language server answers, free of any protocol: offsets into a text and plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

from prunec.authoring.formatting import format_source
from prunec.authoring.registered_operators import Registry
from prunec.authoring.rule_checks import Checked, built_in_name, check_sources, libraries_for
from prunec.language.canonical import print_header, print_signature
from prunec.language.check_messages import usage
from prunec.language.functions import WRITTEN
from prunec.language.library import RuleSet, built_in, header_names, load
from prunec.language.parser import chunks, holds_policies
from prunec.language.places import places
from prunec.language.resources import data_folder
from prunec.language.syntax import Rule, Signature
from prunec.support.diagnostics import Diagnostic, PrunecError, Source, Span

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?:::[A-Za-z_][A-Za-z0-9_.]*)?")
_KEYWORDS = {
    "op": "Starts a rule: the operators it is for, the attributes it reads, its guard.",
    "as": "Names the rule; without it, it is called as its first operator.",
    "specialises": "Where this rule and the named one both match, this one is meant.",
    "when": "The rule, the statement or the axis list before it holds where this is true.",
    "reason": "Names a reason, for `because` in the rules of this file.",
    "opaque": "Nothing is known of the outputs: everything the operator touches is kept.",
    "because": "The reason, for messages and explanations.",
    "keep": "Cannot be removed.",
    "mixes": "The operator combines over these channels: removing some changes the value of the rest.",
    "unless": "…unless removed channels are known to be zero in these tensors.",
    "zero": "The tensor is zero in a removed channel.",
    "passes": "Where all of one input is zero, the output is the other input, if that has its shape.",
    "balanced": "The parts of a variadic sum stay equally long.",
    "hint": "What no channel depends on; behind all statements.",
    "neutral": "The value that masks a parameter, where zero does not.",
    "discontinuous": "A change in the last bit of an input can reorder the outputs.",
    "macs": "Multiply-adds of one run.",
    "scales": "Channels are multiplied by this parameter: its size tells how much they matter.",
    "contracts": "The operator multiplies two inputs and sums over these axes, in which it is linear.",
    "holds": "The elements of this output are these sizes.",
}
_POLICY_KEYWORDS = {
    "policy": "Starts a policy: patterns of names of nodes, and what holds for these.",
    "hold": "Nothing goes.",
    "ratio": "This share goes, whatever the budget.",
    "max_ratio": "At most this share goes.",
    "min_channels": "At least this many channels stay.",
    "align": "What stays is a multiple of this.",
    "whole rows": "In tables (heads, groups), whole rows go.",
    "interface": "Inputs and outputs of the model that may change their width.",
    "from": "The outputs that are fed back to these inputs: both lose the same channels.",
    "free": "Channels that stand for numbers of a table may go.",
    "uniform": "Groups that look alike lose the same number of channels.",
}


@dataclass(frozen=True)
class Location:
    """A stretch of a text: of the document itself where ``path`` is ``None``, else of a file."""

    path: Optional[Path]
    source: Source
    start: int
    end: int


@dataclass(frozen=True)
class Hover:
    """Markdown about a stretch of the document."""

    start: int
    end: int
    markdown: str


@dataclass(frozen=True)
class Completion:
    """A word that can stand somewhere; ``kind``: ``"keyword"``, ``"function"``, ``"name"`` or ``"rule"``."""

    word: str
    kind: str
    about: str = ""


class Document:
    """A file of rules or of policies as it is being written."""

    def __init__(self, name: str, text: str, registered: Optional[Registry] = None) -> None:
        is_built_in = Path(name).parent == data_folder("rules") and Path(name).stem in built_in()
        self.source = Source(f"rules/{Path(name).stem}.prune" if is_built_in else name, text)
        # A file that takes the place of a built-in one has no other rules beside it.
        against = libraries_for([self.source]) if built_in_name(self.source) is None else ()
        self.library: RuleSet = load(against)
        self.checked: Checked = check_sources([self.source], against, registered)

    def diagnostics(self) -> Iterator[tuple[Diagnostic, int, int]]:
        """Every message about this document, and the stretch it is about."""
        for diagnostic in self.checked.diagnostics:
            span = diagnostic.annotations[0].span
            if span.source is self.source:
                yield diagnostic, span.start, max(span.end, span.start + 1)

    def formatted(self) -> Optional[str]:
        """The canonical text, ``None`` where it has syntax errors."""
        try:
            return format_source(self.source)
        except PrunecError:
            return None

    # --- hover ---

    def hover(self, offset: int) -> Optional[Hover]:
        """What is known of the word at an offset."""
        word = self._word(offset)
        if word is None:
            return None
        start, end, text = word
        rule = self._rule_at(offset)
        called = self.source.text[end : end + 1] == "("
        if called and text in WRITTEN:
            function = WRITTEN[text]
            return Hover(start, end, f"{usage(function)}\n\n{function.summary}")
        rules = self._rules_named(text, rule, start)
        if rules:
            return Hover(start, end, "\n\n---\n\n".join(_about_rule(found) for found in rules[:6]))
        if text in _KEYWORDS and not self._is_axis(text, rule):
            return Hover(start, end, _KEYWORDS[text])
        if rule is not None and self._is_axis(text, rule):
            return Hover(start, end, _about_axis(text, rule.signature))
        return None

    def _is_axis(self, name: str, rule: Optional[Rule]) -> bool:
        return rule is not None and any(place.name == name for place in places(rule.signature))

    # --- definition ---

    def definition(self, offset: int) -> Optional[Location]:
        """Where what stands at an offset is defined: a rule, a tensor, an axis or an attribute."""
        word = self._word(offset)
        if word is None:
            return None
        start, _, text = word
        rule = self._rule_at(offset)
        if rule is not None:
            for name in rule.specialises:
                if name.span.start <= offset <= name.span.end:
                    found = self._rules_named(text, None, start)
                    others = [other for other in found if other is not rule]
                    return _location(others[0].operators[0].span, self.source) if others else None
            inside = self._inside(text, rule)
            if inside is not None:
                return _location(inside, self.source)
        rules = [other for other in self._rules_named(text, rule, start) if other is not rule]
        return _location(rules[0].operators[0].span, self.source) if rules else None

    def _inside(self, name: str, rule: Rule) -> Optional[Span]:
        """The first place of an axis, a tensor or an attribute in a rule."""
        signature = rule.signature
        for attribute in rule.attributes:
            if attribute.name == name:
                return attribute.span
        for tensor in signature.data + signature.parameters + signature.outputs:
            if tensor.name == name:
                return Span(tensor.span.source, tensor.span.start, tensor.span.start + len(name))
        for place in places(signature):
            if place.name == name:
                return place.span
        return None

    # --- completion ---

    def completions(self, offset: int) -> tuple[Completion, ...]:
        """The words that may be meant at an offset.

        Behind ``specialises`` these are rules; elsewhere the names in the rule around, functions and
        keywords.  The rule need not be complete: its names are read from the text.
        """
        text = self.source.text
        start, end = next((c for c in chunks(text) if c[0] <= offset <= c[1]), (0, len(text)))
        before = text[start:offset]
        if holds_policies(self.source):
            return tuple(Completion(word, "keyword", about) for word, about in _POLICY_KEYWORDS.items())
        if re.search(r"\bspecialises\b[^{}]*\Z", before) and not re.search(r"\bwhen\b[^{}]*\Z", before):
            names = sorted(header_names(self.source) | set(self.library.operators()))
            return tuple(Completion(name, "rule") for name in names)
        word = self._word(offset)
        code = re.sub(r'"[^"\n]*"|#[^\n]*', "", text[start : word[0] if word else offset] + text[offset:end])
        inside = {match.group() for match in _WORD.finditer(code)} - _KEYWORDS.keys() - WRITTEN.keys()
        found = [Completion(name, "name") for name in sorted(inside)]
        found += [Completion(name, "function", usage(function)) for name, function in WRITTEN.items()]
        found += [Completion(keyword, "keyword", about) for keyword, about in _KEYWORDS.items()]
        return tuple(found)

    # --- words and rules ---

    def _word(self, offset: int) -> Optional[tuple[int, int, str]]:
        line_start = self.source.text.rfind("\n", 0, offset) + 1
        for match in _WORD.finditer(self.source.text, line_start):
            if match.start() > offset:
                return None
            if match.end() >= offset:
                return match.start(), match.end(), match.group()
        return None

    def _rule_at(self, offset: int) -> Optional[Rule]:
        return next((r for r in self.checked.rules if r.span.start <= offset <= r.span.end), None)

    def _rules_named(self, name: str, rule: Optional[Rule], start: int) -> list[Rule]:
        """The rules that a name in a header means: those with that label, else those of that operator."""
        if rule is not None:
            header = [*rule.operators, *rule.specialises]
            labelled = re.search(rf"\bas\s+{re.escape(rule.label)}\b", rule.span.text)
            at_label = labelled is not None and rule.span.start + labelled.end() - len(rule.label) == start
            if not at_label and not any(n.span.start <= start < n.span.end for n in header):
                return []
        own = [r for r in self.checked.rules if r.label == name] or [
            r for r in self.checked.rules if any(o.name == name for o in r.operators)
        ]
        try:
            others = list(self.library.label(name))
        except PrunecError:
            others = []
        return own + [other for other in others if other.span.source.name != self.source.name]


def _about_rule(rule: Rule) -> str:
    header = " ".join(line.strip() for line in print_header(rule))
    lines = ["```prune", header]
    if rule.opaque is None:
        lines.append(f"  {print_signature(rule.signature)}")
    lines.append("```")
    if rule.documentation.strip():
        lines += ["", rule.documentation.strip()]
    lines += ["", f"*{rule.operators[0].span.place}*"]
    return "\n".join(lines)


def _about_axis(name: str, signature: Signature) -> str:
    """What an axis is, from where it stands."""
    roles = (
        ("data", signature.data),
        ("parameters", signature.parameters),
        ("outputs", signature.outputs),
    )
    where = [role for role, tensors in roles for tensor in tensors if any(_names(name, tensor_axes(tensor)))]
    kinds = {
        frozenset(("data", "outputs")): "carried: the same channels on data and outputs",
        frozenset(("data", "parameters")): "consumed: channels that parameters sum over",
        frozenset(("parameters", "outputs")): "produced: channels that parameters make",
    }
    text = kinds.get(frozenset(where))
    count = len(where)
    if text is None:
        text = (
            f"on {' and '.join(dict.fromkeys(where))}" if count > 1 else f"in one place only, on {where[0]}"
        )
    return f"`{name}`: {text}"


def tensor_axes(tensor: object) -> str:
    """The text of a tensor's axis list."""
    text: str = tensor.span.text  # type: ignore[attr-defined]
    return text[text.find("[") :]


def _names(name: str, axes: str) -> Iterator[bool]:
    yield from (True for match in _WORD.finditer(axes) if match.group() == name)


def _location(span: Span, own: Source) -> Location:
    if span.source is own:
        return Location(None, own, span.start, span.end)
    name = span.source.name
    path = data_folder("rules") / name[len("rules/") :] if name.startswith("rules/") else Path(name)
    return Location(path, span.source, span.start, span.end)
