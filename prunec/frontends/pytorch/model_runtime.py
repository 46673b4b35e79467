"""An exported program as the rest of prunec runs it: in PyTorch."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.examples import Data
from prunec.frontends.pytorch.document import Value
from prunec.frontends.pytorch.gradients import gradients
from prunec.frontends.pytorch.graph import GraphOfProgram
from prunec.frontends.pytorch.interpreter import missing
from prunec.frontends.pytorch.program import Program, parse_document
from prunec.frontends.pytorch.sessions import Loaded, PytorchSession, open_session
from prunec.frontends.runtime import Array, Feeds, Gradient
from prunec.graph import Shape, Tensor
from prunec.support.comparison import draw

#: Types of elements of inputs that numpy has; all others are given as float32.
_DRAWN = frozenset(("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"))


class PytorchRuntime:
    """Runs a program with its tensors, and programs made of it."""

    def __init__(self, program: Program, content: GraphOfProgram) -> None:
        self.program, self.content = program, content

    @cached_property
    def _loaded(self) -> Loaded:
        return Loaded(self.program, self.content.tied)

    def examples(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """See :class:`prunec.frontends.runtime.Runtime`; only a batch size that the file leaves open can be
        any."""
        return {name: self._batched(name, shapes.get(name, ())) for name in self.program.text.input_names}

    def _batched(self, name: str, shape: Shape) -> Shape:
        sizes = self.program.text.metas.get(name, {}).get("sizes")
        is_open = isinstance(sizes, list) and bool(sizes) and "as_int" not in sizes[0]
        return (None, *shape[1:]) if shape[:1] == (1,) and is_open else shape

    def draw(self, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        kinds = {name: self._loaded.type_of(name) for name in self.program.text.input_names}
        types = {name: np.dtype(kind) for name, kind in kinds.items() if kind in _DRAWN}
        return draw(shapes, seed, types)

    def session(
        self,
        inputs: Mapping[str, Array],
        tensors: Optional[Sequence[Tensor]] = None,
        parameters: Mapping[str, Array] = {},
        network: Optional[bytes] = None,
    ) -> PytorchSession:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        loaded = self._loaded if network is None else self._made_of(network)
        fetches = self._outputs if tensors is None else self._names_of(tensors)
        return open_session(loaded, self._feeds(inputs), fetches, parameters, tensors is None)

    def segment(
        self,
        feeds: Feeds,
        fetches: Sequence[Tensor],
        parameters: Mapping[str, Array] = {},
    ) -> PytorchSession:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        return open_session(self._loaded, self._feeds(feeds), self._names_of(fetches), parameters)

    def gradients(self, data: Data) -> Iterator[Gradient]:
        """See :class:`prunec.frontends.runtime.Runtime`."""
        return gradients(self._loaded, self._outputs, data)

    # --- names ---

    @cached_property
    def _names(self) -> dict[Tensor, str]:
        """The values by the tensors of the graph, the first of those that are one."""
        found: dict[Tensor, str] = {}
        for name, tensor in self.content.values.items():
            found.setdefault(tensor, name)
        return found

    @property
    def _outputs(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.program.text.outputs if isinstance(one, Value))

    def _names_of(self, tensors: Sequence[Tensor]) -> list[str]:
        """Raises PrunecError P704 for a tensor that the graph does not have."""
        absent = [tensor for tensor in tensors if tensor not in self._names]
        if absent:
            node, output = absent[0]
            raise missing(f"output {output} of node {node}", len(absent))
        return [self._names[tensor] for tensor in tensors]

    def _feeds(self, given: Mapping[Any, Array]) -> dict[Any, tuple[tuple[str, ...], Array]]:
        """What is given, with the values that it stands for: several for a parameter of several names."""
        variables = self._loaded.variables
        return {
            key: ((self._names[key],) if isinstance(key, Tensor) else tuple(variables.get(key, ())), array)
            for key, array in given.items()
        }

    def _made_of(self, network: bytes) -> Loaded:
        document, text = parse_document(network, self.program.shown)
        return Loaded(replace(self.program, document=document, text=text), self.content.tied)
