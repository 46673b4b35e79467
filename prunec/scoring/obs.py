"""Optimal Brain Surgeon for groups of channels: what removing a unit costs after the best prediction of it.

Each layer that reads channels is linear in them: what it computes is known by their second moment ``S`` over
examples and by its weights ``W``.  Once some channels are gone and the others predict them as well as they
can, the layer is off by ``tr(W_R (S_RR - S_RK S_KK^-1 S_KR) W_R')``.  Scores of attention read keys, and the
queries are their weights: ``W' W`` is the second moment of these.  Units go one after the other, each time
the one that costs least, summed over all layers that read it, each relative to what it computes.

Hassibi and Stork, "Second Order Derivatives for Network Pruning: Optimal Brain Surgeon", NIPS 1992; for
structures of layers Kurtic, Frantar and Alistarh, "ZipLM", NeurIPS 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.channels.choices import Choice, choices_of
from prunec.channels.components import Atoms
from prunec.examples import Data
from prunec.frontends.runtime import run_batches, runtime_of
from prunec.graph import Tensor
from prunec.restoring.moments import ROUNDING, spread
from prunec.restoring.products import Product, find_products
from prunec.restoring.readers import Contracted, Reader, find_readers
from prunec.restoring.views import View
from prunec.scoring.measured import in_small_batches
from prunec.scoring.unit_scores import Scores

if TYPE_CHECKING:
    from prunec.scoring.criteria import Settings

Floats = NDArray[np.float64]

#: What is added to second moments, as a share of their mean diagonal: less trusts correlations too far.
_RIDGE = 1e-1
#: A choice is made in at most so many rounds: where it has more units, several go in one.
_ROUNDS = 64
#: No layer is to be off by more than this share of what it computes, squared, while others can lose instead.
_MOST = 0.25
#: What lies beyond comes after everything else, in its own order.
BEYOND = 1e6
#: Rows that are taken for each channel, and at least.
_ROWS_EACH, _ROWS = 24, 8192
#: Matrices are made smaller where less than this share of their rows is left.
_THERE = 0.8


def obs(analysis: Analysis, settings: Settings) -> Scores:
    """What each unit costs when those that cost less are gone and what stays makes up for them; units that no
    layer reads cost nothing that is seen, and stand in the order of their magnitudes (see
    :func:`prunec.scoring.criteria.unit_scores`).

    The costs of a choice add up to the squared relative error of the layers that read it.  Raises PrunecError
    as running the model does.
    """
    assert isinstance(settings.data, Data)
    every: list[Contracted] = [*find_readers(analysis)[0], *find_products(analysis)[0]]
    readers = [own for own in every if any((units >= 0).any() for units in own.units)]
    scores = np.full(analysis.solution.unit_count, np.nan)
    if not readers:
        return scores
    seen = _what_is_seen(analysis, readers, _sums(analysis, settings.data, readers))
    for choice in choices_of(analysis.solution):
        layers = [_Layer(own, choice.units) for own in seen if own.has(choice.units)]
        if layers:
            _rank(choice, layers, scores)
    return scores


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a reader sees of examples: for each combination of shared factors the inverse of the moments of
    what it reads (``None`` where that never changes), and the energy of what it computes.  ``gram(shared,
    cells)`` is ``W' W`` of its weights for some cells."""

    reader: Contracted
    inverses: Sequence[Optional[Floats]]
    energy: float
    gram: Callable[[int, Atoms], Floats]

    def has(self, units: Atoms) -> bool:
        """Whether any of the units stands in what is read."""
        return any(np.isin(table, units).any() for table in self.reader.units)


