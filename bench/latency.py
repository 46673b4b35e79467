"""What pruning saves when MXNet runs a network: ``python bench/latency.py [NETWORK …]``.

Each network is timed as it is, with half of its multiply-adds, and with half of them in multiples of eight
channels: one thread, in turns, so that whatever else the machine does concerns all three; medians.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping

# Read when MXNet is loaded.
os.environ.update(OMP_NUM_THREADS="1", MXNET_SUBGRAPH_VERBOSE="0")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prunec.analysis.analyse import Analysis, analyse
from prunec.frontends.mxnet.model import read_model
from prunec.language.library import load
from prunec.planning.choose import Options, make_plan
from prunec.planning.targets import Limits, parse_target
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.layers import layers
from prunec.rewriting.slicing import slice_array

NETWORKS = ("resnet50_v1", "mobilenet_v2_1_0")
INPUT = (1, 3, 224, 224)
TARGET = 0.5
ALIGN = 8

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A network to time; ``multiply_adds`` are those of one run, ``aligned`` says how many layers that lost
    channels have a multiple of eight left."""

    what: str
    multiply_adds: int
    aligned: str
    run: Callable[[], float]


def main() -> int:
    """Times the networks and prints ratios."""
    parser = argparse.ArgumentParser(description="time networks before and after pruning")
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="names in MXNet's model zoo")
    parser.add_argument("--rounds", type=int, default=9, help="runs of each, in turns; the median counts")
    options = parser.parse_args()
    try:
        import mxnet  # noqa: F401
    except Exception:  # an MXNet that does not fit its numpy fails in many ways
        print("latency: MXNet is not installed")
        return 0
    print("latency in MXNet, one thread, batch 1: medians, and what is left of latency and of multiply-adds")
    print(f"{'':58s}{'median':>12s}{'latency':>10s}{'macs':>8s}  layers that lost channels")
    for name in options.networks:
        report(name, cases(name), options.rounds)
    return 0


def report(name: str, found: list[Case], rounds: int) -> None:
    """Times the cases in turns and prints a row for each, with ratios to the first."""
    for case in found:
        case.run()
    times = [[case.run() for case in found] for _ in range(rounds)]
    medians = np.median(times, axis=0)
    for case, seconds in zip(found, medians):
        ratios = f"{seconds / medians[0]:>10.0%}{case.multiply_adds / found[0].multiply_adds:>8.0%}"
        print(f"{name + ', ' + case.what:58s}{seconds * 1e3:>9.1f} ms{ratios}  {case.aligned}", flush=True)


def cases(name: str) -> list[Case]:
    """The network before, after, and after with alignment; weights are random, which changes no latency."""
    with tempfile.TemporaryDirectory() as folder:
        symbol, parameters = _export(name, Path(folder))
        model = read_model(symbol, parameters, {"data": INPUT})
        analysis = analyse(model, load(["default.prune"]))
        arrays = {key: np.array(model.parameter(key)) for key in model.parameter_shapes or {}}
        pruned = {
            what: emit(analysis, make_plan(analysis, options=_options(align)).removed)
            for what, align in (("half of the multiply-adds", 1), (f"half, --align {ALIGN}", ALIGN))
        }
        data = symbol.read_bytes()
    first = next(iter(pruned.values()))
    found = [Case("as it is", layers(analysis, first)[1].multiply_adds[0] or 0, "", runner(data, arrays))]
    for what, smaller in pruned.items():
        found.append(_case(analysis, what, smaller, arrays))
    return found


def _options(align: int) -> Options:
    return Options(targets=(parse_target(f"macs={TARGET}"),), criterion="l1", limits=Limits(align=align))


def _case(analysis: Analysis, what: str, pruned: Pruned, arrays: Arrays) -> Case:
    cuts = {own.name: own for own in pruned.slices}
    sliced = {key: slice_array(cuts[key], array) if key in cuts else array for key, array in arrays.items()}
    rows, totals = layers(analysis, pruned)
    widths = [row.channels[1] for row in rows if row.channels and row.channels[0] != row.channels[1]]
    even = sum(width is not None and width % ALIGN == 0 for width in widths)
    aligned = f"{even} of {len(widths)} are multiples of {ALIGN}"
    return Case(what, totals.multiply_adds[1] or 0, aligned, runner(pruned.model, sliced))


def _export(name: str, folder: Path) -> tuple[Path, Path]:
    """A network of the model zoo with random weights as files."""
    import mxnet as mx

    network = getattr(mx.gluon.model_zoo.vision, name)()
    mx.random.seed(0)
    network.initialize(mx.init.Xavier())
    network.hybridize()
    network(mx.nd.zeros(INPUT))
    network.export(str(folder / "network"))
    return folder / "network-symbol.json", folder / "network-0000.params"


def runner(symbol_json: bytes, arrays: Arrays) -> Callable[[], float]:
    """Binds a network as MXNet does by itself; each call runs it once and gives the seconds."""
    import mxnet as mx

    symbol = mx.sym.load_json(symbol_json.decode())
    bound = symbol.simple_bind(mx.cpu(), grad_req="null", data=INPUT)
    known = {key: mx.nd.array(array) for key, array in arrays.items()}
    arguments = {key: known[key] for key in bound.arg_dict if key in known}
    states = {key: known[key] for key in bound.aux_dict if key in known}
    bound.copy_params_from(arguments, states)
    bound.arg_dict["data"][:] = mx.nd.array(np.random.default_rng(0).standard_normal(INPUT))

    def run() -> float:
        start = time.perf_counter()
        for output in bound.forward(is_train=False):
            output.wait_to_read()
        return time.perf_counter() - start

    return run


if __name__ == "__main__":
    sys.exit(main())
