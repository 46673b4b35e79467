"""Reading an exported program (``.pt2``): its text, and where its tensors are, all of it checked."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Mapping, NoReturn, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.embedded.pt2_archive import BLOCK
from prunec.embedded.pt2_program import Archive, check_version, read_archive, table_of
from prunec.embedded.pt2_tensors import Stored, bits, elements, values
from prunec.embedded.slices import Problem
from prunec.frontends.graph_building import fail
from prunec.frontends.pytorch.document import Malformed, ProgramText, program_text
from prunec.support.diagnostics import printable

Array = NDArray[Any]

_EXPORT = "export the model again with PyTorch 2.9 or newer: torch.export.save(torch.export.export(…), FILE)"
_DAMAGED = "the file is damaged or was cut off; export or download it again"
_GIVE = "give the file that torch.export.save wrote"
_NO_PROGRAM = ("P340", "not an exported program of PyTorch")
_NOT_READ = ("P341", "an exported program in a form that is not read")
_UNREADABLE = ("P333", "a tensor that cannot be read")
#: Code and headline, note ("" for the text of the problem), and help, for each kind of problem.
_MESSAGES = {
    "zip": (*_NO_PROGRAM, "", _GIVE),
    "name": (*_NO_PROGRAM, "", _DAMAGED),
    "place": (*_NO_PROGRAM, "", _DAMAGED),
    "program": (*_NO_PROGRAM, "", _GIVE),
    "compressed": (*_NOT_READ, "", "pack it again without compression, or export the model again"),
    "form": (*_NOT_READ, "", _EXPORT),
    "large": ("P302", "the model file is too large", "", _GIVE),
    "pickle": (
        *_NOT_READ,
        "the tensor {name} is an object of Python: quantised, or of a class of its own",
        "prune the model before it is quantised",
    ),
    "meta": (*_UNREADABLE, "the archive does not say its shape or where its elements are", _DAMAGED),
    "type": (*_UNREADABLE, "its elements are of a type that is not known", _EXPORT),
    "short": (*_UNREADABLE, "{found} elements are there, its shape needs {wanted}", _DAMAGED),
    "overlap": (
        *_UNREADABLE,
        "some of its elements stand for several",
        "call .contiguous() on it before the export",
    ),
}


@dataclass(frozen=True, eq=False)
class Program:
    """An exported program.

    ``document`` is what the file says of it, as parsed, and ``text`` the same as plain data.  ``tensors`` are
    the parameters, buffers and constants by name; their elements are in the ``archive`` at ``path``, or, for
    a program that is in no file, in ``arrays``, as they are stored.
    """

    path: Path
    digest: str
    document: Mapping[str, Any]
    text: ProgramText
    tensors: Mapping[str, Stored]
    archive: Optional[Archive] = None
    arrays: Mapping[str, Array] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """How messages call it."""
        return printable(str(self.path))

    @cached_property
    def _bytes(self) -> Array:
        return np.memmap(self.path, np.uint8, "r")

    def raw(self, name: str) -> Array:
        """The elements of a tensor as they are stored, read-only: of types that numpy does not have their
        bits."""
        if self.archive is None:
            return self.arrays[name]
        tensor = self.tensors[name]
        member = self.archive.members[f"{self.archive.root}{tensor.member}"]
        return np.asarray(elements(tensor, self._bytes[member.offset : member.offset + member.size]))

    def array(self, name: str) -> Array:
        """A tensor, read-only; bfloat16 as float32."""
        return np.asarray(values(self.tensors[name].dtype, self.raw(name)))

    def stored_form(self, name: str, array: Array) -> Array:
        """Numbers as the tensor of a name stores them."""
        return np.asarray(bits(self.tensors[name].dtype, array))

    def type_of(self, name: str) -> str:
        """The type of a tensor's elements, as numpy calls it where it has it."""
        return self.tensors[name].dtype


def read_program(path: Path) -> Program:
    """Reads an exported program; the elements of its tensors stay in the file.

    Raises PrunecError: P301 the file cannot be read, P302 a text in it is too large, P333 a tensor that
    cannot be, P340 it is no exported program, P341 one in a form that is not read.
    """
    name = printable(str(path))
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                fail("P301", "cannot read the model", name, "it is not a file", "check the path")
            archive = read_archive(file)
            digest = _digest(file)
    except Problem as problem:
        refuse(problem, name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fail("P301", "cannot read the model", name, f"the system says: {reason}", "check the path")
    text = _text(archive.document, name)
    missing = sorted({spec.target for spec in text.inputs if spec.target} - set(archive.tensors))
    if missing:
        note = f"the program takes {printable(missing[0], 80)!r}, which the archive does not hold"
        fail(*_NO_PROGRAM, name, note, _DAMAGED)
    return Program(path, digest, archive.document, text, archive.tensors, archive)


def parse_document(data: bytes, where: str) -> tuple[Mapping[str, Any], ProgramText]:
    """A program from its text alone.  Raises PrunecError P340 and P341."""
    try:
        document = table_of(data)
        check_version(document)
    except Problem as problem:
        refuse(problem, where)
    return document, _text(document, where)


def _text(document: Mapping[str, Any], where: str) -> ProgramText:
    try:
        return program_text(document)
    except (Malformed, RecursionError) as error:
        note = f"its text cannot be understood: {printable(str(error), 200)}"
        fail(*_NO_PROGRAM, where, note, _DAMAGED)


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def refuse(problem: Problem, where: str) -> NoReturn:
    """Raises PrunecError for what is wrong with an archive."""
    facts = problem.facts
    if facts["kind"] == "shorter":
        fail("P301", "cannot read the model", where, str(problem), "wait until the file is written")
    code, headline, note, help_text = _MESSAGES[facts["kind"]]
    name = repr(printable(str(facts.get("name", "")), 80))
    place = f"{where}: tensor {name}" if code == "P333" else where
    shown = note.format(**{**facts, "name": name}) or printable(str(problem), 200)
    fail(code, headline, place, shown, help_text)
