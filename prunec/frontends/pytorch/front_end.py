"""PyTorch's exported programs (``.pt2``), which hold their parameters themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Optional, Sequence

from prunec.frontends.base import FrontEnd, FurtherFile, PrunedFiles

if TYPE_CHECKING:
    from prunec.frontends.operators import Registered
    from prunec.frontends.pytorch.model import PytorchModel
    from prunec.frontends.pytorch.transformers_folder import TransformersFolder
    from prunec.frontends.pytorch.trials import PytorchTrials
    from prunec.frontends.runtime import Array
    from prunec.graph import Shape
    from prunec.rewriting.emit import Pruned


class PytorchFrontEnd(FrontEnd["PytorchModel"]):
    """See :class:`prunec.frontends.base.FrontEnd`."""

    name = "PyTorch"
    framework = "PyTorch"
    file_kind = "an exported program"
    endings = (".pt2",)
    rules = "aten.prune"
    running_packages = ("torch",)
    install = "pip install torch"
    open_batch = 1
    registers_operators = True

    def recognises(self, start: bytes) -> bool:
        return start.startswith(b"PK\x03\x04")

    def read(self, path: Path, parameters: Optional[Path], input_shapes: Mapping[str, Shape]) -> PytorchModel:
        from prunec.frontends.pytorch.model import read_model

        return read_model(path, parameters, input_shapes)

    def read_pruned(self, model: PytorchModel, path: Path, parameters: Optional[Path]) -> PrunedFiles:
        from prunec.frontends.pytorch.model import read_model

        smaller = read_model(path)
        held = smaller.program.tensors
        return PrunedFiles(
            smaller.runtime(), lambda name: smaller.program.array(name) if name in held else None
        )

    def input_names(self, path: Path) -> set[str]:
        from prunec.frontends.pytorch.program import read_program

        return set(read_program(path).text.input_names)

    def feed_nodes(self, model: PytorchModel, needed: set[int]) -> list[int]:
        return [index for index, source in enumerate(model.content.sources) if source.kind == "input"]

    # --- parameters ---

    def with_parameters(
        self, model: PytorchModel, changed: Mapping[str, Array], folder: Path
    ) -> PytorchModel:
        from prunec.frontends.pytorch.writer import write_changed

        return self.read(write_changed(model, changed, folder), None, model.input_shapes)

    # --- the smaller model ---

    def model_bytes(self, model: PytorchModel, pruned: Pruned) -> None:
        return None

    def write_data(self, model: PytorchModel, pruned: Pruned, folder: Path) -> None:
        from prunec.frontends.pytorch.further import write_further
        from prunec.frontends.pytorch.writer import write_smaller

        write_smaller(model, pruned.edits, folder / model.path.name)
        write_further(model, pruned, folder)

    def further_files(self, model: PytorchModel) -> tuple[FurtherFile, ...]:
        from prunec.frontends.pytorch.further import further_files

        return further_files(model)

    def model_folder(self, model: PytorchModel, folder: Path) -> TransformersFolder:
        from prunec.frontends.pytorch.transformers_folder import read_folder

        return read_folder(folder, model)

    def script(self, model: PytorchModel, pruned: Pruned) -> str:
        from prunec.frontends.pytorch.script import render_script

        return render_script(model, pruned)

    def diff(self, model: PytorchModel, pruned: Pruned) -> bytes:
        from prunec.frontends.pytorch.program import parse_document
        from prunec.frontends.pytorch.text import program_bytes, program_lines
        from prunec.rewriting.unified_diff import unified_diff

        old = model.program.text
        version = model.program.document["schema_version"]
        _, new = parse_document(pruned.model, model.program.shown)
        headings = [(number, name) for number, (name, _) in enumerate(program_lines(old, version)) if name]
        # Of the text that stands for the file: nobody should try to apply it to the file itself.
        return unified_diff(
            f"{model.path.name}.txt", program_bytes(old, version), program_bytes(new, version), headings
        )

    def check_written(self, model: PytorchModel, folder: Path) -> None:
        from prunec.frontends.pytorch.writer import check_written

        check_written(folder / model.path.name, model)

    # --- operators ---

    def installed_files(self) -> Optional[Sequence[Path]]:
        # The table of schemas is part of prunec.
        return ()

    def operators(self) -> Mapping[str, Registered]:
        from prunec.frontends.pytorch.operators import registered

        return registered()

    def register(self, path: Path) -> None:
        from prunec.frontends.registering import register_operators

        register_operators(path)

    def trials(self) -> PytorchTrials:
        from prunec.frontends.pytorch.trials import PytorchTrials

        return PytorchTrials()


FRONT_END = PytorchFrontEnd()
