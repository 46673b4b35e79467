"""A comparison of two models as text for the terminal, as JSON, and as Markdown for a pull request."""

from __future__ import annotations

import json
from typing import Any, Callable, Iterator, Optional, Sequence

from prunec.graph import Shape
from prunec.reporting.differences import GroupChange, ModelDifference, NodeChange, value_text
from prunec.reporting.names import exact, percent_less, shown
from prunec.support.diagnostics import Diagnostic, printable
from prunec.value import Value

FORMAT = "prunec diff"
VERSION = 1

#: Names of nodes that are listed where nothing but their shapes changed.
_MOST_PASSING = 6
#: What stood in the way of a full comparison.
_MOST_NOTES = 5
#: Lines of nodes in Markdown: hosts of pull requests cut comments off at 65,536 characters.
_MOST_ROWS = 150
_MOST_CHARACTERS = 60_000

_Section = tuple[Optional[GroupChange], list[NodeChange]]


# --- text -------------------------------------------------------------------------------------


def as_text(comparison: ModelDifference, before: str, after: str) -> str:
    """The comparison for a terminal; ``before`` and ``after`` are what the models are called."""
    lines = [f"{shown(before)} -> {shown(after)}", _headline(comparison)]
    if comparison.same:
        return "\n".join(lines) + "\n"
    old, new = comparison.parameters
    if old is not None or new is not None:
        change = percent_less(old, new).replace("−", "-")
        lines.append(f"parameters: {exact(old)} -> {exact(new)}{_in_brackets(change)}")
    lines += _renaming(comparison, shown)
    lines += [_note(note) for note in comparison.notes[:_MOST_NOTES]]
    if comparison.outputs is not None:
        lines += ["", "outputs of the model", *_minus_plus(comparison.outputs)]
    for group, changes in _sections(comparison):
        lines += ["", _title(comparison, group)]
        telling, passing = _split(changes)
        lines += [_line(own) for own in _alike(telling)]
        if passing:
            lines.append(f"  {_passing(passing, lambda name: shown(name, 60))}")
    for title, sign, named in (("removed", "-", comparison.removed), ("added", "+", comparison.added)):
        if named:
            lines += ["", title, *(f"  {sign} {shown(name)} ({shown(kind, 40)})" for name, kind in named)]
    return "\n".join(lines) + "\n"


def _headline(comparison: ModelDifference) -> str:
    if comparison.same:
        return "nothing differs in what the models compute"
    counts = (
        (len(comparison.changed), "differ" if len(comparison.changed) != 1 else "differs"),
        (len(comparison.removed), "removed"),
        (len(comparison.added), "added"),
    )
    return f"of {comparison.nodes[0]:,} nodes " + ", ".join(
        f"{count or 'none'} {what}" for count, what in counts
    )


def _title(comparison: ModelDifference, group: Optional[GroupChange]) -> str:
    if group is None:
        return "other differences" if comparison.groups else "differences"
    if group.conflicting:
        change = f"{group.units} channels, not equally many gone from all its parameters"
    elif group.gone is None:
        change = f"{group.units} channels, some of them gone"
    else:
        change = f"{group.units} -> {group.units - group.gone} channels"
    return f"group {group.number}, {shown(group.name)}: {change}"


def _sections(comparison: ModelDifference) -> Iterator[_Section]:
    """Changes by the first group that accounts for them, then those without one."""
    by_group: dict[Optional[int], list[NodeChange]] = {}
    for change in comparison.changed:
        by_group.setdefault(change.groups[0] if change.groups else None, []).append(change)
    for group in comparison.groups:
        if group.number in by_group:
            yield group, by_group[group.number]
    if None in by_group:
        yield None, by_group[None]


def _split(changes: Sequence[NodeChange]) -> tuple[list[NodeChange], list[NodeChange]]:
    """Changes that say something, and operators that only pass changed shapes on."""
    telling: list[NodeChange] = []
    passing: list[NodeChange] = []
    for change in changes:
        only_shapes = not (change.attributes or change.operators or change.inputs)
        (passing if only_shapes and not change.is_parameter and change.groups else telling).append(change)
    return telling, passing


def _renaming(comparison: ModelDifference, name_of: Callable[[str], str]) -> list[str]:
    if comparison.scopes is None:
        return []
    old, new = (name_of(scope) for scope in comparison.scopes)
    return [f"names begin with {old} in the first and with {new} in the second, and are matched without"]


