"""Small MXNet networks, one for each way in which channels depend on each other.

Needs MXNet: tests call ``pytest.importorskip("mxnet")`` before they import this package.
"""

from __future__ import annotations

from networks import blocks, branches, chains, elementwise, grouped, rearranged, sequences, sliced
from networks.case import Case, Pair
from networks.parameters import random_inputs, random_parameters
from networks.zoo import SMALLEST, zoo

#: Functions without arguments, each of which builds a fresh :class:`Case`.
BUILDERS = (
    *chains.BUILDERS,
    *branches.BUILDERS,
    *sliced.BUILDERS,
    *grouped.BUILDERS,
    *elementwise.BUILDERS,
    *rearranged.BUILDERS,
    *sequences.BUILDERS,
    *blocks.BUILDERS,
)

__all__ = ["BUILDERS", "Case", "Pair", "SMALLEST", "random_inputs", "random_parameters", "zoo"]
