"""One network, pruned at random and compared with its masked original in MXNet.

``python -m bench.exact_one FILE``: a process of its own for each network, since MXNet may abort.
Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Union

import numpy as np

from bench.evidence import evidence
from bench.measure import GUESSES
from bench.networks import CORPUS, Network, networks
from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import uniform
from prunec.frontends.mxnet.model import MXNetModel
from prunec.frontends.mxnet.model_runtime import MXNetRuntime
from prunec.frontends.mxnet.params import read_params
from prunec.frontends.mxnet.sessions import run
from prunec.frontends.mxnet.symbol import read_symbol_file, to_graph
from prunec.language.library import load
from prunec.rewriting.emit import emit
from prunec.rewriting.slicing import mask_array, slice_array
from prunec.support.comparison import draw
from prunec.support.diagnostics import PrunecError
from prunec.verifying.proof import prove
from prunec.verifying.running import SMALLER, Examples, Subject
from prunec.verifying.verdict import Outcome

Array = np.ndarray[Any, Any]
Shapes = Mapping[str, tuple[int, ...]]
#: Tried in turn where little is proved: values that fade away in deep networks, and those that overflow.
_SCALES = (1.5, 2.5, 0.5, 0.2)
_SMALL_SIDES = (96, 128, 160, 224, 320)


class CannotRun(Exception):
    """MXNet does not run the original on these inputs."""


def main() -> int:
    """Runs the network named, on smaller inputs first; exit status 0 whatever comes out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--real", action="store_true", help="with the parameters of the corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", type=float, default=10.0, help="in gigabytes")
    options = parser.parse_args()
    limit = int(options.memory * (1 << 30))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    network = next(n for n in networks(options.corpus) if n.file == options.file)
    print(json.dumps(examine(network, options.real, options.seed)), flush=True)
    return 0


def examine(network: Network, real: bool, seed: int) -> dict[str, Any]:
    """The figures of one network: the outcome of its proof, or ``None`` with a reason."""
    start = time.monotonic()
    refused: dict[str, Any] = {}
    reason = ""
    for shapes in _candidates(network):
        try:
            found = _compared(network, shapes, real, seed, 1.0)
            for scale in () if real else _SCALES:
                if found["outcome"] != Outcome.NOT_PROVED.value:
                    break
                other = _compared(network, shapes, real, seed, scale)
                found = min(found, other, key=lambda one: len(one["unwitnessed"]))
            return {**found, "inputs": shapes, "seconds": round(time.monotonic() - start, 1), **refused}
        except CannotRun as error:
            reason = reason or str(error)
        except PrunecError as error:
            diagnostic = error.diagnostics[0]
            text = f"{diagnostic.code} {diagnostic.headline} at {diagnostic.where}"[:300]
            refused.setdefault("refused", f"inputs {shapes}: {text}")
    return {"outcome": "refused" if refused else None, "reason": refused.get("refused", reason)}


def _candidates(network: Network) -> Iterator[dict[str, tuple[int, ...]]]:
    """Input shapes to try: with a batch of one and smaller sides, then as the tables say, then guesses."""
    if network.inputs:
        yield from _given(network)
    yield from (dict(guess) for guess in GUESSES)


def _given(network: Network) -> Iterator[dict[str, tuple[int, ...]]]:
    given = dict(network.inputs)
    images = [name for name, shape in given.items() if len(shape) in (4, 5) and min(shape[-2:]) > 96]
    batches = {shape[0] for shape in given.values() if shape}
    seen = []
    for one, side in product((True, False), (*_SMALL_SIDES, None)):
        shapes = dict(given)
        for name in images:
            if side is not None and side < min(shapes[name][-2:]):
                shapes[name] = _smaller(shapes[name], side)
        if one and len(batches) == 1:
            shapes = {name: (1, *shape[1:]) for name, shape in shapes.items()}
        if shapes not in seen:
            seen.append(shapes)
            yield shapes


def _smaller(shape: tuple[int, ...], side: int) -> tuple[int, ...]:
    # Sides keep their ratio, in steps of 32, which most networks divide by.
    scale = side / min(shape[-2:])
    sides = tuple(max(32, int(round(size * scale / 32)) * 32) for size in shape[-2:])
    return shape[:-2] + sides


def _compared(network: Network, inputs: Shapes, real: bool, seed: int, scale: float) -> dict[str, Any]:
    data = network.path.read_bytes()
    if real:
        assert network.parameters is not None
        file = read_params(network.parameters)
        parameters = {r.name: np.asarray(file.array(r.name)) for r in file.records if not r.empty}
        _fits(data, inputs, {name: array.shape for name, array in parameters.items()})
    else:
        parameters = _random_parameters(data, inputs, seed, scale)
    try:
        analysis = _analysed(network.path, parameters, inputs)
    except PrunecError:
        _original_runs(data, parameters, inputs)
        raise
    generator = np.random.default_rng(seed)
    if not real:
        # Variances, whatever they are called.
        for parameter in analysis.parameters:
            if parameter.neutral == 1 and parameter.name in parameters:
                shape = parameters[parameter.name].shape
                parameters[parameter.name] = generator.uniform(0.5, 2.0, shape).astype(np.float32)
    removed = uniform(analysis.solution, 0.5, generator.random(analysis.solution.unit_count))
    pruned = emit(analysis, removed)
    masked = {piece.name: mask_array(piece, parameters[piece.name]) for piece in pruned.slices}
    small = {
        **parameters,
        **{piece.name: slice_array(piece, parameters[piece.name]) for piece in pruned.slices},
    }
    before = sum(array.size for array in parameters.values())
    left = sum(array.size for array in small.values()) / max(before, 1)
    graph = analysis.model.graph
    runtimes = MXNetRuntime(data, graph, parameters), MXNetRuntime(pruned.model, graph, small)
    examples = [_input_values(analysis, inputs, seed + k) for k in (0, 1)]
    try:
        verdict = prove(Subject(analysis, pruned, *runtimes, masked), Examples(*examples))
    except PrunecError as error:
        diagnostic = error.diagnostics[0]
        reason = f"MXNet: {' '.join(diagnostic.notes)[:300]}"
        if diagnostic.where == SMALLER:
            _original_runs(data, parameters, inputs)
            raise AssertionError(f"the pruned model does not run: {reason}") from None
        raise CannotRun(reason) from None
    return {
        "outcome": verdict.outcome.value,
        "error": min(verdict.error, 1e30),
        "left": left,
        "removed": int(removed.sum()),
        **evidence(verdict),
    }


