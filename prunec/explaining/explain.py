"""Explaining a parameter or a layer: what its channels go with, or why they stay."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cached_property
from typing import Iterator, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.components import KEPT, Atoms
from prunec.channels.propagate import Channels
from prunec.explaining.axes import AxisChannels, axis_channels, axis_size, elements_of, positions_of
from prunec.explaining.chains import ChainRenderer
from prunec.explaining.findings import AxisPositions, Chain, Explanation, Fate, Kept, TiedPlace
from prunec.explaining.inside import Inside, inside
from prunec.explaining.links import Carrier, Links, links_of
from prunec.explaining.paths import Hop, Tree, path, shortest
from prunec.explaining.plain_reasons import unknown_shape
from prunec.explaining.ways import Element, Ways
from prunec.graph import Shape, Tensor, shape_text
from prunec.support.diagnostics import Diagnostic, PrunecError, printable


def explain(
    analysis: Analysis, name: str, axis: Optional[int] = None, channel: Optional[int] = None
) -> Explanation:
    """Why the channels of a parameter, or of a node's output, go together with others or stay.

    ``name`` is a parameter, a node, or ``node[1]`` for another output than the first.  Without ``axis`` all
    axes are explained; with ``channel`` alone, the first axis of which anything can go.  Channels that share
    a group or a reason are explained by the first of them.

    Raises PrunecError: P410 for an unknown name, P411 for an axis and P412 for a channel that is not there.
    """
    return Explainer(analysis).explain(name, axis, channel)


class Explainer:
    """Explanations of one analysis; what they share is worked out once."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.solution = analysis.solution
        self.links: Links = links_of(analysis.solution)
        self.renderer = ChainRenderer(self.links)
        self.insides: dict[int, Inside] = {}
        self.group_of = np.full(analysis.solution.unit_count, -1, dtype=np.int64)
        for group in analysis.solution.groups:
            self.group_of[group.units] = group.number

    def explain(self, name: str, axis: Optional[int] = None, channel: Optional[int] = None) -> Explanation:
        """See :func:`explain`."""
        carrier, kind = self.find(name)
        channels = self.links.channels(carrier)
        shape = self._shape(carrier)
        operator = self._operator(carrier)
        if channels is None:
            return Explanation(name, kind, operator, shape, tuple(self._unknown(carrier, name, shape)))
        axes = self._axes(name, channels, shape, axis, channel)
        fates = [fate for a in axes for fate in self.fates(carrier, channels, a, channel, axis is not None)]
        return Explanation(name, kind, operator, shape, tuple(fates))

    # --- what is asked for ---

    @cached_property
    def parameters(self) -> dict[str, Carrier]:
        """Every parameter by name."""
        graph = self.analysis.lowered.graph
        found: dict[str, Carrier] = {
            parameter.name: Tensor(parameter.node, 0)
            for parameter in self.analysis.parameters
            if parameter.node is not None
        }
        for key in self.solution.propagation.implied:
            found.setdefault(self.analysis.model.implied_name(*key), key)
        for index, node in enumerate(graph.nodes):
            if node.operator is None:
                found.setdefault(node.name, Tensor(index, 0))
        return found

    def find(self, name: str) -> tuple[Carrier, str]:
        """What carries channels under a name, and whether it is a parameter or the output of a node.

        Raises PrunecError P410 for an unknown name.
        """
        if name in self.parameters:
            return self.parameters[name], "parameter"
        graph = self.analysis.lowered.graph
        stem, _, rest = name.partition("[")
        output = int(rest[:-1]) if rest.endswith("]") and rest[:-1].isdigit() and len(rest) < 6 else 0
        for wanted, number in ((name, 0), (stem, output)):
            for index, node in enumerate(graph.nodes):
                if node.operator is not None and node.name == wanted:
                    return Tensor(index, number), "output"
        known = [*self.parameters, *(node.name for node in graph.nodes if node.operator is not None)]
        close = get_close_matches(name, known, 3, 0.5)
        some = ", ".join(printable(n, 60) for n in known[:6])
        raise PrunecError(
            Diagnostic(
                "P410",
                f"the model has no node or parameter {printable(name)!r}",
                notes=() if close else (f"its names begin with {some}{' …' if len(known) > 6 else ''}",),
                help="did you mean " + " or ".join(f"`{printable(n, 80)}`" for n in close) + "?"
                if close
                else "`prunec groups` lists the parameters",
            )
        )

    def _shape(self, carrier: Carrier) -> Shape:
        if isinstance(carrier, Tensor):
            return self.analysis.lowered.shapes.get(carrier, ())
        bound = self.analysis.lowered.rules[carrier[0]]
        assert bound is not None
        return next((bound.shape(slot) or () for slot in bound.implied if slot.slot == carrier[1]), ())

    def _operator(self, carrier: Carrier) -> str:
        return self.analysis.lowered.graph.nodes[carrier[0]].operator or ""

    def _axes(
        self, name: str, channels: Channels, shape: Shape, axis: Optional[int], channel: Optional[int]
    ) -> Sequence[int]:
        count = len(channels.layout.axes)
        if axis is not None and not -count <= axis < count:
            raise PrunecError(
                Diagnostic(
                    "P411",
                    f"{printable(name)!r} has no axis {axis}",
                    notes=(f"its shape is {shape_text(shape)}",),
                    help=f"axes count from 0 to {count - 1}" if count else "it has no axes",
                )
            )
        axes = range(count) if axis is None else [axis % count]
        if channel is None:
            return axes
        if axis is None:
            axes = [self._shrinking(channels)] if count else []
        for a in axes:
            size = axis_size(channels.layout, a)
            if size is not None and not 0 <= channel < size:
                raise PrunecError(
                    Diagnostic(
                        "P412",
                        f"axis {a} of {printable(name)!r} has no channel {channel}",
                        notes=(f"its shape is {shape_text(shape)}",),
                        help=f"channels count from 0 to {size - 1}; choose another axis with --axis"
                        if size
                        else "the axis is empty",
                    )
                )
        return axes

    def _shrinking(self, channels: Channels) -> int:
        """The first axis of which something can go, else the first with channels, else the first."""
        on_axes = [axis_channels(self.solution, channels, a) for a in range(len(channels.layout.axes))]
        for wanted in ([a.units for a in on_axes], [a.atoms for a in on_axes]):
            for axis, numbers in enumerate(wanted):
                if (numbers >= 0).any():
                    return axis
        return 0

    # --- fates ---

    def _unknown(self, carrier: Carrier, name: str, shape: Shape) -> Iterator[Fate]:
        """A tensor of which nothing is known, or a variable that nothing uses."""
        node = self.analysis.lowered.graph.nodes[carrier[0]]
        opaque = self.analysis.lowered.opaque.get(carrier[0])
        reason, advice = "nothing in the model uses it", ""
        if opaque is not None:
            reason = opaque.reason
        elif node.operator is not None:
            reason, advice = unknown_shape(self.analysis.lowered, carrier[0])
        place = opaque.span.place if opaque is not None and opaque.span is not None else ""
        kept = Kept("opaque", reason, node.name, node.operator or "", place, Chain(()), advice)
        yield Fate(0, (), 0, kept=kept)

    def fates(
        self,
        carrier: Carrier,
        channels: Channels,
        axis: int,
        channel: Optional[int] = None,
        single: bool = False,
    ) -> Iterator[Fate]:
        """What becomes of the channels of an axis, or of one of them; ``single``: also where there is one."""
        size = axis_size(channels.layout, axis)
        on_axis = axis_channels(self.solution, channels, axis)
        if size is None or size == 1 or not len(on_axis.units):
            if size != 1 or single or channel is not None or len(channels.layout.axes) == 1:
                yield self._without_atoms(carrier, channels, axis, size, on_axis)
            return
        if channel is not None:
            positions = np.array([channel])
        else:
            positions = np.arange(size)
        for chosen in self._alike(channels, on_axis, positions):
            example = int(chosen[0])
            where = tuple(int(position) for position in chosen)
            unit = int(on_axis.units[example])
            if unit >= 0:
                yield self._goes(carrier, axis, where, unit)
            else:
                kept = self._stays(carrier, channels, on_axis, axis, int(on_axis.atoms[example]))
                yield Fate(axis, where, example, kept=kept)

    def stay_alike(
        self, carrier: Carrier, channels: Channels, axis: int, positions: Atoms
    ) -> tuple[Kept, ...]:
        """Why positions of an axis stay, each reason once."""
        on_axis = axis_channels(self.solution, channels, axis)
        return tuple(
            self._stays(carrier, channels, on_axis, axis, int(on_axis.atoms[int(chosen[0])]))
            for chosen in self._alike(channels, on_axis, positions)
        )

    def _alike(self, channels: Channels, on_axis: AxisChannels, positions: Atoms) -> list[Atoms]:
        """Positions that share a group, or the cause that keeps them; in the order of their first."""
        units, atoms = on_axis.units[positions], on_axis.atoms[positions]
        key = np.where(units >= 0, self.group_of[units] * 2 if len(self.group_of) else 0, -1)
        # A unit without a group speaks for itself.
        key = np.where((units >= 0) & (key < 0), -2 * units - 4, key)
        stays = units < 0
        key[stays] = self._held_by(atoms[stays]) * 2 + 1
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        inverse = inverse.reshape(-1)
        return [positions[inverse == number] for number in np.argsort(first, kind="stable")]

    def _held_by(self, atoms: Atoms) -> Atoms:
        """For atoms that stay the number of the edge that ends their path; -1 for those without an atom."""
        at = np.searchsorted(self.kept_tree.atoms, np.maximum(atoms, 0))
        at = np.minimum(at, len(self.kept_tree.atoms) - 1)
        found = self.edge_causes[np.maximum(self.last_edges[at], 0)]
        return np.where((atoms >= 0) & (self.kept_tree.atoms[at] == atoms), found, -1)

    def _goes(self, carrier: Carrier, axis: int, where: tuple[int, ...], unit: int) -> Fate:
        number = int(self.group_of[unit])
        group = self.solution.groups[number] if number >= 0 else None
        causes = group.approximate if group is not None else ()
        return Fate(
            axis,
            where,
            where[0],
            unit,
            number if number >= 0 else None,
            len(group.units) if group is not None else 0,
            group is not None and bool((group.cells >= 0).any()),
            tuple(dict.fromkeys(self.solution.causes[cause].text for cause in causes)),
            tuple(self._ties(carrier, axis, where[0], unit)),
        )

    def _ties(self, start: Carrier, axis: int, example: int, unit: int) -> Iterator[TiedPlace]:
        """Every parameter axis that a unit stands on, nearest first."""
        ways = Ways(self.links, unit, self.renderer, self.inside)
        sources = self._elements(start, axis, unit, example)
        ties: list[tuple[int, int, TiedPlace]] = []
        for name, carrier in self.parameters.items():
            channels = self.links.channels(carrier)
            if carrier not in ways.carriers or channels is None:
                continue
            for other in range(len(channels.layout.axes)):
                positions = np.flatnonzero(positions_of(self.solution, channels, other, unit))
                same = carrier == start and other == axis and positions.tolist() == [example]
                if not positions.size or same:
                    continue
                targets = self._elements(carrier, other, unit)
                chains, links = ways.between(start, sources, carrier, targets)
                place = AxisPositions(name, other, tuple(positions.tolist()))
                ties.append((len(chains[0].steps), len(ties), TiedPlace(place, chains, links)))
        for _, _, tie in sorted(ties, key=lambda entry: entry[:2]):
            yield tie

    def _elements(
        self, carrier: Carrier, axis: int, unit: int, position: Optional[int] = None
    ) -> list[Element]:
        channels = self.links.channels(carrier)
        assert channels is not None
        found = elements_of(self.solution, channels, axis, unit, position)
        return [(carrier, array, flat) for array, flat in found]

    def inside(self, node: int) -> Inside:
        """What a node does, worked out once."""
        if node not in self.insides:
            self.insides[node] = inside(self.links, node)
        return self.insides[node]

    # --- what stays ---

    @cached_property
    def kept_links(self) -> Links:
        """The links among what stays."""
        return self.links.within(-1)

    @cached_property
    def kept_tree(self) -> Tree:
        """Shortest paths from what stays by itself to all that stays with it."""
        return shortest(self.kept_links, KEPT)

    @cached_property
    def edge_causes(self) -> Atoms:
        """The number of the cause of each edge."""
        return np.array([edge.cause for edge in self.solution.edges] or [0], dtype=np.int64)

    @cached_property
    def last_edges(self) -> Atoms:
        """For each atom of ``kept_tree`` the edge next to what stays by itself on its path."""
        tree = self.kept_tree
        edges = tree.edge.copy()
        for level in range(2, int(tree.distance.max(initial=0)) + 1):
            at = np.flatnonzero(tree.distance == level)
            edges[at] = edges[tree.parent[at]]
        return edges

    def _stays(
        self, carrier: Carrier, channels: Channels, on_axis: AxisChannels, axis: int, atom: int
    ) -> Kept:
        if atom >= 0:
            hops = path(self.kept_links, KEPT, atom, self.kept_tree)
            if hops:
                turned = [Hop(hop.end, hop.start, hop.edge) for hop in reversed(hops)]
                return self.renderer.kept_atom(carrier, atom, turned)
        return self._factor_stays(carrier, channels, on_axis, axis)

    def _factor_stays(self, carrier: Carrier, channels: Channels, on_axis: AxisChannels, axis: int) -> Kept:
        factor = on_axis.factor
        if factor is not None and channels.causes[factor] >= 0:
            return self.renderer.kept_factor(carrier, factor)
        node = self.analysis.lowered.graph.nodes[carrier[0]]
        text = "these are rows of a table of channels: the channels in a row can go, the row stays"
        return Kept("table", text, node.name, node.operator or "", "", Chain(()))

    def _without_atoms(
        self, carrier: Carrier, channels: Channels, axis: int, size: Optional[int], on_axis: AxisChannels
    ) -> Fate:
        positions = tuple(range(size or 0))
        if size == 1:
            node = self.analysis.lowered.graph.nodes[carrier[0]]
            kept = Kept("single", "it is the only one", node.name, node.operator or "", "", Chain(()))
        else:
            kept = self._factor_stays(carrier, channels, on_axis, axis)
        return Fate(axis, positions, 0, kept=kept)
