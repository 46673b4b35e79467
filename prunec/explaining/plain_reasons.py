"""What keeps channels, in words for who does not know the rules, and what can be done about it."""

from __future__ import annotations

from prunec.channels.propagate import Cause, EdgeKind
from prunec.graph import Tensor
from prunec.lowering.lowered import LoweredGraph
from prunec.lowering.reasons import ReasonKind

#: What keeps channels, in a user's words, with ``{}`` where the detail goes; other reasons say it themselves.
_WORDS = {
    ReasonKind.ALONE: ("nothing else at this node has this axis, which the rule names in one place only, {}"),
    ReasonKind.TABLE_ROW: (
        "this node needs every row of a table of channels (an anchor, a head) in its place"
    ),
    ReasonKind.SINGLE_PART: "it is the only channel of its part of a concatenation or a slice",
    ReasonKind.BROKEN_VIEW: ("the reshape cuts through the channels: they do not stay together behind it"),
}
_ROW = "this is a row of a table of channels (a group, a head), which goes only with everything in it"


def plain_reason(cause: Cause, bound: LoweredGraph) -> tuple[str, str]:
    """What a cause says in plain words, and an advice (empty where there is none)."""
    if cause.kind == "opaque" and cause.node not in bound.opaque:
        return unknown_shape(bound, cause.node)
    if cause.reason is not None and cause.reason.kind in _WORDS:
        return _WORDS[cause.reason.kind].replace("{}", cause.reason.detail), ""
    return cause.text, ""


def table_reason(kind: EdgeKind, live: bool, name: str) -> tuple[str, str]:
    """Why a table at a node keeps channels, and an advice.

    ``kind`` is that of the solver's edges, balance or rows; ``live`` says whether all that stands
    in the table can go.
    """
    if kind is EdgeKind.BALANCE:
        return "every row of a table of channels loses equally many here, and these do not fit into that", ""
    if not live:
        return f"{_ROW}, and some of that stays", ""
    advice = f'with --policy, `policy "{name}" {{ whole rows }}` lets whole rows go instead'
    return f"{_ROW}, and every row loses some of its channels instead", advice


def unknown_shape(bound: LoweredGraph, node: int) -> tuple[str, str]:
    """Why the shapes that a node works on are not known, and what would tell them: the first node on the way
    back that gives no shape, or a variable without one."""
    seen: set[int] = set()
    at = node
    while at not in seen:
        seen.add(at)
        unknown = next((t for t in bound.graph.nodes[at].inputs if _unknown(bound, t)), None)
        if unknown is None:
            break
        at = unknown.node
        source = bound.graph.nodes[at]
        if source.operator is None:
            advice = f"give it with `--input {source.name}=…`, or the parameters with --params"
            return f"the shapes it works on are not known, as that of {source.name!r} is not", advice
        if at in bound.opaque:
            opaque = bound.opaque[at]
            text = (
                f"the shapes it works on are not known, as none is behind {source.name!r} ({source.operator})"
            )
            own = f"a rule for `{source.operator}` would tell the shape behind it"
            return f"{text}: {opaque.reason}", "" if opaque.kind == "rule" else own
    return "the shapes it works on are not known", ""


def _unknown(bound: LoweredGraph, tensor: Tensor) -> bool:
    shape = bound.shapes.get(tensor)
    return shape is None or None in shape
