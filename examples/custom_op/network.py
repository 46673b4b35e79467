"""A small network with both operators: ``python network.py FOLDER`` writes its model files."""

from __future__ import annotations

import sys
from pathlib import Path

import channel_ops  # noqa: F401  (registers the operators)
import mxnet as mx
import numpy as np

INPUT = {"data": (2, 3, 16, 16)}


def build():
    """Convolution, gate, interleaving, a grouped convolution, and a classifier."""
    x = mx.sym.var("data")
    x = mx.sym.Convolution(x, name="conv1", kernel=(3, 3), pad=(1, 1), num_filter=32, no_bias=True)
    x = mx.sym.Activation(mx.sym.BatchNorm(x, name="norm1", fix_gamma=False), act_type="relu")
    x = mx.sym.Custom(x, name="gate", op_type="channel_gate")
    x = mx.sym.Custom(x, name="interleave", op_type="interleave", groups=4)
    x = mx.sym.Convolution(x, name="conv2", kernel=(3, 3), num_filter=32, num_group=4, no_bias=True)
    x = mx.sym.Activation(mx.sym.BatchNorm(x, name="norm2", fix_gamma=False), act_type="relu")
    x = mx.sym.Pooling(x, name="pool", kernel=(1, 1), global_pool=True, pool_type="avg")
    return mx.sym.FullyConnected(mx.sym.Flatten(x), name="classes", num_hidden=10)


def parameters(symbol, seed=0):
    """Random values for every parameter, none of them zero or one."""
    random = np.random.RandomState(seed)
    shapes, _, states = symbol.infer_shape(**INPUT)
    named = zip(symbol.list_arguments(), shapes)
    values = {f"arg:{name}": random.uniform(-0.5, 0.5, shape) for name, shape in named if name not in INPUT}
    for name, shape in zip(symbol.list_auxiliary_states(), states):
        values[f"aux:{name}"] = random.uniform(0.5, 1.5, shape)
    return {name: mx.nd.array(value) for name, value in values.items()}


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    symbol = build()
    symbol.save(str(folder / "gated-symbol.json"))
    mx.nd.save(str(folder / "gated-0000.params"), parameters(symbol))
    print(f"wrote {folder / 'gated-symbol.json'} and {folder / 'gated-0000.params'}")


if __name__ == "__main__":
    main()