def _alike(changes: Sequence[NodeChange]) -> list[list[NodeChange]]:
    """The changes one by one, but parameters with a single axis that change alike together."""
    result: list[list[NodeChange]] = []
    vectors: dict[object, list[NodeChange]] = {}
    for change in changes:
        vector = change.is_parameter and len(change.shapes) == 1 and len(change.shapes[0].before) == 1
        if vector and not change.attributes:
            own = vectors.get(change.shapes)
            if own is not None:
                own.append(change)
                continue
            vectors[change.shapes] = new = [change]
            result.append(new)
        else:
            result.append([change])
    return result


def _line(changes: Sequence[NodeChange]) -> str:
    first = changes[0]
    alike = f" and {len(changes) - 1} alike" if len(changes) > 1 else ""
    return f"  {shown(first.name, 60)}{alike} ({shown(first.operator, 40)}): {'; '.join(_details(first))}"


def _passing(changes: Sequence[NodeChange], name_of: Callable[[str], str]) -> str:
    names = ", ".join(name_of(change.name) for change in changes[:_MOST_PASSING])
    more = f" and {len(changes) - _MOST_PASSING} more" if len(changes) > _MOST_PASSING else ""
    return f"passed on by {names}{more}"


def _details(change: NodeChange) -> list[str]:
    parts = []
    if change.operators is not None:
        parts.append(f"operator {shown(change.operators[0], 40)} -> {shown(change.operators[1], 40)}")
    if change.inputs is not None:
        parts += _input_details(*change.inputs)
    for attribute in change.attributes:
        old, new = (
            value_text(value, present)
            for value, present in zip((attribute.before, attribute.after), attribute.present)
        )
        parts.append(f"{shown(attribute.name, 40)} {old} -> {new}")
    for shape in change.shapes:
        output = f"output {shape.output} " if shape.output else ""
        parts.append(f"{output}{_shape(shape.before)} -> {_shape(shape.after)}")
    return parts


def _input_details(old: Sequence[str], new: Sequence[str]) -> list[str]:
    if len(old) != len(new):
        before, after = (", ".join(shown(name, 40) for name in names[:8]) or "none" for names in (old, new))
        return [f"inputs {before} -> {after}"]
    differing = [
        f"input {place} {shown(before, 40)} -> {shown(after, 40)}"
        for place, (before, after) in enumerate(zip(old, new))
        if before != after
    ]
    return differing or ["inputs of the same names, but other nodes"]


def _shape(shape: Shape) -> str:
    inside = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({inside}{',' if len(shape) == 1 else ''})"


def _minus_plus(names: tuple[tuple[str, ...], tuple[str, ...]]) -> list[str]:
    return [f"  - {shown(name)}" for name in names[0]] + [f"  + {shown(name)}" for name in names[1]]


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _note(note: Diagnostic) -> str:
    where = f", at {printable(note.where)}" if note.where else ""
    return f"note: {printable(note.headline)}{where}" + (f"; {printable(note.help)}" if note.help else "")


# --- JSON -------------------------------------------------------------------------------------


