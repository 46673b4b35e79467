"""For users of PyTorch: programs in training mode.

PyTorch is imported where something is called, and not before.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Union


def training(path: Union[str, os.PathLike[str]]) -> Any:
    """The module (``torch.nn.Module``) of an exported program in training mode, ready for an optimiser: batch
    normalisation changes its statistics, dropout drops, also where the program was exported in eval mode.

    Its state dict is that of the program, under the same names.  Raises PrunecError P301, P333, P340 and P341
    for files that cannot be read, P700 without PyTorch, P701 where PyTorch refuses the program.
    """
    from prunec.frontends.pytorch.program import read_program
    from prunec.frontends.pytorch.training import has_training_mode
    from prunec.frontends.pytorch.writer import write_twin

    program = read_program(Path(path))
    if not has_training_mode(program.document):
        return _loaded(Path(path)).module()
    with TemporaryDirectory(prefix="prunec-") as folder:
        twin = Path(folder) / "twin.pt2"
        write_twin(program, twin)
        return _loaded(twin).module()


def _loaded(path: Path) -> Any:
    """A program as PyTorch loads it.  Raises PrunecError P700 and P701."""
    from prunec.frontends.pytorch.package import refused, torch_package

    torch = torch_package()
    try:
        return torch.export.load(path)
    except Exception as error:  # whatever PyTorch has against it
        raise refused(error, path.name, "PyTorch cannot load the program") from None
