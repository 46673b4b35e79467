"""An ONNX model as the rest of prunec runs it: in ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.examples import Data
from prunec.frontends.onnx.graph import GraphOfFile
from prunec.frontends.onnx.input_sizes import declared_shape
from prunec.frontends.onnx.preparing import prepared_like
from prunec.frontends.onnx.protobuf import OnnxFile, onnx_package
from prunec.frontends.onnx.segments import MessageParts, parts_of, segment
from prunec.frontends.onnx.sessions import OnnxSession, input_types, open_session
from prunec.frontends.onnx.writer import with_constants
from prunec.frontends.runtime import Array, Feeds, Gradient
from prunec.graph import Shape, Tensor
from prunec.support.comparison import draw
from prunec.support.diagnostics import Diagnostic, PrunecError


class OnnxRuntime:
    """Runs the message of a file, and messages made of it."""

    def __init__(self, file: OnnxFile, content: GraphOfFile) -> None:
        self.file, self.content = file, content

    @cached_property
    def _inputs(self) -> dict[str, Any]:
        """The declarations of the inputs that are no constants."""
        values = self.file.proto.graph.input
        return {values[s.index].name: values[s.index] for s in self.content.sources if s.kind == "input"}

    def examples(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """See :class:`prunec.frontends.runtime.Runtime`; only a batch size that the file leaves open can be
        any."""
        return {name: _batched(shapes.get(name, ()), value) for name, value in self._inputs.items()}

    def draw(self, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        return draw(shapes, seed, self._types)

    @cached_property
    def _types(self) -> dict[str, np.dtype[Any]]:
        return input_types(self.file.proto)

    def session(
        self,
        inputs: Mapping[str, Array],
        tensors: Optional[Sequence[Tensor]] = None,
        parameters: Mapping[str, Array] = {},
        network: Optional[bytes] = None,
    ) -> OnnxSession:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        proto = self.file.proto
        if network is not None:
            proto = prepared_like(OnnxFile(self.file.path, self._placed(network), ""), self.file).proto
        wanted = None if tensors is None else [self._names[tensor] for tensor in tensors]
        return open_session(with_constants(proto, parameters), self.file.folder, wanted)

    def segment(
        self,
        feeds: Feeds,
        fetches: Sequence[Tensor],
        parameters: Mapping[str, Array] = {},
    ) -> OnnxSession:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        names = self._names
        by_name = {names[key] if isinstance(key, Tensor) else key: array for key, array in feeds.items()}
        part = segment(self._parts, by_name, [names[tensor] for tensor in fetches], parameters)
        session = open_session(part, self.file.folder, inner=True)
        return replace(session, feeds={key: names[key] for key in feeds if isinstance(key, Tensor)})

    @cached_property
    def _parts(self) -> MessageParts:
        return parts_of(self.file.proto)

    @cached_property
    def _names(self) -> dict[Tensor, str]:
        return {tensor: name for name, tensor in self.content.tensors.items()}

    def _placed(self, network: bytes) -> Any:
        """A message made of the file's; external data that did not change are where the original has them."""
        onnx = onnx_package()
        proto = onnx.load_model_from_string(network)
        external = onnx.TensorProto.EXTERNAL
        old = {tensor.name: tensor for tensor in self.file.proto.graph.initializer}
        for tensor in proto.graph.initializer:
            if tensor.data_location == external and tensor.dims == old[tensor.name].dims:
                tensor.CopyFrom(old[tensor.name])
        return proto

    def gradients(self, data: Data) -> Iterator[Gradient]:
        """ONNX Runtime computes none: raises PrunecError P536."""
        raise PrunecError(
            Diagnostic(
                "P536",
                "ONNX Runtime gives no gradients",
                notes=(
                    "the gradient of the loss by each weight is needed, and models are run there as they are",
                ),
                help="choose another criterion from data, such as activation or reconstruction",
            )
        )


def _batched(shape: Shape, value: Any) -> Shape:
    declared = declared_shape(value)
    fixed = declared[0] if declared else None
    return (None, *shape[1:]) if shape[:1] == (1,) and fixed is None else shape
