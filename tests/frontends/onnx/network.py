"""Writing down small ONNX networks, and pruning them at random.

Needs onnx: tests call ``pytest.importorskip("onnx")`` before they import this module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import onnx
import pytest
from damage import survivors
from onnx import TensorProto, helper, numpy_helper

from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import illegal, uniform
from prunec.frontends.onnx.model import OnnxModel, model_of
from prunec.frontends.onnx.model_runtime import OnnxRuntime
from prunec.frontends.onnx.preparing import prepared_like
from prunec.frontends.onnx.protobuf import parse_file
from prunec.frontends.onnx.writer import with_constants
from prunec.language.library import load
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.slicing import mask_array
from prunec.verifying.proof import prove
from prunec.verifying.running import Examples, Subject
from prunec.verifying.verdict import Outcome, Verdict, merged

RULES = load(["onnx.prune"])
#: Inputs on which a wrong slice would pass unseen are followed by others.
MOST_DRAWS = 4


@dataclass
class Net:
    """A network while it is written down; values are named by their operator and number."""

    opset: int = 17
    seed: int = 0
    nodes: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    sizes: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def input(self, name: str, *shape: Any, kind: int = TensorProto.FLOAT) -> str:
        """An input; a size that is a text is open."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        self.sizes[name] = shape
        return name

    def weight(self, name: str, *shape: int, positive: bool = False) -> str:
        """A parameter with random distinct elements."""
        values = self.random.standard_normal(shape)
        values = np.abs(values) + 0.5 if positive else values / np.sqrt(max(1, np.prod(shape[1:])))
        self.initializers.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def numbers(self, name: str, values: Any, node: bool = False, dtype: Any = np.int64) -> str:
        """A constant, as an initialiser or as a node."""
        tensor = numpy_helper.from_array(np.array(values, dtype=dtype), name)
        if node:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.initializers.append(tensor)
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node; gives the names of its outputs, one as a text."""
        number = sum(node.op_type == kind for node in self.nodes)
        names = [f"{kind}_{number}" if outputs == 1 else f"{kind}_{number}_{k}" for k in range(outputs)]
        domain = attributes.pop("domain", "")
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def output(self, name: str, rank: Optional[int] = None, kind: int = TensorProto.FLOAT) -> None:
        """An output."""
        shape = None if rank is None else [None] * rank
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def conv(self, x: str, name: str, i: int, o: int, kernel: int = 3, **attributes: Any) -> str:
        """A convolution that keeps the size, with parameters ``name_w`` and ``name_b``."""
        group = attributes.get("group", 1)
        weight = self.weight(f"{name}_w", o, i // group, kernel, kernel)
        attributes.setdefault("pads", [kernel // 2] * 4)
        bias = self.weight(f"{name}_b", o)
        return str(self.op("Conv", x, weight, bias, kernel_shape=[kernel, kernel], **attributes))

    def norm(self, x: str, name: str, c: int) -> str:
        """A batch normalisation."""
        weights = [self.weight(f"{name}_{part}", c) for part in ("scale", "shift", "mean")]
        var = self.weight(f"{name}_var", c, positive=True)
        return str(self.op("BatchNormalization", x, *weights, var))

    def dense(self, x: str, name: str, i: int, o: int) -> str:
        """A dense layer on the last axis: a product and a sum."""
        product = self.op("MatMul", x, self.weight(f"{name}_w", i, o))
        return str(self.op("Add", product, self.weight(f"{name}_b", o)))

    def head(self, x: str, c: int) -> None:
        """The end of a classifier: the mean over positions, and a dense layer ``fc``."""
        flat = self.op("Flatten", self.op("GlobalAveragePool", x))
        y = self.op("Gemm", flat, self.weight("fc_w", 5, c), self.weight("fc_b", 5), transB=1)
        self.output(y, 2)

    def proto(self, domains: Sequence[str] = ()) -> Any:
        """The model's message, checked."""
        if self.opset > onnx.defs.onnx_opset_version():
            pytest.skip(f"needs an onnx package that knows version {self.opset} of the operators")
        graph = helper.make_graph(self.nodes, "network", self.inputs, self.outputs, self.initializers)
        imports = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(d, 1) for d in domains)]
        model = helper.make_model(graph, opset_imports=imports, producer_name="tests")
        model.ir_version = min(8 if self.opset < 19 else 10, onnx.IR_VERSION)
        onnx.checker.check_model(model)
        return model

    def shapes(self, **given: int) -> dict[str, tuple[int, ...]]:
        """The shapes of the inputs, open sizes as given."""
        return {
            name: tuple(given[size] if isinstance(size, str) else size for size in shape)
            for name, shape in self.sizes.items()
        }


