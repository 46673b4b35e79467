"""A small set of operators of our own: the rules that describe them, and what they compute, in numpy.

None of them is an operator of a framework, so what is tested with them is the core alone.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Callable, Mapping

import numpy as np

from prunec.language.parser import parse
from prunec.language.syntax import Rule
from prunec.support.diagnostics import Source

Array = np.ndarray

TEXT = """
op dense(units) {
  data[n, i]; weight[o, i], bias?[o] -> out[n, o]
  units = o
  zero out
}
op dense_flat(units) {
  data[n, *x]; weight[o, (*x)], bias?[o] -> out[n, o]
  units = o
  zero out
}
op dense_last(units) {
  data[*a, i]; weight[o, i], bias?[o] -> out[*a, o]
  units = o
  zero out
}
op grouped(groups, units) {
  data[n, (g i), *x]; weight[(g o), i], bias?[(g o)] -> out[n, (g o), *x]
  groups = g
  units = g * o
  zero out
}
op depthwise(units) {
  data[n, g, *x]; weight[(g m), 1], bias?[(g m)] -> out[n, (g m), *x]
  units = g * m
  keep m
  zero out
}
op normalise {
  data[n, c, *x]; gamma[c], beta[c], mean[c], variance[c] -> out[n, c, *x]
  zero out
  hint neutral variance = 1
}
op rectify, double { data[*x] -> out[*x]  zero out if data }
op shift { data[*x] -> out[*x] }
op add { a[*x], b[*x] -> out[*x]  zero out if a and b }
op multiply { a[*x], b[*x] -> out[*x]  zero out if a or b }
op quotient { a[*x], b[*x] -> out[*x]  zero out if a  hint neutral b = 1 }
op spread_add { a[~*x], b[~*x] -> out[*x]  zero out if a and b }
op spread_multiply { a[~*x], b[~*x] -> out[*x]  zero out if a or b }
op join(axis) { data*[*a, c @ axis, *b] -> out[*a, (+ c), *b]  zero out if data }
op part(axis, parts) {
  data[*a, (+ c) @ axis, *b] -> out*[*a, c, *b]
  parts = count(out)
  balanced c
  zero out if data
}
op part_at(axis, starts) {
  data[*a, (+ c) @ axis, *b] -> out*[*a, c, *b]
  starts = offsets(c)
  zero out if data
}
op cut(axis, begin, end) {
  data[*a, (p + c + q) @ axis, *b] -> out[*a, c, *b]
  start(begin, p + c + q) = p
  stop(end, p + c + q) = p + c
  zero out if data
}
op cut_all(begin, end) {
  data[*(p + c + q)] -> out[*c]
  start(begin, *p + *c + *q) = *p
  stop(end, *p + *c + *q) = *p + *c
  zero out if data
}
op pad(widths) {
  data[*c] -> out[*(p + c + q)]
  widths = interleave(*p, *q)
  zero out if data
}
op reshape(shape, reverse = False) { data[*x] -> out[view(*x, shape, reverse)]  zero out if data }
op permute(axes = None) { data[*x] -> out[permute(*x, axes)]  zero out if data }
op exchange(first, second) { data[*x] -> out[swap(*x, first, second)]  zero out if data }
op flatten { data[n, *x] -> out[n, (*x)]  zero out if data }
op turn(axes) { data[*x] -> out[reverse(*x, axes)]  zero out if data }
op mirror(axis) { data[*a, c @ axis, *b] -> out[*a, (reverse(c) + c), *b]  zero out if data }
op roll(shift, axis) {
  data[*a, (p + q) @ axis, *b] -> out[*a, (q + p), *b]
  start(shift, p + q) = q
  zero out if data
}
op copies(reps) { data[*x] -> out[*(r x)]  reps = *r  keep *r  zero out if data }
op repeats(times, axis) {
  data[*a, c @ axis, *b] -> out[*a, (c r), *b]
  times = r
  keep r
  zero out if data
}
op widen(axis) { data[*a, *b] -> out[*a, 1 @ axis, *b]  zero out if data }
op narrow(axes = None) { data[*x] -> out[squeeze(*x, axes)]  zero out if data }
op total(axes) {
  data[*x] -> out[drop(*x, axes)]
  mixes pick(*x, axes) unless zero data
  zero out if data
}
op mean(axes) { data[*x] -> out[ones(*x, axes)]  mixes pick(*x, axes)  zero out if data }
op soft(axis) { data[*a, c @ axis, *b] -> out[*a, c, *b]  mixes c }
op product {
  a[*b, i, k], b[*b, k, j] -> out[*b, i, j]
  mixes k unless zero a or b
  zero out if a or b
}
op zeros(shape) { -> out[*x]  copy_zero(shape, *x) = *x  zero out }
"""


class SmallRules:
    """Rules by operator."""

    def __init__(self, text: str) -> None:
        self._by_operator: dict[str, list[Rule]] = defaultdict(list)
        for rule in parse(Source("small.prune", text)).rules:
            for operator in rule.operators:
                self._by_operator[operator.name].append(rule)

    def rules_for(self, operator: str) -> tuple[Rule, ...]:
        return tuple(self._by_operator.get(operator, ()))


RULES = SmallRules(TEXT)


def run(operator: str, attributes: Mapping[str, Any], inputs: list[Array]) -> list[Array]:
    """The outputs of an operator; raises what numpy raises for shapes that do not fit."""
    result = _OPERATORS[operator](dict(attributes), *inputs)
    return result if isinstance(result, list) else [result]


def _dense(attributes: dict, data: Array, weight: Array, *bias: Array) -> Array:
    assert weight.shape[0] == attributes["units"], (weight.shape, attributes)
    out = data @ weight.T
    return out + bias[0] if bias else out


def _dense_flat(attributes: dict, data: Array, weight: Array, *bias: Array) -> Array:
    return _dense(attributes, data.reshape(data.shape[0], -1), weight, *bias)


def _grouped(attributes: dict, data: Array, weight: Array, *bias: Array) -> Array:
    groups, units = attributes["groups"], attributes["units"]
    assert weight.shape[0] == units and units % groups == 0 and data.shape[1] % groups == 0, attributes
    pieces = np.split(data, groups, axis=1)
    weights = np.split(weight, groups, axis=0)
    out = np.concatenate([np.einsum("ni...,oi->no...", d, w) for d, w in zip(pieces, weights)], axis=1)
    return _along(out, bias[0]) + out if bias else out


def _depthwise(attributes: dict, data: Array, weight: Array, *bias: Array) -> Array:
    return _grouped({"groups": data.shape[1], **attributes}, data, weight, *bias)


def _along(data: Array, vector: Array) -> Array:
    """A vector over axis 1."""
    assert vector.shape == data.shape[1:2], (vector.shape, data.shape)
    return vector.reshape(-1, *[1] * (data.ndim - 2))


def _normalise(_: dict, data: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
    scaled = (data - _along(data, mean)) / np.sqrt(_along(data, variance))
    return scaled * _along(data, gamma) + _along(data, beta)


def _same_shape(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def checked(_: dict, a: Array, b: Array) -> Array:
        assert a.shape == b.shape, (a.shape, b.shape)
        return function(a, b)

    return checked


def _quotient(a: Array, b: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return a / b


def _part(attributes: dict, data: Array) -> list[Array]:
    return np.split(data, attributes["parts"], axis=attributes["axis"])


def _part_at(attributes: dict, data: Array) -> list[Array]:
    assert attributes["starts"][0] == 0
    return np.split(data, attributes["starts"][1:], axis=attributes["axis"])


def _cut(attributes: dict, data: Array) -> Array:
    index = [slice(None)] * data.ndim
    index[attributes["axis"]] = slice(attributes["begin"], attributes["end"])
    return data[tuple(index)]


def _cut_all(attributes: dict, data: Array) -> Array:
    return data[tuple(slice(a, b) for a, b in zip(attributes["begin"], attributes["end"]))]


def _pad(attributes: dict, data: Array) -> Array:
    widths = attributes["widths"]
    return np.pad(data, list(zip(widths[::2], widths[1::2])))


def viewed(codes: tuple[int, ...], shape: tuple[int, ...], reverse: bool = False) -> tuple[int, ...]:
    """The shape that reshape codes give, written from their description: 0 copies an axis, -1 is
    inferred, -2 copies all that is left, -3 merges two axes, -4 splits one into the two behind it."""
    if reverse:
        pieces, at = [], 0
        while at < len(codes):
            width = 3 if codes[at] == -4 else 1
            pieces.append(codes[at : at + width])
            at += width
        mirrored = [c if len(c) == 1 else (c[0], c[2], c[1]) for c in reversed(pieces)]
        return viewed(tuple(x for c in mirrored for x in c), shape[::-1])[::-1]
    rest, out, todo = list(shape), [], list(codes)
    while todo:
        code = todo.pop(0)
        if code == -4:
            first, second = todo.pop(0), todo.pop(0)
            size = rest.pop(0)
            out += [size // second if first == -1 else first, size // first if second == -1 else second]
        elif code == -3:
            out.append(rest.pop(0) * rest.pop(0))
        elif code == -2:
            out, rest = out + rest, []
        elif code == 0:
            out.append(rest.pop(0))
        else:
            out.append(code)
            del rest[:1]
    if -1 in out:
        known = int(np.prod([size for size in out if size != -1]))
        out[out.index(-1)] = int(np.prod(shape)) // known
    return tuple(out)


def _reshape(attributes: dict, data: Array) -> Array:
    return data.reshape(viewed(attributes["shape"], data.shape, attributes.get("reverse", False)))


def _soft(attributes: dict, data: Array) -> Array:
    powers = np.exp(data - data.max(axis=attributes["axis"], keepdims=True))
    return powers / powers.sum(axis=attributes["axis"], keepdims=True)


def _product(_: dict, a: Array, b: Array) -> Array:
    assert a.shape[:-2] == b.shape[:-2], (a.shape, b.shape)
    return a @ b


_OPERATORS: dict[str, Callable[..., Any]] = {
    "dense": _dense,
    "dense_flat": _dense_flat,
    "dense_last": _dense,
    "grouped": _grouped,
    "depthwise": _depthwise,
    "normalise": _normalise,
    "rectify": lambda _, data: np.maximum(data, 0),
    "double": lambda _, data: 2 * data,
    "shift": lambda _, data: data + 1,
    "add": _same_shape(np.add),
    "multiply": _same_shape(np.multiply),
    "quotient": _same_shape(_quotient),
    "spread_add": lambda _, a, b: a + b,
    "spread_multiply": lambda _, a, b: a * b,
    "join": lambda attributes, *data: np.concatenate(data, axis=attributes["axis"]),
    "part": _part,
    "part_at": _part_at,
    "cut": _cut,
    "cut_all": _cut_all,
    "pad": _pad,
    "reshape": _reshape,
    "permute": lambda attributes, data: data.transpose(attributes["axes"] or None),
    "exchange": lambda attributes, data: data.swapaxes(attributes["first"], attributes["second"]),
    "flatten": lambda _, data: data.reshape(data.shape[0], -1),
    "turn": lambda attributes, data: np.flip(data, attributes["axes"]),
    "mirror": lambda attributes, data: np.concatenate(
        [np.flip(data, attributes["axis"]), data], axis=attributes["axis"]
    ),
    "roll": lambda attributes, data: np.roll(data, attributes["shift"], attributes["axis"]),
    "copies": lambda attributes, data: np.tile(data, attributes["reps"]),
    "repeats": lambda attributes, data: np.repeat(data, attributes["times"], attributes["axis"]),
    "widen": lambda attributes, data: np.expand_dims(data, attributes["axis"]),
    "narrow": lambda attributes, data: data.squeeze(attributes["axes"]),
    "total": lambda attributes, data: data.sum(axis=attributes["axes"]),
    "mean": lambda attributes, data: data.mean(axis=attributes["axes"], keepdims=True),
    "soft": _soft,
    "product": _product,
    "zeros": lambda attributes: np.zeros(attributes["shape"]),
}
