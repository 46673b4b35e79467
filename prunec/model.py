"""What the compiler asks of a model, whichever front end read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Protocol

from numpy.typing import NDArray

from prunec.graph import Graph, Shape

if TYPE_CHECKING:
    from prunec.frontends.runtime import Runtime
    from prunec.rewriting.edits import Edits


def model_text(model: FileModel) -> str:
    """A model in a few words, for those who look at one."""
    shapes = model.parameter_shapes
    count = "without parameters" if shapes is None else f"{len(shapes)} parameters"
    return f"<{type(model).__name__} {model.prefix!r}: {len(model.graph.nodes)} nodes, {count}>"


class Model(Protocol):
    """A graph with its parameters, and what it takes to write the smaller one."""

    @property
    def graph(self) -> Graph:
        """The graph that rules are bound to."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the model, in hexadecimal."""

    @property
    def prefix(self) -> str:
        """What the model is called."""

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """The shapes of inputs that the user gave, by name."""

    @property
    def parameter_shapes(self) -> Optional[Mapping[str, tuple[int, ...]]]:
        """The shapes of the parameters by name; ``None`` where they are not at hand."""

    @property
    def parameter_bytes(self) -> Optional[int]:
        """The size of the file that holds the parameters and nothing else; ``None`` where there is none."""

    def parameter(self, name: str) -> NDArray[Any]:
        """A parameter, read-only."""

    def folded(self) -> Optional[Model]:
        """The model with parameters in the place of what it computes from parameters alone; ``None`` where it
        computes nothing so, or the front end does not."""

    def implied_name(self, node: int, slot: str) -> str:
        """What a parameter is called that a node has and the graph does not mention."""

    def missing(self, node: int, attribute: str) -> bool:
        """Whether a node lacks an attribute that it cannot be given."""

    def rewrite(self, edits: Edits) -> bytes:
        """The smaller model: the file with the edits made and nothing else."""


class FileModel(Model, Protocol):
    """A model that was read from a file."""

    @property
    def path(self) -> Path:
        """The file."""

    def runtime(self) -> Runtime:
        """What runs the model, with the parameters there are."""
