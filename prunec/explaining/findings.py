"""What an explanation says, free of how it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from prunec.explaining.links import Carrier


@dataclass(frozen=True)
class Step:
    """A node on a chain and the rule line that passes the channel on.

    ``place`` is ``file:line:column``, ``text`` the piece of the rule there, ``role`` what it does:
    ``"carries"``, ``"ties"``, ``"balances"``, ``"rows"`` or ``"keeps"``.  ``through`` names the tensor by
    which the chain came here from the node before; ``index`` and ``carrier`` are the node and that tensor
    in the graph.
    """

    node: str
    operator: str
    rule: str
    place: str
    text: str
    role: str
    through: str = ""
    index: int = -1
    carrier: Optional[Carrier] = None


@dataclass(frozen=True)
class Chain:
    """The nodes between two places, in order, and the edges used (numbers in ``solution.edges``)."""

    steps: tuple[Step, ...]
    edges: tuple[tuple[int, int, int], ...] = ()
    """For each link on the way: its two atoms and its edge."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes."""
        return tuple(step.node for step in self.steps)


@dataclass(frozen=True)
class AxisPositions:
    """Positions of one axis of a parameter or of a layer's output."""

    name: str
    axis: int
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Link:
    """A node and a tensor it takes, by name and (``taker``, ``carrier``) in the graph."""

    node: str
    tensor: str
    taker: int
    carrier: Carrier


@dataclass(frozen=True)
class TiedPlace:
    """Something that goes with the subject, and the chains that lead to it, a shortest one first.

    ``last_links`` are the last links of these chains, in their order.  The place no longer goes with the
    subject where all of them are cut, and still does where one is left.
    """

    place: AxisPositions
    chains: tuple[Chain, ...]
    last_links: tuple[Link, ...]

    @property
    def chain(self) -> Chain:
        """A shortest chain."""
        return self.chains[0]


@dataclass(frozen=True)
class Kept:
    """Why channels stay: ``kind`` is ``"input"``, ``"output"``, ``"opaque"``, ``"rule"``, ``"hold"``,
    ``"table"`` or ``"single"``; ``node`` and ``place`` say where, ``chain`` leads there; ``advice`` says what
    can be done, if anything."""

    kind: str
    reason: str
    node: str
    operator: str
    place: str
    chain: Chain
    advice: str = ""


@dataclass(frozen=True)
class Fate:
    """What becomes of some channels of one axis.

    ``channels`` share this fate; the chains are those of ``example``.  Either ``group`` and ``unit`` are
    given, with everything that goes with the example, or ``kept``; a unit without a group touches no
    parameter.
    """

    axis: int
    channels: tuple[int, ...]
    example: int
    unit: Optional[int] = None
    group: Optional[int] = None
    group_size: int = 0
    balanced: bool = False
    approximate: tuple[str, ...] = ()
    ties: tuple[TiedPlace, ...] = ()
    kept: Optional[Kept] = None


@dataclass(frozen=True)
class Explanation:
    """What becomes of the channels of a parameter or of a node's output (``kind`` says which)."""

    name: str
    kind: str
    operator: str
    shape: tuple[Optional[int], ...]
    fates: tuple[Fate, ...]


@dataclass(frozen=True)
class KeptLayer:
    """A layer that loses less than all its channels could.

    ``side`` is ``"output channels"`` or ``"input channels"``, of which ``stay`` out of ``total`` cannot go;
    ``parameters`` counts the elements of the layer's parameters, ``None`` where that is not known.
    """

    node: str
    operator: str
    parameters: Optional[int]
    side: str
    axis: int
    stay: int
    total: int
    reasons: tuple[Kept, ...]


@dataclass(frozen=True)
class UnreadLayer:
    """A node with parameters that stays whole, as no rule says what it does with channels: ``parameters``
    counts those it takes and those in graphs inside it, ``None`` where that is not known."""

    node: str
    operator: str
    parameters: Optional[int]
    reason: str
