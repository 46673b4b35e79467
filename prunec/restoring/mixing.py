"""Where a matrix along the channels that a product sums over can be folded into the layer that makes them.

Scores of attention are products of queries and keys.  Keys that go are predicted from those that stay; the
queries then do what the prediction would: ``q' (M k) = (M' q)' k``.  ``M'`` goes into the rows of the layer
that makes the queries, and into what is added behind it, where all that stands between lets a matrix along a
head through: reshaping, transposing, a factor.  That is found by trying, on a few examples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from prunec.examples import Data
from prunec.frontends.runtime import Array
from prunec.graph import Tensor
from prunec.restoring.paths import between, leaving, makers
from prunec.restoring.products import Product
from prunec.restoring.readers import Reader
from prunec.restoring.records import Subject
from prunec.restoring.shifts import Place, Shifts
from prunec.rewriting.places import Places
from prunec.support.diagnostics import PrunecError

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Examples that are tried on, where the model takes any number.
FEW = 2
_SAME = 1e-3
#: Queries that errors of scores are measured with, for each head.
_QUERIES = 128

#: For each combination of shared factors a matrix (cells, kept), and the cells kept.
Matrices = Mapping[int, tuple[Floats, Indices]]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a weight that make the cells of a combination ``shared``, and what each is multiplied by on
    the way; ``index`` is one of the rows of the value's table in which they stand."""

    shared: int
    index: int
    channels: Indices
    scale: Floats


@dataclass(frozen=True, eq=False)
class Mixing:
    """A product, the layer that makes its other value, and how a matrix gets into it: along ``axis`` of its
    weight, and into the parameter at ``place``.  Nodes of the ``path`` come to what the product takes.

    ``centred`` says that a constant added to all of what is predicted changes nothing behind, ``factor`` what
    the smaller model divides by too much, as it has fewer channels.  ``queries``
    (shared, rows, 1, cells) are some of the other value; ``feeds`` are what the layer takes, of the original,
    for a few examples.
    """

    product: Product
    reader: Reader
    path: frozenset[int]
    axis: int
    rows: tuple[Rows, ...]
    place: Optional[Place]
    centred: bool
    factor: float
    queries: Array
    feeds: Mapping[Any, Array]

    @property
    def node(self) -> int:
        """The node that multiplies."""
        return self.product.node