@dataclass(frozen=True)
class Result:
    """A pruned network: ``verdict`` compares it with the masked original; ``cut`` are the axes of parameters
    that became shorter, with their sizes before and after, ``left`` is the share of elements left."""

    model: OnnxModel
    analysis: Analysis
    pruned: Pruned
    subject: Subject
    examples: Sequence[Examples]
    verdict: Verdict
    cut: Mapping[tuple[str, int], tuple[int, int]]
    left: float

    @property
    def error(self) -> float:
        return self.verdict.error

    @property
    def proved(self) -> bool:
        return self.verdict.proved

    @property
    def warnings(self) -> list[str]:
        return [warning.headline for warning in self.analysis.warnings]


def prune(
    proto: Any,
    inputs: Mapping[str, tuple[int, ...]] = {},
    ratio: float = 0.5,
    seed: int = 0,
    strict: bool = False,
    others: Sequence[Mapping[str, tuple[int, ...]]] = (),
    drawn: Mapping[str, tuple[int, ...]] = {},
) -> Result:
    """Prunes a model at random and compares; ``others`` are more shapes of the inputs to compare on.  Where
    the model leaves sizes open and is not told them, ``drawn`` are the shapes that are compared on first."""
    data = proto if isinstance(proto, bytes) else proto.SerializeToString()
    model = model_of(data, Path("network.onnx"), inputs)
    analysis = analyse(model, RULES, strict)
    model = analysis.model
    random = np.random.default_rng(seed)
    removed = uniform(analysis.solution, ratio, random.random(analysis.solution.unit_count))
    assert not illegal(analysis.solution, removed)
    pruned = emit(analysis, removed)
    onnx.checker.check_model(onnx.load_from_string(pruned.model), full_check=True)
    subject = subject_of(model, analysis, pruned, runtime_of(pruned.model, model))
    shapes = (
        inputs
        or drawn
        or {
            value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            for value in model.file.proto.graph.input
            if value.name not in model.content.constants
        }
    )
    draw = model.runtime().draw
    examples = [Examples(draw(own, seed), draw(own, seed + 100)) for own in (shapes, *others)]
    verdicts = [prove(subject, own) for own in examples]
    while merged(tuple(verdicts)).outcome is Outcome.NOT_PROVED and len(examples) < MOST_DRAWS:
        examples.append(
            Examples(draw(shapes, seed + len(examples)), draw(shapes, seed + 100 + len(examples)))
        )
        verdicts.append(prove(subject, examples[-1]))
    verdict = merged(tuple(verdicts))
    cut = {
        (own.name, axis): (before, after)
        for own in pruned.slices
        for axis, (before, after) in enumerate(zip(own.shape, own.new_shape))
        if before != after
    }
    before = sum(int(np.prod(shape)) for shape in model.parameter_shapes.values())
    gone = sum(int(np.prod(s.shape)) - int(np.prod(s.new_shape)) for s in pruned.slices)
    return Result(model, analysis, pruned, subject, examples, verdict, cut, 1 - gone / before)


def surviving(result: Result) -> list[str]:
    """Damage to single parameters of the smaller model that running the two does not show."""
    small = runtime_of(result.pruned.model, result.model).file.proto

    def damaged(name: str, array: np.ndarray) -> OnnxRuntime:
        return runtime_of(with_constants(small, {name: array}).SerializeToString(), result.model)

    originals = {own.name: result.model.parameter(own.name) for own in result.pruned.slices}
    return survivors(result.subject, result.verdict, originals, list(result.examples), damaged)


def subject_of(model: OnnxModel, analysis: Analysis, pruned: Pruned, smaller: OnnxRuntime) -> Subject:
    """A model and what was made of it, to be compared."""
    masked = {own.name: mask_array(own, model.parameter(own.name)) for own in pruned.slices}
    return Subject(analysis, pruned, model.runtime(), smaller, masked)


def runtime_of(data: bytes, model: OnnxModel) -> OnnxRuntime:
    """What runs a smaller model, by the values of the original."""
    smaller = prepared_like(parse_file(data, Path("smaller.onnx")), model.file)
    return OnnxRuntime(smaller, model.content)
