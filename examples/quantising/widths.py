"""Print what widths cost: ``python widths.py``.

It runs four 3-by-3 convolutions of each width, in numbers of 32 bits and of 8, and prints how long they
take beside the first width in 32 bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from compare import latencies, session
from onnx import helper, numpy_helper
from quantise import quantise

WIDTHS = (64, 63, 60, 56, 48, 40, 36, 33, 32, 31, 24, 16)
LAYERS = 4


def stack(width: int, path: str) -> None:
    """Write a stack of convolutions and rectifiers with random weights, on 28 by 28 positions."""
    random = np.random.default_rng(0)
    nodes, constants, last = [], [], "data"
    for layer in range(LAYERS):
        weight = random.standard_normal((width, width, 3, 3)) * (2 / (9 * width)) ** 0.5
        constants.append(numpy_helper.from_array(weight.astype(np.float32), f"w{layer}"))
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        last = f"r{layer}"
    shape = ["batch", width, 28, 28]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in ("data", last)]
    graph = helper.make_graph(nodes, "stack", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def measured(width: int, rounds: int, folder: Path) -> tuple[float, float]:
    """The median seconds of one run in numbers of 32 bits, and in integers of 8."""
    plain, small, examples = (str(folder / name) for name in ("float.onnx", "int8.onnx", "examples.npz"))
    stack(width, plain)
    images = np.random.default_rng(1).random((32, width, 28, 28), dtype=np.float32)
    np.savez(examples, data=images)
    quantise(plain, small, examples)
    before, after = latencies([session(plain), session(small)], images[:4], rounds)
    return before, after


def main() -> None:
    """Measure the widths."""
    parser = argparse.ArgumentParser(description="Measure convolutions of several widths.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--widths", metavar="N", type=int, nargs="+", default=WIDTHS)
    options = parser.parse_args()
    with TemporaryDirectory() as scratch:
        found = [measured(width, options.rounds, Path(scratch)) for width in options.widths]
    print("| width | 32 bits | 8 bits | gain |")
    print("|---|---|---|---|")
    for width, (before, after) in zip(options.widths, found):
        print(f"| {width} | {before / found[0][0]:.2f} | {after / found[0][0]:.2f} | {before / after:.1f} |")


if __name__ == "__main__":
    main()
