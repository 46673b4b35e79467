"""Chains are true: each of their links exists, and without the last one channels are not tied that way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterator

import numpy as np
import pytest

mx = pytest.importorskip("mxnet", reason="needs MXNet")

import networks  # noqa: E402

from explaining.models import analysed, cut  # noqa: E402
from prunec.analysis.analyse import Analysis  # noqa: E402
from prunec.channels.propagate import Propagation  # noqa: E402
from prunec.channels.solve import Solution, solve  # noqa: E402
from prunec.explaining.explain import Explainer  # noqa: E402
from prunec.explaining.findings import AxisPositions, Chain, Fate, TiedPlace  # noqa: E402


class Zoo:
    """A network of the model zoo in the form of a test network."""

    def __init__(self, name: str) -> None:
        self.symbol, self.inputs = networks.zoo(name)
        self.json = self.symbol.tojson().encode()


#: Real networks: between two of their parameters there is one way.
TEN = (
    "alexnet",
    "densenet121",
    "inceptionv3",
    "mobilenet0.25",
    "mobilenetv2_0.25",
    "resnet18_v1",
    "resnet18_v2",
    "resnet50_v1",
    "squeezenet1.1",
    "vgg11",
)
#: Networks that share layers, or take a tensor by several branches, and so tie channels in several ways.
SEVERAL_WAYS = ("siamese", "siamese_difference", "maximum_of_slices", "hard_swish_block", "feature_pyramid")


def built(name: str) -> Any:
    for build in networks.BUILDERS:
        if build.__name__ == name:
            return build()
    return Zoo(name)


def random_ties(name: str, count: int) -> Iterator[tuple[Analysis, str, Fate, TiedPlace]]:
    """Channels of a network's parameters that can go, each with a place that goes with it at another node."""
    analysis = analysed(built(name))
    explainer = Explainer(analysis)
    parameters = list(explainer.parameters)
    rng = np.random.default_rng(len(name))
    while count:
        parameter = parameters[rng.integers(len(parameters))]
        shape = explainer.explain(parameter, channel=0).shape
        axis = int(rng.integers(len(shape)))
        channel = int(rng.integers(shape[axis] or 1))
        (fate,) = explainer.explain(parameter, axis, channel).fates
        ties = [tie for tie in fate.ties if len(tie.chain.steps) > 1]
        if ties:
            count -= 1
            yield analysis, parameter, fate, ties[rng.integers(len(ties))]


def tied(analysis: Analysis, name: str, fate: Fate, place: AxisPositions) -> bool:
    """Whether a channel of a parameter goes with a place."""
    found = Explainer(analysis).explain(name, fate.axis, fate.example).fates
    return any(
        tie.place.name == place.name
        and tie.place.axis == place.axis
        and set(tie.place.positions) & set(place.positions)
        for other in found
        for tie in other.ties
    )


@pytest.mark.parametrize("name", TEN)
def test_without_the_last_link_of_a_chain_channels_are_not_tied(name: str) -> None:
    for analysis, parameter, fate, tie in random_ties(name, 20):
        assert len(tie.chains) == len(tie.last_links) == 1, (parameter, tie.place)
        assert not tied(cut(analysis, tie.last_links), parameter, fate, tie.place), (parameter, tie.place)


@pytest.mark.parametrize("name", SEVERAL_WAYS)
def test_without_the_last_links_of_all_chains_and_no_sooner(name: str) -> None:
    """Cutting the last links of all chains unties; with any one of them left, channels stay tied."""
    several = 0
    for analysis, parameter, fate, tie in random_ties(name, 30):
        links = tie.last_links
        assert len(tie.chains) == len(links) == len({(link.carrier, link.taker) for link in links})
        assert not tied(cut(analysis, links), parameter, fate, tie.place), (parameter, tie.place)
        for left in range(len(links)):
            others = links[:left] + links[left + 1 :]
            assert tied(cut(analysis, others), parameter, fate, tie.place), (parameter, tie.place, left)
        several += len(links) > 1
    assert several


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
                assert len(tie.chains) == len(tie.last_links) > 0
                for chain in tie.chains:
                    assert chain.steps
                    check(explainer, chain)


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
    edges[number] = replace(edge, left=left[stays], right=right[stays])
    return replace(propagation, edges=tuple(edges))


STAYING = (
    "inner_output",
    "siamese",
    "depthwise_on_data",
    "instance_norm",
    "residual",
    "residual_projection",
    "concat_three",
    "grouped_chain",
)


@pytest.mark.parametrize("name", STAYING)
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
