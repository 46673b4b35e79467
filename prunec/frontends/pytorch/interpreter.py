"""Running programs: their nodes one after the other, each by PyTorch's own operator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence

from prunec.frontends.pytorch.document import (
    Argument,
    Omitted,
    ProgramNode,
    ProgramText,
    Symbolic,
    Value,
    flattened,
)
from prunec.frontends.pytorch.operations import ResolvedOperator, operation
from prunec.frontends.pytorch.package import refused, torch_package
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

#: How the elements of a tensor are arranged in memory, which views ask for: what PyTorch calls the numbers
#: that files have for it.
_ARRANGEMENT = "as_memory_format"
_ARRANGEMENTS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
_DEVICE, _LAYOUT = "as_device", "as_layout"


@dataclass(frozen=True)
class Part:
    """A part of a program: the places of its nodes in order, and the inputs and sizes that these take from
    outside."""

    nodes: tuple[int, ...]
    sources: frozenset[str]


class Parts:
    """A program that parts are taken of."""

    def __init__(self, text: ProgramText) -> None:
        self.text = text
        self.made = {name: place for place, node in enumerate(text.nodes) for name in names(node.outputs)}
        self._operations: dict[str, ResolvedOperator] = {}

    def operation(self, target: str) -> ResolvedOperator:
        """What a target stands for.  Raises PrunecError P700 and P701."""
        if target not in self._operations:
            self._operations[target] = operation(target)
        return self._operations[target]

    @cached_property
    def _written(self) -> tuple[dict[str, str], dict[str, list[int]]]:
        """For each value the first that its elements were known as, and for these the nodes that write to
        them."""
        roots: dict[str, str] = {}
        writers: dict[str, list[int]] = {}
        for place, node in enumerate(self.text.nodes):
            try:
                called = self.operation(node.target)
            except PrunecError:
                continue  # it is told where it is needed
            arguments = named(node, called)
            origin = ""
            for name in called.shared:
                for value in names((arguments.get(name),)):
                    origin = roots.get(value, value)
                    if name in called.written:
                        writers.setdefault(origin, []).append(place)
            for value in names(node.outputs) if origin and called.gives_views else ():
                roots[value] = origin
        return roots, writers

    def writers(self, name: str, end: int) -> list[int]:
        """The nodes that write to a value's elements after it was made and before the place ``end``."""
        roots, writers = self._written
        start = self.made.get(name, -1)
        return [place for place in writers.get(roots.get(name, name), ()) if start < place < end]

    def is_written(self, name: str) -> bool:
        """Whether any node writes to a value's elements."""
        roots, writers = self._written
        return roots.get(name, name) in writers

    def part(self, fed: Iterable[str], fetches: Sequence[str], last: bool = False) -> Part:
        """What computes values: as they are when they are made, or (``last``) when the program ends.  A value
        that is ``fed`` is computed where it is fetched, and nowhere else."""
        given = frozenset(fed)
        nodes: set[int] = set()
        sources: set[str] = set()
        seen: set[tuple[str, int]] = set()
        end = len(self.text.nodes)
        waiting = []
        for name in fetches:
            if name in self.made:
                waiting.append(self.made[name])
            else:
                sources.add(name)
            waiting += self.writers(name, end) if last else []
        while waiting:
            place = waiting.pop()
            if place in nodes:
                continue
            nodes.add(place)
            for name in names(own for _, own in self.text.nodes[place].arguments):
                if (name, place) in seen:
                    continue
                seen.add((name, place))
                waiting += self.writers(name, place)
                if name in given or name not in self.made:
                    sources.add(name)
                else:
                    waiting.append(self.made[name])
        return Part(tuple(sorted(nodes)), frozenset(sources))


def names(arguments: Iterable[Argument]) -> list[str]:
    """The values among arguments or outputs, tensors and numbers, by name."""
    return [one.name for one in flattened(list(arguments)) if isinstance(one, (Value, Symbolic))]


def named(node: ProgramNode, called: ResolvedOperator) -> dict[str, Argument]:
    """A node's arguments by the names that its operator has for them: old files give places."""
    order = list(called.kinds)
    return {
        order[int(name)] if name.isdigit() and int(name) < len(order) else name: own
        for name, own in node.arguments
    }


