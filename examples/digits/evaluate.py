"""Print the accuracy of a model on the held-out digits: ``python evaluate.py SYMBOL PARAMS``."""

from __future__ import annotations

import argparse

import mxnet as mx
from data import SETS
from training import accuracy


def main() -> None:
    """Read the model and measure it."""
    parser = argparse.ArgumentParser(description="Print the accuracy of a model on the held-out digits.")
    parser.add_argument("symbol", metavar="SYMBOL")
    parser.add_argument("parameters", metavar="PARAMS")
    parser.add_argument("--set", choices=SETS, default="digits")
    options = parser.parse_args()
    symbol, parameters = mx.sym.load(options.symbol), mx.nd.load(options.parameters)
    measured = accuracy(symbol, parameters, SETS[options.set]())
    print(f"accuracy {measured:.4f}")


if __name__ == "__main__":
    main()
