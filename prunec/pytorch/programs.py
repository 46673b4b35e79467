"""Exported programs as modules: exported, loaded, and in training mode."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Optional, Sequence, Union

from prunec.frontends.pytorch.package import refused, torch_package
from prunec.frontends.pytorch.program import read_program
from prunec.frontends.pytorch.training import has_training_mode
from prunec.frontends.pytorch.writer import write_twin


def training(path: Union[str, os.PathLike[str]]) -> Any:
    """The module (``torch.nn.Module``) of an exported program in training mode, ready for an optimiser: batch
    normalisation changes its statistics, dropout drops, also where the program was exported in eval mode.

    Its state dict is that of the program, under the same names.  Raises PrunecError P301, P333, P340 and P341
    for files that cannot be read, P700 without PyTorch, P701 where PyTorch refuses the program.
    """
    program = read_program(Path(path))
    if not has_training_mode(program.document):
        return loaded(Path(path)).module()
    with TemporaryDirectory(prefix="prunec-") as folder:
        twin = Path(folder) / "twin.pt2"
        write_twin(program, twin)
        return loaded(twin).module()


def loaded(path: Path) -> Any:
    """A program as PyTorch loads it.  Raises PrunecError P700 and P701."""
    torch = torch_package()
    try:
        return torch.export.load(path)
    except Exception as error:  # whatever PyTorch has against it
        raise refused(error, path.name, "PyTorch cannot load the program") from None


def export(model: Any, examples: Sequence[Any], dynamic_shapes: Optional[Any], path: Path) -> None:
    """Exports a module in eval mode into a file; it is left in the mode that it was in.

    Raises PrunecError P700 without PyTorch, P701 where PyTorch cannot export it.
    """
    torch = torch_package()
    modes = {module: module.training for module in model.modules()}
    given = (examples,) if torch.is_tensor(examples) else tuple(examples)
    try:
        model.eval()
        # Else what the model computes without gradients (positions, say) is a graph of its own, which keeps
        # all of its channels.
        with torch.no_grad():
            program = torch.export.export(model, given, dynamic_shapes=dynamic_shapes, strict=False)
        torch.export.save(program, path)
    except Exception as error:  # whatever PyTorch cannot follow in the module
        raise refused(error, type(model).__name__, "PyTorch cannot export the model") from None
    finally:
        for module, mode in modes.items():
            module.training = mode
