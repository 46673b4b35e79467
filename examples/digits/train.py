"""Train a small residual network on the digits and save it: ``python train.py [FOLDER] [--set harder]``."""

from __future__ import annotations

import argparse
from pathlib import Path

import mxnet as mx
from data import SETS
from training import accuracy, fit, save

#: The harder set has more images, so that fewer rounds do.
EPOCHS = {"digits": 20, "harder": 12}


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
    """A residual network of three blocks for images of shape (batch, 1, height, width), ten classes."""
    data = convolution(mx.sym.var("data"), 32, 3, 1, "stem")
    data = mx.sym.Activation(data, act_type="relu", name="stem_relu")
    data = block(data, 32, 1, False, "block1")
    data = block(data, 64, 2, True, "block2")
    data = block(data, 64, 1, False, "block3")
    data = mx.sym.Pooling(data, global_pool=True, pool_type="avg", kernel=(1, 1), name="pool")
    data = mx.sym.FullyConnected(mx.sym.Flatten(data, name="flatten"), num_hidden=10, name="classes")
    return mx.sym.SoftmaxOutput(data, mx.sym.var("softmax_label"), name="softmax")


def train(folder: Path, name: str, seed: int = 0) -> float:
    """Train on the set of this name, save NAME-symbol.json and NAME-0000.params, and give the accuracy."""
    symbol, images = network(), SETS[name]()
    parameters = fit(symbol, {}, EPOCHS[name], rate=0.1, images=images, seed=seed)
    symbol.save(str(folder / f"{name}-symbol.json"))
    save(str(folder / f"{name}-0000.params"), parameters)
    return accuracy(symbol, parameters, images)


def main() -> None:
    """Train, save the model, and print the accuracy."""
    parser = argparse.ArgumentParser(description="Train a small residual network on the digits.")
    parser.add_argument("folder", metavar="FOLDER", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--set", choices=SETS, default="digits")
    parser.add_argument("--seed", type=int, default=0, help="for what is random in training")
    options = parser.parse_args()
    print(f"accuracy {train(options.folder, options.set, options.seed):.4f}")


if __name__ == "__main__":
    main()
