"""Does the smaller model compute what the original computes?  MXNet runs both, and this compares."""

from __future__ import annotations

import json
from typing import Mapping, Optional, Sequence, Union

from prunec.comparison import ORIGINAL, SMALLER, TOLERANCE, Array, Verdict, draw, output_verdict
from prunec.diagnostics import about
from prunec.mxnet.runtime import Session, open_session


def compare(
    original: bytes,
    pruned: bytes,
    masked_parameters: Mapping[str, Array],
    pruned_parameters: Mapping[str, Array],
    inputs: Mapping[str, Union[tuple[int, ...], Array]],
    seed: int = 0,
    tolerance: float = TOLERANCE,
    watch: Optional[Sequence[tuple[int, int]]] = None,
) -> Verdict:
    """Run both models on the same random inputs and compare their outputs.

    ``original`` and ``pruned`` are symbol files whose nodes correspond one to one.  ``inputs`` gives each
    input's shape, for normally distributed values, or its values (indices of an embedding, lengths).
    ``watch`` names values to compare in place of the outputs, by node and output index: what enters an
    operator that is not continuous.  The same arguments give the same verdict.

    Everything is computed in float32, and the original runs a second time on other inputs to see
    whether its outputs depend on them at all.

    Raises :class:`PrunecError` as :func:`prunec.mxnet.runtime.run` does.
    """
    first, second = draw(inputs, seed), draw(inputs, seed + 1, others=True)
    # One model after the other: the memory of a large network is taken once.
    with about(ORIGINAL):
        session = open_session(original, masked_parameters, first, watch)
        expected, other = session.run(first), session.run(second)
    zeroed = session.zeroed
    del session
    with about(SMALLER):
        smaller: Session = open_session(pruned, pruned_parameters, first, watch)
        actual = smaller.run(first)
    compared = zip(_names(original, watch), expected, actual, other)
    outputs = tuple(output_verdict(name, a, b, c, tolerance) for name, a, b, c in compared)
    return Verdict(outputs, zeroed)


def _names(symbol_json: bytes, watch: Optional[Sequence[tuple[int, int]]]) -> list[str]:
    """How the compared values are called: by node, and by output index where it is not the first."""
    document = json.loads(symbol_json)
    tensors = [(head[0], head[1]) for head in document["heads"]] if watch is None else watch
    names = [str(document["nodes"][node].get("name", node)) for node, _ in tensors]
    return [f"{name}[{output}]" if output else name for name, (_, output) in zip(names, tensors)]
