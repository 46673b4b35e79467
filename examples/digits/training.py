"""Training and measuring a model, the same for the network as it was and as prunec made it."""

from __future__ import annotations

import json
import os
import random
from typing import Callable, Optional

import mxnet as mx
import numpy as np
from data import Split, digits

BATCH = 64


def module(symbol: mx.sym.Symbol) -> mx.mod.Module:
    """The network with places for a batch of images and their labels."""
    return mx.mod.Module(symbol, data_names=["data"], label_names=["softmax_label"], context=mx.cpu())


def fit(
    symbol: mx.sym.Symbol,
    parameters: dict[str, mx.nd.NDArray],
    epochs: int,
    rate: float,
    images: Optional[Split] = None,
    seed: int = 0,
    each: Optional[Callable[[dict[str, mx.nd.NDArray]], None]] = None,
) -> dict:
    """Train on the training images and return the parameters, keyed ``arg:name`` and ``aux:name``.

    Starts from ``parameters``, or from random values where there are none.  The learning rate falls
    from ``rate`` to zero along half a cosine.  The images are the digits unless others are given; their
    order, and random values, come from ``seed``.  ``each`` is called with the parameters after each epoch.
    """
    random.seed(seed)
    np.random.seed(seed)
    mx.random.seed(seed)
    train, _, labels, _ = images or digits()
    batches = mx.io.NDArrayIter(train, labels, BATCH, shuffle=True, last_batch_handle="discard")
    steps = epochs * (len(train) // BATCH)
    arguments, states = split(parameters)
    network = module(symbol)
    network.fit(
        batches,
        eval_metric="acc",
        epoch_end_callback=None if each is None else lambda _, __, *found: each(keyed(*found)),
        num_epoch=epochs,
        initializer=mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2),
        arg_params=arguments or None,
        aux_params=states or None,
        optimizer="sgd",
        optimizer_params={
            "learning_rate": rate,
            "lr_scheduler": mx.lr_scheduler.CosineScheduler(steps, base_lr=rate),
            "momentum": 0.9,
            "wd": 5e-4,
        },
    )
    return keyed(*network.get_params())


def settled(symbol: mx.sym.Symbol, parameters: dict[str, mx.nd.NDArray], images: np.ndarray) -> dict:
    """The same network, with the statistics of its normalisations as they are over some images.

    Scales and shifts change with them, so that it computes what it did.  Training normalises by the
    statistics of each batch, which are not those that a restored network was left with: without this, its
    first steps undo what restoring did.
    """
    found, inner = dict(parameters), symbol.get_internals()
    nodes = json.loads(symbol.tojson())["nodes"]
    for node in nodes:
        if node["op"] == "BatchNorm":
            source, *names = (nodes[entry[0]]["name"] for entry in node["inputs"])
            keys = [f"{kind}:{name}" for kind, name in zip(("arg", "arg", "aux", "aux"), names)]
            values = _run(inner[f"{source}_output"], found, images)
            scale, shift, centre, variance = (found[key].asnumpy() for key in keys)
            mean, square = values.mean(axis=(0, 2, 3)), values.var(axis=(0, 2, 3))
            small = float(node["attrs"].get("eps", 1e-3))
            slope = scale / np.sqrt(variance + small)
            new = (slope * np.sqrt(square + small), shift + slope * (mean - centre), mean, square)
            found.update((key, mx.nd.array(value)) for key, value in zip(keys, new))
    return found


def _run(symbol: mx.sym.Symbol, parameters: dict[str, mx.nd.NDArray], images: np.ndarray) -> np.ndarray:
    arguments, states = split(parameters)
    needed = {name: arguments[name] for name in symbol.list_arguments() if name in arguments}
    kept = {name: states[name] for name in symbol.list_auxiliary_states()}
    bound = symbol.bind(mx.cpu(), {**needed, "data": mx.nd.array(images)}, aux_states=kept)
    return bound.forward(is_train=False)[0].asnumpy()


def accuracy(
    symbol: mx.sym.Symbol, parameters: dict[str, mx.nd.NDArray], images: Optional[Split] = None
) -> float:
    """The share of the held-out images that the network names correctly."""
    _, test, _, labels = images or digits()
    network = module(symbol)
    batches = mx.io.NDArrayIter(test, labels, BATCH)
    network.bind(batches.provide_data, batches.provide_label, for_training=False)
    network.set_params(*split(parameters))
    answers = network.predict(batches).asnumpy().argmax(axis=1)
    return float((answers == labels).mean())


def split(parameters: dict[str, mx.nd.NDArray]) -> tuple[dict, dict]:
    """The learned arguments and the auxiliary states, under their bare names."""
    kinds: tuple[dict, dict] = ({}, {})
    for name, value in parameters.items():
        kinds[name.startswith("aux:")][name[4:]] = value
    return kinds


def keyed(arguments: dict[str, mx.nd.NDArray], states: dict[str, mx.nd.NDArray]) -> dict:
    """Learned arguments and auxiliary states as a parameter file has them."""
    found = {f"arg:{name}": value for name, value in arguments.items()}
    return {**found, **{f"aux:{name}": value for name, value in states.items()}}


def save(path: str, parameters: dict[str, mx.nd.NDArray]) -> None:
    """Write a parameter file; it appears when it is complete."""
    mx.nd.save(path + ".part", parameters)
    os.replace(path + ".part", path)
