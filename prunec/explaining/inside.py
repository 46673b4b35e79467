"""What a node does to the channels of its tensors, element by element.

Atoms alone do not tell ways apart: where a tensor goes through two branches, both carry its atoms, and behind
a concatenation they stand side by side.  So the program of a node is run again on arrays whose elements all
have a number of their own; which elements of its tensors get the same number is what the node itself does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional, Sequence

import numpy as np

from prunec.channels.components import Atoms
from prunec.channels.execute import MAXIMUM_ATOMS, Room, execute
from prunec.channels.layout import ChannelProgram, TensorResult
from prunec.channels.propagate import Channels, NodeAtoms
from prunec.explaining.links import Carrier, Links
from prunec.graph import Tensor


@dataclass(frozen=True, eq=False)
class Port:
    """An atom array of a tensor that a node takes or makes; ``array`` counts the arrays of the tensor.

    ``atoms`` and ``numbers``, both flat, are its atoms and the node's own numbers for its elements.
    """

    carrier: Carrier
    array: int
    atoms: Atoms
    numbers: Atoms


@dataclass(frozen=True, eq=False)
class Joint:
    """Numbers that the node's rule makes one, by an edge of the solution."""

    left: Atoms
    right: Atoms
    edge: int


@dataclass(frozen=True, eq=False)
class Inside:
    """The elements of a node's tensors, what its rule joins, and the tables its rule speaks of, as pairs of
    atoms and numbers."""

    ports: tuple[Port, ...]
    joints: tuple[Joint, ...]
    tables: tuple[tuple[Atoms, Atoms], ...]


def inside(links: Links, node: int) -> Inside:
    """What a node does; nothing where no rule speaks of it."""
    atoms = links.solution.propagation.nodes[node]
    if atoms is None:
        return Inside((), (), ())
    arrays_taken = list(_taken(links, node, atoms))
    numbers = _numbered(atoms, arrays_taken)
    program = atoms.program
    joints = tuple(
        Joint(numbers[left].reshape(-1), numbers[right].reshape(-1), edge)
        for (left, right, _), edge in zip(program.ties, links.ties.get(node, ()))
    )
    spoken_of = [value for value, _ in program.balances]
    spoken_of += [value for table, _, rows, _ in program.rows for value in (table, rows)]
    tables = tuple((atoms.values[v].reshape(-1), numbers[v].reshape(-1)) for v in dict.fromkeys(spoken_of))
    ports = [
        Port(*place, atoms.values[k].reshape(-1), numbers[k].reshape(-1))
        for k, place in enumerate(arrays_taken)
    ]
    ports += _made(links, node, program, numbers)
    return Inside(tuple(ports), joints, tables)


def _taken(links: Links, node: int, atoms: NodeAtoms) -> Iterator[tuple[Carrier, int]]:
    """For each value that a node's program is given, the tensor it comes from, and which of its arrays."""
    propagation = links.solution.propagation
    for slot, tensor in enumerate(propagation.lowered.graph.nodes[node].inputs):
        # A parameter that the node is the first to take had no arrays yet.
        if slot not in atoms.program.parameter_layouts:
            for array in range(len(_arrays(propagation.channels.get(tensor)))):
                yield tensor, array


def _numbered(atoms: NodeAtoms, arrays_taken: Sequence[tuple[Carrier, int]]) -> list[Atoms]:
    """The values of a node's program, run on numbers; a tensor taken twice has the same both times."""
    count = 0

    def fresh(shape: tuple[int, ...]) -> Atoms:
        nonlocal count
        size = int(np.prod(shape, dtype=np.int64))
        count += size
        return np.arange(count - size, count, dtype=np.int64).reshape(shape)

    given: dict[tuple[Carrier, int], Atoms] = {}
    for place, value in zip(arrays_taken, atoms.values):
        if place not in given:
            given[place] = fresh(value.shape)
    return execute(atoms.program.steps, [given[place] for place in arrays_taken], fresh, Room(MAXIMUM_ATOMS))


def _made(links: Links, node: int, program: ChannelProgram, numbers: Sequence[Atoms]) -> Iterator[Port]:
    """The arrays that come of a node's program."""
    bound = links.solution.propagation.lowered.rules[node]
    inputs = links.solution.propagation.lowered.graph.nodes[node].inputs
    results: list[tuple[Carrier, TensorResult]] = [
        (inputs[s], r) for s, r in program.parameter_layouts.items()
    ]
    for implied, result in zip(bound.implied if bound is not None else (), program.implied):
        results.append(((node, implied.slot), result))
    results += [(Tensor(node, number), result) for number, result in enumerate(program.outputs)]
    for carrier, result in results:
        arrays = _arrays(links.channels(carrier))
        for array, (value, own) in enumerate(zip(result.values, arrays)):
            yield Port(carrier, array, own.reshape(-1), numbers[value].reshape(-1))


def _arrays(channels: Optional[Channels]) -> tuple[Atoms, ...]:
    return channels.arrays if channels is not None else ()