def as_json(comparison: ModelDifference, before: str, after: str) -> str:
    """The comparison for programs, described in ``docs/report.md``."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "before": before,
        "after": after,
        "same": comparison.same,
        "nodes": list(comparison.nodes),
        "parameters": list(comparison.parameters),
        "scopes": None if comparison.scopes is None else list(comparison.scopes),
        "outputs": None if comparison.outputs is None else [list(names) for names in comparison.outputs],
        "groups": [
            {
                "group": group.number,
                "name": group.name,
                "units": group.units,
                "gone": group.gone,
                "conflicting": group.conflicting,
            }
            for group in comparison.groups
        ],
        "changed": [_json_change(change) for change in comparison.changed],
        "removed": [{"name": name, "operator": operator} for name, operator in comparison.removed],
        "added": [{"name": name, "operator": operator} for name, operator in comparison.added],
        "notes": [
            {"code": note.code, "text": note.headline, "where": note.where} for note in comparison.notes
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _json_change(change: NodeChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "operator": change.operator,
        "operators": None if change.operators is None else list(change.operators),
        "inputs": None if change.inputs is None else [list(names) for names in change.inputs],
        "attributes": [
            {
                "name": attribute.name,
                "before": _json_value(attribute.before),
                "after": _json_value(attribute.after),
                "present": list(attribute.present),
            }
            for attribute in change.attributes
        ],
        "shapes": [
            {"output": shape.output, "before": list(shape.before), "after": list(shape.after)}
            for shape in change.shapes
        ],
        "groups": list(change.groups),
    }


def _json_value(value: Value) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)  # JSON has no such numbers
    return [_json_value(item) for item in value] if isinstance(value, tuple) else value


# --- Markdown ---------------------------------------------------------------------------------


def as_markdown(comparison: ModelDifference, before: str, after: str) -> str:
    """The comparison as a comment on a pull request: a few figures, a table by group, and details folded."""
    lines = [f"### {_code(before)} → {_code(after)}", "", f"{_headline(comparison).capitalize()}."]
    if comparison.same:
        return "\n".join(lines) + "\n"
    old, new = comparison.parameters
    if old is not None or new is not None:
        lines += ["", f"**Parameters:** {exact(old)} → {exact(new)}{_in_brackets(percent_less(old, new))}"]
    lines += [f"\n{line}" for line in _renaming(comparison, _code)]
    lines += [f"\n> {_plain(_note(note))}" for note in comparison.notes[:_MOST_NOTES]]
    if comparison.outputs is not None:
        sides = [", ".join(_code(name) for name in names) for names in comparison.outputs]
        lines += ["", f"**The model's outputs differ:** {sides[0]} → {sides[1]}"]
    if comparison.groups:
        lines += ["", "| Group | Channels | Nodes and parameters |", "|---|---|---|"]
        lines += [_group_row(comparison, group) for group in comparison.groups[:_MOST_ROWS]]
        lines += _more(len(comparison.groups) - _MOST_ROWS, "groups")
    for title, named in (("Removed", comparison.removed), ("Added", comparison.added)):
        if named:
            names = ", ".join(
                f"{_code(name)} ({_plain(shown(kind, 40))})" for name, kind in named[:_MOST_ROWS]
            )
            lines += ["", f"**{title}:** {names}", *_more(len(named) - _MOST_ROWS, "nodes")]
    return _with_details(lines, comparison)


def _group_row(comparison: ModelDifference, group: GroupChange) -> str:
    own = [change for change in comparison.changed if group.number in change.groups]
    channels = f"{group.units}, " + ("unequally many gone" if group.conflicting else "some gone")
    if group.gone is not None:
        channels = f"{group.units} → {group.units - group.gone}"
    parameters = sum(1 for change in own if change.is_parameter)
    return f"| {group.number} {_code(group.name)} | {channels} | {len(own) - parameters} and {parameters} |"


def _with_details(lines: list[str], comparison: ModelDifference) -> str:
    telling = [own for _, changes in _sections(comparison) for own in _alike(_split(changes)[0])]
    total = sum(map(len, telling))
    rows = []
    size = sum(len(line) + 1 for line in lines)
    listed = 0
    for own in telling[:_MOST_ROWS]:
        change = own[0]
        details = _code("; ".join(_details(change)), 400)
        alike = f" and {len(own) - 1} alike" if len(own) > 1 else ""
        row = f"| {_code(change.name)}{alike} | {_plain(shown(change.operator, 40))} | {details} |"
        size += len(row) + 1
        if size > _MOST_CHARACTERS:
            break
        rows.append(row)
        listed += len(own)
    if rows:
        summary = f"{total:,} nodes and parameters with new attributes or shapes"
        lines += [
            "",
            f"<details><summary>{summary}</summary>",
            "",
            "| Node | Operator | Change |",
            "|---|---|---|",
        ]
        lines += [*rows, *_more(total - listed, "nodes"), "", "</details>"]
    return "\n".join(lines) + "\n"


def _more(count: int, what: str) -> list[str]:
    return ["", f"and {count:,} more {what}"] if count > 0 else []


def _code(text: str, limit: int = 60) -> str:
    """A name as code: nothing in it is markup, a link or a mention."""
    safe = shown(text, limit).replace("`", "'").replace("|", "\\|").strip() or " "
    return f"`{safe}`"


def _plain(text: str) -> str:
    """Text without markup in it."""
    marks = "\\`*_{}[]<>()#+!|@&~"
    return "".join(f"\\{c}" if c in marks else c for c in printable(text, 400))
