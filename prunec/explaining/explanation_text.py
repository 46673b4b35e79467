"""Explanations as text for the terminal, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Iterable, Sequence

from prunec.explaining.findings import Chain, Explanation, Fate, Kept, KeptLayer, Step, TiedPlace, UnreadLayer
from prunec.graph import shape_text
from prunec.support.diagnostics import printable

#: The format of the JSON documents.
VERSION = 1
#: Chains with more nodes are shortened in text; JSON has them whole.
_LONGEST = 9
_ENDS = 4
#: So many ways to one place are told in text.
_MOST_WAYS = 4


def explanation_text(explanation: Explanation) -> str:
    """An explanation for the terminal: what goes together, by which nodes, and the rule lines."""
    kind = "parameter" if explanation.kind == "parameter" else f"output of {explanation.operator}"
    lines = [f"{printable(explanation.name)}, {kind} {shape_text(explanation.shape)}"]
    for fate in explanation.fates:
        lines += ["", *_fate(fate)]
    chains = [chain for fate in explanation.fates for tie in fate.ties for chain in tie.chains[:_MOST_WAYS]]
    chains += [fate.kept.chain for fate in explanation.fates if fate.kept is not None]
    return "\n".join([*lines, *_rule_lines(chains)]) + "\n"


def kept_text(layers: Sequence[KeptLayer], unread: Sequence[UnreadLayer] = ()) -> str:
    """All layers that keep channels, and the nodes that stay whole, for the terminal."""
    if not layers and not unread:
        return "No layer that the rules know keeps any channels.\n"
    lines: list[str] = []
    for layer in layers:
        count = "" if layer.parameters is None else f", {layer.parameters:,} parameters"
        lines.append(
            f"{printable(layer.node)} ({printable(layer.operator)}{count}): "
            f"{layer.stay} of {layer.total} {layer.side} stay"
        )
        for reason in layer.reasons:
            lines += [f"  {line}" for line in _because(reason)]
    for own in unread:
        count = "" if own.parameters is None else f", {own.parameters:,} parameters"
        lines.append(f"{printable(own.node)} ({printable(own.operator)}{count}): all of it stays")
        lines.append(f"  {printable(own.reason[:1].upper() + own.reason[1:])}.")
    return "\n".join(lines) + "\n"


def explanation_json(explanation: Explanation) -> str:
    """An explanation as a JSON document."""
    document = {
        "format": "prunec explanation",
        "version": VERSION,
        "name": explanation.name,
        "kind": explanation.kind,
        "operator": explanation.operator,
        "shape": list(explanation.shape),
        "fates": [_fate_json(fate) for fate in explanation.fates],
    }
    return json.dumps(document, indent=1) + "\n"


def kept_json(layers: Sequence[KeptLayer], unread: Sequence[UnreadLayer] = ()) -> str:
    """All layers that keep channels as a JSON document."""
    entries = [
        {
            "node": layer.node,
            "operator": layer.operator,
            "parameters": layer.parameters,
            "side": layer.side,
            "axis": layer.axis,
            "stay": layer.stay,
            "total": layer.total,
            "reasons": [_kept_json(reason) for reason in layer.reasons],
        }
        for layer in layers
    ]
    document = {
        "format": "prunec kept layers",
        "version": VERSION,
        "layers": entries,
        "unread": [asdict(own) for own in unread],
    }
    return json.dumps(document, indent=1) + "\n"


# --- text ---


def _fate(fate: Fate) -> list[str]:
    channels = _channels(fate.channels)
    if fate.kept is not None:
        first, *rest = _because(fate.kept)
        stays = "stays" if len(fate.channels) == 1 else "stay"
        return [f"Axis {fate.axis}, {channels}: {stays}. {first}", *rest]
    head = f"Axis {fate.axis}, {channels}: can go"
    if fate.group is not None:
        head += f"; group {fate.group} with {fate.group_size} unit{'s' if fate.group_size != 1 else ''}"
        head += ", equally many of each cell" if fate.balanced else ""
    lines = [head + "."]
    lines += [f"Removing changes the values of what stays: {printable(text)}." for text in fate.approximate]
    if not fate.ties:
        return [*lines, f"Nothing else goes with channel {fate.example}."]
    lines.append(f"With channel {fate.example} " + ("goes" if len(fate.ties) == 1 else "go"))
    return lines + _ties(fate.ties)


def _ties(ties: Sequence[TiedPlace]) -> list[str]:
    """The places that the same chains lead to on one line, and below it these chains."""
    by_chains: dict[tuple[tuple[tuple[str, str], ...], ...], list[TiedPlace]] = {}
    for tie in ties:
        key = tuple(tuple((step.node, step.place) for step in chain.steps) for chain in tie.chains)
        by_chains.setdefault(key, []).append(tie)
    lines = []
    for same in by_chains.values():
        first, *others = same[0].chains
        lines += [f"  {_places(same)}", f"      {_nodes(first.nodes)}"]
        lines += [f"      also {_nodes(chain.nodes)}" for chain in others[: _MOST_WAYS - 1]]
        if len(others) >= _MOST_WAYS:
            lines.append(f"      and in {len(others) + 1 - _MOST_WAYS} other ways")
    return lines


def _places(ties: Sequence[TiedPlace]) -> str:
    by_where: dict[tuple[int, tuple[int, ...]], list[str]] = {}
    for tie in ties:
        by_where.setdefault((tie.place.axis, tie.place.positions), []).append(printable(tie.place.name))
    return "; ".join(
        f"{', '.join(names)} axis {axis} [{ranges(where)}]" for (axis, where), names in by_where.items()
    )


def _because(kept: Kept) -> list[str]:
    place = f", {kept.place}" if kept.place else ""
    if kept.kind in ("input", "output"):
        reason = f"Tied to {printable(kept.reason)}."
    elif kept.kind in ("opaque", "size"):
        reason = (
            f"Node {printable(kept.node)!r} ({printable(kept.operator)}): {printable(kept.reason)}{place}."
        )
    else:
        reason = f"{printable(kept.reason)} (node {printable(kept.node)!r}{place})."
        reason = reason[:1].upper() + reason[1:]
    nodes = list(kept.chain.nodes)
    if kept.kind == "input" and kept.node not in nodes:
        nodes.append(kept.node)
    chain = [f"  {_nodes(nodes)}"] if len(nodes) > 1 else []
    return [reason, *chain, *([f"  help: {printable(kept.advice)}"] if kept.advice else [])]


def _nodes(names: Sequence[str]) -> str:
    shown = [printable(name, 80) for name in names]
    if len(shown) > _LONGEST:
        shown = [*shown[:_ENDS], f"({len(shown) - 2 * _ENDS} nodes)", *shown[-_ENDS:]]
    return " → ".join(shown)


def _rule_lines(chains: Iterable[Chain]) -> list[str]:
    """The rule line by which each node passes channels on, each once."""
    seen: dict[tuple[str, str], Step] = {}
    for chain in chains:
        for step in chain.steps:
            seen.setdefault((step.node, step.place), step)
    rows = [
        (
            printable(step.node, 60),
            printable(step.operator, 40),
            step.place,
            f"{_ROLES[step.role]}{printable(step.text, 100)}",
        )
        for step in seen.values()
        if step.place
    ]
    if not rows:
        return []
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    return [
        "",
        "Rule lines",
        *("  " + "  ".join([*(row[k].ljust(widths[k]) for k in range(3)), row[3]]).rstrip() for row in rows),
    ]


_ROLES = {"carries": "", "ties": "ties  ", "keeps": "keeps  ", "balances": "balances  ", "rows": "rows  "}


def _channels(channels: Sequence[int]) -> str:
    if not channels:
        return "all of it"
    return f"channel{'s' if len(channels) > 1 else ''} {ranges(channels)}"


def ranges(numbers: Sequence[int], most: int = 8) -> str:
    """Sorted numbers as ranges: ``0-3, 8``; with a step where they have one: ``0-96 by 2``."""
    if len(numbers) > 2:
        step = numbers[1] - numbers[0]
        if step > 1 and all(b - a == step for a, b in zip(numbers, numbers[1:])):
            return f"{numbers[0]}-{numbers[-1]} by {step}"
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in parts]
    if len(shown) > most:
        shown = [*shown[:most], f"… {len(numbers)} in all"]
    return ", ".join(shown)


# --- JSON ---


def _fate_json(fate: Fate) -> dict[str, Any]:
    common: dict[str, Any] = {"axis": fate.axis, "channels": list(fate.channels), "example": fate.example}
    if fate.kept is not None:
        return {**common, "kept": _kept_json(fate.kept)}
    return {
        **common,
        "unit": fate.unit,
        "group": fate.group,
        "units_in_group": fate.group_size,
        "balanced": fate.balanced,
        "approximate": list(fate.approximate),
        "goes_with": [
            {
                "parameter": tie.place.name,
                "axis": tie.place.axis,
                "positions": list(tie.place.positions),
                "chain": _chain_json(tie.chain),
                "other_chains": [_chain_json(chain) for chain in tie.chains[1:]],
                "last_links": [{"node": link.node, "tensor": link.tensor} for link in tie.last_links],
            }
            for tie in fate.ties
        ],
    }


def _kept_json(kept: Kept) -> dict[str, Any]:
    return {
        "kind": kept.kind,
        "reason": kept.reason,
        "node": kept.node,
        "operator": kept.operator,
        "place": kept.place or None,
        "advice": kept.advice or None,
        "chain": _chain_json(kept.chain),
    }


def _chain_json(chain: Chain) -> list[dict[str, Any]]:
    return [
        {
            "node": step.node,
            "operator": step.operator,
            "rule": step.rule,
            "place": step.place or None,
            "text": step.text,
            "role": step.role,
            "through": step.through or None,
        }
        for step in chain.steps
    ]
