"""The proof: what agrees, and for which sliced parameters that speaks."""

from __future__ import annotations

from typing import Optional

import numpy as np

from prunec.rewriting.places import Places, cut_alike
from prunec.verifying.comparing import ComparedModels, Course, compare, course
from prunec.verifying.dependence import Break
from prunec.verifying.running import Examples, Subject, random_nodes
from prunec.verifying.verdict import Restart, Verdict
from prunec.verifying.witnesses import witnesses


def prove(subject: Subject, examples: Examples) -> Verdict:
    """Compares the two models on some examples.  Raises PrunecError P700 to P705 where one cannot be run."""
    way = course(subject)
    found = compare(subject, examples, way)
    if not all(own.agrees for own in found.all):
        # An operator that draws random numbers gives two models different ones.
        random = random_nodes(subject, examples.first)
        if random:
            way = course(subject, random)
            found = compare(subject, examples, way)
    return _verdict(subject, examples, way, found)


def _verdict(subject: Subject, examples: Examples, way: Course, found: ComparedModels) -> Verdict:
    nodes = subject.analysis.model.graph.nodes
    breaks = sorted(way.depends.breaks.items())
    statistics = any(why is Break.STATISTICS for _, why in breaks)
    return Verdict(
        found.all,
        witnesses(subject, examples, way, found),
        tuple(Restart(nodes[node].name, why.value, why is Break.STATISTICS) for node, why in breaks),
        quality=_quality(subject, examples, found) if statistics else None,
        zeroed=found.small.zeroed,
    )


def _quality(subject: Subject, examples: Examples, found: ComparedModels) -> Optional[float]:
    """How far the outputs are from those of the masked original: the root mean square of the difference,
    relative to that of the output, the largest of all outputs."""
    session = subject.original.session(examples.first, None, subject.masked)
    kept = cut_alike(Places(subject.analysis, subject.pruned).outputs, session.run(examples.first))
    shares = []
    for expected, actual in zip(kept, found.small.outputs):
        if expected.dtype.kind == "f" and expected.shape == actual.shape and expected.size:
            a, b = expected.astype(np.float64), actual.astype(np.float64)
            finite = np.isfinite(a) & np.isfinite(b)
            scale = np.sqrt(np.mean(a[finite] ** 2)) if finite.any() else 0.0
            if scale > 0:
                shares.append(float(np.sqrt(np.mean((a[finite] - b[finite]) ** 2)) / scale))
    return max(shares, default=None)
