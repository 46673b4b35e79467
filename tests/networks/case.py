"""What a test network is, and the layers the networks are made of."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

import mxnet as mx

#: A parameter's name and one of its axes.
Pair = tuple[str, int]


@dataclass(frozen=True, eq=False)
class Case:
    """A network and what a correct pruner does with it.

    ``removable``: axes of which a pruner must be able to remove some slices, exactly.
    ``approximate``: axes of which it can remove slices where a change of the remaining values is
    allowed (it may know a way that is exact).  ``kept``: axes that must not lose a slice.
    ``integers``: inputs that hold whole numbers, each with the bound it stays below.
    """

    name: str
    symbol: Any
    inputs: Mapping[str, tuple[int, ...]]
    removable: tuple[Pair, ...]
    kept: tuple[Pair, ...]
    approximate: tuple[Pair, ...] = ()
    integers: Mapping[str, int] = field(default_factory=dict)

    @property
    def json(self) -> bytes:
        """The symbol file."""
        return self.symbol.tojson().encode()


def network(build: Callable[[], Case]) -> Callable[[], Case]:
    """Give a builder automatic names of its own, so that they do not depend on what was built before."""

    @functools.wraps(build)
    def built() -> Case:
        with mx.name.NameManager():
            return build()

    return built


def outputs(*names: str) -> tuple[Pair, ...]:
    """The produced channels of layers with a bias: axis 0 of weight and bias."""
    return tuple((f"{name}_{part}", 0) for name in names for part in ("weight", "bias"))


def norms(*names: str) -> tuple[Pair, ...]:
    """The channels of batch normalisations."""
    parts = ("gamma", "beta", "moving_mean", "moving_var")
    return tuple((f"{name}_{part}", 0) for name in names for part in parts)


def inputs(*names: str) -> tuple[Pair, ...]:
    """The consumed channels of layers: axis 1 of the weight."""
    return tuple((f"{name}_weight", 1) for name in names)


def image(name: str = "data") -> Any:
    """A picture as model input."""
    return mx.sym.var(name)


def conv(x: Any, name: str, filters: int, kernel: int = 3, **attributes: Any) -> Any:
    """A convolution that keeps the size, unless ``stride`` says otherwise."""
    stride = attributes.pop("stride", 1)
    pad = attributes.pop("pad", kernel // 2)
    return mx.sym.Convolution(
        x,
        name=name,
        num_filter=filters,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        pad=(pad, pad),
        **attributes,
    )


def bn(x: Any, name: str, **attributes: Any) -> Any:
    """A batch normalisation with a live gamma."""
    attributes.setdefault("fix_gamma", False)
    return mx.sym.BatchNorm(x, name=name, **attributes)


def relu(x: Any) -> Any:
    """A rectifier."""
    return mx.sym.Activation(x, act_type="relu")


def conv_bn_relu(x: Any, name: str, filters: int, kernel: int = 3, **attributes: Any) -> Any:
    """A convolution ``name`` without bias, a batch normalisation ``name_bn``, a rectifier."""
    return relu(bn(conv(x, name, filters, kernel, no_bias=True, **attributes), f"{name}_bn"))


def global_pool(x: Any, name: str = "pool") -> Any:
    """The mean over all positions, as (N, C, 1, 1)."""
    return mx.sym.Pooling(x, name=name, global_pool=True, pool_type="avg", kernel=(1, 1))


def dense(x: Any, name: str, units: int, **attributes: Any) -> Any:
    """A fully connected layer."""
    return mx.sym.FullyConnected(x, name=name, num_hidden=units, **attributes)


def head(x: Any, classes: int = 5) -> Any:
    """The end of a classifier: global pooling and the dense layer ``fc``, whose units are the output."""
    return dense(mx.sym.Flatten(global_pool(x)), "fc", classes)


#: What is kept in a network that begins with ``conv1`` on an image and ends with :func:`head`.
ENDS: tuple[Pair, ...] = (("conv1_weight", 1), ("fc_weight", 0), ("fc_bias", 0))