def _original_runs(
    data: bytes, parameters: Mapping[str, Array], inputs: Mapping[str, Union[tuple[int, ...], Array]]
) -> None:
    """Raises :class:`CannotRun` if the original does not run either: then the inputs do not suit it."""
    try:
        run(data, parameters, draw(inputs, 0))
    except PrunecError as error:
        raise CannotRun(f"MXNet: {' '.join(error.diagnostics[0].notes)[:300]}") from None


def _analysed(path: Path, parameters: Mapping[str, Array], inputs: Shapes) -> Analysis:
    file = read_symbol_file(path)
    shapes = {name: array.shape for name, array in parameters.items()}
    graph = to_graph(file, set(shapes), inputs, shapes)
    model = _InMemory(path, file, graph, None, inputs)
    object.__setattr__(model, "arrays", parameters)
    return analyse(model, load(["default.prune"]), strict=True)


class _InMemory(MXNetModel):
    """A model whose parameters are in no file."""

    arrays: Mapping[str, Array]

    @property
    def parameter_shapes(self) -> Optional[Mapping[str, tuple[int, ...]]]:
        return {name: tuple(array.shape) for name, array in self.arrays.items()}


# --- random values ---


def _fits(data: bytes, inputs: Shapes, parameters: Shapes) -> None:
    names, shapes = _inferred(data, {**parameters, **inputs})
    for name, shape in zip(names, shapes):
        if name in parameters and shape and tuple(shape) != tuple(parameters[name]):
            raise CannotRun(f"parameter {name!r} is of shape {parameters[name]}, not {shape}")


def _inferred(data: bytes, known: Shapes) -> tuple[list[str], list[tuple[int, ...]]]:
    import mxnet as mx

    try:
        symbol = mx.sym.load_json(data.decode())
        arguments = symbol.list_arguments()
        given = {name: shape for name, shape in known.items() if name in arguments}
        shapes, _, states = symbol.infer_shape_partial(**given)
    except Exception as error:
        lines = [line for line in str(error).splitlines() if "Error" in line] or [str(error)]
        raise CannotRun(f"MXNet: {lines[-1][:300]}") from None
    return [*arguments, *symbol.list_auxiliary_states()], [*(shapes or ()), *(states or ())]


def _random_parameters(data: bytes, inputs: Shapes, seed: int, scale: float) -> dict[str, Array]:
    """Values that hide no mistake: all different, none zero or one; weights scaled by their fan-in, and by
    ``scale`` where values would grow beyond all bounds."""
    generator = np.random.default_rng(seed)
    values: dict[str, Array] = {}
    for name, shape in zip(*_inferred(data, inputs)):
        if name in inputs or name.endswith("label"):
            continue
        if not shape or 0 in shape:
            raise CannotRun(f"the shape of {name!r} does not follow from the inputs")
        drawn = _draw(name, tuple(shape), generator)
        values[name] = drawn * np.float32(scale) if len(shape) > 1 else drawn
    return values


def _draw(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    if name.endswith("var"):
        return generator.uniform(0.5, 2.0, shape).astype(np.float32)
    if name.endswith("gamma"):
        signs = generator.choice((-1.0, 1.0), shape)
        return np.asarray(generator.uniform(0.5, 1.5, shape) * signs, dtype=np.float32)
    normal = generator.standard_normal(shape, dtype=np.float32)
    if len(shape) < 2 or name.endswith(("bias", "beta", "mean")):
        return np.asarray(np.float32(0.1) * normal)
    return np.asarray(np.float32(np.sqrt(2.0 / prod(shape[1:]))) * normal)


def _input_values(analysis: Analysis, inputs: Shapes, seed: int) -> dict[str, Array]:
    """Normally distributed values; whole numbers where an input chooses rows of a table."""
    generator = np.random.default_rng(seed + 1)
    graph = analysis.lowered.graph
    rows: dict[str, int] = {}
    for index, bound in enumerate(analysis.lowered.rules):
        if bound is not None and "input_dim" in bound.attributes:
            source = graph.nodes[graph.nodes[index].inputs[0].node]
            rows[source.name] = int(bound.attributes["input_dim"])  # type: ignore[arg-type]
    return {
        name: generator.integers(0, rows[name], shape).astype(np.float32)
        if name in rows
        else generator.standard_normal(shape).astype(np.float32)
        for name, shape in inputs.items()
    }


if __name__ == "__main__":
    sys.exit(main())
