"""Gradients of a loss in MXNet."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.examples import Data
from prunec.frontends.mxnet.sessions import MXNetSession, open_session
from prunec.frontends.runtime import Array, Gradient

#: How the names of inputs end that take labels.
LABEL_ENDING = "label"


def gradients(symbol: bytes, parameters: Mapping[str, Array], data: Data) -> Iterator[Gradient]:
    """See :meth:`prunec.frontends.runtime.Runtime.gradients`.  A model that ends in a loss of its own brings
    its gradient, for the labels given or else for the classes it predicts."""
    import mxnet as mx

    operation = mx.nd.CachedOp(mx.sym.load_json(symbol.decode("utf-8")))
    names = mx.sym.load_json(symbol.decode("utf-8")).list_inputs()
    session: Optional[MXNetSession] = None
    size = 0
    for inputs, labels in data.batches():
        count = len(next(iter(inputs.values())))
        if session is None or count != size:
            session, size = open_session(symbol, parameters, inputs), count
        outputs = session.run(inputs)
        executor = session.executor
        arrays = {**executor.arg_dict, **executor.aux_dict}
        _fill_labels(arrays, session.zeroed, outputs, labels)
        for name in executor.arg_dict:
            if name in parameters:
                arrays[name].attach_grad()
        with mx.autograd.record(train_mode=False):
            found = operation(*(arrays[name] for name in names))
        found = found if isinstance(found, list) else [found]
        heads = [mx.nd.array(h) for h in head_gradients(outputs, labels)]
        mx.autograd.backward(found, heads, train_mode=False)
        trained = frozenset(name for name in executor.arg_dict if name in parameters)

        def gradient(
            name: str, arrays: Mapping[str, Any] = arrays, trained: frozenset[str] = trained
        ) -> Array:
            if name not in trained:
                return np.zeros(parameters[name].shape, dtype=np.float32)
            return np.asarray(arrays[name].grad.asnumpy())

        yield gradient


def _fill_labels(
    arrays: Mapping[str, Any], zeroed: Sequence[str], outputs: Sequence[Array], labels: Optional[Array]
) -> None:
    """Labels for a model that takes them as inputs nobody gave: the true ones, or those it predicts."""
    for name in zeroed:
        if not name.endswith(LABEL_ENDING):
            continue
        chosen = labels
        if chosen is None and outputs and outputs[0].ndim == 2:
            chosen = outputs[0].argmax(axis=1)
        if chosen is not None and arrays[name].shape == chosen.shape:
            arrays[name][:] = chosen.astype(np.float32)


def head_gradients(outputs: Sequence[Array], labels: Optional[Array]) -> list[Array]:
    """The gradient of the loss by each output."""
    heads = []
    for output in outputs:
        values = output.astype(np.float64)
        scored = labels is not None and values.ndim == 2 and values.shape[1] > int(labels.max())
        if scored and labels is not None:
            heads.append(_cross_entropy_gradient(values, labels).astype(output.dtype))
        else:
            heads.append((values / max(float((values**2).sum()), 1e-30)).astype(output.dtype))
    return heads


def _cross_entropy_gradient(values: Array, labels: Array) -> Array:
    rows = np.arange(len(labels))
    probable = (values >= 0).all() and np.allclose(values.sum(axis=1), 1.0, atol=1e-3)
    result = np.zeros_like(values)
    if probable:
        result[rows, labels] = -1.0 / np.maximum(values[rows, labels], 1e-12)
    else:
        shifted = np.exp(values - values.max(axis=1, keepdims=True))
        result = shifted / shifted.sum(axis=1, keepdims=True)
        result[rows, labels] -= 1.0
    return np.asarray(result / len(labels))
