"""Writing archives of exported programs: the smaller one, and copies with other elements."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, NoReturn, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.embedded.pt2_archive import blocks_of, write_archive
from prunec.embedded.pt2_program import Archive
from prunec.embedded.pt2_slicing import smaller_document, smaller_members
from prunec.embedded.pt2_tensors import elements
from prunec.embedded.slices import ParameterSlice, Problem
from prunec.frontends.pytorch.model import PytorchModel, read_model
from prunec.frontends.pytorch.program import Program, refuse
from prunec.frontends.pytorch.training import training_document
from prunec.rewriting.edits import Edits
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import cannot_write, written


def write_smaller(model: PytorchModel, edits: Edits, target: Path) -> None:
    """Writes the smaller program; one from which nothing goes is the original, byte for byte.

    Raises PrunecError P301 where the original changed meanwhile, P518 as ``program_edits``, and OSError.
    """
    changes = model.program_edits(edits)
    slices = {own.name: own for own in edits.slices}
    _write(model.program, smaller_document(model.program.document, changes), slices, changes.tied, target)


def write_training(model: PytorchModel, edits: Edits, target: Path) -> None:
    """Writes the smaller program in training mode.  Raises as :func:`write_smaller`."""
    changes = model.program_edits(edits)
    slices = {own.name: own for own in edits.slices}
    document = training_document(smaller_document(model.program.document, changes))
    _write(model.program, document, slices, changes.tied, target)


def write_twin(program: Program, target: Path) -> None:
    """Writes a program in training mode, all else as it is.  Raises PrunecError P301 where the file changed
    meanwhile, and OSError."""
    _write(program, training_document(program.document), {}, {}, target)


def _write(
    program: Program,
    document: Mapping[str, Any],
    slices: Mapping[str, ParameterSlice],
    tied: Mapping[str, str],
    target: Path,
) -> None:
    archive = _archive(program)
    try:
        with open(program.path, "rb") as source, written(target) as out:
            if not slices and document == program.document:
                while block := source.read(1 << 23):
                    out.write(block)
            else:
                write_archive(out, smaller_members(source, archive, document, slices, tied))
    except Problem as problem:
        refuse(problem, program.shown)


def write_changed(model: PytorchModel, changed: Mapping[str, NDArray[Any]], folder: Path) -> Path:
    """Writes a program with other elements in some tensors into a folder, under its own name; gives the path
    of the file.  Raises PrunecError P513."""
    archive = _archive(model.program)
    target = folder / model.path.name
    members = {}
    for name, member in archive.members.items():
        own = [t for t in archive.tensors.values() if f"{archive.root}{t.member}" == name]
        if any(model.content.tied.get(t.name, t.name) in changed for t in own):
            with open(model.path, "rb") as source:
                data = np.frombuffer(bytearray(b"".join(blocks_of(source, member))), np.uint8)
            for tensor in own:
                first = model.content.tied.get(tensor.name, tensor.name)
                if first in changed:
                    place = elements(tensor, data, writeable=True)
                    place[...] = model.program.stored_form(tensor.name, changed[first])
            members[name] = member.size, [data.tobytes()]
    try:
        with open(model.path, "rb") as source, written(target) as out:
            same = {
                name: (member.size, blocks_of(source, member)) for name, member in archive.members.items()
            }
            write_archive(out, {**same, **members})
    except (OSError, Problem) as error:
        cannot_write(target, error)
    return target


def check_written(path: Path, original: PytorchModel) -> None:
    """Whether a program that was written can be read, with the tensors that its text states.

    Raises PrunecError P516: what is wrong is of prunec's making.
    """
    try:
        smaller = read_model(path)
    except PrunecError as error:
        finding = error.diagnostics[0]
        _fail(original, "; ".join((finding.headline, *finding.notes)))
    for value, name in smaller.content.tensors.items():
        stated = smaller.program.text.metas.get(value, {}).get("sizes")
        sizes = [{"as_int": size} for size in smaller.program.tensors[name].sizes]
        if stated is not None and stated != sizes:
            _fail(original, f"{printable(name, 80)} has another shape than its program states")
    if len(smaller.graph.nodes) != len(original.graph.nodes):
        _fail(original, "it has another number of nodes")


def _fail(original: PytorchModel, finding: str) -> NoReturn:
    raise PrunecError(
        Diagnostic(
            "P516",
            "the smaller model cannot be read, and the original can",
            where=original.program.shown,
            notes=(printable(finding, 500), "nothing was written"),
            help="this is an error in prunec: please report it, with the model or its structure",
        )
    )


def _archive(program: Program) -> Archive:
    archive: Optional[Archive] = program.archive
    if archive is None:
        raise ValueError("the program is in no file")
    return archive
