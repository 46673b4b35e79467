"""The branches of a model: what serves one input of a node alone, and whether it can go."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Iterator, Mapping, Optional

from prunec.analysis.analyse import Analysis
from prunec.branches.zeroing import Zeroing, zeroings
from prunec.graph import Graph, Tensor, shape_text
from prunec.lowering.expressions import evaluate
from prunec.lowering.lowered import LoweredGraph, Passing
from prunec.sizes import closed


@dataclass(frozen=True)
class Branch:
    """What ends in an input of a node, which is another of its inputs where this one is zero.

    ``node`` passes on ``passed`` as ``output`` once ``operand`` is gone.  ``nodes`` are the operators that
    serve the operand alone, ``parameters`` the variables that only these read, and ``masked`` those among
    them that make the operand zero everywhere.  ``kept`` says why the branch cannot go, "" where it can.  Of
    the branches that end in one node at most one can go.
    """

    node: int
    operand: Tensor
    passed: Tensor
    output: Tensor
    nodes: tuple[int, ...]
    parameters: tuple[int, ...]
    masked: tuple[int, ...]
    kept: str = ""


def find_branches(analysis: Analysis) -> tuple[Branch, ...]:
    """The branches of a model that hold an operator, in the order of the nodes that they end in."""
    lowered = analysis.lowered
    readers = _readers(lowered.graph)
    inputs = analysis.solution.propagation.inputs
    zeros = zeroings(lowered, analysis.learned.variables, inputs)
    found = []
    for index, rule in enumerate(lowered.rules):
        if rule is None or index in lowered.opaque:
            continue
        for passing in rule.passes:
            branch = _branch(lowered, index, passing, readers, inputs, zeros)
            if branch is not None:
                found.append(branch)
    return tuple(found)


def branch_costs(analysis: Analysis, branch: Branch) -> tuple[Optional[int], Optional[int]]:
    """The elements of the parameters of a branch, and the multiply-adds of one run of it; ``None`` where a
    size is not known."""
    lowered = analysis.lowered
    shapes = [lowered.shapes.get(Tensor(variable, 0)) for variable in branch.parameters]
    known = all(shape is not None and None not in shape for shape in shapes)
    elements = sum(prod(size or 0 for size in shape or ()) for shape in shapes)
    total = 0
    for index in branch.nodes:
        rule = lowered.rules[index]
        if rule is None or not rule.costly:
            continue
        sizes = {name: lowered.example(size) for name, size in rule.sizes.items()}
        count = closed(evaluate(rule.multiply_adds, sizes))
        if count is None:
            return elements if known else None, None
        total += count
    return elements if known else None, total


def branches_text(analysis: Analysis, branches: tuple[Branch, ...]) -> str:
    """One line for each branch: where it ends, what leaves with it, and what masks it or why it stays."""
    nodes, shapes = analysis.lowered.graph.nodes, analysis.lowered.shapes
    lines = []
    for branch in branches:
        elements = sum(prod(size or 0 for size in shapes.get(Tensor(p, 0), ())) for p in branch.parameters)
        head = f"{nodes[branch.operand.node].name} into {nodes[branch.node].name}"
        masked = ", ".join(nodes[variable].name for variable in branch.masked)
        told = f"kept: {branch.kept}" if branch.kept else f"zero with {masked}"
        lines.append(f"{head}: {len(branch.nodes)} nodes, {elements:,} elements; {told}\n")
    return "".join(lines)


#: Who reads each node: readers by their numbers, one entry for each reading; -1 is the model itself.
_Readers = Mapping[int, list[int]]


def _readers(graph: Graph) -> _Readers:
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        for tensor in node.inputs:
            readers.setdefault(tensor.node, []).append(index)
    for tensor in graph.outputs:
        readers.setdefault(tensor.node, []).append(-1)
    return readers


def _branch(
    lowered: LoweredGraph,
    index: int,
    passing: Passing,
    readers: _Readers,
    inputs: frozenset[int],
    zeros: Mapping[Tensor, Zeroing],
) -> Optional[Branch]:
    graph = lowered.graph
    operand = graph.nodes[index].inputs[passing.zero]
    passed = graph.nodes[index].inputs[passing.passed]
    output = Tensor(index, passing.output)
    if graph.nodes[operand.node].operator is None:
        return None
    members = _serving(graph, operand.node, index, readers)
    nodes = tuple(sorted(n for n in members if graph.nodes[n].operator is not None))
    variables = tuple(sorted(members.difference(nodes)))
    parameters = tuple(n for n in variables if n not in inputs)
    zeroing = zeros.get(operand)
    masked = () if zeroing is None else zeroing.all_variables()
    kept = next(_reasons(lowered, index, (operand, passed, output), members, readers, inputs, masked), "")
    return Branch(index, operand, passed, output, nodes, parameters, masked, kept)


def _serving(graph: Graph, start: int, end: int, readers: _Readers) -> set[int]:
    """The nodes that serve one reading of ``start`` by ``end`` alone; none where it is read elsewhere."""
    if readers[start] != [end]:
        return set()
    members = {start}
    # What a node reads comes before it: the last first, so that all readers of a node are decided before it.
    waiting = {tensor.node for tensor in graph.nodes[start].inputs}
    while waiting:
        index = max(waiting)
        waiting.remove(index)
        if all(reader in members for reader in readers[index]):
            members.add(index)
            waiting.update(tensor.node for tensor in graph.nodes[index].inputs)
    return members


def _reasons(
    lowered: LoweredGraph,
    index: int,
    tensors: tuple[Tensor, Tensor, Tensor],
    members: set[int],
    readers: _Readers,
    inputs: frozenset[int],
    masked: tuple[int, ...],
) -> Iterator[str]:
    """Why a branch cannot go."""
    operand, passed, output = tensors
    nodes = lowered.graph.nodes
    others = [reader for reader in readers[operand.node] if reader != index]
    if -1 in others:
        yield f"{nodes[operand.node].name!r} is an output of the model"
    elif others:
        yield f"{nodes[operand.node].name!r} is read by {nodes[others[0]].name!r} too"
    elif len(readers[operand.node]) > 1:
        yield f"{nodes[index].name!r} reads {nodes[operand.node].name!r} more than once"
    shapes = [lowered.open_shapes.get(tensor) for tensor in (passed, output)]
    if shapes[0] is None or None in shapes[0] or shapes[0] != shapes[1]:
        yield f"what would be left has the shape {shape_text(shapes[0])}, not {shape_text(shapes[1])}"
    for variable in sorted(members & inputs):
        yield f"nothing would read the model input {nodes[variable].name!r}"
    if not masked:
        yield f"no parameters are known that make {nodes[operand.node].name!r} zero everywhere"
    for variable in masked:
        if variable not in members:
            yield f"the parameter {nodes[variable].name!r} serves other nodes too"
