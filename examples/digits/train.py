"""Train a small residual network on the digits and save it: ``python train.py [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

import mxnet as mx
from training import accuracy, fit, save


def convolution(data: mx.sym.Symbol, channels: int, kernel: int, stride: int, name: str) -> mx.sym.Symbol:
    """Convolution and batch normalization; the size of the image changes by the stride alone."""
    size = {"kernel": (kernel, kernel), "stride": (stride, stride), "pad": (kernel // 2, kernel // 2)}
    data = mx.sym.Convolution(data, num_filter=channels, no_bias=True, name=f"{name}_conv", **size)
    return mx.sym.BatchNorm(data, fix_gamma=False, name=f"{name}_norm")


def block(data: mx.sym.Symbol, channels: int, stride: int, project: bool, name: str) -> mx.sym.Symbol:
    """Two convolutions and a shortcut around them, projected where the shape changes."""
    branch = convolution(data, channels, 3, stride, f"{name}_first")
    branch = mx.sym.Activation(branch, act_type="relu", name=f"{name}_first_relu")
    branch = convolution(branch, channels, 3, 1, f"{name}_second")
    shortcut = convolution(data, channels, 1, stride, f"{name}_shortcut") if project else data
    added = mx.sym.elemwise_add(branch, shortcut, name=f"{name}_add")
    return mx.sym.Activation(added, act_type="relu", name=f"{name}_relu")


def network() -> mx.sym.Symbol:
    """A residual network of three blocks for images of shape (batch, 1, 8, 8) and ten classes."""
    data = convolution(mx.sym.var("data"), 32, 3, 1, "stem")
    data = mx.sym.Activation(data, act_type="relu", name="stem_relu")
    data = block(data, 32, 1, False, "block1")
    data = block(data, 64, 2, True, "block2")
    data = block(data, 64, 1, False, "block3")
    data = mx.sym.Pooling(data, global_pool=True, pool_type="avg", kernel=(1, 1), name="pool")
    data = mx.sym.FullyConnected(mx.sym.Flatten(data, name="flatten"), num_hidden=10, name="classes")
    return mx.sym.SoftmaxOutput(data, mx.sym.var("softmax_label"), name="softmax")


def main() -> None:
    """Train, save digits-symbol.json and digits-0000.params, and print the accuracy."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    symbol = network()
    parameters = fit(symbol, {}, epochs=20, rate=0.1)
    symbol.save(str(folder / "digits-symbol.json"))
    save(str(folder / "digits-0000.params"), parameters)
    print(f"accuracy {accuracy(symbol, parameters):.4f}")


if __name__ == "__main__":
    main()
