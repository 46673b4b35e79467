"""report.html: what changed, why, and what it buys, in one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any, Mapping, Optional, Sequence

import jinja2
from markupsafe import Markup

from prunec.analysis.analyse import Analysis
from prunec.graph import Tensor
from prunec.planning.choose import Plan
from prunec.planning.planfile import Origin
from prunec.reporting.bars import skyline
from prunec.reporting.difftext import diff_view
from prunec.reporting.facts import GroupFact, group_facts, node_groups, tensor_groups
from prunec.reporting.marks import chip, hue_classes, text_of
from prunec.reporting.names import amount, exact, percent_less, shown, size_text
from prunec.reporting.network_page import MOST_BOXES, NetworkView, network_view
from prunec.reporting.stages import NetworkPicture, costly, picture
from prunec.rewriting.emit import Pruned
from prunec.rewriting.layers import Change, Layer, layers
from prunec.rewriting.widths import widths

#: Names of nodes that are listed of one rule line; the rest are counted.
_MOST_NODES = 12
#: Members of a group that are listed.
_MOST_MEMBERS = 400


@dataclass(frozen=True)
class LayerRow:
    """A layer and the groups its channels belong to: those it produces, then those it consumes."""

    layer: Layer
    produces: tuple[int, ...]
    consumes: tuple[int, ...]


def render_report(
    analysis: Analysis,
    pruned: Pruned,
    plan: Plan,
    origin: Origin,
    *,
    diff: bytes,
    command: Sequence[str],
    version: str,
    files: Mapping[str, str] = {},
    proof: Sequence[str] = (),
) -> str:
    """The text of report.html, the same text for the same arguments.

    ``diff`` is what changes.diff holds, ``command`` the command line with prunec itself first, ``version``
    prunec's, and ``files`` gives the SHA-256 (hexadecimal) of the files written, by name.  ``proof`` is what
    came of running both models, the outcome first; empty where they were not run.
    """
    found, totals = layers(analysis, pruned)
    # The layers are the nodes that cost something, in order; names would not tell them apart.
    nodes = [index for index in range(len(analysis.model.graph.nodes)) if costly(analysis, index)]
    by_node = dict(zip(nodes, found))
    tensors = tensor_groups(analysis)
    groups = group_facts(analysis, pruned, plan.removed, node_groups(analysis, tensors))
    rows = _rows(analysis, by_node, tensors)
    boxes = picture(analysis)
    script = _asset("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            name=analysis.model.prefix,
            analysis=analysis,
            graph=analysis.model.graph,
            method=_method(plan.method),
            origin=origin,
            command=" ".join(map(shlex.quote, command)),
            version=version,
            files=sorted(files.items()),
            layers=rows,
            totals=totals,
            skylines=_skylines(found),
            groups=groups,
            kept=_kept(rows),
            warnings=analysis.warnings,
            network=_network(analysis, pruned, boxes, by_node, tensors),
            diff=diff_view(diff),
            style=Markup(_asset("report.css")),
            script=Markup(script),
            # Only the script that comes with the page may run, whatever a name in the model says.
            script_digest=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
            summary=_summary(found, groups),
            proof=proof,
            widths=widths(analysis, pruned),
        )
    )


# --- what the page shows ----------------------------------------------------------------------


def _method(method: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the plan was made, as names and values to read.  A plan that users wrote may hold anything."""
    found = []
    for key, value in sorted(method.items()):
        if isinstance(value, Mapping):
            text = ", ".join(f"{name} {_words(own)}" for name, own in value.items())
        elif isinstance(value, (list, tuple)):
            text = ", ".join(map(_words, value))
        else:
            text = _words(value)
        found.append((key.replace("_", " "), text))
    return found


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return exact(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _rows(
    analysis: Analysis, found: Mapping[int, Layer], tensors: Mapping[Tensor, tuple[int, ...]]
) -> tuple[LayerRow, ...]:
    """The layers, given by node, with their groups."""
    rows = []
    for index, layer in found.items():
        produces = tensors.get(Tensor(index, 0), ())
        consumes = dict.fromkeys(
            g for t in analysis.model.graph.nodes[index].inputs[:1] for g in tensors.get(t, ())
        )
        rows.append(LayerRow(layer, produces, tuple(g for g in consumes if g not in produces)))
    return tuple(rows)


def _skylines(found: Sequence[Layer]) -> tuple[tuple[str, str, Markup], ...]:
    none: Change = (None, None)
    pictures = (
        ("channels", "Channels", [layer.channels or none for layer in found]),
        ("macs", "Multiply-adds", [layer.multiply_adds for layer in found]),
        ("parameters", "Parameters", [layer.parameters for layer in found]),
    )
    return tuple(
        (key, title, skyline(found, changes, f"{title} of each layer")) for key, title, changes in pictures
    )


def _kept(rows: Sequence[LayerRow]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Reasons with the numbers of the layers that lose nothing for them, most layers first."""
    by_reason: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if row.layer.kept:
            by_reason.setdefault(row.layer.kept, []).append(number)
    return tuple(
        (reason, tuple(own)) for reason, own in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    )


def _network(
    analysis: Analysis,
    pruned: Pruned,
    boxes: NetworkPicture,
    found: Mapping[int, Layer],
    tensors: Mapping[Tensor, tuple[int, ...]],
) -> Optional[NetworkView]:
    if not boxes.boxes or len(boxes.boxes) > MOST_BOXES:
        return None
    return network_view(analysis, pruned, boxes, found, tensors)


def _summary(found: Sequence[Layer], groups: Sequence[GroupFact]) -> dict[str, Any]:
    smaller = [x for x in found if x.channels is not None and x.channels[0] != x.channels[1]]
    return {
        "producing": sum(1 for layer in found if layer.channels is not None),
        "smaller": len(smaller),
        "kept": sum(1 for layer in found if layer.kept),
        "touched": sum(1 for group in groups if group.removed),
        "approximate": tuple(group.number for group in groups if group.removed and group.approximate),
    }


# --- the template -----------------------------------------------------------------------------


@cache
def _asset(name: str) -> str:
    loader = jinja2.PackageLoader("prunec.reporting")
    return loader.get_source(jinja2.Environment(), name)[0]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("prunec.reporting"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters.update(
        amount=amount, exact=exact, shown=shown, size=size_text, text=text_of, chip=chip, hue=hue_classes
    )
    environment.globals.update(
        percent_less=percent_less, share_left=_share_left, most_nodes=_MOST_NODES, most_members=_MOST_MEMBERS
    )
    return environment


def _share_left(change: Change) -> Optional[float]:
    before, after = change
    return after / before if before and after is not None else None
