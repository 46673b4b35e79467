"""Following zeros: is an element that goes zero in the masked original?

A rule claims it with ``zero out`` (in the channels its parameters make or scale) or ``zero out if data``
(where it was zero before).  The answer differs from array to array of one tensor: a dense layer's outputs are
zero in a removed output channel, but not in a removed row of its input, where its bias stands.

A parameter is not zero when masked where a rule names another value (``hint neutral``), and what another
operator makes of it is not either.  Zeros at such an input that no parameter masks, a divisor that was
computed, make the output no number.
"""

from __future__ import annotations

from typing import Callable, Mapping

from prunec.channels.scope import Array
from prunec.lowering.bound import BoundTensor, ZeroInputs
from prunec.lowering.lowered import LoweredRule


class Zeros:
    """The zeros of one derivation.  ``untouched`` are the inputs that are parameters without a layout, with
    the values that mask them; ``alone`` says that nothing but parameters enters the node."""

    def __init__(
        self,
        bound: LoweredRule,
        ids: Callable[[str], list[int]],
        untouched: Mapping[int, float],
        alone: bool = False,
    ) -> None:
        self.bound = bound
        self.ids = ids
        self.untouched = untouched
        # A weight divided by its own length: zero is put in the place of what is no number there.
        self.undefined = () if alone else tuple(slot for slot, value in bound.neutral.items() if value)
        self.learned = any(t.slot in bound.parameter_slots for t in bound.inputs + bound.implied)

    def output(self, slot: str) -> Callable[[Array], bool]:
        """Whether an output is zero where an array of its removes something."""
        claims = [claim for claim in self.bound.zeros if claim.slot == slot]

        def answer(array: Array) -> bool:
            if array.zero is not None:
                return array.zero
            if any(self._computed_zero(slot, array) for slot in self.undefined):
                return False
            return any(
                self._own(array)
                if claim.condition is None
                else self._scaled(array) and self.where(claim.condition, array)
                for claim in claims
            )

        return answer

    def where(self, condition: ZeroInputs, array: Array) -> bool:
        """Whether the tensors of a condition are zero where an array removes something."""
        answers = [self._input(slot, array) for slot in condition.slots]
        return any(answers) if condition.any_of else all(answers)

    def _input(self, slot: str, array: Array) -> bool:
        inputs = self.bound.inputs
        known = [zero for number, zero in array.zero_in.items() if inputs[number].slot == slot]
        if known:
            return all(known)
        last = array.factors[-1]
        return any(
            inputs[n].slot == slot and not value and last in self._factors(inputs[n])
            for n, value in self.untouched.items()
        )

    def _computed_zero(self, slot: str, array: Array) -> bool:
        """Whether an input of a slot is known to be zero where an array removes something; no parameter is
        that the rule masks with another value."""
        inputs = self.bound.inputs
        return any(zero for number, zero in array.zero_in.items() if inputs[number].slot == slot)

    def _own(self, array: Array) -> bool:
        """An unconditional claim holds for channels that parameters make or scale, and for those the
        operator makes; not for what it only carries from its data."""
        places = self._places(array)
        return self._masked_as_told(array) and (True in places or not places)

    def _scaled(self, array: Array) -> bool:
        """Where there are parameters, a claim about the data's zeros holds for channels that the parameters
        know: a shift, say, is masked there and nowhere else."""
        return not self.learned or (True in self._places(array) and self._masked_as_told(array))

    def _masked_as_told(self, array: Array) -> bool:
        """Whether what stands in slots of parameters is zero where an array removes something, but for slots
        where the rule names another value: a weight may be computed, or be a divisor elsewhere."""
        return all(
            array.zero_in.get(number, not self.untouched.get(number))
            for number, tensor in enumerate(self.bound.inputs)
            if tensor.slot in self.bound.parameter_slots
            and tensor.slot not in self.bound.neutral
            and array.factors[-1] in self._factors(tensor)
        )

    def contracted(self, name: str, array: Array) -> bool:
        """Whether a name that data and parameters share, and no output has, is summed over with zeros."""
        slots = {t.slot for t in self.bound.inputs if name in t.names}
        implied = any(name in t.names for t in self.bound.implied)
        return implied or any(self._input(slot, array) for slot in slots)

    def _places(self, array: Array) -> set[bool]:
        """The kinds of slots in which what an array shrinks stands: true for parameters, false for data."""
        return {
            tensor.slot in self.bound.parameter_slots
            for tensor in self.bound.inputs + self.bound.implied
            if array.factors[-1] in self._factors(tensor)
        }

    def _factors(self, tensor: BoundTensor) -> set[int]:
        return {factor for name in tensor.names for factor in self.ids(name)}
