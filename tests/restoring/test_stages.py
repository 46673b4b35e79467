"""Cutting graphs into stages, and keeping what crosses from one to the next."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunec.graph import Graph, Node, Tensor
from prunec.restoring.stages import Shelf, Stage, Walk, stages

BLOCKS = 3


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, list[list[Tensor]]]:
    """Two inputs, a parameter, operators with one or two outputs; and what is wanted, piece by piece."""
    nodes = [Node(name, None, {}, ()) for name in ("x", "z", "w")]
    made = [Tensor(n, 0) for n in range(3)]
    for number in range(draw(st.integers(1, 12))):
        inputs = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3))
        nodes.append(Node(f"n{number}", "op", {}, tuple(inputs)))
        made += [Tensor(len(nodes) - 1, n) for n in range(draw(st.integers(1, 2)))]
    wanted = draw(st.lists(st.lists(st.sampled_from(made), max_size=3), min_size=1, max_size=4))
    own = [tensor for tensor in made if nodes[tensor.node].operator is not None]
    outputs = draw(st.lists(st.sampled_from(own), min_size=1, max_size=2))
    return Graph(tuple(nodes), tuple(outputs), frozenset({2}), {}), [*wanted, outputs]


class Counting:
    """A runtime that computes sums of inputs, and counts how often each node that follows from the inputs is
    computed."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.count = np.zeros(len(graph.nodes), dtype=int)
        self.runs = 0

    def segment(self, feeds: Any, fetches: Sequence[Tensor], parameters: Any = ()) -> Any:
        return _Part(self, tuple(fetches), dict(parameters))

    def value(self, tensor: Tensor, feeds: Mapping[Any, Any], own: dict[int, Any], parameters: Any) -> Any:
        node = self.graph.nodes[tensor.node]
        if tensor in feeds:
            return feeds[tensor]
        if node.operator is None:
            return feeds.get(node.name, parameters.get("w", np.ones(1)))
        if tensor.node not in own:
            self.count[tensor.node] += 1
            parts = [self.value(part, feeds, own, parameters) for part in node.inputs]
            own[tensor.node] = sum(parts) / len(parts) + tensor.node
        return own[tensor.node] * (1 + tensor.output)


class _Part:
    def __init__(self, whole: Counting, fetches: Sequence[Tensor], parameters: Any) -> None:
        self.whole, self.fetches, self.parameters = whole, fetches, parameters

    def run(self, feeds: Mapping[Any, Any]) -> list[Any]:
        self.whole.runs += 1
        own: dict[int, Any] = {}
        return [self.whole.value(tensor, feeds, own, self.parameters) for tensor in self.fetches]


def varying(graph: Graph) -> set[int]:
    """The operators whose values follow from the inputs."""
    found = {0, 1}
    for index, node in enumerate(graph.nodes):
        if any(tensor.node in found for tensor in node.inputs):
            found.add(index)
    return found


@given(graphs())
def test_every_value_is_there_when_it_is_wanted_and_computed_once(drawn: Any) -> None:
    graph, wanted = drawn
    runtime = Counting(graph)
    walk = Walk(runtime)
    inputs = [{"x": np.full(2, float(n)), "z": np.full(2, n + 0.5)} for n in range(BLOCKS)]
    plan = stages(graph, wanted)
    assert len(plan) == len(wanted)
    for stage, tensors in zip(plan, wanted):
        walk.begin()
        for block in range(BLOCKS):
            walk.run(stage, block, inputs[block])
        for block in range(BLOCKS):
            for tensor in tensors:
                if graph.nodes[tensor.node].operator is not None:
                    expected = Counting(graph).value(tensor, inputs[block], {}, {})
                    assert np.array_equal(walk.get(block, tensor), expected)
        for block in range(BLOCKS):
            walk.drop(stage, block)
    # What follows from inputs is computed once for each block; nothing else than what is wanted takes part.
    needed, waiting = set(), [tensor for tensors in wanted for tensor in tensors]
    while waiting:
        own = waiting.pop().node
        needed.add(own)
        waiting += graph.nodes[own].inputs
    for index, node in enumerate(graph.nodes):
        if node.operator is not None and index in varying(graph):
            assert runtime.count[index] == (BLOCKS if index in needed else 0)
    assert runtime.runs <= BLOCKS * len(plan)
    # Nothing is kept behind the last stage.
    assert not any(
        walk.has(block, Tensor(n, o)) for block in range(BLOCKS) for n in range(20) for o in (0, 1)
    )


def test_what_no_later_stage_takes_is_let_go() -> None:
    chain = [Node("x", None, {}, ()), *(Node(f"n{n}", "op", {}, (Tensor(n, 0),)) for n in range(4))]
    graph = Graph(tuple(chain), (Tensor(4, 0),), frozenset(), {})
    plan = stages(graph, [[Tensor(1, 0)], [Tensor(2, 0)], [Tensor(4, 0)]])
    spent = [[tensor.node for tensor in own.spent if tensor.node] for own in plan]
    assert spent == [[], [1], [2, 3, 4]]


def test_parameters_change_between_stages() -> None:
    """A stage is computed with the parameters there are when it begins."""
    nodes = [Node("x", None, {}, ()), Node("w", None, {}, ())]
    nodes += [Node(f"n{n}", "op", {}, (Tensor(n + 1 if n else 0, 0), Tensor(1, 0))) for n in range(2)]
    graph = Graph(tuple(nodes), (Tensor(3, 0),), frozenset({1}), {})
    walk = Walk(Counting(graph))
    found = []
    for stage, w in zip(stages(graph, [[Tensor(2, 0)], [Tensor(3, 0)]]), (1.0, 5.0)):
        walk.parameters = {"w": np.full(1, w)}
        walk.begin()
        walk.run(stage, 0, {"x": np.zeros(1)})
        found += [walk.get(0, tensor)[0] for tensor in stage.fetches]
    assert found == [2.5, 3 + (2.5 + 5) / 2]


# --- the shelf ---


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_does_not_fit_goes_to_files_and_comes_back(folder: Path) -> None:
    shelf = Shelf(limit=100)
    arrays = {(n, Tensor(n, 0)): np.arange(10.0) + n for n in range(4)}
    for (block, tensor), array in arrays.items():
        shelf.put(block, tensor, array)
    assert len(files(folder)) == 3
    for (block, tensor), array in arrays.items():
        assert shelf.has(block, tensor) and np.array_equal(shelf.get(block, tensor), array)
    shelf.drop(0, Tensor(0, 0))
    shelf.drop(1, Tensor(1, 0))
    assert len(files(folder)) == 2 and not shelf.has(0, Tensor(0, 0)) and not shelf.has(1, Tensor(1, 0))
    # There is room again.
    shelf.put(5, Tensor(0, 0), np.zeros(10))
    assert len(files(folder)) == 2
    shelf.close()
    assert not list(folder.iterdir())


def test_a_scalar_and_no_elements(folder: Path) -> None:
    shelf = Shelf(limit=0)
    for number, array in enumerate((np.float32(3).reshape(()), np.zeros((0, 4)), np.array([True, False]))):
        shelf.put(0, Tensor(number, 0), array)
        found = shelf.get(0, Tensor(number, 0))
        assert found.dtype == array.dtype and found.shape == array.shape and np.array_equal(found, array)
    shelf.close()
    assert not list(folder.iterdir())


def test_a_stage_without_anything_to_give_is_not_run() -> None:
    runtime = Counting(Graph((Node("x", None, {}, ()),), (), frozenset(), {}))
    Walk(runtime).run(Stage((), (), ()), 0, {"x": np.zeros(1)})
    assert runtime.runs == 0