def _what_is_seen(analysis: Analysis, readers: Sequence[Contracted], sums: dict[_Key, _Sum]) -> list[_Seen]:
    """What each reader sees.  Takes the sums of what they read out of ``sums``, one after the other: the
    moments of a wide network are larger than its weights."""
    products = [own for own in readers if isinstance(own, Product)]
    queries = {_queries_of(own): sums[_queries_of(own)].moments().about_zero for own in products}
    found: dict[int, _Seen] = {}
    for key in dict.fromkeys(_key_of(own) for own in readers):
        moments = sums.pop(key).moments()
        inverses = moments.inverses()
        for own in readers:
            if _key_of(own) != key:
                continue
            if isinstance(own, Product):
                found[id(own)] = _seen_by_product(
                    own, moments.covariance, inverses, queries[_queries_of(own)]
                )
            else:
                assert isinstance(own, Reader)
                found[id(own)] = _seen_by_reader(analysis, own, moments.covariance, inverses)
    return [found[id(own)] for own in readers]


def _seen_by_product(
    own: Product, varies: Floats, inverses: Sequence[Optional[Floats]], queries: Floats
) -> _Seen:
    # A constant in all keys of a row means nothing to the softmax behind: it is no part of the energy.
    energy = float(np.einsum("sij,sij->", varies, queries))
    return _Seen(own, inverses, energy, lambda shared, cells: queries[shared][np.ix_(cells, cells)])


def _seen_by_reader(
    analysis: Analysis, own: Reader, varies: Floats, inverses: Sequence[Optional[Floats]]
) -> _Seen:
    def weight(shared: int, cells: Optional[Atoms] = None) -> Floats:
        table = own.weight.table(analysis.model.parameter(own.parameter))[shared]
        flat = table.reshape(-1, table.shape[-1])
        return np.asarray((flat if cells is None else flat[:, cells]).astype(np.float64))

    def gram(shared: int, cells: Atoms) -> Floats:
        flat = weight(shared, cells)
        return np.asarray(flat.T @ flat)

    # What a layer computes whatever the example is says nothing.
    energy = sum(
        float(np.sum((flat @ covariance) * flat))
        for shared, covariance in enumerate(varies)
        for flat in (weight(shared),)
    )
    return _Seen(own, inverses, energy, gram)


# --- second moments ------------------------------------------------------------------------------


#: A tensor, and how it is seen.
_Key = tuple[Tensor, View]


def _key_of(reader: Contracted) -> _Key:
    """What a reader reads."""
    return reader.source, reader.data


def _queries_of(product: Product) -> _Key:
    """What a product multiplies it by."""
    return product.other, product.other_data


