"""What a rule says beside what goes together, tried at single nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Container, Mapping, Optional

import numpy as np

from prunec.frontends.trial_networks import Point
from prunec.frontends.trials import NODE, Trials
from prunec.proving.node import TrialNode
from prunec.proving.random_network import Network
from prunec.proving.rule_verdict import Failure
from prunec.proving.trial import source


@dataclass(frozen=True)
class Claim:
    """A statement of a rule: its ``words``, and its ``place`` in the file."""

    words: str
    place: str


@dataclass(frozen=True)
class ClaimOutcome:
    """What a node says of a claim: a failure, or why it says nothing; neither where the claim holds."""

    claim: Claim
    failure: Optional[Failure] = None
    untried: str = ""


def refuted_claim(node: TrialNode, claim: Claim, problem: str) -> Failure:
    """A node at which a claim does not hold."""
    return node.failure(f"`{claim.words}` ({claim.place}) does not hold: {problem}")


def node_alone(
    trials: Trials, node: TrialNode, positions: Container[int], random: np.random.Generator
) -> tuple[Network, Mapping[int, str]]:
    """A network of nothing but the node, and the names of the variables at some of its connected inputs."""
    version = node.operator.version
    network = Network(random, trials.templates(version), version, trials.types)
    points: list[Optional[Point]] = []
    names: dict[int, str] = {}
    connected = -1
    for position, slot in enumerate(node.inputs):
        connected += slot is not None
        if slot is None:
            points.append(None)
        elif connected in positions:
            names[connected] = f"{NODE}_{position}_{slot.name}"
            add = network.add_parameter if slot.learned else network.add_input
            points.append(add(names[connected], slot.shape))
        else:
            points.append(source(network, position, slot))
    made = network.add(node.operator.name, node.attributes, points, node.outputs, NODE, node.kinds)
    network.heads += [network.cast(point) for point in made]
    return network, names
