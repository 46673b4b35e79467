"""Policies: what a plan is to observe, by the names of nodes, from a ``.prune`` file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.choices import Choice
from prunec.channels.components import Atoms
from prunec.channels.interface import Interface
from prunec.channels.propagate import Cause, Edge, EdgeKind
from prunec.channels.solve import solve
from prunec.graph import Tensor
from prunec.language.parser import parse_policies, read_source
from prunec.language.policy_syntax import UNCOUNTED, Policy, PolicyFile, Setting
from prunec.lowering.reasons import ReasonKind
from prunec.planning.budget import Restriction
from prunec.planning.interface_policy import interface_warnings, joined, read_interfaces
from prunec.support.diagnostics import Annotation, Diagnostic, PrunecError, Severity, Span, printable

#: The kinds of settings whose numbers are shares, and those whose numbers count channels.
_SHARES, _COUNTS = ("ratio", "max_ratio"), ("align", "min_channels")
_LARGEST_COUNT = 1 << 20


@dataclass(frozen=True, eq=False)
class ModelPolicy:
    """The policies of a file, with the nodes of a model that each matches, and what each of its statements on
    the model's interface names."""

    file: PolicyFile
    nodes: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    interfaces: tuple[Interface, ...]
    warnings: tuple[Diagnostic, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.file.span.source.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def regroups(self) -> bool:
        """Whether a policy changes the groups themselves."""
        kinds = {setting.kind for policy in self.file.policies for setting in policy.settings}
        return bool(kinds & {"whole", "free"} or self.interfaces)

    @property
    def interface(self) -> Interface:
        """The inputs and outputs that may change their width."""
        return joined(self.interfaces)

    @property
    def freed(self) -> frozenset[str]:
        """The names of the nodes and parameters at which channels may go that stand for numbers."""
        return self._named("free")

    @property
    def whole(self) -> frozenset[str]:
        """The names of the nodes at which whole rows go."""
        return self._named("whole")

    def _named(self, kind: str) -> frozenset[str]:
        """The names of the nodes that have a statement."""
        return frozenset(
            self.names[node]
            for policy, nodes in zip(self.file.policies, self.nodes)
            if any(setting.kind == kind for setting in policy.settings)
            for node in nodes
        )


def read_policy(path: Path, analysis: Analysis) -> ModelPolicy:
    """Reads a policy for a model, analysed without it; patterns that match no node are warnings (P527).

    Raises PrunecError: P101 to P111 as for rule files, P528 for numbers out of bounds, P547 for what it says
    of inputs and outputs that the model does not have.
    """
    file = parse_policies(read_source(path, "policy file"))
    problems = [d for policy in file.policies for s in policy.settings for d in setting_problems(s)]
    if problems:
        raise PrunecError(*problems)
    warnings: list[Diagnostic] = []
    nodes = []
    names = [node.name for node in analysis.model.graph.nodes]
    for policy in file.policies:
        found: set[int] = set()
        for pattern in policy.patterns:
            matches = [i for i, name in enumerate(names) if fnmatchcase(name, str(pattern.value))]
            found.update(matches)
            if not matches:
                warnings.append(_no_match(str(pattern.value), pattern.span, names))
        nodes.append(tuple(sorted(found)))
    interfaces, doubts = read_interfaces(file.interfaces, analysis)
    return ModelPolicy(file, tuple(nodes), tuple(names), interfaces, (*warnings, *doubts))


def setting_problems(setting: Setting) -> Iterator[Diagnostic]:
    """An error (P528) where the number of a setting is out of bounds."""
    number = setting.number
    if number is None:
        return
    shown = f"{setting.kind} {number:g}"
    if setting.kind in _SHARES and not 0 <= number < 1:
        note, help_text = "a share is a number from 0 (nothing goes) to below 1", "write a share, such as 0.5"
        if number == int(number) and setting.kind == "ratio":
            help_text = "write a share, such as 0.5; to keep everything write `hold`"
    elif setting.kind in _COUNTS and not 1 <= number <= _LARGEST_COUNT:
        note, help_text = "this counts channels", "write a whole number from 1 on"
    else:
        return
    yield Diagnostic(
        "P528",
        f"`{shown}` is out of bounds",
        annotations=(Annotation(setting.span),),
        notes=(note,),
        help=help_text,
    )


def _no_match(pattern: str, span: Span, names: Sequence[str]) -> Diagnostic:
    from difflib import get_close_matches

    plain = pattern.replace("*", "").replace("?", "")
    # What stands for any characters may be most of a name: its beginning is as good as all of it.
    words = {name[: len(plain) + 1]: name for name in reversed(names)} if plain != pattern else {}
    words.update((name, name) for name in names)
    close = [words[word] for word in get_close_matches(plain, words, 1, 0.5)]
    help_text = "`*` stands for any characters, `?` for one; names are those of the model file"
    if close:
        help_text = f"did you mean {printable(close[0], 60)}? {help_text}"
    return Diagnostic(
        "P527",
        "this pattern matches no node of the model",
        annotations=(Annotation(span),),
        help=help_text,
        severity=Severity.WARNING,
    )


# --- what a policy says of choices -----------------------------------------------------------


def restrictions(
    analysis: Analysis, choices: Sequence[Choice], policy: ModelPolicy
) -> tuple[Mapping[int, Restriction], tuple[Diagnostic, ...]]:
    """What the policies say of each choice, and warnings (P529) for those that concern no channel.

    A policy concerns the channels of a matched node's outputs and, for a parameter, all of its own.  Where
    several concern one choice, the strictest of each kind holds.
    """
    choice_of = numbers_of_choices(analysis, choices)
    found: dict[int, Restriction] = {}
    warnings = []
    for own, nodes in zip(policy.file.policies, policy.nodes):
        concerned = sorted({c for node in nodes for c in choices_at(analysis, node, choice_of)})
        if nodes and not concerned and any(s.kind not in ("hold", *UNCOUNTED) for s in own.settings):
            warnings.append(_no_channels(own))
        for number in concerned:
            for setting in own.settings:
                found[number] = _joined(found.get(number, Restriction()), setting)
    return found, tuple(warnings)


def numbers_of_choices(analysis: Analysis, choices: Sequence[Choice]) -> Atoms:
    """For each unit the number of its choice; -1 for what is no unit, which the last entry stands for."""
    choice_of = np.full(analysis.solution.unit_count + 1, -1, dtype=np.int64)
    for choice in choices:
        choice_of[choice.units] = choice.number
    return choice_of


def choices_at(analysis: Analysis, node: int, choice_of: Atoms) -> set[int]:
    """The choices whose channels a node puts out, or a parameter has."""
    channels = analysis.solution.propagation.channels
    bound = analysis.lowered.rules[node]
    count = 1 if bound is None else max(1, len(bound.outputs))
    found: set[int] = set()
    for output in range(count):
        own = channels.get(Tensor(node, output))
        for array in own.arrays if own is not None else ():
            found.update(np.unique(choice_of[analysis.solution.units(array)]).tolist())
    return found - {-1}


def _joined(restriction: Restriction, setting: Setting) -> Restriction:
    number = setting.number
    if setting.kind == "hold":
        return replace(restriction, hold=True)
    if setting.kind == "ratio" and number is not None:
        return replace(restriction, ratio=_least(restriction.ratio, number))
    if setting.kind == "max_ratio" and number is not None:
        return replace(restriction, max_ratio=_least(restriction.max_ratio, number))
    if setting.kind == "align" and number is not None:
        return replace(restriction, align=max(restriction.align or 1, int(number)))
    if setting.kind == "min_channels" and number is not None:
        return replace(restriction, min_channels=max(restriction.min_channels or 1, int(number)))
    return restriction


def _least(known: Optional[float], number: float) -> float:
    return number if known is None else min(known, number)


def _no_channels(policy: Policy) -> Diagnostic:
    return Diagnostic(
        "P529",
        "no channel of the nodes that this policy matches can go",
        annotations=(Annotation(policy.patterns[0].span),),
        help="`prunec explain` tells why; name the nodes that make the channels",
        severity=Severity.WARNING,
    )


def _no_rows(setting: Setting) -> Diagnostic:
    return Diagnostic(
        "P529",
        "`whole rows` changes nothing at the nodes that this policy matches",
        annotations=(Annotation(setting.span),),
        notes=("none of them splits channels into a table whose rows could lose others than whole rows",),
        help="name nodes that split channels (a reshape, a convolution with groups), or delete it",
        severity=Severity.WARNING,
    )


# --- rows that go whole ----------------------------------------------------------------------


def regrouped(analysis: Analysis, policy: ModelPolicy) -> Analysis:
    """The analysis where ``whole rows`` is obeyed: in the tables of matched nodes, what stands in one row
    (a head, a group of a convolution) goes together; warnings (P529) where that, or what the policy says of
    the model's interface, changes nothing.

    Other groups and units come of it, so plans made with such a policy need it again.
    """
    propagation = analysis.solution.propagation
    causes = list(propagation.causes)
    edges: list[Edge] = []
    idle: list[Diagnostic] = []
    for own, nodes in zip(policy.file.policies, policy.nodes):
        settings = [setting for setting in own.settings if setting.kind == "whole"]
        if not settings:
            continue
        concerned = set(nodes)
        text = settings[0].because or "a policy takes rows whole"
        joined = any(
            cause.node in concerned
            and cause.reason is not None
            and cause.reason.kind is ReasonKind.WHOLE_ROWS
            for cause in propagation.causes
        )
        for table in propagation.balances:
            node = propagation.causes[table.cause].node
            if node in concerned and table.atoms.ndim > 1 and table.atoms.shape[-1] > 1:
                first = np.broadcast_to(table.atoms[..., :1], table.atoms[..., 1:].shape)
                rest = table.atoms[..., 1:].reshape(-1)
                edges.append(Edge(first.reshape(-1), rest, len(causes), EdgeKind.INTERFACE, node))
                causes.append(Cause("hold", text, node, settings[0].span))
                units = analysis.solution.units(table.atoms)
                joined = joined or bool((units[..., :1] != units).any())
        if nodes and not joined:
            idle.append(_no_rows(settings[0]))
    told = (
        *analysis.warnings,
        *idle,
        *interface_warnings(analysis, policy.file.interfaces, policy.interfaces),
    )
    if not edges:
        return replace(analysis, warnings=told)
    changed = replace(propagation, edges=(*propagation.edges, *edges), causes=tuple(causes))
    return replace(analysis, solution=solve(changed), warnings=told)
