"""From the edits of a graph to those of its message.

A value that an input must carry is written where it comes from: into the constant, or into the constants that
it was computed from, so that what follows from the sizes of tensors still does.  Where others use the same
constant and need it as it is, a new one takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import AbstractSet, Any, Iterator, Optional, Sequence

import numpy as np

from prunec.embedded.onnx_edits import Elements, MessageEdits, NewConstant, NodeCopy, key_of
from prunec.frontends.onnx.graph import GraphOfFile
from prunec.frontends.onnx.input_sizes import declared_shape
from prunec.graph import Graph, Known, Tensor, same
from prunec.lowering.open_values import FIRST_NUMBER
from prunec.rewriting.edits import Edits
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.value import Value

#: Computations tried to find the constant behind an element.
_MOST_TRIALS = 400
#: No size is larger; what is has another meaning.
_LARGEST = 2**31 - 1

KnownValues = dict[Tensor, Known]


def message_edits(content: GraphOfFile, proto: Any, edits: Edits) -> MessageEdits:
    """The edits of a message that make those of its graph."""
    return _Rewriting(content, proto, edits).edits()


@dataclass
class _Rewriting:
    content: GraphOfFile
    proto: Any
    changed: Edits
    elements: dict[str, Elements] = field(default_factory=dict)
    constants: dict[str, NewConstant] = field(default_factory=dict)
    copies: list[NodeCopy] = field(default_factory=list)
    inputs: dict[str, dict[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph: Graph = self.content.graph
        self.values = _Values(self.graph, dict(self.changed.known_values))
        self.names = {tensor: name for name, tensor in self.content.tensors.items()}
        self.used_names = _all_names(self.proto.graph)
        self.outputs = set(self.graph.outputs)
        graph = self.proto.graph
        values = (*graph.value_info, *graph.input, *graph.output)
        self.stated = {value.name for value in values if declared_shape(value)}

    def edits(self) -> MessageEdits:
        attributes: dict[str, dict[str, Value]] = {}
        for (node, name), value in self.changed.attributes.items():
            attributes.setdefault(self._key(node), {})[name] = value
        by_tensor: dict[tuple[Tensor, object], list[tuple[int, int]]] = {}
        for (node, position), wanted in self.changed.inputs.items():
            tensor = self.graph.nodes[node].inputs[position]
            by_tensor.setdefault((tensor, (wanted.shape, wanted.tobytes())), []).append((node, position))
        for (tensor, _), places in by_tensor.items():
            self._carry(tensor, self.changed.inputs[places[0]], places)
        return MessageEdits(
            attributes,
            self.elements,
            self.constants,
            self.copies,
            self.inputs,
            self._sizes(),
            self._unstated(),
            self._functions(),
        )

    def _sizes(self) -> dict[str, dict[int, Optional[int]]]:
        """The axes that shrink, and their new sizes, of the values whose shapes the message states."""
        before = self.changed.known_values
        # Lists of positions get shorter.
        listed = {
            tensor: {n: size for n, size in enumerate(array.shape) if size != before[tensor].shape[n]}
            for tensor, array in self.values.known.items()
            if array.shape != before[tensor].shape and array.ndim == before[tensor].ndim
        }
        return {
            self.names[tensor]: dict(axes)
            for tensor, axes in {**self.changed.shapes, **listed}.items()
            if self.names.get(tensor) in self.stated
        }

    def _unstated(self) -> tuple[str, ...]:
        """The values of whose shapes the message can say nothing any more."""
        names = {self.names[tensor] for tensor in self.changed.unknown if tensor in self.names}
        return tuple(sorted(names & self.stated))

    def _functions(self) -> tuple[tuple[str, str], ...]:
        """The functions of the model that are called with tensors that shrink, and those that they call."""
        own = {(function.domain, function.name): function for function in self.proto.functions}
        waiting = (
            []
            if not own
            else [
                (message.domain, message.op_type)
                for node, source in zip(self.graph.nodes, self.content.sources)
                if source.kind == "node" and any(tensor in self.changed.shapes for tensor in node.inputs)
                for message in (self.proto.graph.node[source.index],)
            ]
        )
        called: set[tuple[str, str]] = set()
        while waiting:
            key = waiting.pop()
            if key in own and key not in called:
                called.add(key)
                waiting += [(node.domain, node.op_type) for node in own[key].node]
        return tuple(sorted(called))

    def _key(self, node: int) -> str:
        return key_of(self.proto.graph.node[self.content.sources[node].index])

    # --- values ---

    def _carry(self, tensor: Tensor, wanted: Known, places: Sequence[tuple[int, int]]) -> None:
        """Makes some inputs that take ``tensor`` carry a wanted value."""
        if same(self.values.known[tensor], wanted):
            return  # an earlier change has seen to it
        opened = self.changed.open_elements.get(places[0], np.zeros(wanted.shape, bool))
        changed = self._constants_behind(tensor, wanted, opened)
        if changed is not None and self._all_agree(changed):
            for constant, array in changed.items():
                self.elements[self.names[constant]] = _elements(array)
            self.values.known.update(self.values.after(changed))
            return
        if changed is None and tensor in self.changed.open:
            # The open sizes stay as they are computed; a number beside them that must not follow from what
            # it did is put in its place.
            changed = self._constants_behind(tensor, wanted, opened, of_nodes=True)
            if changed is None:
                raise PrunecError(self._cannot_carry(places[0][0]))
        if changed is None and opened.any():
            raise PrunecError(self._cannot_carry(places[0][0]))
        if changed is None:
            name = self._new_constant(self.names[tensor], wanted)
        else:
            name = self._private_copy(tensor, changed, places[0][0])
        for node, position in places:
            index = _position(self.graph, node, position)
            self.inputs.setdefault(self._key(node), {})[index] = name

    def _cannot_carry(self, node: int) -> Diagnostic:
        message = self.graph.nodes[node]
        return Diagnostic(
            "P518",
            "a list of sizes, some of them open, cannot be changed in the file",
            where=f"node {message.name!r} ({message.operator})",
            notes=("none of the numbers that it is computed from gives what the smaller model needs",),
            help="keep the channels of this node by a policy",
        )

    def _constants_behind(
        self, tensor: Tensor, wanted: Known, opened: Known, of_nodes: bool = False
    ) -> Optional[KnownValues]:
        """The constants to change, and to what, so that ``tensor`` holds a wanted value; ``None`` where no
        change of single elements does it.  What stands for an open size, which ``opened`` tells of the
        elements, is no number for a constant.  ``of_nodes``: what nodes give, open sizes aside, can be
        changed as if it were a constant."""
        old = self.values.known[tensor]
        if self.graph.nodes[tensor.node].operator is None:
            return None if opened.any() else {tensor: wanted}
        if wanted.shape != old.shape or wanted.dtype.kind == "f":
            return None
        changed: KnownValues = {}
        trials = 0
        became = dict(zip(old.reshape(-1).tolist(), wanted.reshape(-1).tolist()))
        for place in np.flatnonzero(old.reshape(-1) != wanted.reshape(-1)).tolist():
            element = wanted.reshape(-1)[place]
            found = None
            before = self.values.after(changed).get(tensor, old)
            for constant, position in self.values.elements_behind(
                tensor, None if not of_nodes else self.changed.open
            ):
                present = changed.get(constant, self.values.known[constant]).reshape(-1)[position]
                replaced = became.get(int(present), int(element))
                for value in _candidates(
                    int(present), int(before.reshape(-1)[place]), int(element), int(replaced)
                ):
                    trials += 1
                    if trials > _MOST_TRIALS:
                        return None
                    if opened.reshape(-1)[place] and abs(value) >= FIRST_NUMBER:
                        continue
                    new = self.values.with_element(constant, position, value, changed)
                    tried = {**changed, constant: new}
                    now = self.values.after(tried).get(tensor)
                    if now is None or now.shape != wanted.shape:
                        continue
                    moved = (now != before).reshape(-1)
                    if moved[place] and bool((now == wanted).reshape(-1)[moved].all()):
                        found = tried
                        break
                if found is not None:
                    break
            if found is None and self.values.after(changed).get(tensor, old).reshape(-1)[place] != element:
                return None
            changed = found or changed
        now = self.values.after(changed).get(tensor, old)
        return changed if np.array_equal(now, wanted) else None

    def _all_agree(self, changed: KnownValues) -> bool:
        """Whether constants can be changed in place: nothing but inputs that want it sees a difference."""
        after = self.values.after(changed)
        # A tensor that shrinks as it should is no surprise to those that take it.
        different = {
            tensor
            for tensor, array in after.items()
            if not same(array, self.values.known[tensor]) and not self._shrinks_to(tensor, array.shape)
        }
        different |= set(changed)
        if different & self.outputs:
            return False
        users = {index for tensor in different for index in self.values.consumers.get(tensor, ())}
        return all(self._agrees(index, different, after) for index in users)

    def _shrinks_to(self, tensor: Tensor, shape: tuple[int, ...]) -> bool:
        """Whether a tensor shrinks, and to this shape."""
        axes, before = self.changed.shapes.get(tensor), self.changed.known_values[tensor].shape
        return axes is not None and shape == tuple(axes.get(n, size) for n, size in enumerate(before))

    def _agrees(self, index: int, different: AbstractSet[Tensor], after: KnownValues) -> bool:
        """Whether a node wants what its inputs come to hold, or is part of the computation itself."""
        inputs = self.graph.nodes[index].inputs
        known = self.values.known
        if Tensor(index, 0) in known and all(tensor in known for tensor in inputs):
            return True
        for position, tensor in enumerate(inputs):
            wanted = self.changed.inputs.get((index, position))
            if tensor in different and not (
                wanted is not None and _nearer(known[tensor], after[tensor], wanted)
            ):
                return False
        return True

    def _private_copy(self, tensor: Tensor, changed: KnownValues, user: int) -> str:
        """A copy of what computes ``tensor`` from changed constants, for one user; gives the new name."""
        names: dict[Tensor, str] = {
            constant: self._new_constant(self.names[constant], array) for constant, array in changed.items()
        }
        for index in self.values.nodes_between(changed, tensor):
            node = self.graph.nodes[index]
            message = self.proto.graph.node[self.content.sources[index].index]
            by_name = {self.names[t]: names[t] for t in node.inputs if t in names}
            outputs = []
            for k, name in enumerate(message.output):
                new = self._fresh(name) if name else ""
                outputs.append(new)
                if name:
                    names[Tensor(index, k)] = new
            inputs = tuple(by_name.get(name, name) for name in message.input)
            self.copies.append(NodeCopy(self._key(index), self._key(user), inputs, tuple(outputs)))
        return names[tensor]

    def _new_constant(self, name: str, array: Known) -> str:
        new = self._fresh(name)
        elements = array.reshape(-1).tolist()
        # What computes with integers of any kind computes with these.
        dtype = array.dtype.name if array.dtype.kind == "f" else "int64"
        self.constants[new] = NewConstant(
            tuple(elements if dtype != "int64" else map(int, elements)), array.shape, dtype
        )
        return new

    def _fresh(self, name: str) -> str:
        number = 0
        new = f"{name}_pruned"
        while new in self.used_names:
            number += 1
            new = f"{name}_pruned{number}"
        self.used_names.add(new)
        return new


class _Values:
    """What the tensors of the smaller model hold, and what they would hold if constants were others."""

    def __init__(self, graph: Graph, known: KnownValues) -> None:
        self.graph = graph
        self.known = known
        self.consumers: dict[Tensor, list[int]] = {}
        for index, node in enumerate(graph.nodes):
            for tensor in node.inputs:
                self.consumers.setdefault(tensor, []).append(index)

    def after(self, changed: KnownValues) -> KnownValues:
        """What changes when constants are changed."""
        new = dict(changed)
        waiting = sorted({index for tensor in changed for index in self.consumers.get(tensor, ())})
        done: set[int] = set()
        while waiting:
            index = waiting.pop(0)
            if index in done or Tensor(index, 0) not in self.known:
                continue
            done.add(index)
            node = self.graph.nodes[index]
            inputs = [new.get(t, self.known.get(t)) for t in node.inputs]
            results = None
            if self.graph.fold is not None and all(array is not None for array in inputs):
                results = self.graph.fold(index, [array for array in inputs if array is not None])
            for k, array in enumerate(results or ()):
                old = self.known.get(Tensor(index, k))
                if old is not None and not same(array, old):
                    new[Tensor(index, k)] = array
                    waiting = sorted({*waiting, *self.consumers.get(Tensor(index, k), ())})
        return new

    def elements_behind(
        self, tensor: Tensor, open_tensors: Optional[AbstractSet[Tensor]] = None
    ) -> Iterator[tuple[Tensor, int]]:
        """The elements of the whole numbers that a tensor is computed from, the nearest first: of constants,
        and, where it is said which tensors hold open sizes, of all others that it is computed from."""
        seen: set[Tensor] = set()
        waiting = [tensor]
        while waiting:
            at = waiting.pop(0)
            if at in seen or at not in self.known:
                continue
            seen.add(at)
            node = self.graph.nodes[at.node]
            array = self.known[at]
            constant = node.operator is None
            if constant or (open_tensors is not None and at not in open_tensors):
                if array.dtype.kind == "i" and array.size <= 64:
                    yield from ((at, position) for position in range(array.size))
            if not constant and all(t in self.known for t in node.inputs):
                waiting += node.inputs

    def with_element(self, constant: Tensor, position: int, value: Any, changed: KnownValues) -> Known:
        """A constant with one more element changed."""
        array = changed.get(constant, self.known[constant]).copy().reshape(-1)
        array[position] = value
        return array.reshape(self.known[constant].shape)

    def nodes_between(self, changed: KnownValues, tensor: Tensor) -> list[int]:
        """The nodes that compute ``tensor`` from changed constants, in order: those alone that give something
        else then.  What becomes of a tensor of data is no concern of theirs, even where its size is."""
        behind: set[int] = set()
        waiting = [tensor.node]
        while waiting:
            index = waiting.pop()
            if index not in behind and self.graph.nodes[index].operator is not None:
                behind.add(index)
                waiting += [t.node for t in self.graph.nodes[index].inputs]
        made = {changing.node for changing in self.after(changed)} - {own.node for own in changed}
        return sorted(behind & made)


def _candidates(present: int, before: int, wanted: int, replaced: int) -> tuple[int, ...]:
    """What a number may become so that one computed from it becomes ``wanted``: that itself, or, where the
    one is multiplied or divided by the other, as many times as much, or what the same number is ``replaced``
    by elsewhere in the list: a window that is computed with in one place and written down in another."""
    found = [wanted]
    for above, below in ((wanted, before), (before, wanted)):
        if below and present and present * above % below == 0:
            found.append(present * above // below)
    found.append(replaced)
    return tuple(dict.fromkeys(value for value in found if value != present and abs(value) <= _LARGEST))


def _nearer(before: Known, after: Known, wanted: Known) -> bool:
    """Whether the elements that changed are as they are wanted; others may have a change of their own yet."""
    if same(after, wanted):
        return True
    if before.shape != after.shape or after.shape != wanted.shape:
        return False
    moved = before != after
    return bool((after == wanted)[moved].all())


def _elements(array: Known) -> Elements:
    return tuple(int(entry) for entry in array.reshape(-1).tolist()), tuple(array.shape)


def _position(graph: Graph, node: int, position: int) -> int:
    """The position among all inputs of a node, those left out included."""
    inputs_connected = graph.nodes[node].connected
    return (
        [n for n, connected in enumerate(inputs_connected) if connected][position]
        if inputs_connected
        else position
    )


def _all_names(graph: Any) -> set[str]:
    names = {value.name for value in (*graph.input, *graph.output, *graph.value_info)}
    names |= {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        names |= {node.name, *node.input, *node.output}
        for attribute in node.attribute:
            for nested in (attribute.g, *attribute.graphs):
                if nested.node or nested.initializer:
                    names |= _all_names(nested)
    return names