def _sums(analysis: Analysis, data: Data, readers: Sequence[Contracted]) -> dict[_Key, _Sum]:
    """The sums of what layers read, and of what products multiply it by."""
    sums = {_key_of(own): _Sum() for own in readers}
    sums.update({_queries_of(own): _Sum() for own in readers if isinstance(own, Product)})
    tensors = list(dict.fromkeys(source for source, _ in sums))
    small = in_small_batches(analysis, data, tensors)
    batches = -(-small.count // small.batch)
    for values, _ in run_batches(runtime_of(analysis.model), small, tensors):
        by_tensor = dict(zip(tensors, values))
        for (source, view), own in sums.items():
            own.add(view.table(by_tensor[source]), batches)
    return sums


class _Moments(NamedTuple):
    """Of what a layer reads: (shared, cells, cells) and (shared, cells)."""

    covariance: Floats
    mean: Floats

    @property
    def about_zero(self) -> Floats:
        """The second moment: (shared, cells, cells)."""
        return np.asarray(self.covariance + self.mean[:, :, None] * self.mean[:, None, :])

    def inverses(self) -> list[Optional[Floats]]:
        """The inverse of each covariance, with a ridge; ``None`` where nothing ever changes."""
        found: list[Optional[Floats]] = []
        for covariance, mean in zip(self.covariance, self.mean):
            variance = float(np.diag(covariance).mean())
            least = ROUNDING * (variance + float(np.square(mean).mean()))
            ridge = max(_RIDGE * variance, least)
            enough = variance > least
            ridged = covariance.copy()
            ridged[np.diag_indices_from(ridged)] += ridge
            found.append(np.linalg.inv(ridged) if enough else None)
        return found


class _Sum:
    """Sums over the rows of tables (shared, others, positions, cells)."""

    def __init__(self) -> None:
        self.count = self.blocks = 0
        self.origin: Any = None
        self.sums: Any = 0.0
        self.products: Any = 0.0

    # A layer that reads numbers beyond all bounds is left when it is restored.
    @np.errstate(over="ignore", invalid="ignore")
    def add(self, table: NDArray[Any], batches: int) -> None:
        rows = table.reshape(len(table), -1, table.shape[-1])
        most = -(-max(_ROWS, _ROWS_EACH * rows.shape[2]) // batches)
        self.blocks += 1
        rows = rows[:, spread(rows.shape[1], most, self.blocks)].astype(np.float32)
        if self.origin is None:
            self.origin = rows.mean(axis=1, keepdims=True)
            self.products = np.zeros((len(rows), rows.shape[2], rows.shape[2]))
        rows = rows - self.origin
        self.count += rows.shape[1]
        self.sums = self.sums + rows.sum(axis=1, dtype=np.float64)
        self.products += np.matmul(rows.transpose(0, 2, 1), rows)

    def moments(self) -> _Moments:
        count = max(self.count, 1)
        off = self.sums / count
        covariance = self.products / count
        covariance -= off[:, :, None] * off[:, None, :]
        if not np.isfinite(covariance).all():
            covariance = np.zeros_like(covariance)
        return _Moments(np.asarray(covariance), np.asarray(off + self.origin[:, 0]))


# --- choosing ------------------------------------------------------------------------------------


class _Part:
    """What a layer reads of a choice in one combination of shared factors, while units go: ``inverse`` of the
    moments of what is left, in the rows and columns of the choice alone, and ``gram``, ``W' W`` of its
    weights as they make up for what is gone; ``owners`` has the unit of each cell, -1 for none or one that is
    gone, one array for each table of units.  What is gone is the identity in ``inverse`` and zero in
    ``gram``, until it is left out of both."""

    def __init__(self, inverse: Floats, gram: Floats, owners: Sequence[Atoms]) -> None:
        self.inverse = inverse
        self.gram = gram
        self.owners = list(owners)
        self._there = np.ones(len(inverse), dtype=bool)

    def costs(self, place: Atoms, total: Floats) -> None:
        """Adds to ``total`` what it costs to remove each unit, at its ``place`` there."""
        for table in self.owners:
            cells = np.flatnonzero(place[table] >= 0)
            owner = place[table[cells]]
            counts = np.bincount(owner, minlength=len(total))
            order = np.argsort(owner, kind="stable")
            for size in np.unique(counts[counts > 0]):
                own = np.flatnonzero(counts == size)
                blocks = cells[order][counts[owner[order]] == size].reshape(-1, size)
                if size == 1:
                    total[own] += self.gram[blocks, blocks][:, 0] / self.inverse[blocks, blocks][:, 0]
                    continue
                rows, columns = blocks[:, :, None], blocks[:, None, :]
                solved = np.linalg.solve(self.inverse[rows, columns], self.gram[rows, columns])
                total[own] += np.einsum("nii->n", solved)

    def remove(self, place: Atoms) -> None:
        """Takes units away, those with a ``place``; what is left makes up for them."""
        gone = np.zeros(len(self._there), dtype=bool)
        for table in self.owners:
            gone |= place[table] >= 0
        cells = np.flatnonzero(gone)
        if not cells.size:
            return
        inverse, gram = self.inverse, self.gram
        folded = np.linalg.solve(inverse[np.ix_(cells, cells)], inverse[cells])
        # What is left of a weight w is w - w_R folded; the columns of what is gone become zero.
        half = gram[cells] - gram[np.ix_(cells, cells)] @ folded / 2
        moved = half.T @ folded
        gram -= moved
        gram -= moved.T
        inverse -= inverse[:, cells] @ folded
        for own in (inverse, gram):
            own[cells], own[:, cells] = 0.0, 0.0
        inverse[cells, cells] = 1.0
        for table in self.owners:
            table[cells] = -1
        self._there &= ~gone
        if self._there.mean() < _THERE:
            self._leave_out()

    def _leave_out(self) -> None:
        there = np.flatnonzero(self._there)
        self.inverse, self.gram = (own[np.ix_(there, there)] for own in (self.inverse, self.gram))
        self.owners = [own[there] for own in self.owners]
        self._there = np.ones(len(there), dtype=bool)


class _Layer:
    """One layer while units go, in as many parts as there are combinations of shared factors in which some
    of the units stand beside others.  What has all cells of a combination takes along what is made of them,
    and what never changes is made up for by a constant."""

    def __init__(self, seen: _Seen, units: Atoms) -> None:
        self.energy = seen.energy
        reader = seen.reader
        chosen = np.zeros(max(own.max() for own in (units, *reader.units)) + 2, dtype=bool)
        chosen[units] = True
        self._size = len(chosen)
        self._parts: list[_Part] = []
        for shared, inverse in enumerate(seen.inverses):
            tables = [own[shared] for own in reader.units]
            tables = [own for own in tables if chosen[own].any() and (own != own[0]).any()]
            if tables and inverse is not None:
                cells = np.flatnonzero(np.any([chosen[own] for own in tables], axis=0))
                block = np.ascontiguousarray(inverse[np.ix_(cells, cells)])
                owners = [np.where(chosen[own[cells]], own[cells], -1) for own in tables]
                self._parts.append(_Part(block, seen.gram(shared, cells), owners))

    def costs(self, units: Atoms) -> Floats:
        """What each of the units costs, as a share of the layer's energy."""
        total = np.zeros(len(units))
        place = self._place(units)
        for part in self._parts:
            part.costs(place, total)
        return total / self.energy if self.energy > 0 else np.zeros(len(units))

    def remove(self, units: Atoms) -> None:
        """Takes units away; what is left makes up for them."""
        place = self._place(units)
        for part in self._parts:
            part.remove(place)

    def _place(self, units: Atoms) -> Atoms:
        """The place of each unit among these, -1 for the others and for none."""
        place = np.full(self._size, -1)
        place[units] = np.arange(len(units))
        return place


def _rank(choice: Choice, layers: Sequence[_Layer], scores: Scores) -> None:
    """The scores of a choice's units: what the step costs in which a unit goes, as much as the dearest step
    before at least, so that the order is kept."""
    left = list(choice.cells)
    each = max(1, -(-choice.size // _ROUNDS))
    highest = 0.0
    lost = np.zeros(len(layers))
    while (count := min(each, min(len(cell) for cell in left))) > 0:
        units = np.concatenate(left)
        each_layer = np.stack([layer.costs(units) for layer in layers])
        costs = each_layer.sum(axis=0)
        by_cell = np.split(costs, np.cumsum([len(cell) for cell in left])[:-1])
        orders = [np.lexsort((-cell, own))[:count] for cell, own in zip(left, by_cell)]
        for step in range(count):
            going = [cell[order[step]] for cell, order in zip(left, orders)]
            cost = float(np.mean([own[order[step]] for own, order in zip(by_cell, orders)]))
            highest = max(cost, highest * (1 + 1e-9) + 1e-15)
            lost += each_layer[:, np.isin(units, going)].sum(axis=1)
            scores[going] = highest * (BEYOND if (lost > _MOST).any() else 1.0)
        gone = np.concatenate([cell[order] for cell, order in zip(left, orders)])
        left = [np.delete(cell, order) for cell, order in zip(left, orders)]
        for layer in layers:
            layer.remove(gone)
    for cell in left:
        scores[cell] = highest * BEYOND
