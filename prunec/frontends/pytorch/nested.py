"""Programs that call graphs of their own, with the nodes of these in the place of the call.

What stands under ``torch.no_grad`` is such a graph in a file: tables of positions in many language models.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Optional, Sequence

from prunec.frontends.pytorch.document import (
    Argument,
    Malformed,
    Omitted,
    ProgramNode,
    ProgramText,
    Symbolic,
    Value,
    argument,
    flattened,
    graph_nodes,
)
from prunec.frontends.pytorch.package import refused
from prunec.frontends.pytorch.program import Program

_PREFIX = "torch.ops.higher_order."
#: What calls a graph as it is: with the place of the argument that has to be false for that, if any.
_WRAPPERS: Mapping[str, Optional[int]] = {
    f"{_PREFIX}wrap_with_set_grad_enabled": None,
    f"{_PREFIX}wrap_with_autocast": 2,
}
_SAME = "torch.ops.aten.alias.default"


def with_calls_inlined(program: Program) -> ProgramText:
    """The text of a program without calls of graphs that are run as they are; others stay, and cannot be run.

    Raises PrunecError P701 for graphs that are none.
    """
    text = program.text
    if not any(node.has_graph for node in text.nodes):
        return text
    try:
        entries = program.document["graph_module"]["graph"]["nodes"]
        return replace(text, nodes=tuple(_inlined(text.nodes, entries)))
    except (Malformed, KeyError, TypeError, ValueError, RecursionError) as error:
        raise refused(error, "a graph that the program calls") from None


def _inlined(nodes: Sequence[ProgramNode], entries: Sequence[Any]) -> list[ProgramNode]:
    found: list[ProgramNode] = []
    for node, entry in zip(nodes, entries):
        place = _wrapped(node)
        if place is None:
            found.append(node)
            continue
        graph = entry["inputs"][place]["arg"]["as_graph"]["graph"]
        inner = _inlined(graph_nodes(graph), graph["nodes"])
        formal = [argument(one) for one in graph["inputs"]]
        given = [own for _, own in node.arguments[place + 1 :]]
        if len(formal) != len(given):
            raise Malformed(f"it takes {len(formal)} values and is given {len(given)}")
        names = {one.name: own for one, own in zip(formal, given) if isinstance(one, (Value, Symbolic))}
        copies = []
        for one, outer in zip(
            flattened([argument(own) for own in graph["outputs"]]), flattened(node.outputs)
        ):
            if isinstance(one, (Value, Symbolic)) and one.name not in names:
                names[one.name] = outer
            elif isinstance(outer, Value):
                same = names[one.name] if isinstance(one, Value) else None
                copies.append(ProgramNode(outer.name, _SAME, (("self", same),), (outer,), node.module))
        found += [_renamed(own, names, node.name) for own in inner]
        found += copies
    return found


def _wrapped(node: ProgramNode) -> Optional[int]:
    """The place of the graph among the arguments of a node that calls it as it is; else ``None``."""
    if node.target not in _WRAPPERS:
        return None
    off = _WRAPPERS[node.target]
    if off is not None and (off >= len(node.arguments) or node.arguments[off][1] is not False):
        return None
    graphs = [place for place, (_, own) in enumerate(node.arguments) if own == Omitted("as_graph")]
    return graphs[0] if len(graphs) == 1 else None


def _renamed(node: ProgramNode, names: Mapping[str, Argument], prefix: str) -> ProgramNode:
    def called(one: Argument) -> Argument:
        if isinstance(one, (Value, Symbolic)):
            return names[one.name] if one.name in names else type(one)(f"{prefix}/{one.name}")
        if isinstance(one, tuple) and not isinstance(one, Omitted):
            return tuple(map(called, one))
        return one

    arguments = tuple((name, called(own)) for name, own in node.arguments)
    return replace(
        node,
        name=f"{prefix}/{node.name}",
        arguments=arguments,
        outputs=tuple(map(called, node.outputs)),
    )
