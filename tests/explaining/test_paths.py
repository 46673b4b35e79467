"""Chains are true: each of their links exists, and without the last one channels are not tied that way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Optional

import numpy as np
import pytest

mx = pytest.importorskip("mxnet", reason="needs MXNet")

import networks  # noqa: E402

from explaining.models import analysed, cut  # noqa: E402
from prunec.compiler import Analysis  # noqa: E402
from prunec.explaining.explain import Explainer  # noqa: E402
from prunec.explaining.findings import Chain, Fate, Place, Tie  # noqa: E402
from prunec.solver.propagate import Edge, Propagation  # noqa: E402
from prunec.solver.solve import Solution, solve  # noqa: E402


class Zoo:
    """A network of the model zoo in the form of a test network."""

    def __init__(self, name: str) -> None:
        self.symbol, self.inputs = networks.zoo(name)
        self.json = self.symbol.tojson().encode()


TEN = (
    "residual",
    "residual_projection",
    "concat_three",
    "grouped_chain",
    "shuffle_unit",
    "squeeze_excite",
    "encoder",
    "siamese",
    "resnet18_v2",
    "mobilenetv2_0.25",
)


def built(name: str) -> Any:
    for build in networks.BUILDERS:
        if build.__name__ == name:
            return build()
    return Zoo(name)


def random_tie(explainer: Explainer, names: list[str], rng: Any) -> tuple[str, Fate, Tie]:
    """A channel of a parameter that can go, and one of the things that go with it at another node."""
    while True:
        name = names[rng.integers(len(names))]
        fates = [fate for fate in explainer.explain(name).fates if fate.ties]
        if not fates:
            continue
        chosen = fates[rng.integers(len(fates))]
        channel = int(rng.choice(chosen.channels))
        (fate,) = explainer.explain(name, chosen.axis, channel).fates
        ties = [tie for tie in fate.ties if len(tie.chain.steps) > 1]
        if ties:
            return name, fate, ties[rng.integers(len(ties))]


def tie_to(analysis: Analysis, name: str, fate: Fate, place: Place) -> Optional[Tie]:
    """The tie between a channel and a place, ``None`` where they are independent."""
    found = Explainer(analysis).explain(name, fate.axis, fate.example).fates
    for tie in (tie for other in found for tie in other.ties):
        same = tie.place.name == place.name and tie.place.axis == place.axis
        if same and set(tie.place.positions) & set(place.positions):
            return tie
    return None


@pytest.mark.parametrize("name", TEN)
def test_without_the_last_link_of_a_chain_channels_are_not_tied(name: str) -> None:
    """Where channels are tied in several ways, one cut shows the next way, until there is none."""
    analysis = analysed(built(name))
    explainer = Explainer(analysis)
    names = [parameter.name for parameter in analysis.parameters]
    rng = np.random.default_rng(len(name))
    cuts: Counter[int] = Counter()
    for _ in range(20):
        parameter, fate, tie = random_tie(explainer, names, rng)
        place, current, count = tie.place, analysis, 0
        link: Optional[Tie] = tie
        while link is not None:
            assert len(link.chain.steps) > 1 and count < 6, (parameter, place)
            current = cut(current, link.chain)
            count += 1
            link = tie_to(current, parameter, fate, place)
        cuts[count] += 1
    # Only the two branches of the siamese network, which share their weights, tie channels twice.
    assert sum(cuts.values()) == 20
    assert name == "siamese" or set(cuts) == {1}, cuts


@pytest.mark.parametrize("build", networks.BUILDERS, ids=lambda build: build.__name__)
def test_chains_hang_together(build: Any) -> None:
    """Every node of a chain is next to the one before, through a tensor that both touch."""
    explainer = Explainer(analysed(build()))
    nodes = [node.name for node in explainer.analysis.model.graph.nodes if node.operator is not None]
    for name in [*explainer.parameters, *nodes]:
        for fate in explainer.explain(name).fates:
            assert (fate.kept is None) == (fate.unit is not None)
            if fate.kept is not None:
                assert fate.kept.reason
                check(explainer, fate.kept.chain)
            for tie in fate.ties:
                assert tie.chain.steps
                check(explainer, tie.chain)


def check(explainer: Explainer, chain: Chain) -> None:
    for before, after in zip(chain.steps, chain.steps[1:]):
        assert after.carrier is not None
        assert {before.index, after.index} <= set(explainer.links.touching(after.carrier)), chain.nodes
    for before, after in zip(chain.edges, chain.edges[1:]):
        assert before[1] == after[0]


# --- links between atoms ---


def without(propagation: Propagation, solution: Solution, link: tuple[int, int, int]) -> Propagation:
    """A propagation without a link: a pair of atoms of an edge, or the condition the solver added it for."""
    start, end, number = link
    if number >= len(propagation.edges):
        cause = solution.edges[number].cause
        return replace(
            propagation,
            balances=tuple(table for table in propagation.balances if table.cause != cause),
            rows=tuple(rows for rows in propagation.rows if rows.cause != cause),
        )
    edge = propagation.edges[number]
    left, right = edge.left.reshape(-1), edge.right.reshape(-1)
    stays = ~(((left == start) & (right == end)) | ((left == end) & (right == start)))
    edges = list(propagation.edges)
    edges[number] = Edge(left[stays], right[stays], edge.cause)
    return replace(propagation, edges=tuple(edges))


@pytest.mark.parametrize("name", ["inner_output", "siamese", "depthwise_on_data", "instance_norm", *TEN[:4]])
def test_without_the_last_link_channels_no_longer_stay(name: str) -> None:
    """As above, between atoms: each link on the way to the reason is one that the solver used."""
    analysis = analysed(built(name))
    explainer = Explainer(analysis)
    rng = np.random.default_rng(7)
    checked = 0
    nodes = [n.name for n in analysis.model.graph.nodes if n.operator is not None]
    for subject in [*explainer.parameters, *nodes]:
        for fate in explainer.explain(subject).fates:
            if fate.kept is None or not fate.kept.chain.edges:
                continue
            channel = int(rng.choice(fate.channels))
            current, count = analysis, 0
            while True:
                found = Explainer(current).explain(subject, fate.axis, channel).fates
                kept = found[0].kept
                if kept is None:
                    break
                assert kept.chain.edges and count < 12, (subject, fate.axis, channel, kept.reason)
                propagation = without(current.solution.propagation, current.solution, kept.chain.edges[-1])
                current = replace(current, solution=solve(propagation))
                count += 1
            checked += 1
    assert checked or name not in ("inner_output", "siamese")
