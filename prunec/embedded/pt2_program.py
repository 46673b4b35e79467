"""An exported program in its archive: the text of the program, and the lists of its tensors.

Nothing is unpickled: what only a pickle says is left alone, or refused.
"""

import json
from dataclasses import dataclass
from typing import Any, BinaryIO, Iterator, Mapping

from prunec.embedded.pt2_archive import Member, blocks_of, members_of
from prunec.embedded.pt2_tensors import KINDS, Stored, stored
from prunec.embedded.slices import Problem

#: The text of a program and the lists of its tensors are read whole; those of the largest models are shorter.
MAXIMUM_TEXT = 1 << 29
#: The version of the format; later minor versions only add to it.
MAJOR = 8
FOLDER, ENDING = "models/", ".json"
#: What files of older versions hold: texts and weights in pickles.
_OLD = ("serialized_exported_program.json", "data/weights/model.pt", "data/constants/model.pt")
#: Programs that were compiled to the code of a machine.
_COMPILED = ("data/aotinductor/", "data/executorch/")
#: Objects of classes of their own, which only their own operators read.
_OBJECTS = ("custom_obj", "opaque_obj")


@dataclass(frozen=True)
class Archive:
    """An archive with one program: its members by name, all in the folder ``root``; the name and the text of
    the program; the lists of tensors by their members; and the tensors by name."""

    members: Mapping[str, Member]
    root: str
    name: str
    document: Mapping[str, Any]
    lists: Mapping[str, Any]
    tensors: Mapping[str, Stored]

    @property
    def text_member(self) -> str:
        """The member with the text of the program."""
        return f"{self.root}{FOLDER}{self.name}{ENDING}"


def read_archive(file: BinaryIO) -> Archive:
    """The archive in a file, its tensors left where they are.

    Raises Problem as members_of and stored, and: no program, or none that can be understood (program), a form
    that is not read (form), a text that is too large (large).
    """
    members = members_of(file)
    root = f"{next(iter(members), '').split('/')[0]}/"
    inner = {name[len(root) :]: member for name, member in members.items()}
    if any(not name.startswith(root) for name in members):
        raise Problem("its parts stand in several folders", kind="program")
    _check_form(file, inner)
    names = [name for name in inner if name.startswith(FOLDER) and name.endswith(ENDING)]
    if len(names) != 1:
        raise Problem(f"it holds {len(names) or 'no'} programs", kind="form" if names else "program")
    name = names[0][len(FOLDER) : -len(ENDING)]
    lists = {
        f"{folder}{name}{ending}": table_of(_text(file, inner[f"{folder}{name}{ending}"]))
        for folder, ending in KINDS
        if f"{folder}{name}{ending}" in inner
    }
    tensors: dict[str, Stored] = {}
    for listed, table in lists.items():
        tensors.update(_tensors(table, f"{listed.rpartition('/')[0]}/", inner))
    document = table_of(_text(file, inner[names[0]]))
    check_version(document)
    return Archive(
        members, root, name, document, {f"{root}{key}": own for key, own in lists.items()}, tensors
    )


def table_of(data: bytes) -> dict[str, Any]:
    """A text of the archive, parsed.  Raises Problem (program)."""
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Problem(f"a text in it is no JSON: {error}", kind="program") from None
    if not isinstance(document, dict):
        raise Problem("a text in it is no table", kind="program")
    return document


def check_version(document: Mapping[str, Any]) -> None:
    """Raises Problem (form) for a program in another version of the format."""
    version = document.get("schema_version")
    major = version.get("major") if isinstance(version, dict) else None
    if major != MAJOR:
        raise Problem(f"its format has version {major!a}, and version {MAJOR} is read", kind="form")


def text_of(document: Mapping[str, Any]) -> bytes:
    """A document as PyTorch writes it."""
    return json.dumps(document).encode("ascii")


def _check_form(file: BinaryIO, inner: Mapping[str, Member]) -> None:
    if any(name in inner for name in _OLD):
        raise Problem("an older version of PyTorch wrote it, its weights in a pickle", kind="form")
    if any(name.startswith(folder) for name in inner for folder in _COMPILED):
        raise Problem("it holds a program that was compiled to the code of a machine", kind="form")
    order = inner.get("byteorder")
    if order is not None and _text(file, order).strip() != b"little":
        raise Problem("its numbers are in another order of bytes", kind="form")


def _text(file: BinaryIO, member: Member) -> bytes:
    if member.size > MAXIMUM_TEXT:
        raise Problem(f"{member.name!a} has {member.size:,} bytes, {MAXIMUM_TEXT:,} are read", kind="large")
    return b"".join(blocks_of(file, member))


def _tensors(
    table: Mapping[str, Any], folder: str, inner: Mapping[str, Member]
) -> Iterator[tuple[str, Stored]]:
    entries = table.get("config")
    if not isinstance(entries, dict):
        raise Problem("a list of its tensors has no entries", kind="program")
    for name, entry in entries.items():
        place = entry.get("path_name") if isinstance(entry, dict) else None
        if not isinstance(place, str) or not place.startswith(_OBJECTS):
            yield name, stored(name, entry, folder, inner)
