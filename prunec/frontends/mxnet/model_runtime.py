"""A model of MXNet as the rest of prunec runs it."""

from __future__ import annotations

from functools import cached_property
from typing import Iterator, Mapping, Optional, Sequence

from prunec.examples import Data
from prunec.frontends.mxnet.gradients import LABEL_ENDING, gradients
from prunec.frontends.mxnet.segments import SymbolParts, open_segment, parts_of
from prunec.frontends.mxnet.sessions import MXNetSession, open_session
from prunec.frontends.runtime import Array, Feeds, Gradient
from prunec.graph import Graph, Shape, Tensor
from prunec.support.comparison import draw


class MXNetRuntime:
    """Runs a symbol file with its parameters; ``own`` holds these by name."""

    def __init__(self, symbol: bytes, graph: Graph, own: Mapping[str, Array]) -> None:
        self.symbol, self.graph, self.own = symbol, graph, own

    @cached_property
    def _inputs(self) -> tuple[str, ...]:
        """The model's inputs, those that take labels left out."""
        graph = self.graph
        return tuple(
            node.name
            for index, node in enumerate(graph.nodes)
            if node.operator is None
            and index not in graph.parameters
            and not node.name.endswith(LABEL_ENDING)
        )

    def examples(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """See :class:`prunec.frontends.runtime.Runtime`; a batch of one stands for any number."""
        found = {name: shapes.get(name, ()) for name in self._inputs}
        return {name: (None, *s[1:]) if s[:1] == (1,) else s for name, s in found.items()}

    def draw(self, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        return draw(shapes, seed)

    def session(
        self,
        inputs: Mapping[str, Array],
        tensors: Optional[Sequence[Tensor]] = None,
        parameters: Mapping[str, Array] = {},
        network: Optional[bytes] = None,
    ) -> MXNetSession:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        symbol = self.symbol if network is None else network
        return open_session(symbol, {**self.own, **parameters}, inputs, tensors)

    def segment(
        self,
        feeds: Feeds,
        fetches: Sequence[Tensor],
        parameters: Mapping[str, Array] = {},
    ) -> MXNetSession:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        return open_segment(self._parts, {**self.own, **parameters}, feeds, fetches)

    @cached_property
    def _parts(self) -> SymbolParts:
        return parts_of(self.symbol)

    def gradients(self, data: Data) -> Iterator[Gradient]:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        return gradients(self.symbol, self.own, data)
