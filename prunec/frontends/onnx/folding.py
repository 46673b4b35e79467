"""Computing a node from constants, with the reference implementation that comes with the onnx package."""

from __future__ import annotations

import importlib
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.onnx.protobuf import onnx_package
from prunec.graph import MAXIMUM_KNOWN, Known


class Folder:
    """Computes nodes whose inputs are small arrays of numbers.

    Made for the nodes of a graph, by index.  Whoever asks has made sure that the outputs are small.
    """

    def __init__(self, nodes: Mapping[int, Any], proto: Any) -> None:
        self._nodes = nodes
        self._imports = list(proto.opset_import)
        self._evaluators: dict[int, Any] = {}

    def __call__(self, node: int, inputs: Sequence[Known]) -> Optional[Sequence[Known]]:
        """The outputs; ``None`` where there is no implementation or it fails."""
        if any(array.dtype.kind not in "iufb" or array.size > MAXIMUM_KNOWN for array in inputs):
            return None
        if node not in self._evaluators:
            self._evaluators[node] = self._evaluator(node, inputs)
        evaluator = self._evaluators[node]
        results = None if evaluator is None else _run(evaluator, inputs)
        if results is None:
            return None
        found = iter(results)
        nothing = np.zeros(0)
        return [next(found) if name else nothing for name in self._nodes[node].output]

    def _evaluator(self, node: int, inputs: Sequence[Known]) -> Any:
        """A model of the node alone; ``None`` where it cannot be made, or gives something else each time."""
        onnx = onnx_package()
        reference = importlib.import_module("onnx.reference")
        kinds = onnx.AttributeProto
        original = self._nodes[node]
        if any(a.type in (kinds.GRAPH, kinds.GRAPHS) for a in original.attribute):
            return None
        copy = onnx.NodeProto()
        copy.CopyFrom(original)
        names = iter(range(len(original.input)))
        copy.input[:] = [f"i{next(names)}" if name else "" for name in original.input]
        copy.output[:] = [f"o{n}" if name else "" for n, name in enumerate(original.output)]
        untyped = onnx.TensorProto.UNDEFINED
        graph = onnx.helper.make_graph(
            [copy],
            "node",
            [onnx.helper.make_tensor_value_info(name, untyped, None) for name in copy.input if name],
            [onnx.helper.make_tensor_value_info(name, untyped, None) for name in copy.output if name],
        )
        try:
            model = onnx.helper.make_model(graph, opset_imports=self._imports)
            evaluator = reference.ReferenceEvaluator(model)
        except Exception:  # an operator without an implementation, or of a domain of its own
            return None
        first, second = _run(evaluator, inputs), _run(evaluator, inputs)
        if first is None or second is None:
            return None
        alike = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(first, second))
        return evaluator if alike else None


def _run(evaluator: Any, inputs: Sequence[Known]) -> Optional[Sequence[Known]]:
    try:
        with np.errstate(all="ignore"):
            results = evaluator.run(None, dict(zip(evaluator.input_names, inputs)))
    except Exception:  # whatever an implementation raises for values it was not made for
        return None
    numbers = all(isinstance(array, (np.ndarray, np.generic)) for array in results)
    if not numbers or any(np.asarray(array).dtype.kind not in "iufb" for array in results):
        return None
    return [np.asarray(array) for array in results]
