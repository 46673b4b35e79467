"""Fine-tune a model on the digits: ``python finetune.py SYMBOL PARAMS OUT.params``."""

from __future__ import annotations

import argparse

import mxnet as mx
from data import SETS
from training import accuracy, fit, save


def main() -> None:
    """Read the model, train it further, save its parameters, and print the accuracy before and after."""
    parser = argparse.ArgumentParser(description="Fine-tune a model on the digits.")
    parser.add_argument("symbol", metavar="SYMBOL")
    parser.add_argument("parameters", metavar="PARAMS")
    parser.add_argument("output", metavar="OUT.params")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.02, help="learning rate at the start")
    parser.add_argument("--set", choices=SETS, default="digits")
    options = parser.parse_args()
    images = SETS[options.set]()
    symbol, parameters = mx.sym.load(options.symbol), mx.nd.load(options.parameters)
    print(f"accuracy before {accuracy(symbol, parameters, images):.4f}")
    parameters = fit(symbol, parameters, options.epochs, options.rate, images)
    save(options.output, parameters)
    print(f"accuracy after {accuracy(symbol, parameters, images):.4f}")


if __name__ == "__main__":
    main()
