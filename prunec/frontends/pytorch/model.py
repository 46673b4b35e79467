"""An exported program as the core sees it: a graph, its parameters, and how to write the smaller one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional

from numpy.typing import NDArray

from prunec.embedded.pt2_edits import ProgramEdits
from prunec.embedded.pt2_program import text_of
from prunec.embedded.pt2_slicing import smaller_document
from prunec.frontends.pytorch.graph import GraphOfProgram, to_graph
from prunec.frontends.pytorch.program import Program, read_program
from prunec.frontends.pytorch.rewriting import has_argument, program_edits
from prunec.graph import Graph, Shape
from prunec.model import model_text
from prunec.rewriting.edits import Edits
from prunec.support.late import Last

if TYPE_CHECKING:
    from prunec.frontends.pytorch.model_runtime import PytorchRuntime

_SUFFIX = ".pt2"


@dataclass(frozen=True, eq=False)
class PytorchModel:
    """An exported program and its graph."""

    path: Path
    program: Program
    content: GraphOfProgram
    input_shapes: Mapping[str, Shape] = field(default_factory=dict)

    def __repr__(self) -> str:
        return model_text(self)

    @property
    def graph(self) -> Graph:
        """The graph that rules are bound to."""
        return self.content.graph

    @property
    def prefix(self) -> str:
        """The model's name: its file name without ``.pt2``."""
        name = self.path.name
        return name[: -len(_SUFFIX)] if name.endswith(_SUFFIX) and len(name) > len(_SUFFIX) else name

    @property
    def digest(self) -> str:
        """The SHA-256 of the file, in hexadecimal."""
        return self.program.digest

    @cached_property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of parameters, buffers and constants by name, each once."""
        nodes = self.graph.nodes
        return {
            nodes[n].name: self.program.tensors[nodes[n].name].sizes for n in sorted(self.graph.parameters)
        }

    @property
    def parameter_bytes(self) -> Optional[int]:
        """The file holds more than parameters."""
        return None

    def parameter(self, name: str) -> NDArray[Any]:
        """A parameter, buffer or constant, read-only; its elements stay in the file until they are used."""
        return self.program.array(name)

    def implied_name(self, node: int, slot: str) -> str:
        """What a parameter that the graph does not mention would be called; programs have none."""
        return f"{self.graph.nodes[node].name}_{slot}"

    def missing(self, node: int, attribute: str) -> bool:
        """Whether a node lacks an attribute that it cannot be given."""
        return not has_argument(self.program, self.content, node, attribute)

    def folded(self) -> None:
        """Programs are taken as they are."""
        return None

    @cached_property
    def program_edits(self) -> Last[Edits, ProgramEdits]:
        """What the edits of a graph are in the program."""
        return Last(lambda edits: program_edits(self.program, self.content, edits))

    def rewrite(self, edits: Edits) -> bytes:
        """The text of the smaller program, without its tensors."""
        return text_of(smaller_document(self.program.document, self.program_edits(edits)))

    def runtime(self) -> PytorchRuntime:
        """What runs the model."""
        from prunec.frontends.pytorch.model_runtime import PytorchRuntime

        return PytorchRuntime(self.program, self.content)


def read_model(
    path: Path, parameters: Optional[Path] = None, input_shapes: Mapping[str, Shape] = {}
) -> PytorchModel:
    """Reads an exported program.  ``parameters`` is for models whose parameters are in another file.

    Raises PrunecError for files that cannot be read and for inputs the model does not have.
    """
    return model_of(read_program(path), input_shapes)


def model_of(program: Program, input_shapes: Mapping[str, Shape] = {}) -> PytorchModel:
    """The model of a program that was read, or made."""
    return PytorchModel(program.path, program, to_graph(program, input_shapes), dict(input_shapes))
