"""The axes that a formula of letters gives the tensors of a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from prunec.language.functions import function_of
from prunec.language.functions.formulas import Formula
from prunec.language.syntax import Call, Name, Rest, Rule, TensorPattern
from prunec.lowering.expressions import indexed
from prunec.lowering.signatures import is_lettered, slots_of
from prunec.value import Value


@dataclass(frozen=True)
class Letters:
    """What a formula says of a node's tensors: it places the axes of ``rest``."""

    rest: str
    formula: Formula

    @property
    def count(self) -> int:
        """How many axes the rest stands for."""
        return self.formula.count

    def takes(self, number: int) -> bool:
        """Whether the tensor of a number is an input: they are counted first, outputs behind them."""
        return number < len(self.formula.inputs)

    def names(self, number: int) -> list[str]:
        """The plain names on the axes of the tensor of a number."""
        places = self.formula.inputs[number] if self.takes(number) else self.formula.output
        return [indexed(self.rest, place) for place in places]

    @property
    def summed(self) -> list[str]:
        """The plain names that only inputs have."""
        return [indexed(self.rest, place) for place in range(self.count) if place not in self.formula.output]


def letters_of(
    rule: Rule, attributes: Mapping[str, Value], ranks: Sequence[Optional[int]]
) -> Optional[Letters]:
    """What the formula of a rule says of inputs of these ranks; ``None`` where the rule has none, or a rank
    that an ellipsis needs is not known.

    Raises :class:`ArgumentError` where the attribute is no formula, or is one for other inputs.
    """
    call = next(filter(None, map(formula_of, slots_of(rule.signature))), None)
    if call is None:
        return None
    rest, attribute = call.arguments
    if not isinstance(rest, Rest) or not isinstance(attribute, Name):
        return None
    read = function_of(call).formula
    formula = None if read is None else read(attributes.get(attribute.name), ranks)
    return None if formula is None else Letters(rest.name, formula)


def formula_of(tensor: TensorPattern) -> Optional[Call]:
    """The call by which a slot's axes are named, if a formula names them."""
    return next((a.item for a in tensor.axes if isinstance(a.item, Call) and is_lettered(a.item)), None)
