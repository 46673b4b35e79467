"""Words, positions and heads of attention."""

from __future__ import annotations

from typing import Any

import mxnet as mx

from networks.case import Case, Pair, dense, inputs, network, outputs, relu

WORDS = {"words": (2, 7)}
VOCABULARY = 11
HEADS = 3


def _embedding(width: int) -> Any:
    return mx.sym.Embedding(mx.sym.var("words"), name="embed", input_dim=VOCABULARY, output_dim=width)


def _case(name: str, x: Any, removable: tuple[Pair, ...], approximate: tuple[Pair, ...] = ()) -> Case:
    kept = (("embed_weight", 0), ("fc_weight", 0), ("fc_bias", 0))
    return Case(name, x, WORDS, removable, kept, approximate, {"words": VOCABULARY})


@network
def embedding() -> Case:
    x = mx.sym.mean(_embedding(12), axis=1)
    x = dense(relu(dense(x, "fc1", 10)), "fc", 5)
    removable = (("embed_weight", 1), *outputs("fc1"), *inputs("fc1", "fc"))
    return _case("embedding", x, removable)


@network
def embedding_flattened() -> Case:
    """The dense layer sees (T*D): a removed channel leaves seven slices of it."""
    x = dense(_embedding(12), "fc", 5)
    return _case("embedding_flattened", x, (("embed_weight", 1), *inputs("fc")))


@network
def embedding_tied() -> Case:
    """The output layer uses the embedding's own table."""
    table = mx.sym.var("embed_weight")
    x = mx.sym.Embedding(mx.sym.var("words"), table, name="embed", input_dim=VOCABULARY, output_dim=12)
    x = relu(dense(x, "fc1", 10, flatten=False))
    x = dense(x, "fc2", 12, flatten=False)
    x = dense(x, "logits", VOCABULARY, weight=table, no_bias=True, flatten=False)
    removable = (*outputs("fc1", "fc2"), ("embed_weight", 1), *inputs("fc1", "fc2"))
    return Case("embedding_tied", x, WORDS, removable, (("embed_weight", 0),), integers={"words": VOCABULARY})


def _normed(x: Any, name: str) -> Any:
    return mx.sym.LayerNorm(x, name=name, axis=-1)


def _feed_forward(x: Any, name: str, hidden: int, width: int) -> Any:
    y = mx.sym.LeakyReLU(dense(x, f"{name}_inner", hidden, flatten=False), act_type="gelu")
    return x + dense(y, f"{name}_outer", width, flatten=False)


@network
def feed_forward() -> Case:
    """The inner units go exactly; the width is under layer normalisation."""
    x = _normed(_embedding(16), "norm1")
    x = _normed(_feed_forward(x, "ff", 24, 16), "norm2")
    x = dense(mx.sym.mean(x, axis=1), "fc", 5)
    approximate = (
        ("embed_weight", 1),
        *(("norm1_gamma", 0), ("norm2_beta", 0)),
        *inputs("ff_inner", "fc"),
        *outputs("ff_outer"),
    )
    removable = (*outputs("ff_inner"), *inputs("ff_outer"))
    return _case("feed_forward", x, removable, approximate)


def _heads(x: Any, transposed: bool = False) -> Any:
    """(N, T, H*D) to (N*H, T, D), or (N*H, D, T)."""
    x = mx.sym.Reshape(x, shape=(0, 0, -4, HEADS, -1))
    x = mx.sym.transpose(x, axes=(0, 2, 3, 1) if transposed else (0, 2, 1, 3))
    return mx.sym.Reshape(x, shape=(-3, -2))


def _attention(x: Any, name: str, width: int, inner: int, transposed: bool) -> Any:
    query, key, value = (
        dense(x, f"{name}_{part}", inner, flatten=False) for part in ("query", "key", "value")
    )
    scores = mx.sym.batch_dot(_heads(query), _heads(key, transposed), transpose_b=not transposed)
    weights = mx.sym.softmax(scores * 0.35, axis=-1)
    mixed = mx.sym.batch_dot(weights, _heads(value))
    mixed = mx.sym.Reshape(mixed, shape=(-4, -1, HEADS, 0, 0))
    mixed = mx.sym.Reshape(mx.sym.transpose(mixed, axes=(0, 2, 1, 3)), shape=(0, 0, -3))
    return x + dense(mixed, f"{name}_out", width, flatten=False)


@network
def encoder() -> Case:
    """Two layers of attention, once with ``transpose_b``, once with the keys already transposed."""
    x = _embedding(16)
    for layer, transposed in (("one", False), ("two", True)):
        x = _normed(_attention(x, layer, 16, 24, transposed), f"{layer}_norm")
        x = _feed_forward(x, f"{layer}_ff", 20, 16)
    x = dense(mx.sym.mean(x, axis=1), "fc", 5)
    removable: tuple[Pair, ...] = ()
    for layer in ("one", "two"):
        parts = (f"{layer}_query", f"{layer}_key", f"{layer}_value", f"{layer}_ff_inner")
        removable += (*outputs(*parts), *inputs(f"{layer}_out", f"{layer}_ff_outer"))
    approximate = (("embed_weight", 1), ("one_norm_gamma", 0), *inputs("one_query"), *outputs("one_out"))
    return _case("encoder", x, removable, approximate)


@network
def fused_attention() -> Case:
    """Queries, keys and values interleaved head by head in one dense layer.

    The operator scales by the width of a head, so that exactly only whole heads can go.
    """
    x = mx.sym.transpose(_embedding(16), axes=(1, 0, 2))
    fused = dense(x, "fused", HEADS * 3 * 8, flatten=False)
    scores = mx.sym.contrib.interleaved_matmul_selfatt_qk(fused, heads=HEADS)
    weights = mx.sym.softmax(scores, axis=-1)
    mixed = mx.sym.contrib.interleaved_matmul_selfatt_valatt(fused, weights, heads=HEADS)
    x = x + dense(mixed, "out", 16, flatten=False)
    x = dense(mx.sym.mean(x, axis=0), "fc", 5)
    removable = (("embed_weight", 1), *outputs("out"), *inputs("fused", "fc"))
    return _case("fused_attention", x, removable, (*outputs("fused"), *inputs("out")))


@network
def attention_divided() -> Case:
    """Scores divided by the root of their width: removal of query channels changes the divisor."""
    x = _embedding(12)
    query, key, value = (dense(x, part, 10, flatten=False) for part in ("query", "key", "value"))
    scores = mx.sym.batch_dot(mx.sym.contrib.div_sqrt_dim(query), key, transpose_b=True)
    mixed = mx.sym.batch_dot(mx.sym.softmax(scores, axis=-1), value)
    x = dense(mx.sym.mean(mixed, axis=1), "fc", 5)
    removable = (("embed_weight", 1), *outputs("value"), *inputs("query", "key", "value", "fc"))
    return _case("attention_divided", x, removable, outputs("query", "key"))


BUILDERS = (
    embedding,
    embedding_flattened,
    embedding_tied,
    feed_forward,
    encoder,
    fused_attention,
    attention_divided,
)
