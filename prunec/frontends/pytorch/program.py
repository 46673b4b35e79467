"""Reading an exported program (``.pt2``): its text, and where its tensors are, all of it checked."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Mapping, NoReturn, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.embedded.pt2_archive import BLOCK, Member, blocks_of, members_of
from prunec.embedded.pt2_tensors import KINDS, Stored, bits, elements, stored, values
from prunec.embedded.slices import Problem
from prunec.frontends.pytorch.document import Malformed, ProgramText, program_text
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

Array = NDArray[Any]

#: The text of a program and the lists of tensors are read whole; those of the largest models have a tenth.
MAXIMUM_TEXT = 1 << 29
#: The version of the format whose files are read; later minor versions only add to it.
MAJOR = 8
_FOLDER, _ENDING = "models/", ".json"
#: What a file holds that was exported by PyTorch up to 2.6.
_OLD = "serialized_exported_program.json"
#: Programs that were compiled to code of a processor.
_COMPILED = ("data/aotinductor/", "data/executorch/")
_EXPORT = "export the model again with PyTorch 2.9 or newer: torch.export.save(torch.export.export(…), FILE)"
_DAMAGED = "the file is damaged or was cut off; export or download it again"
#: Headline, note and help for what is wrong with a tensor, by kind; all are P333.
_TENSOR_PROBLEMS = {
    "meta": ("the archive does not say its shape or where its elements are", _DAMAGED),
    "type": ("its elements are of a type that is not known", _EXPORT),
    "short": ("{found} elements are there, its shape needs {wanted}", _DAMAGED),
    "overlap": ("some of its elements stand for several", "call .contiguous() on it before the export"),
}


@dataclass(frozen=True, eq=False)
class Program:
    """An exported program.

    ``document`` is what the file says of it, as parsed, and ``text`` the same as plain data.  ``tensors`` are
    the parameters, buffers and constants by name.  ``members`` are the parts of the archive at ``path`` by
    name, all of them in the folder ``root``; of a program that is in no file there are none, and ``arrays``
    holds its tensors, elements as they are stored.
    """

    path: Path
    digest: str
    document: Mapping[str, Any]
    text: ProgramText
    tensors: Mapping[str, Stored]
    root: str = ""
    name: str = "model"
    members: Mapping[str, Member] = field(default_factory=dict)
    arrays: Optional[Mapping[str, Array]] = None

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
        if self.arrays is not None:
            return self.arrays[name]
        tensor = self.tensors[name]
        member = self.members[f"{self.root}{tensor.member}"]
        data = (
            self._bytes[member.offset : member.offset + member.size] if member.size else np.zeros(0, np.uint8)
        )
        return np.asarray(elements(tensor, data))

    def array(self, name: str) -> Array:
        """A tensor, read-only; bfloat16 as float32."""
        return np.asarray(values(self.tensors[name].dtype, self.raw(name)))

    def stored_form(self, name: str, array: Array) -> Array:
        """Numbers as the tensor of a name would store them."""
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
            return _read(file, path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fail("P301", "cannot read the model", name, f"the system says: {reason}", "check the path")


def parsed(data: bytes, where: str) -> tuple[dict[str, Any], ProgramText]:
    """A document and the program it holds.  Raises PrunecError P340 and P341."""
    document = _json(data, where, "the program")
    version = document.get("schema_version")
    major = version.get("major") if isinstance(version, dict) else None
    if isinstance(major, int) and major != MAJOR:
        note = f"its format has version {major}, and version {MAJOR} is read"
        fail("P341", "an exported program in a form that is not read", where, note, _EXPORT)
    try:
        return document, program_text(document)
    except (Malformed, RecursionError) as error:
        _no_program(where, f"its text cannot be understood: {printable(str(error), 200)}")


def _read(file: BinaryIO, path: Path) -> Program:
    where = printable(str(path))
    try:
        members = members_of(file)
    except Problem as problem:
        _refuse_archive(problem, where)
    root = f"{next(iter(members), '').split('/')[0]}/"
    if any(not name.startswith(root) for name in members):
        _no_program(where, "its parts stand in several folders")
    _check_form(file, members, root, where)
    models = [name for name in members if name.startswith(f"{root}{_FOLDER}") and name.endswith(_ENDING)]
    if len(models) != 1:
        note = f"it holds {len(models)} programs" if models else "it holds no program"
        fail("P341", "an exported program in a form that is not read", where, note, _EXPORT)
    name = models[0][len(root) + len(_FOLDER) : -len(_ENDING)]
    document, text = parsed(_text_of(file, members[models[0]], where), where)
    tensors = dict(_tensors(file, members, root, name, where))
    missing = sorted({spec.target for spec in text.inputs if spec.target and spec.target not in tensors})
    if missing:
        note = f"the program takes {printable(missing[0], 80)!r}, which the archive does not hold"
        _no_program(where, note)
    return Program(path, _digest(file), document, text, tensors, root, name, members)


def _check_form(file: BinaryIO, members: Mapping[str, Member], root: str, where: str) -> None:
    note = ""
    if f"{root}{_OLD}" in members or f"{root}data/weights/model.pt" in members:
        note = "it was written by an older version of PyTorch, with its weights in a pickle"
    elif any(name.startswith(f"{root}{folder}") for name in members for folder in _COMPILED):
        note = "it holds a program that was compiled to the code of a machine"
    if note:
        fail("P341", "an exported program in a form that is not read", where, note, _EXPORT)
    order = members.get(f"{root}byteorder")
    if order is not None and _text_of(file, order, where).strip() != b"little":
        note = "its numbers are in another order of bytes"
        fail("P341", "an exported program in a form that is not read", where, note, _EXPORT)


def _tensors(
    file: BinaryIO, members: Mapping[str, Member], root: str, name: str, where: str
) -> Iterator[tuple[str, Stored]]:
    inner = {member[len(root) :]: entry for member, entry in members.items()}
    for folder, ending in KINDS:
        listed = inner.get(f"{folder}{name}{ending}")
        if listed is None:
            continue
        config = _json(_text_of(file, listed, where), where, "a list of tensors").get("config")
        if not isinstance(config, dict):
            _no_program(where, "a list of its tensors has no entries")
        for own, entry in config.items():
            if isinstance(entry, dict) and str(entry.get("path_name", "")).startswith(
                ("custom_obj", "opaque_obj")
            ):
                continue  # an object, which only its own operators read
            try:
                yield own, stored(own, entry, folder, inner)
            except Problem as problem:
                _refuse_tensor(problem, where)


def _text_of(file: BinaryIO, member: Member, where: str) -> bytes:
    if member.size > MAXIMUM_TEXT:
        note = f"{printable(member.name, 80)} has {member.size:,} bytes, {MAXIMUM_TEXT:,} are read"
        fail("P302", "the model file is too large", where, note, "give the file that PyTorch wrote")
    return b"".join(blocks_of(file, member))


def _json(data: bytes, where: str, what: str) -> dict[str, Any]:
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        _no_program(where, f"{what} is no JSON: {printable(str(error), 100)}")
    if not isinstance(document, dict):
        _no_program(where, f"{what} is no table")
    return document


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _refuse_archive(problem: Problem, where: str) -> NoReturn:
    note = printable(str(problem), 200)
    if problem.facts["kind"] == "shorter":
        raise OSError(str(problem))
    if problem.facts["kind"] == "compressed":
        help_text = "pack it anew without compression, or export the model again"
        fail("P341", "an exported program in a form that is not read", where, note, help_text)
    _no_program(where, note)


def _refuse_tensor(problem: Problem, where: str) -> NoReturn:
    facts = problem.facts
    name = printable(facts["name"], 80)
    if facts["kind"] == "pickle":
        note = f"the tensor {name!r} is an object of Python: quantised, or of a class of its own"
        help_text = "prune the model before it is quantised"
        fail("P341", "an exported program in a form that is not read", where, note, help_text)
    note, help_text = _TENSOR_PROBLEMS[facts["kind"]]
    fail("P333", "a tensor that cannot be read", f"{where}: tensor {name!r}", note.format(**facts), help_text)


def _no_program(where: str, note: str) -> NoReturn:
    fail(
        "P340",
        "not an exported program of PyTorch",
        where,
        note,
        "give the file that torch.export.save wrote",
    )


def fail(code: str, headline: str, where: str, note: str, help_text: str) -> NoReturn:
    """Raises PrunecError with one message."""
    raise PrunecError(Diagnostic(code, headline, where, notes=(note,), help=help_text)) from None
