"""Restoring a model that a plan makes smaller, without training.

Layer by layer, in the model's order: all channels that a layer reads in the original are predicted, by ridge
regression over examples, from those that stay as the smaller model has them, restored so far; the prediction
is folded into the layer's weight, and its intercept into a parameter that is added to what the layer makes.

The aim of making up for what goes in the layers that stay is that of Optimal Brain Surgeon (Hassibi and
Stork, NIPS 1992); fitting one layer after the other on the outputs of those before follows He, Zhang and
Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import Callable, Sequence, TypeVar

from prunec.analysis.analyse import Analysis
from prunec.examples import Data, bytes_of_example
from prunec.frontends.runtime import Runtime, run_batches
from prunec.restoring.mixing import Mixer, Mixing
from prunec.restoring.passes import Pass
from prunec.restoring.products import find_products
from prunec.restoring.quality import Quality, QualityMeter
from prunec.restoring.readers import Contracted, Unreadable, find_readers
from prunec.restoring.records import MEANS, RESTORED, Restoration, Subject
from prunec.rewriting.places import Places, cut_alike

#: So many blocks of examples are wanted at least, so that some can be held back.
_BLOCKS = 8
#: The largest value that a model makes of a block takes at most so many bytes: several are held at a time,
#: of the original and of each way of making up.
_BLOCK_BYTES = 8 << 20
_UNSEEN = "no examples reach it, or it reads what is no number"

_Kind = TypeVar("_Kind", bound=Contracted)


def restore(
    subject: Subject,
    data: Data,
    progress: Callable[[int, int], None] = lambda done, total: None,
    ways: Sequence[str] = (RESTORED, MEANS),
) -> Restoration:
    """Restores a model, makes up for means, and compares both, as far as they are among the ``ways`` asked
    for, with the cut one.

    Each of the models is run once over the examples, but for what :class:`Pass` says of queries; the original
    besides over a few of them, to try where matrices go.  Raises PrunecError as running models does.
    """
    every, unread = find_readers(subject.analysis)
    readers = _affected(subject, every)
    found, others = find_products(subject.analysis)
    # Means say nothing of keys.
    products = _affected(subject, found) if RESTORED in ways else []
    mixer = Mixer(subject, every, data)
    tried = mixer.find(products)
    mixings = [own for own in tried if isinstance(own, Mixing)]
    refused = [Unreadable(own.node, why) for own, why in zip(products, tried) if isinstance(why, str)]
    both = Pass(subject, readers, in_blocks(subject.analysis, data), mixer, mixings, ways)
    methods = both.methods(progress)
    # No number at all is worse than any.
    ranked = sorted(methods, key=lambda own: (not isfinite(own.quality.change), own.quality.change))
    reasons = [*_unread(subject, [*unread, *others, *refused]), *((node, _UNSEEN) for node in both.unfitted)]
    names = [node.name for node in subject.analysis.model.graph.nodes]
    lost = tuple((names[node], why) for node, why in sorted(reasons))
    return Restoration(tuple(ranked), both.own_quality, lost, data.count, both.held_back, both.spread)


def compare(original: Runtime, smaller: Runtime, data: Data, places: Places) -> tuple[Quality, Quality]:
    """How good the original and a smaller model are on examples; of outputs that are narrower, what stays of
    the original's counts.  Raises PrunecError as running models does."""
    own, other = QualityMeter(), QualityMeter()
    for (before, labels), (after, _) in zip(run_batches(original, data), run_batches(smaller, data)):
        own.add(before, before, labels)
        other.add(cut_alike(places.outputs, before), after, labels)
    return own.result(), other.result()


def in_blocks(analysis: Analysis, data: Data) -> Data:
    """The examples in enough blocks to hold some back, and in so small ones that what layers make of one
    takes little room, where the model leaves their number open."""
    if data.whole:
        return data
    largest = max(map(bytes_of_example, analysis.lowered.example_shapes.values()), default=0)
    blocks = replace(data, batch=max(1, min(data.batch, data.count // _BLOCKS)))
    return blocks.within(largest, _BLOCK_BYTES)


def _affected(subject: Subject, every: Sequence[_Kind]) -> list[_Kind]:
    """Those that take what a plan changes."""
    graph = subject.analysis.model.graph
    sliced = {piece.name for piece in subject.pruned.slices}
    changed: set[int] = set()
    for index, node in enumerate(graph.nodes):
        own = node.operator is None and node.name in sliced
        if own or any(tensor.node in changed for tensor in node.inputs):
            changed.add(index)
    implied = any(piece.name not in {node.name for node in graph.nodes} for piece in subject.pruned.slices)
    return [own for own in every if own.source.node in changed or implied]


def _unread(subject: Subject, unreadable: Sequence[Unreadable]) -> list[tuple[int, str]]:
    places = Places(subject.analysis, subject.pruned)
    inputs = subject.analysis.model.graph.nodes
    return [
        (own.node, own.reason)
        for own in unreadable
        if any(places.shrinks(tensor) for tensor in inputs[own.node].inputs)
    ]
