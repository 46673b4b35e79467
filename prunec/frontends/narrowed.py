"""Running a smaller model whose inputs are narrower on what the original takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterator, Mapping, Optional, Sequence

from prunec.embedded.slices import ParameterSlice
from prunec.examples import Data
from prunec.frontends.runtime import Array, Feeds, Gradient, Runtime, Session
from prunec.graph import Shape, Tensor
from prunec.rewriting.places import cut_alike

#: How inputs are cut, by name.
InputSlices = Mapping[str, ParameterSlice]


def narrowed(runtime: Runtime, inputs: InputSlices) -> Runtime:
    """What runs a smaller model, for inputs as wide as the original's: of those in ``inputs`` the smaller
    model gets the channels that it keeps.  Its outputs are as it gives them."""
    return _Narrowed(runtime, inputs) if inputs else runtime


@dataclass(frozen=True, eq=False)
class _NarrowedSession:
    session: Session
    inputs: InputSlices

    @property
    def zeroed(self) -> tuple[str, ...]:
        return self.session.zeroed

    def run(self, inputs: Mapping[Any, Array]) -> list[Array]:
        return self.session.run(cut_inputs(self.inputs, inputs))


@dataclass(frozen=True, eq=False)
class _Narrowed:
    runtime: Runtime
    inputs: InputSlices

    def examples(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        return self.runtime.examples(shapes)

    def draw(self, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
        return self.runtime.draw(shapes, seed)

    def session(
        self,
        inputs: Mapping[str, Array],
        tensors: Optional[Sequence[Tensor]] = None,
        parameters: Mapping[str, Array] = {},
        network: Optional[bytes] = None,
    ) -> Session:
        found = self.runtime.session(cut_inputs(self.inputs, inputs), tensors, parameters, network)
        return _NarrowedSession(found, self.inputs)

    def segment(
        self, feeds: Feeds, fetches: Sequence[Tensor], parameters: Mapping[str, Array] = {}
    ) -> Session:
        found = self.runtime.segment(cut_inputs(self.inputs, feeds), fetches, parameters)
        return _NarrowedSession(found, self.inputs)

    def gradients(self, data: Data) -> Iterator[Gradient]:
        return self.runtime.gradients(replace(data, inputs=cut_inputs(self.inputs, data.inputs)))


def cut_inputs(pieces: InputSlices, values: Mapping[Any, Array]) -> dict[Any, Array]:
    """Inputs by name as a smaller model takes them; inner values among them stay as they are."""
    names = list(values)
    found = cut_alike(
        [pieces.get(name) if isinstance(name, str) else None for name in names], list(values.values())
    )
    return dict(zip(names, found))
