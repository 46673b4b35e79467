"""Small networks as symbol files written by hand, and reports of them; needs no MXNet."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import uniform
from prunec.frontends.mxnet.headings import headings
from prunec.frontends.mxnet.model import MXNetModel
from prunec.frontends.mxnet.symbol import read_symbol, to_graph
from prunec.language.library import RuleSet, load
from prunec.planning.choose import Plan
from prunec.planning.planfile import Origin
from prunec.reporting.report import render_report
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.unified_diff import unified_diff

COMMAND = ("prunec", "compile", "net-symbol.json", "--ratio", "0.5")


@functools.lru_cache(maxsize=1)
def rules() -> RuleSet:
    """The built-in rules, read once."""
    return load(["default.prune"])


@dataclass
class Symbol:
    """A symbol file in the making; every method gives the index of the node it adds."""

    nodes: list[dict[str, Any]] = field(default_factory=list)

    def variable(self, name: str, **attributes: str) -> int:
        self.nodes.append({"op": "null", "name": name, "attrs": attributes, "inputs": []})
        return len(self.nodes) - 1

    def node(self, operator: str, name: str, inputs: list[int], **attributes: object) -> int:
        attrs = {key: str(value) for key, value in attributes.items()}
        entries = [[index, 0, 0] for index in inputs]
        self.nodes.append({"op": operator, "name": name, "attrs": attrs, "inputs": entries})
        return len(self.nodes) - 1

    def convolution(self, name: str, data: int, filters: int, kernel: int = 3, bias: bool = False) -> int:
        inputs = [data, self.variable(f"{name}_weight")]
        inputs += [self.variable(f"{name}_bias")] if bias else []
        size, pad = (kernel, kernel), (kernel // 2, kernel // 2)
        return self.node(
            "Convolution", name, inputs, kernel=size, pad=pad, num_filter=filters, no_bias=not bias
        )

    def batch_norm(self, name: str, data: int) -> int:
        own = [self.variable(f"{name}_{part}") for part in ("gamma", "beta", "running_mean", "running_var")]
        return self.node("BatchNorm", name, [data, *own], fix_gamma=False)

    def relu(self, name: str, data: int) -> int:
        return self.node("Activation", name, [data], act_type="relu")

    def json(self, head: Optional[int] = None, indent: Optional[int] = 2) -> bytes:
        """The file, with one output: the last node."""
        last = len(self.nodes) - 1 if head is None else head
        document = {
            "nodes": self.nodes,
            "arg_nodes": [i for i, node in enumerate(self.nodes) if node["op"] == "null"],
            "heads": [[last, 0, 0]],
            "attrs": {"mxnet_version": ["int", 10901]},
        }
        return json.dumps(document, indent=indent, ensure_ascii=False).encode("utf-8")


def residual(blocks: int = 3, prefix: str = "net0_", per_stage: int = 8, channels: int = 16) -> bytes:
    """A residual network of ``6 + 17 * blocks`` nodes with a dense classifier."""
    symbol = Symbol()
    data = symbol.variable("data")
    at = symbol.convolution(f"{prefix}stem_conv", data, channels)
    for block in range(blocks):
        scope = f"{prefix}stage{block // per_stage + 1}_unit{block % per_stage}"
        inner = symbol.convolution(f"{scope}_conv0", at, channels)
        inner = symbol.relu(f"{scope}_relu0", symbol.batch_norm(f"{scope}_bn0", inner))
        inner = symbol.batch_norm(f"{scope}_bn1", symbol.convolution(f"{scope}_conv1", inner, channels))
        added = symbol.node("elemwise_add", f"{scope}_plus", [at, inner])
        at = symbol.relu(f"{scope}_relu1", added)
    pooled = symbol.node("Pooling", f"{prefix}pool", [at], global_pool=True, pool_type="avg", kernel=(1, 1))
    weight = symbol.variable(f"{prefix}dense_weight")
    symbol.node("FullyConnected", f"{prefix}dense", [pooled, weight], num_hidden=10, no_bias=True)
    return symbol.json()


def read(
    data: bytes, shape: Optional[tuple[int, ...]] = (1, 3, 32, 32), name: str = "net-symbol.json"
) -> MXNetModel:
    """A model without parameters."""
    shapes = {} if shape is None else {"data": shape}
    file = read_symbol(data, name)
    return MXNetModel(Path(name), file, to_graph(file, None, shapes), None, shapes)


@dataclass(frozen=True)
class Compiled:
    """A model and what half of its channels less make of it."""

    model: MXNetModel
    analysis: Analysis
    plan: Plan
    pruned: Pruned
    diff: bytes

    def report(self) -> str:
        """The report."""
        return render_report(
            self.analysis,
            self.pruned,
            self.plan,
            Origin(self.model.digest, rules().digest, None, False),
            diff=self.diff,
            command=COMMAND,
            version="1.2.3",
            files={self.model.path.name: hashlib.sha256(self.pruned.model).hexdigest()},
        )


def compiled(data: bytes, ratio: float = 0.5, **options: Any) -> Compiled:
    """Reads, analyses and prunes a model."""
    model = read(data, **options)
    analysis = analyse(model, rules())
    removed = uniform(analysis.solution, ratio, np.zeros(analysis.solution.unit_count))
    pruned = emit(analysis, removed)
    diff = unified_diff(model.path.name, data, pruned.model, headings(model.file))
    return Compiled(model, analysis, Plan(removed, {"criterion": "position", "ratio": ratio}), pruned, diff)
