"""The state dict of a program: its parameters and persistent buffers, under the names of the module."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Optional

import numpy as np

from prunec.embedded.pt2_program import Archive
from prunec.embedded.pt2_tensors import KINDS
from prunec.embedded.safetensors import REMARKS, SAFE_NAMES, NewTensor, write_safetensors
from prunec.embedded.slices import ParameterSlice, sliced
from prunec.frontends.pytorch.model import PytorchModel
from prunec.frontends.pytorch.program import Program
from prunec.rewriting.edits import Edits
from prunec.support.files import written

#: What readers of such files go by.
_REMARKS = {"format": "pt"}


def state_names(archive: Optional[Archive]) -> tuple[str, ...]:
    """The names in the state dict of a program, those of tied tensors among them; the other tensors are
    constants and buffers that are not saved."""
    if archive is None:
        return ()
    folder = f"{archive.root}{KINDS[0][0]}"
    tables = [table for name, table in archive.lists.items() if name.startswith(folder)]
    return tuple(name for table in tables for name in table["config"] if name in archive.tensors)


def has_state(model: PytorchModel) -> bool:
    """Whether there is a state dict, and safetensors can hold it."""
    names = state_names(model.program.archive)
    return (
        bool(names)
        and all(map(_is_text, names))
        and all(name != REMARKS and model.program.type_of(name) in SAFE_NAMES for name in names)
    )


def _is_text(name: str) -> bool:
    """Whether a name can be written: JSON can hold halves of characters."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def unsaved(model: PytorchModel, edits: Edits) -> tuple[str, ...]:
    """The tensors to slice that the state dict has under no name."""
    tied = model.content.tied
    saved = {tied.get(name, name) for name in state_names(model.program.archive)}
    return tuple(own.name for own in edits.slices if own.name not in saved)


def write_state(model: PytorchModel, edits: Edits, target: Path) -> None:
    """Writes the state dict of the smaller program, a tensor at a time.  Raises OSError."""
    program, tied = model.program, model.content.tied
    cuts = {own.name: own for own in edits.slices}
    tensors = {
        name: smaller_tensor(program, name, cuts.get(tied.get(name, name)))
        for name in state_names(program.archive)
    }
    with written(target) as out:
        write_safetensors(out, tensors, _REMARKS)


def smaller_tensor(program: Program, name: str, cut: Optional[ParameterSlice]) -> NewTensor:
    """What is left of a tensor."""
    sizes = program.tensors[name].sizes
    new = sizes if cut is None else cut.sizes(sizes)[1]
    return NewTensor(program.type_of(name), new, _elements(program, name, cut))


def _elements(program: Program, name: str, cut: Optional[ParameterSlice]) -> Iterator[bytes]:
    array = program.raw(name)
    yield (np.ascontiguousarray(array) if cut is None else sliced(array, cut)).tobytes()