def run(
    parts: Parts,
    part: Part,
    values: dict[str, Any],
    keep: Callable[[str, Any], None],
    feeds: Iterable[str] = (),
) -> None:
    """Runs a part of a program.

    ``values`` holds what its ``sources`` are, tensors of PyTorch and numbers by name, and is used up.
    ``keep`` is called with each value when it is made; values of ``feeds`` stay what they are.
    Raises PrunecError P701 where PyTorch fails, and for what is not run.
    """
    given = frozenset(feeds)
    last: dict[str, int] = {}
    for place in part.nodes:
        last.update(dict.fromkeys(names(own for _, own in parts.text.nodes[place].arguments), place))
    for place in part.nodes:
        node = parts.text.nodes[place]
        result = call(node, parts.operation(node.target), values)
        for name, value in _outputs(node, result):
            keep(name, value)
            if name not in given and last.get(name, -1) > place:
                values[name] = value
        for name in names(own for _, own in node.arguments):
            if last[name] == place:
                values.pop(name, None)


def call(node: ProgramNode, called: ResolvedOperator, values: Mapping[str, Any]) -> Any:
    """What the operator of a node gives.  Raises PrunecError P701."""
    where = _where(node)
    try:
        if called.positional:
            return called.function(*(_given(own, "", values, where) for _, own in node.arguments))
        given = {
            name: _given(own, called.kinds.get(name, ""), values, where)
            for name, own in named(node, called).items()
        }
        return called.function(**given)
    except PrunecError:
        raise
    except Exception as error:  # whatever the operator raises
        raise refused(error, where) from None


def _where(node: ProgramNode) -> str:
    return f"node {node.name}: {node.target}"


def _outputs(node: ProgramNode, result: Any) -> Iterable[tuple[str, Any]]:
    """The results of a node by the names that the file has for them."""
    where = _where(node)
    # Several results are a tuple, one that is a list of tensors is a list.
    results = result if isinstance(result, tuple) else (result,)
    if len(results) < len(node.outputs):
        raise _misfit(where, f"it has {len(node.outputs)} results in the file, PyTorch gives other ones")
    for output, value in zip(node.outputs, results):
        if isinstance(output, (Value, Symbolic)):
            yield output.name, value
        elif isinstance(output, tuple) and not isinstance(output, Omitted):
            if not isinstance(value, (tuple, list)) or len(value) != len(output):
                raise _misfit(where, f"a result has {len(output)} tensors in the file, not in PyTorch")
            yield from ((one.name, own) for one, own in zip(output, value) if isinstance(one, Value))


def _given(own: Argument, kind: str, values: Mapping[str, Any], where: str) -> Any:
    """An argument as PyTorch takes it."""
    if isinstance(own, (Value, Symbolic)):
        if own.name not in values:
            raise _misfit(where, f"it takes {printable(own.name)!r}, which is not there")
        return values[own.name]
    if isinstance(own, Omitted):
        torch = torch_package()
        if own.kind in (_DEVICE, _LAYOUT):
            return torch.device("cpu") if own.kind == _DEVICE else torch.strided
        if own.kind == _ARRANGEMENT and own.number in _ARRANGEMENTS:
            return getattr(torch, _ARRANGEMENTS[own.number])
        raise _misfit(where, f"it has an argument of a kind that is not run ({own.kind[len('as_') :]})")
    if isinstance(own, tuple):
        return [_given(one, kind, values, where) for one in own]
    if isinstance(own, str) and "ScalarType" in kind:
        return element_type(own, where)
    return own


def element_type(name: str, where: str) -> Any:
    """A type of elements by its name.  Raises PrunecError P701 for one that this PyTorch does not have."""
    torch = torch_package()
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise _misfit(where, f"elements of the type {printable(name, 40)}")
    return found


def _misfit(where: str, note: str) -> PrunecError:
    return PrunecError(
        Diagnostic(
            "P701",
            "a node that cannot be run",
            printable(where, 200),
            notes=(note,),
            help="run the program with the PyTorch that exported it",
        )
    )


def missing(name: Optional[str], count: int = 1) -> PrunecError:
    """P704: a value that the program does not have."""
    return PrunecError(
        Diagnostic(
            "P704",
            f"the model has no value {printable(str(name), 120)!r}",
            notes=(f"{count} of the values to compare are not there",),
            help="compare models that belong together",
        )
    )
