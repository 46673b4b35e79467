"""The files beside a smaller program: its state dict, its twin in training mode, and a script for modules."""

from __future__ import annotations

from pathlib import Path

from prunec.frontends.base import FurtherFile
from prunec.frontends.pytorch.model import PytorchModel
from prunec.frontends.pytorch.module_script import MODULE_SCRIPT, render_module_script
from prunec.frontends.pytorch.state import has_state, write_state
from prunec.frontends.pytorch.training import has_training_mode
from prunec.frontends.pytorch.writer import write_training
from prunec.rewriting.emit import Pruned

_TWIN = (
    "is the one to train: in the other, statistics of normalisation stay as they are and nothing drops out"
)


def further_files(model: PytorchModel) -> tuple[FurtherFile, ...]:
    """See :meth:`prunec.frontends.base.FrontEnd.further_files`."""
    return (
        FurtherFile(_state_file(model), made=has_state(model)),
        FurtherFile(_twin(model), _TWIN, has_training_mode(model.program.document)),
        FurtherFile(MODULE_SCRIPT),
    )


def write_further(model: PytorchModel, pruned: Pruned, folder: Path) -> None:
    """Writes those that the model has into a folder.  Raises PrunecError P301 where the original changed
    meanwhile, and OSError."""
    made = {own.name for own in further_files(model) if own.made}
    if _state_file(model) in made:
        write_state(model, pruned.edits, folder / _state_file(model))
    if _twin(model) in made:
        write_training(model, pruned.edits, folder / _twin(model))
    (folder / MODULE_SCRIPT).write_text(render_module_script(model, pruned), "ascii")


def _state_file(model: PytorchModel) -> str:
    return f"{model.prefix}.safetensors"


def _twin(model: PytorchModel) -> str:
    return f"{model.prefix}-train.pt2"