class Mixer:
    """Finds out for products by trying."""

    def __init__(self, subject: Subject, readers: Sequence[Reader], data: Data) -> None:
        self._subject = subject
        self._model = subject.analysis.model
        self._graph = self._model.graph
        self._runtime = subject.original
        self._places = Places(subject.analysis, subject.pruned)
        self._shifts = Shifts(subject.analysis, subject.original, readers)
        self._readers: dict[int, list[Reader]] = {}
        for own in readers:
            self._readers.setdefault(own.node, []).append(own)
        few = data if data.whole else replace(data, batch=min(FEW, data.count))
        self._inputs = next(iter(few.batches()))[0]

    def find(self, products: Sequence[Product]) -> list[Union[Mixing, str]]:
        """For each product how matrices get into one of its values, or why they do not."""
        both = [(own, own.swapped) for own in products]
        values = self._values([own for pair in both for own in pair])
        found: list[Union[Mixing, str]] = []
        for first, second in both:
            own = self._tried(first, values)
            other = own if isinstance(own, Mixing) else self._tried(second, values)
            found.append(other if isinstance(other, Mixing) else own)
        return found

    def _maker(self, product: Product) -> Optional[Reader]:
        """The one layer that makes the other value of a product."""
        found = makers(self._graph, product.other, self._readers)
        readers = [own for node in found for own in self._readers[node]]
        return readers[0] if len(readers) == 1 else None

    def _values(self, products: Sequence[Product]) -> dict[Any, Array]:
        """What is needed of the original: what the products and the layers in question take."""
        wanted: dict[Tensor, None] = {}
        for own in products:
            maker = self._maker(own)
            for node in (own.node, *(() if maker is None else (maker.node,))):
                wanted.update(dict.fromkeys(self._graph.nodes[node].inputs))
        tensors = [
            tensor
            for tensor in wanted
            if tensor.node not in self._shifts.constant
            and self._graph.nodes[tensor.node].operator is not None
        ]
        values: dict[Any, Array] = dict(self._inputs)
        if tensors:
            values.update(zip(tensors, self._runtime.session(self._inputs, tensors).run(self._inputs)))
        return values

    def _taken(self, node: int, values: Mapping[Any, Array]) -> dict[Any, Array]:
        """The inputs of the model and what a node takes."""
        own = {tensor: values[tensor] for tensor in self._graph.nodes[node].inputs if tensor in values}
        return {**self._inputs, **own}

    def _tried(self, product: Product, values: Mapping[Any, Array]) -> Union[Mixing, str]:
        try:
            return self._find(product, values)
        except PrunecError as error:
            return f"trying it failed: {error.diagnostics[0].headline}"
        except ValueError:
            return "its values have other shapes than the analysis found"

    def _find(self, product: Product, values: Mapping[Any, Array]) -> Union[Mixing, str]:
        reader = self._maker(product)
        if product.source == product.other:
            return "it multiplies a value by itself"
        if reader is None:
            return "no layer makes, alone, what it multiplies the channels by"
        feeds = self._taken(reader.node, values)
        axes = self._axes(reader, feeds)
        if axes is None:
            return f"it is not seen which rows of {reader.parameter} make what it multiplies"
        rows = self._rows(product, reader, feeds, axes[1])
        if isinstance(rows, str):
            return rows
        queries = product.other_data.table(values[product.other])
        queries = queries.reshape(len(queries), -1, 1, queries.shape[-1])
        step = max(1, queries.shape[1] // _QUERIES)
        place = self._shifts.place(reader, feeds)
        path = between(self._graph, reader.node, product.other)
        factor = self._factor(product, values)
        if factor is None:
            return "what it makes of fewer channels differs from what it makes of zeros"
        found = Mixing(
            product,
            reader,
            path,
            axes[0],
            rows,
            place,
            self._ignores_constants(product, values),
            factor,
            queries[:, ::step],
            feeds,
        )
        return self._try(found, values[product.other]) or found

    def _run(
        self, feeds: Mapping[Any, Array], tensors: Sequence[Tensor], values: Mapping[str, Array] = {}
    ) -> list[Array]:
        return self._runtime.segment(feeds, tensors, values).run(feeds)

    def _axes(self, reader: Reader, feeds: Mapping[Any, Array]) -> Optional[tuple[int, int]]:
        """The axis of a layer's weight that its output has, and which of the output's it is."""
        weight = self._model.parameter(reader.parameter)
        made = [Tensor(reader.node, 0)]
        (whole,) = self._run(feeds, made)
        (nothing,) = self._run(feeds, made, {reader.parameter: np.zeros_like(weight)})
        if weight.dtype.kind != "f" or whole.dtype.kind != "f":
            return None
        difference = whole.astype(np.float64) - nothing
        for axis, size in enumerate(weight.shape):
            if size < 2 or size not in whole.shape:
                continue
            factors = np.linspace(0.5, 1.5, size).reshape([-1] + [1] * (weight.ndim - axis - 1))
            (after,) = self._run(feeds, made, {reader.parameter: (weight * factors).astype(weight.dtype)})
            for other in (n for n, own in enumerate(whole.shape) if own == size):
                wanted = difference * factors.reshape([-1] + [1] * (whole.ndim - other - 1))
                if _same(after.astype(np.float64) - nothing, wanted):
                    return axis, other
        return None

    def _rows(
        self, product: Product, reader: Reader, feeds: Mapping[Any, Array], axis: int
    ) -> Union[tuple[Rows, ...], str]:
        """Which rows make which cells."""
        made = Tensor(reader.node, 0)
        (whole,) = self._run(feeds, [made])
        ramp = np.arange(1.0, whole.shape[axis] + 1).reshape([-1] + [1] * (whole.ndim - axis - 1))
        probes = [np.broadcast_to(own, whole.shape).astype(whole.dtype) for own in (0.0, 1.0, ramp)]
        if made == product.other:
            seen = probes
        else:
            session = self._runtime.segment({**feeds, made: whole}, [product.other])
            seen = [session.run({**feeds, made: own})[0] for own in probes]
        nothing, ones, numbers = (product.other_data.table(own.astype(np.float64)) for own in seen)
        scale, counted = (own - nothing for own in (ones, numbers))
        if not (np.isfinite(scale).all() and scale.all()):
            return _UNMIXED
        places = counted / scale - 1
        channels = np.rint(places).astype(np.intp)
        if not (np.abs(places - channels) < 0.1).all() or not (channels >= 0).all():
            return _UNMIXED
        if channels.max() >= whole.shape[axis]:
            return _UNMIXED
        shared, cells = product.shape
        flat, scales = (own.reshape(shared, -1, cells) for own in (channels, scale))
        found = []
        for number in range(shared):
            _, first = np.unique(flat[number], axis=0, return_index=True)
            found += [Rows(number, int(n), flat[number, n], scales[number, n]) for n in sorted(first)]
        every = np.concatenate([own.channels for own in found])
        if len(np.unique(every)) != len(every):
            return "the same rows make more than one of what it multiplies"
        return tuple(found)

    def _ignores_constants(self, product: Product, values: Mapping[Any, Array]) -> bool:
        """Whether a constant added to all of what is predicted changes nothing behind, as before a softmax
        over what it is."""
        feeds = self._taken(product.node, values)
        source = values[product.source]
        random = np.random.default_rng(0)
        table = product.data.table(source)
        size = float(table.std())
        constant = random.standard_normal((len(table), 1, 1, table.shape[3])) * size
        noise = random.standard_normal(table.shape) * size
        every = [
            product.data.array(own, source.shape).astype(source.dtype)
            for own in (table, table + constant, table + noise)
        ]
        key = product.source
        for node in self._shifts.chain(product.node):
            session = self._runtime.segment({**feeds, key: every[0]}, [Tensor(node, 0)])
            before, shifted, noised = every = [session.run({**feeds, key: own})[0] for own in every]
            key = Tensor(node, 0)
            if before.dtype.kind != "f" or before.shape != noised.shape:
                return False
            change, most = (
                float(np.nan_to_num(np.abs(before - own)).max(initial=0)) for own in (shifted, noised)
            )
            if change <= _SAME * most:
                return True
        return False

    def _factor(self, product: Product, values: Mapping[Any, Array]) -> Optional[float]:
        """What the other value has to be multiplied by in the smaller model so that the node makes of it what
        the original's makes of zeros where something goes."""
        made = Tensor(product.node, 0)
        taken = [own for own in self._graph.nodes[product.node].inputs if own in values]
        small: dict[Any, Array] = dict(self._inputs)
        masked: dict[Any, Array] = dict(self._inputs)
        for own in taken:
            gathered = self._places.gather(own, values[own])
            scattered = None if gathered is None else self._places.scatter(own, gathered)
            if gathered is None or scattered is None:
                return None
            small[own], masked[own] = gathered, scattered
        wanted = self._places.gather(made, self._run(masked, [made])[0])
        session = self._subject.smaller.segment(small, [made])
        gone = product.gone(self._subject.removed)
        whole, left = gone.shape[1], int((~gone).sum(axis=1).max())
        other = small[product.other]
        for factor in (1.0, float(np.sqrt(left / whole))):
            (found,) = session.run({**small, product.other: (other * factor).astype(other.dtype)})
            if wanted is not None and _same(found, wanted):
                return factor
        return None

    def _try(self, found: Mixing, value: Array) -> Optional[str]:
        """What is wrong with a mixing, if anything is."""
        product, reader = found.product, found.reader
        random = np.random.default_rng(0)
        shared, cells = product.shape
        matrices = random.standard_normal((shared, cells, cells)) / np.sqrt(cells) + np.eye(cells)
        every = {number: (own, np.arange(cells)) for number, own in enumerate(matrices)}
        values = self.mixed(found, every, {})
        if values is None:
            return f"what is added behind {reader.parameter} cannot be changed"
        outside = leaving(self._graph, found.path, product)
        before = self._run(found.feeds, [product.other, *outside])
        after = self._run(found.feeds, [product.other, *outside], values)
        if not all(_same(own, other) for own, other in zip(before[1:], after[1:])):
            return f"what {reader.parameter} makes is taken elsewhere, too"
        table = product.other_data.table(before[0]).astype(np.float64)
        wanted = np.matmul(table.reshape(shared, -1, cells), matrices).reshape(table.shape)
        if before[0].shape != value.shape or not _same(product.other_data.table(after[0]), wanted):
            return _UNMIXED
        return None

    def mixed(
        self, found: Mixing, matrices: Matrices, values: Mapping[str, Array]
    ) -> Optional[dict[str, Array]]:
        """The parameters that make, of each cell kept, what the matrices make of all; ``values`` take the
        place of the model's own.  ``None`` where a constant is added that no parameter can change."""
        product, name = found.product, found.reader.parameter
        weight = values.get(name, self._model.parameter(name))
        (constant,) = self._run(found.feeds, [product.other], {**values, name: np.zeros_like(weight)})
        constants = product.other_data.table(constant.astype(np.float64))
        constants = constants.reshape(len(constants), -1, constants.shape[-1])
        size = float(np.abs(found.queries).max(initial=0.0))
        if found.place is None and float(np.abs(constants).max(initial=0.0)) > 1e-6 * size:
            return None
        before = np.moveaxis(weight.astype(np.float64), found.axis, 0)
        after = before.copy()
        shift = np.zeros(len(before))
        for own in found.rows:
            if own.shared not in matrices:
                continue
            matrix, kept = matrices[own.shared]
            places, scale = own.channels[kept], own.scale[kept]
            after[places] = np.tensordot(
                (matrix * own.scale[:, None] / scale).T, before[own.channels], axes=1
            )
            added = constants[own.shared, own.index]
            shift[places] = (matrix.T @ added - added[kept]) / scale
        changed = {name: np.moveaxis(after, 0, found.axis).astype(weight.dtype)}
        if found.place is not None:
            other = found.place.parameter
            old = values.get(other, self._model.parameter(other))
            if old.size != len(shift):
                return None
            changed[other] = (old + shift.reshape(old.shape)).astype(old.dtype)
        return changed


_UNMIXED = "what stands between a layer and it does not let a matrix through"


def _same(found: Array, wanted: Array) -> bool:
    if found.shape != wanted.shape:
        return False
    scale = float(np.abs(wanted).max(initial=0.0))
    return bool((np.abs(found.astype(np.float64) - wanted) <= _SAME * max(scale, 1e-6)).all())
