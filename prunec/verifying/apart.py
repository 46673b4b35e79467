"""Every node that takes a sliced parameter, by itself, on random values.

In the network itself some channels may be dead for the inputs at hand, and some parameters drown in others: a
wrong slice of these would pass.  So each such node runs once more in both models, cut off from what stands
before it, with random values in the place of what enters it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Optional

import numpy as np

from prunec.frontends.runtime import Array
from prunec.graph import Tensor
from prunec.rewriting.places import Places
from prunec.support.diagnostics import PrunecError
from prunec.verifying.dependence import Dependence
from prunec.verifying.running import Examples, Subject, Values, doubt_of, made_by_operators, varying_inputs


@dataclass(frozen=True, eq=False)
class Apart:
    """What came of nodes by themselves: what the smaller model's ``actual`` values should have been
    (``expected``), and why agreement would prove nothing (``doubts``).  ``feeds`` are what entered the
    nodes of the smaller model, ``whole_feeds`` the same at the original's size."""

    expected: Values = field(default_factory=dict)
    actual: Values = field(default_factory=dict)
    doubts: Mapping[Tensor, Optional[str]] = field(default_factory=dict)
    feeds: Mapping[Any, Array] = field(default_factory=dict)
    whole_feeds: Mapping[Any, Array] = field(default_factory=dict)


def run_apart(
    subject: Subject,
    examples: Examples,
    places: Places,
    depends: Dependence,
    small: Mapping[Tensor, Array],
    nodes: Iterable[int],
) -> Apart:
    """Runs nodes by themselves in both models; nothing where one cannot be run on random values."""
    entered: dict[Tensor, None] = {}
    made: dict[Tensor, None] = {}
    for node in nodes:
        inputs = varying_inputs(subject.analysis, depends, node)
        entered.update(dict.fromkeys(made_by_operators(subject.analysis, inputs)))
        made.update(dict.fromkeys(t for t in depends.used.get(node, ()) if t in depends.affected))
    if not made:
        return Apart()
    sampled = [{t: sampled_like(small[t], seed, n) for n, t in enumerate(entered)} for seed in (0, 1)]
    full = {tensor: places.scatter(tensor, array) for tensor, array in sampled[0].items()}
    if any(array is None for array in full.values()):
        return Apart()
    feeds: dict[Any, Array] = {**examples.first, **sampled[0]}
    others: dict[Any, Array] = {**examples.second, **sampled[1]}
    whole_feeds: dict[Any, Array] = dict(examples.first)
    whole_feeds.update((tensor, array) for tensor, array in full.items() if array is not None)
    fetches = list(made)
    try:
        whole = subject.original.segment(whole_feeds, fetches, subject.masked).run(whole_feeds)
        session = subject.smaller.segment(feeds, fetches)
        actual = dict(zip(fetches, session.run(feeds)))
        again = zip(fetches, session.run(others))
        doubts = {tensor: doubt_of(actual[tensor], array) for tensor, array in again}
    except PrunecError:
        return Apart()  # an operator may take no random values: the network's own have to do
    kept = {tensor: places.gather(tensor, array) for tensor, array in zip(fetches, whole)}
    expected = {tensor: array for tensor, array in kept.items() if array is not None}
    return Apart(expected, actual, doubts, feeds, whole_feeds)


def sampled_like(array: Array, seed: int, place: int) -> Array:
    """Random values of the size of some values, of either sign, as a slope may be read for one of them alone;
    what may be positions stays positive where it is, and whole numbers and truth values stay as they are."""
    if array.dtype.kind != "f":
        return array
    numbers = array[np.isfinite(array)]
    scale = float(np.sqrt(np.mean(numbers.astype(np.float64) ** 2))) if numbers.size else 0.0
    sampled = np.random.default_rng([seed, place]).standard_normal(array.shape) * (scale or 1.0)
    if numbers.size and numbers.min() >= 0 and np.array_equal(numbers, np.floor(numbers)):
        sampled = np.abs(sampled)
    return sampled.astype(array.dtype)
