"""The classifiers of MXNet's own model zoo."""

from __future__ import annotations

from typing import Any, Optional

import mxnet as mx
from mxnet.gluon.model_zoo import vision

_RESNETS = tuple(f"resnet{depth}_v{version}" for version in (1, 2) for depth in (18, 34, 50, 101, 152))
_VGGS = tuple(f"vgg{depth}{suffix}" for suffix in ("", "_bn") for depth in (11, 13, 16, 19))
_MOBILENETS = tuple(
    f"mobilenet{version}{width}" for version in ("", "v2_") for width in ("1.0", "0.75", "0.5", "0.25")
)

#: Every network of the zoo, with the least side of a square picture that is worth running: the least one
#: that is legal, or 32 for those that take any size (at 1, everything but the centre of a kernel is idle).
SMALLEST = {
    **dict.fromkeys((*_RESNETS, *_VGGS, *_MOBILENETS), 32),
    "alexnet": 63,
    **{f"densenet{depth}": 221 for depth in (121, 161, 169, 201)},
    "squeezenet1.0": 213,
    "squeezenet1.1": 209,
    "inceptionv3": 299,
}


def zoo(name: str, size: Optional[int] = None) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """The symbol of a network, and the shape of its input ``data`` at a picture size (the smallest, if
    none is given).  The same call gives the same names."""
    with mx.name.NameManager():
        net = vision.get_model(name)
        net.hybridize()
        symbol = net(mx.sym.var("data"))
    side = SMALLEST[name] if size is None else size
    return symbol, {"data": (1, 3, side, side)}
