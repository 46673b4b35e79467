"""The inputs of a sampled node, for frameworks whose operators say by their places what they take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Mapping, Optional, Sequence, TypeVar

import numpy as np

from prunec.frontends.operators import Operator
from prunec.frontends.runtime import Array
from prunec.frontends.trial_networks import Point, SmallNetwork
from prunec.frontends.trials import Illegal, SampledNode
from prunec.language.syntax import Rule
from prunec.language.syntax import TensorPattern as RuleTensor
from prunec.lowering.guards import holds
from prunec.sizes import OpenShape
from prunec.value import Value

#: What the framework says of one of an operator's inputs.
FormalInput = TypeVar("FormalInput")
#: The chance that an input which may be left out is connected.
CONNECTED = 0.6


@dataclass(frozen=True)
class ConnectedInput:
    """An input of the node: its shape and type, and the value that it carries."""

    shape: tuple[int, ...]
    kind: str
    carried: Optional[Array] = None


class WantedInputs(ABC, Generic[FormalInput]):
    """The slots of a rule, put to what an operator takes."""

    def __init__(self, rule: Rule, sampled: SampledNode) -> None:
        self.rule, self.sampled = rule, sampled
        self.slots = rule.signature.data + rule.signature.parameters
        self.defaults = {a.name: None if a.default is None else a.default.value for a in rule.attributes}
        self.values: Mapping[str, Value] = {**self.defaults, **sampled.attributes}

    @abstractmethod
    def formal(self, position: int) -> Optional[FormalInput]:
        """What the operator takes at a place."""

    @abstractmethod
    def left_out(self, formal: Optional[FormalInput], random: np.random.Generator) -> bool:
        """Whether an input that the rule does not need is not connected."""

    @abstractmethod
    def kind(self, slot: RuleTensor, formal: Optional[FormalInput]) -> str:
        """The type of an input's elements.  Raises :class:`Illegal` for types that are not tried."""

    @abstractmethod
    def carried(self, slot: RuleTensor, formal: Optional[FormalInput]) -> Optional[ConnectedInput]:
        """An input that carries a value; ``None`` where it is left out.  Raises :class:`Illegal`."""

    @abstractmethod
    def named(self) -> Sequence[str]:
        """What the operator calls the inputs that it takes."""

    def inputs(self, random: np.random.Generator) -> list[Optional[ConnectedInput]]:
        """The inputs of the node, those left out as ``None``.  Raises :class:`Illegal`."""
        connected: list[Optional[ConnectedInput]] = []
        for slot in self.slots:
            for index in range(self.sampled.counts.get(slot.name, 1)):
                formal = self.formal(len(connected))
                if slot.value:
                    connected.append(self.carried(slot, formal))
                    continue
                if slot.kind == "optional" and self.left_out(formal, random):
                    connected.append(None)
                    continue
                shape = self.sampled.shapes.get((slot.name, index))
                if shape is None:
                    raise Illegal(f"the shape of {slot.name} was not drawn")
                connected.append(ConnectedInput(shape, self.kind(slot, formal)))
        while connected and connected[-1] is None:
            connected.pop()
        return connected

    def is_for(
        self, operator: Operator, inputs: Sequence[Optional[ConnectedInput]], given: Mapping[str, Value]
    ) -> bool:
        """Whether the rule's guard can hold for inputs of which some are left out, and attributes ``given``
        beside those sampled: what it excludes need not run, and may bring the framework down."""
        slots = [slot for slot in self.slots for _ in range(self.sampled.counts.get(slot.name, 1))]
        shapes: dict[str, list[Optional[OpenShape]]] = {}
        for slot, connected in zip(slots, inputs):
            if connected is not None:
                shapes.setdefault(slot.name, []).append(connected.shape)
        attributes = {**self.defaults, **operator.version_attributes, **self.sampled.attributes, **given}
        return holds(self.rule.when, attributes, shapes) is not False

    def without_place(self) -> str:
        """What is wrong with the rule where the operator takes more inputs than it has places for."""
        names = self.named()
        if len(self.slots) >= len(names) or any(slot.kind == "variadic" for slot in self.slots):
            return ""
        left = ", ".join(names[len(self.slots) :])
        return f"the operator takes {', '.join(names)}, and the rule has no place for {left}"


def variables_for(network: SmallNetwork, inputs: Sequence[Optional[ConnectedInput]]) -> list[Optional[Point]]:
    """Variables and constants of a network, ``x0``, ``x1`` and so on, for the inputs that are connected."""
    points: list[Optional[Point]] = []
    for position, connected in enumerate(inputs):
        point = None
        if connected is not None and connected.carried is not None:
            point = network.add_constant(f"x{position}", connected.carried)
        elif connected is not None:
            point = network.variable(f"x{position}", connected.shape, connected.kind)
        points.append(point)
    return points
