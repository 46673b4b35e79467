"""Running a network piece by piece, each node once: what is kept between the pieces is what later ones
take."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.runtime import Array, Runtime, Session
from prunec.graph import Graph, Tensor

#: Values between pieces, of all networks that are run, are kept in memory up to so many bytes, beyond in a
#: temporary folder.
IN_MEMORY = 96 << 20


@dataclass(frozen=True)
class Stage:
    """A piece: what it takes of earlier ones, what it gives later ones or is asked for, and what nobody takes
    after it."""

    feeds: tuple[Tensor, ...]
    fetches: tuple[Tensor, ...]
    spent: tuple[Tensor, ...]


def stages(
    graph: Graph, wanted: Sequence[Sequence[Tensor]], settled: Mapping[int, int] = {}
) -> tuple[Stage, ...]:
    """Cuts a graph so that piece ``n`` gives the values ``wanted[n]``, and computes no more than that takes.

    Values that depend on parameters alone are computed anew where they are needed.  So is what a node makes
    up to and including the piece that ``settled`` says for it: its parameters change behind that.
    """
    constant = constant_nodes(graph)
    stage_of: dict[int, int] = {}
    computed: list[set[int]] = []
    for number, tensors in enumerate(wanted):
        nodes = _ancestors(graph, tensors, stage_of)
        computed.append(nodes)
        stage_of.update((node, number) for node in nodes if settled.get(node, -1) < number)
    last: dict[Tensor, int] = {}
    feeds: list[dict[Tensor, None]] = [{} for _ in wanted]
    for number, nodes in enumerate(computed):
        for node in sorted(nodes):
            for tensor in graph.nodes[node].inputs:
                if tensor.node not in constant and tensor.node in stage_of:
                    last[tensor] = max(last.get(tensor, 0), number)
                    if stage_of[tensor.node] < number:
                        feeds[number][tensor] = None
    for number, tensors in enumerate(wanted):
        for tensor in tensors:
            last[tensor] = max(last.get(tensor, 0), number)
    found = []
    for number, tensors in enumerate(wanted):
        made = [tensor for tensor in sorted(last) if stage_of.get(tensor.node) == number]
        # What is asked for before it is settled is given, and let go of again.
        early = [
            own
            for own in dict.fromkeys(tensors)
            if own.node in computed[number] and stage_of.get(own.node) != number
        ]
        asked = set(tensors)
        fetches = [tensor for tensor in made if last[tensor] > number or tensor in asked]
        spent = [tensor for tensor in sorted(last) if last[tensor] == number]
        found.append(Stage(tuple(sorted(feeds[number])), (*fetches, *early), (*spent, *early)))
    return tuple(found)


def constant_nodes(graph: Graph) -> frozenset[int]:
    """The nodes whose values follow from parameters alone."""
    found = set(graph.parameters)
    for index, node in enumerate(graph.nodes):
        if node.operator is not None and all(tensor.node in found for tensor in node.inputs):
            found.add(index)
    return frozenset(found)


def _ancestors(graph: Graph, tensors: Iterable[Tensor], known: Mapping[int, int]) -> set[int]:
    """The operators that values depend on and that have no stage yet."""
    found: set[int] = set()
    waiting = [tensor.node for tensor in tensors]
    while waiting:
        index = waiting.pop()
        if index in found or index in known or graph.nodes[index].operator is None:
            continue
        found.add(index)
        waiting += [tensor.node for tensor in graph.nodes[index].inputs]
    return found


class Shelf:
    """Values by block and tensor: in memory, and in files of a temporary folder where that is full."""

    def __init__(self, limit: int = IN_MEMORY) -> None:
        self._limit = limit
        self._held = 0
        self._arrays: dict[tuple[int, Tensor], Array] = {}
        self._files: dict[tuple[int, Tensor], Path] = {}
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None
        self._count = 0

    def put(self, block: int, tensor: Tensor, array: Array) -> None:
        if self._held + array.nbytes <= self._limit:
            self._held += array.nbytes
            self._arrays[block, tensor] = array
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="prunec-")
        self._count += 1
        path = Path(self._folder.name) / f"{self._count}.npy"
        np.save(path, array, allow_pickle=False)
        self._files[block, tensor] = path

    def get(self, block: int, tensor: Tensor) -> Array:
        array = self._arrays.get((block, tensor))
        return np.load(self._files[block, tensor], allow_pickle=False) if array is None else array

    def has(self, block: int, tensor: Tensor) -> bool:
        """Whether a value is there."""
        return (block, tensor) in self._arrays or (block, tensor) in self._files

    def drop(self, block: int, tensor: Tensor) -> None:
        array = self._arrays.pop((block, tensor), None)
        if array is not None:
            self._held -= array.nbytes
        path = self._files.pop((block, tensor), None)
        if path is not None:
            path.unlink()

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()


class Walk:
    """One network on its way through the stages.  ``parameters`` take the place of its own, and may change
    between stages.  Up to ``shelf`` bytes of what it gives are kept in memory."""

    def __init__(self, runtime: Runtime, shelf: int = IN_MEMORY) -> None:
        self.runtime = runtime
        self._shelf = Shelf(shelf)
        self.parameters: dict[str, Array] = {}
        self._session: Optional[Session] = None
        self._shapes: Mapping[Any, tuple[int, ...]] = {}

    def begin(self) -> None:
        """Before the blocks of a stage."""
        self._session = None
        self._shapes = {}

    def run(self, stage: Stage, block: int, inputs: Mapping[str, Array]) -> None:
        """Computes a stage for a block and puts what it gives on the shelf."""
        if stage.fetches:
            feeds: dict[Any, Array] = dict(inputs)
            feeds.update((tensor, self._shelf.get(block, tensor)) for tensor in stage.feeds)
            shapes = {key: array.shape for key, array in feeds.items()}
            if self._session is None or shapes != self._shapes:
                self._session = self.runtime.segment(feeds, stage.fetches, self.parameters)
                self._shapes = shapes
            for tensor, array in zip(stage.fetches, self._session.run(feeds)):
                self._shelf.put(block, tensor, array)

    def get(self, block: int, tensor: Tensor) -> Array:
        """A value that a stage gave."""
        return self._shelf.get(block, tensor)

    def has(self, block: int, tensor: Tensor) -> bool:
        """Whether a stage gave a value that is still there."""
        return self._shelf.has(block, tensor)

    def close(self) -> None:
        """Removes what is in files."""
        self._shelf.close()

    def drop(self, stage: Stage, block: int) -> None:
        """Lets go of what no later stage takes of a block."""
        for tensor in stage.spent:
            self._shelf.drop(block, tensor)
