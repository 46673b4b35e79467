"""Pruning a network in memory, and running it in MXNet before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

import networks
import numpy as np

from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import Removed, illegal, uniform
from prunec.frontends.mxnet.model import MXNetModel
from prunec.frontends.mxnet.model_runtime import MXNetRuntime
from prunec.frontends.mxnet.symbol import read_symbol, to_graph
from prunec.language.library import RuleSet, load
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.slicing import mask_array, slice_array
from prunec.support.comparison import draw
from prunec.verifying.proof import prove
from prunec.verifying.running import Examples, Subject
from prunec.verifying.verdict import Outcome, Verdict, merged

Array = np.ndarray
#: Makes a choice of units, given the analysis and a source of random numbers.
Chooser = Callable[[Analysis, np.random.Generator], Removed]

#: Inputs on which a wrong slice would pass unseen are followed by others.
MOST_DRAWS = 4

RULES: RuleSet = load(["default.prune"])


class MemoryParameters:
    """Parameters that lie in memory instead of in a file."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.shapes = {name: array.shape for name, array in arrays.items()}

    def array(self, name: str) -> Array:
        return self.arrays[name]


@dataclass(frozen=True)
class Network:
    """A network with random distinct parameters; ``values`` are inputs that cannot be drawn (indices)."""

    json: bytes
    inputs: Mapping[str, tuple[int, ...]]
    parameters: Mapping[str, Array]
    values: Mapping[str, Array]

    def analysis(self, strict: bool = False) -> Analysis:
        """The network under the built-in rules."""
        file = read_symbol(self.json, "model-symbol.json")
        shapes = {name: value.shape for name, value in self.parameters.items()}
        graph = to_graph(file, set(self.parameters), self.inputs, shapes)
        parameters: Any = MemoryParameters(self.parameters)
        path = Path("model-symbol.json")
        return analyse(MXNetModel(path, file, graph, parameters, self.inputs), RULES, strict)


def network_of(case: networks.Case, seed: int = 1) -> Network:
    """A test network."""
    parameters = networks.random_parameters(case.symbol, case.inputs, seed)
    drawn = networks.random_inputs(case, seed + 1)
    return Network(case.json, case.inputs, parameters, {name: drawn[name] for name in case.integers})


def zoo_network(name: str, size: Optional[int] = None, seed: int = 1) -> Network:
    """A classifier of MXNet's model zoo."""
    symbol, inputs = networks.zoo(name, size)
    return Network(symbol.tojson().encode(), inputs, networks.random_parameters(symbol, inputs, seed), {})


@dataclass(frozen=True)
class Trial:
    """A network pruned, with its parameters sliced and masked."""

    network: Network
    analysis: Analysis
    removed: Removed
    pruned: Pruned
    sliced: Mapping[str, Array]
    masked: Mapping[str, Array]

    @property
    def left(self) -> float:
        """The share of parameters left."""
        before = sum(array.size for array in self.network.parameters.values())
        return sum(array.size for array in self.sliced.values()) / before

    @property
    def shortened(self) -> set[tuple[str, int]]:
        """The axes of parameters that lost slices."""
        return {
            (piece.name, axis)
            for piece in self.pruned.slices
            for axis, (before, after) in enumerate(zip(piece.shape, piece.new_shape))
            if after < before
        }

    def runtime(self, parameters: Mapping[str, Array]) -> MXNetRuntime:
        """What runs the smaller network with these parameters."""
        return MXNetRuntime(self.pruned.model, self.analysis.model.graph, parameters)

    def subject(self) -> Subject:
        """The two networks, to be compared."""
        graph = self.analysis.model.graph
        original = MXNetRuntime(self.network.json, graph, self.network.parameters)
        masked = {piece.name: self.masked[piece.name] for piece in self.pruned.slices}
        return Subject(self.analysis, self.pruned, original, self.runtime(self.sliced), masked)

    def examples(self, seed: int = 0) -> Examples:
        """Random inputs, and others."""
        return Examples(*(self._drawn(2 * seed + k) for k in (0, 1)))

    def _drawn(self, seed: int) -> dict[str, Array]:
        inputs = {**self.network.inputs, **self.network.values}
        return draw(inputs, seed, others=bool(seed % 2))

    def verdict(self) -> Verdict:
        """MXNet runs the original with masked parameters, and the smaller network, on other inputs where a
        wrong slice would pass unseen."""
        subject = self.subject()
        verdicts = [prove(subject, self.examples())]
        while merged(tuple(verdicts)).outcome is Outcome.NOT_PROVED and len(verdicts) < MOST_DRAWS:
            verdicts.append(prove(subject, self.examples(len(verdicts))))
        return merged(tuple(verdicts))

    def assert_proved(self) -> None:
        """The networks agree, and that speaks for every sliced parameter."""
        verdict = self.verdict()
        assert verdict.proved, str(verdict)

    def assert_agreement(self) -> None:
        """The networks agree, whatever that proves."""
        verdict = self.verdict()
        assert verdict.outcome is not Outcome.DIFFERS, str(verdict)


def prune(network: Network, choose: Chooser, strict: bool = True, seed: int = 0) -> Trial:
    """Prunes a network by a choice of units, which has to be legal."""
    analysis = network.analysis(strict)
    removed = choose(analysis, np.random.default_rng(seed))
    assert illegal(analysis.solution, removed) == []
    pruned = emit(analysis, removed)
    masked, sliced = dict(network.parameters), dict(network.parameters)
    for piece in pruned.slices:
        masked[piece.name] = mask_array(piece, network.parameters[piece.name])
        sliced[piece.name] = slice_array(piece, network.parameters[piece.name])
    return Trial(network, analysis, removed, pruned, sliced, masked)


def at_ratio(ratio: float) -> Chooser:
    """The same share of every group, by random scores."""

    def choose(analysis: Analysis, generator: np.random.Generator) -> Removed:
        solution = analysis.solution
        return uniform(solution, ratio, generator.random(solution.unit_count))

    return choose
