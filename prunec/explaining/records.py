"""What a rule became for one node: the lowered rule, the program it makes of the node's channels, and what a
choice of units makes of the node."""

from __future__ import annotations

from typing import Optional

from prunec.analysis.analyse import Analysis
from prunec.channels.layout import Layout
from prunec.channels.program_text import program_text
from prunec.explaining.explain import Explainer
from prunec.graph import Tensor
from prunec.lowering.infer import describe
from prunec.lowering.record_text import rule_text
from prunec.rewriting.edits import Edits
from prunec.rewriting.edits_text import edits_text
from prunec.support.diagnostics import Diagnostic, PrunecError, printable


def records_text(analysis: Analysis, name: str, edits: Optional[Edits] = None) -> str:
    """The records of a node, as text; its edits where there are any.

    Raises PrunecError P410 for an unknown name, P417 for one that is no operator's.
    """
    carrier, _ = Explainer(analysis).find(name)
    index = carrier[0]
    graph, lowered = analysis.lowered.graph, analysis.lowered
    if graph.nodes[index].operator is None:
        raise PrunecError(
            Diagnostic(
                "P417",
                f"{printable(name)!r} is no operator, and has no rule",
                help="name a node that takes it; `prunec groups` lists these",
            )
        )
    parts = [f"{describe(graph, index, lowered.shapes)}\n"]
    opaque, rule = lowered.opaque.get(index), lowered.rules[index]
    if opaque is not None:
        place = "" if opaque.span is None else f" ({opaque.span.place})"
        parts.append(f"nothing is known of it: {opaque.reason}{place}\n")
    if rule is not None:
        parts.append(rule_text(rule))
    atoms = analysis.solution.propagation.nodes[index]
    if atoms is not None:
        parts.append(program_text(atoms.program, _input_layouts(analysis, index)))
    if edits is not None:
        slots = () if rule is None else rule.implied
        implied = {slot.label: analysis.model.implied_name(index, slot.slot) for slot in slots}
        parts.append(edits_text(edits, lowered, index, implied))
    return "\n".join(parts)


def _input_layouts(analysis: Analysis, index: int) -> list[Layout]:
    """The layouts from which a node's program was derived: those of inputs that had one before."""
    propagation = analysis.solution.propagation
    atoms = propagation.nodes[index]
    assert atoms is not None
    inputs: list[Tensor] = list(analysis.lowered.graph.nodes[index].inputs)
    before = (tensor for slot, tensor in enumerate(inputs) if slot not in atoms.program.parameter_layouts)
    return [propagation.channels[tensor].layout for tensor in before if tensor in propagation.channels]
