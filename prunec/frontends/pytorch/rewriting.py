"""From the edits of a graph to those of its program."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from prunec.embedded.pt2_edits import Extent, ProgramEdits, argument_of, key_of
from prunec.embedded.pt2_edits import Size as StatedSize
from prunec.frontends.pytorch.document import Argument, Symbolic
from prunec.frontends.pytorch.graph import GraphOfProgram, wiring
from prunec.frontends.pytorch.names import operator_name
from prunec.frontends.pytorch.program import Program
from prunec.frontends.pytorch.schemas import schema
from prunec.frontends.pytorch.symbolic import Computed
from prunec.frontends.pytorch.symbols import SYMBOL, hint_of, size_of
from prunec.graph import Tensor
from prunec.rewriting.edits import Edits
from prunec.sizes import OpenSize, Size
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.value import Value


def program_edits(program: Program, content: GraphOfProgram, edits: Edits) -> ProgramEdits:
    """The edits of a program that make those of its graph.

    Raises PrunecError P518 where a number that the program computes cannot become what it has to be, and
    where a constant would have to hold other numbers: these are not changed.
    """
    for index, position in sorted(edits.inputs):
        raise PrunecError(_carried(content, index, position))
    nodes = program.document["graph_module"]["graph"]["nodes"]
    computed = Computed(program.text)
    arguments: dict[str, dict[str, Any]] = {}
    for (index, name), value in edits.attributes.items():
        place = content.sources[index].index
        new = _new_value(given(program, content, index, name), value, computed)
        if new is _FAILED:
            raise PrunecError(_cannot_change(content, index, name))
        if new is not None:
            arguments.setdefault(key_of(nodes[place]), {})[name] = new
    kept = computed.unserved()
    if kept is not None:
        raise PrunecError(_shared(kept))
    for (value_name, argument), number in computed.changed.items():
        arguments.setdefault(value_name, {})[argument] = number
    extents = dict(_extents(program, content, edits.shapes))
    return ProgramEdits(arguments, extents, content.tied)


def given(program: Program, content: GraphOfProgram, node: int, name: str) -> Argument:
    """An argument of a node of the graph, as the program has it; ``None`` where it has none of the name."""
    own = program.text.nodes[content.sources[node].index]
    return wiring(own, schema(operator_name(own.target))).attributes.get(name)


def _new_value(old: Argument, value: Value, computed: Computed) -> Any:
    """The new value of an argument, in a list with None for elements that stay; None where all of it stays,
    or what it is given is computed anew."""
    if not isinstance(old, tuple) or isinstance(old, Symbolic):
        return _new_number(old, value, computed)
    # In rules a list of one number is that number.
    values = value if isinstance(value, tuple) else (value,)
    if len(values) != len(old):
        return _FAILED if any(isinstance(one, OpenSize) for one in values) else values
    new = [_new_number(was, one, computed) for was, one in zip(old, values)]
    if _FAILED in new:
        return _FAILED
    return None if new == [None] * len(new) else tuple(new)


#: What stands for a number that cannot be had.
_FAILED = "failed"


def _new_number(old: Argument, value: Value, computed: Computed) -> Any:
    """What takes the place of a number: None for nothing."""
    if isinstance(old, Symbolic):
        if not isinstance(value, (int, OpenSize)):
            return _FAILED
        if computed.size(old) == value:
            return None
        return None if computed.want(old.name, value) else _FAILED
    if isinstance(value, (tuple, OpenSize)):
        return _FAILED
    return None if old == value else value


def _extents(
    program: Program, content: GraphOfProgram, shapes: Mapping[Tensor, Mapping[int, Optional[int]]]
) -> Mapping[str, Extent]:
    texts = _symbol_texts(program)
    extents = {}
    for name, tensor in content.values.items():
        meta = program.text.metas.get(name)
        sizes = {axis: size for axis, size in shapes.get(tensor, {}).items() if size is not None}
        if meta is not None and sizes:
            extents[name] = Extent(sizes, _strides(meta, sizes, texts))
    return extents


def _strides(
    meta: Mapping[str, Any], changed: Mapping[int, int], texts: Mapping[str, str]
) -> Sequence[Optional[StatedSize]]:
    """The strides of a value that is stored in the order it was: that of its strides, the largest first."""
    sizes, strides = meta.get("sizes"), meta.get("strides")
    if not isinstance(sizes, list) or not isinstance(strides, list) or len(sizes) != len(strides):
        return ()
    hints = [
        hint_of(entry) if size_of(entry) is None or "as_expr" in entry else entry["as_int"]
        for entry in strides
    ]
    if None in hints:
        return (None,) * len(sizes)
    new: list[Optional[StatedSize]] = [None] * len(sizes)
    reach: Optional[Size] = 1
    number: Optional[int] = 1
    # An axis of size one may have any stride; it counts as the outermost of those of its stride.
    order = sorted(range(len(sizes)), key=lambda axis: (-(hints[axis] or 0), axis))
    for axis in reversed(order):
        if reach is None or number is None:
            break
        new[axis] = reach if isinstance(reach, int) else _expression(reach, texts, number)
        own = changed.get(axis)
        size = size_of(sizes[axis]) if own is None else own
        known = own if own is not None else sizes[axis].get("as_int", hint_of(sizes[axis]))
        reach = None if size is None else reach * size
        number = None if known is None else number * known
    return tuple(new)


def _symbol_texts(program: Program) -> Mapping[str, str]:
    """The symbols of a program as it writes them, by name."""
    found: dict[str, str] = {}
    for meta in program.text.metas.values():
        for entry in (*(meta.get("sizes") or ()), *(meta.get("strides") or ())):
            expression = entry.get("as_expr") if isinstance(entry, dict) else None
            text = expression.get("expr_str") if isinstance(expression, dict) else None
            if isinstance(text, str):
                found.update((match[1], match[0]) for match in SYMBOL.finditer(text))
    return found


def _expression(size: OpenSize, texts: Mapping[str, str], hint: int) -> Optional[StatedSize]:
    """A size as the program writes it; ``None`` where it cannot."""
    terms = []
    for monomial, factor in size.terms:
        if any(symbol.name not in texts for symbol in monomial):
            return None
        parts = [texts[symbol.name] for symbol in monomial]
        if factor != 1 or not parts:
            parts.insert(0, f"Integer({factor})")
        terms.append(parts[0] if len(parts) == 1 else f"Mul({', '.join(parts)})")
    return (terms[0] if len(terms) == 1 else f"Add({', '.join(terms)})"), hint


def has_argument(program: Program, content: GraphOfProgram, node: int, name: str) -> bool:
    """Whether a node of the graph has an argument of a name in the file."""
    nodes = program.document["graph_module"]["graph"]["nodes"]
    return argument_of(nodes[content.sources[node].index], name) is not None


def _cannot_change(content: GraphOfProgram, index: int, name: str) -> Diagnostic:
    node = content.graph.nodes[index]
    note = f"{name} holds a number that the program computes from sizes, in a way that is not followed"
    return _fixed_size(f"node {node.name!r} ({node.operator})", note, "this node")


def _shared(name: str) -> Diagnostic:
    note = "the program computes it once, and it has to change for one of its users and not for another"
    return _fixed_size(f"the number {name!r}", note, "the nodes that take it")


def _fixed_size(where: str, note: str, nodes: str) -> Diagnostic:
    headline = "a list of sizes, some of them open, cannot be changed in the file"
    help_text = f"keep the channels of {nodes} by a policy"
    return Diagnostic("P518", headline, where, notes=(note,), help=help_text)


def _carried(content: GraphOfProgram, index: int, position: int) -> Diagnostic:
    node = content.graph.nodes[index]
    return Diagnostic(
        "P518",
        "a constant that holds positions cannot be changed in the file",
        where=f"node {node.name!r} ({node.operator})",
        notes=(f"its input {position} would have to name the channels that stay by other numbers",),
        help="keep the channels of this node: by a policy, or in the rule for its operator",
    )
