"""Parts of an MXNet model: from any of its values to any others, as a model of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from prunec.frontends.mxnet.loading import check_outputs, document_of, load, output_counts
from prunec.frontends.mxnet.package import mxnet
from prunec.frontends.mxnet.sessions import PURPOSE, MXNetSession, bound
from prunec.frontends.runtime import Array, Feeds
from prunec.graph import Tensor

_FED = "prunec_fed_{}_{}"


@dataclass(frozen=True, eq=False)
class SymbolParts:
    """A symbol file that parts are taken of: its JSON, and how many outputs each node has."""

    document: Mapping[str, Any]
    counts: Sequence[int]


@dataclass(frozen=True, eq=False)
class Segment(MXNetSession):
    """A part of a model, of which most inputs stay what they are from run to run: an array that was given
    before, and must not have changed since, is not set again."""

    given: dict[Any, Array] = field(default_factory=dict)

    def run(self, inputs: Mapping[Any, Array]) -> list[Array]:
        """See :class:`prunec.frontends.mxnet.sessions.MXNetSession`."""
        new = {key: array for key, array in inputs.items() if self.given.get(key) is not array}
        self.given.update(new)
        return super().run(new)


def parts_of(symbol_json: bytes) -> SymbolParts:
    """What parts of a symbol file are made from.  Raises PrunecError P700 and P701."""
    document = document_of(symbol_json)
    return SymbolParts(document, output_counts(mxnet(PURPOSE), document))


def open_segment(
    parts: SymbolParts, parameters: Mapping[str, Array], feeds: Feeds, fetches: Sequence[Tensor]
) -> MXNetSession:
    """What computes the values ``fetches`` from the values ``feeds``: variables by name, inner values by the
    index of their node in the JSON and the index of their output.

    Raises :class:`PrunecError` as :func:`prunec.frontends.mxnet.sessions.open_session` does; what this part
    does not use may be fed all the same.
    """
    mx = mxnet(PURPOSE)
    inner = {tensor: _FED.format(*tensor) for tensor in feeds if isinstance(tensor, Tensor)}
    check_outputs(parts.document, parts.counts, [*inner, *fetches])
    part, heads = _part(parts.document, inner, fetches)
    symbol = load(mx, part, heads)
    names = {key: inner.get(key, key) if isinstance(key, Tensor) else key for key in feeds}
    used = {*symbol.list_arguments(), *symbol.list_auxiliary_states()}
    values = {str(names[key]): np.asarray(array) for key, array in feeds.items() if names[key] in used}
    own = {name: array for name, array in parameters.items() if name in used}
    session = bound(mx, symbol, own, values)
    places = {key: session.places.get(str(name), ()) for key, name in names.items()}
    return Segment(session.zeroed, session.executor, places)


def _part(
    document: Mapping[str, Any], inner: Mapping[Tensor, str], fetches: Sequence[Tensor]
) -> tuple[dict[str, Any], list[Tensor]]:
    """The document of the nodes that take part, with a variable in the place of each inner value that is fed,
    and its outputs."""
    nodes = document["nodes"]
    needed, fed = _needed(nodes, inner, (tensor.node for tensor in fetches))
    moved: list[dict[str, Any]] = [{"op": "null", "name": inner[t], "inputs": []} for t in fed]
    place = {tensor: number for number, tensor in enumerate(fed)}
    number_of: dict[int, int] = {}
    for index in needed:
        number_of[index] = len(moved)
        inputs = []
        for entry in nodes[index]["inputs"]:
            tensor = Tensor(entry[0], entry[1])
            known = tensor in place
            inputs.append([place[tensor], 0, 0] if known else [number_of[entry[0]], *entry[1:]])
        node = {key: value for key, value in nodes[index].items() if key != "control_deps"}
        moved.append({**node, "inputs": inputs})
    variables = [number for number, node in enumerate(moved) if node["op"] == "null"]
    rest = {key: value for key, value in document.items() if key != "node_row_ptr"}
    heads = [Tensor(number_of[tensor.node], tensor.output) for tensor in fetches]
    return {**rest, "nodes": moved, "arg_nodes": variables}, heads


def _needed(
    nodes: Sequence[Mapping[str, Any]], inner: Mapping[Tensor, str], wanted: Iterable[int]
) -> tuple[list[int], list[Tensor]]:
    """The nodes behind the values wanted, in order, and the inner values that are fed to them."""
    found: set[int] = set()
    fed: dict[Tensor, None] = {}
    waiting = list(wanted)
    while waiting:
        index = waiting.pop()
        if index in found:
            continue
        found.add(index)
        for entry in nodes[index]["inputs"]:
            tensor = Tensor(entry[0], entry[1])
            if tensor in inner:
                fed[tensor] = None
            else:
                waiting.append(entry[0])
    return sorted(found), list(fed)
