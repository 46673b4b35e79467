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
from typing import Callable, Sequence

from prunec.examples import Data
from prunec.frontends.runtime import Runtime, run_batches
from prunec.restoring.passes import Pass
from prunec.restoring.quality import Quality, QualityMeter
from prunec.restoring.readers import Reader, Unreadable, find_readers
from prunec.restoring.records import Restoration, Subject
from prunec.rewriting.places import Places

#: So many blocks of examples are wanted at least, so that some can be held back.
_BLOCKS = 8
_UNSEEN = "no examples reach it, or it reads what is no number"


def restore(
    subject: Subject, data: Data, progress: Callable[[int, int], None] = lambda done, total: None
) -> Restoration:
    """Restores a model, makes up for means, and compares both with the cut one.

    Each of the models is run once over the examples.  Raises PrunecError as running models does.
    """
    readers, unreadable = _affected(subject)
    names = [node.name for node in subject.analysis.model.graph.nodes]
    both = Pass(subject, readers, in_blocks(data))
    methods = both.methods(progress)
    # No number at all is worse than any.
    ranked = sorted(methods, key=lambda own: (not isfinite(own.quality.change), own.quality.change))
    reasons = [*_unread(subject, unreadable), *((node, _UNSEEN) for node in both.unfitted)]
    lost = tuple((names[node], why) for node, why in sorted(reasons))
    return Restoration(tuple(ranked), both.own_quality, lost, data.count, both.held_back)


def compare(original: Runtime, smaller: Runtime, data: Data) -> tuple[Quality, Quality]:
    """How good the original and a smaller model are on examples.  Raises PrunecError as running models
    does."""
    own, other = QualityMeter(), QualityMeter()
    for (before, labels), (after, _) in zip(run_batches(original, data), run_batches(smaller, data)):
        own.add(before, before, labels)
        other.add(before, after, labels)
    return own.result(), other.result()


def in_blocks(data: Data) -> Data:
    """The examples in enough blocks to hold some back, where the model leaves their number open."""
    return data if data.whole else replace(data, batch=max(1, min(data.batch, data.count // _BLOCKS)))


def _affected(subject: Subject) -> tuple[list[Reader], tuple[Unreadable, ...]]:
    """The readers of what a plan changes, and what cannot be restored."""
    readers, unreadable = find_readers(subject.analysis)
    graph = subject.analysis.model.graph
    sliced = {piece.name for piece in subject.pruned.slices}
    changed: set[int] = set()
    for index, node in enumerate(graph.nodes):
        own = node.operator is None and node.name in sliced
        if own or any(tensor.node in changed for tensor in node.inputs):
            changed.add(index)
    implied = any(piece.name not in {node.name for node in graph.nodes} for piece in subject.pruned.slices)
    return [own for own in readers if own.source.node in changed or implied], unreadable


def _unread(subject: Subject, unreadable: Sequence[Unreadable]) -> list[tuple[int, str]]:
    places = Places(subject.analysis, subject.pruned)
    inputs = subject.analysis.model.graph.nodes
    return [
        (own.node, own.reason)
        for own in unreadable
        if any(places.shrinks(tensor) for tensor in inputs[own.node].inputs)
    ]
