"""Folders of the library transformers: ``config.json`` and tensors that ``from_pretrained`` reads.

The tensors written are those of the program, which the folder's have to be, under the folder's names and in
as many files.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, NoReturn, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.embedded.safetensors import (
    NewTensor,
    SafeTensor,
    copied,
    read_safetensors,
    read_tensor,
    write_safetensors,
)
from prunec.embedded.slices import ParameterSlice, Problem, sliced
from prunec.frontends.base import ModelFolder
from prunec.frontends.pytorch.config_fields import (
    Configuration,
    Kept,
    check_shapes,
    configuration,
    new_fields,
    written_fields,
)
from prunec.frontends.pytorch.config_table import Family, family_of, known_families
from prunec.frontends.pytorch.model import PytorchModel
from prunec.frontends.pytorch.state import smaller_tensor, state_names
from prunec.rewriting.emit import Pruned
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import written

CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_LARGEST_TEXT = 100_000_000
#: Endings of other files that are copied: texts, and vocabularies of tokenisers.  Nothing that is run.
_COPIED = (".json", ".txt", ".jinja", ".model")
_LICENCES = ("LICENSE", "NOTICE")


@dataclass(frozen=True)
class Shard:
    """A file of tensors: what it holds by name, and its remarks."""

    name: str
    tensors: Mapping[str, SafeTensor]
    remarks: Mapping[str, str]


@dataclass(frozen=True)
class TransformersFolder(ModelFolder[PytorchModel]):
    """A folder that holds the model of a program.

    ``document`` is its configuration; ``programmed`` gives for each tensor that the model reads its name in
    the program; ``index`` is the list of its shards, where it has one; ``copies`` are the files that stay
    as they are.
    """

    path: Path
    document: Mapping[str, Any]
    own: Configuration
    shards: tuple[Shard, ...]
    programmed: Mapping[str, str]
    index: Optional[Mapping[str, Any]]
    copies: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """See :class:`ModelFolder`."""
        index = () if self.index is None else (_INDEX,)
        return (CONFIG, *(shard.name for shard in self.shards), *index, *self.copies)

    @property
    def files(self) -> tuple[Path, ...]:
        """See :class:`ModelFolder`."""
        return tuple(self.path / name for name in self.names)

    def write(self, model: PytorchModel, pruned: Pruned, target: Path) -> None:
        """See :class:`ModelFolder`.  Raises PrunecError P354 where the configuration cannot say it."""
        tied = model.content.tied
        cuts = {own.name: own for own in pruned.slices}
        cut_of = {name: cuts.get(tied.get(own, own)) for name, own in self.programmed.items()}
        kept = (
            _kept(own, model.program.tensors[own].sizes, cut_of[name])
            for name, own in self.programmed.items()
        )
        smaller = written_fields(self.own, self.document, new_fields(self.own, kept))
        target.mkdir()
        if smaller == self.document:
            self._copy(CONFIG, target)
        else:
            _write_text(target / CONFIG, smaller)
        before = after = fewer = 0
        for shard in self.shards:
            tensors = {
                name: smaller_tensor(model.program, self.programmed[name], cut_of[name])
                if name in self.programmed
                else NewTensor(own.dtype, own.sizes, _elements(self.path / shard.name, own))
                for name, own in shard.tensors.items()
            }
            for name, own in shard.tensors.items():
                new = SafeTensor(name, own.dtype, tensors[name].sizes, 0)
                before, after = before + own.bytes, after + new.bytes
                fewer += int(np.prod(own.sizes)) - int(np.prod(new.sizes))
            with written(target / shard.name) as out:
                write_safetensors(out, tensors, shard.remarks)
        if self.index is not None:
            _write_text(target / _INDEX, _renewed(self.index, before - after, fewer))
        for name in self.copies:
            self._copy(name, target)

    def _copy(self, name: str, target: Path) -> None:
        with _reading(self.path / name) as source, written(target / name) as out:
            while block := source.read(1 << 20):
                out.write(block)


def read_folder(path: Path, model: PytorchModel) -> TransformersFolder:
    """A folder that has to hold the model of a program.

    Raises PrunecError: P350 for one that cannot be read, P351 for a model that the table of configurations
    does not know, P352 where the tensors are not those of the program, P353 where the configuration is not
    that of the tensors.
    """
    document = _document(path / CONFIG)
    where = printable(str(path / CONFIG))
    family = _family(document, where)
    shards, index = _shards(path)
    programmed = _programmed(path, shards, model, family)
    own = configuration(family, document, where)
    check_shapes(own, {name: model.program.tensors[name].sizes for name in programmed.values()})
    written_anew = {CONFIG, _INDEX, *(shard.name for shard in shards)}
    copies = tuple(sorted(one.name for one in path.iterdir() if _is_copied(one, written_anew)))
    return TransformersFolder(path, document, own, shards, programmed, index, copies)


# --- reading ---------------------------------------------------------------------------------


def _document(path: Path) -> Mapping[str, Any]:
    """A JSON file that holds an object."""
    with _reading(path) as file:
        data = file.read(_LARGEST_TEXT + 1)
    if len(data) > _LARGEST_TEXT:
        _unreadable(path, f"it is larger than {_LARGEST_TEXT // 1_000_000} MB")
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        _unreadable(path, f"it is no JSON: {printable(str(error), 200)}")
    if not isinstance(document, dict):
        _unreadable(path, "it holds no object")
    return document


def _family(document: Mapping[str, Any], where: str) -> Family:
    kind = document.get("model_type")
    found = family_of(kind) if isinstance(kind, str) else None
    if found is None:
        raise PrunecError(
            Diagnostic(
                "P351",
                f"what the configuration of {printable(str(kind), 60)!r} says of sizes is not known",
                where,
                notes=(f"known are {', '.join(known_families())}",),
                help="leave out --transformers: the smaller program and its state dict do without it",
            )
        )
    return found


def _shards(path: Path) -> tuple[tuple[Shard, ...], Optional[Mapping[str, Any]]]:
    """The files of tensors, and the list of them where there are several."""
    if not (path / _INDEX).is_file():
        return (_shard(path, _WEIGHTS),), None
    index = _document(path / _INDEX)
    table = index.get("weight_map")
    if not isinstance(table, dict) or not table or not all(map(_is_shard, table.values())):
        _unreadable(path / _INDEX, '"weight_map" does not name files of tensors in the folder')
    shards = tuple(_shard(path, name) for name in sorted(set(table.values())))
    if {name: shard.name for shard in shards for name in shard.tensors} != table:
        _unreadable(path / _INDEX, '"weight_map" is not what the files of tensors hold')
    return shards, index


def _is_shard(name: Any) -> bool:
    return isinstance(name, str) and name.endswith(".safetensors") and Path(name).name == name


def _shard(path: Path, name: str) -> Shard:
    with _reading(path / name) as file:
        tensors, remarks = read_safetensors(file)
    return Shard(name, tensors, remarks)


def _is_copied(file: Path, others: set[str]) -> bool:
    if file.name in others or file.name.startswith(".") or not file.is_file():
        return False
    plain = file.suffix in _COPIED or file.stem in _LICENCES
    return plain and file.suffix not in (".py", ".sh") and file.stat().st_size <= _LARGEST_TEXT


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """A file of the folder.  Raises PrunecError P350 where it cannot be read, or not as what it should be."""
    try:
        with open(path, "rb") as file:
            yield file
    except Problem as problem:
        _unreadable(path, printable(str(problem), 200))
    except (OSError, ValueError) as error:
        _unreadable(path, f"the system says: {getattr(error, 'strerror', None) or error}")


# --- comparing with the program --------------------------------------------------------------


def _programmed(path: Path, shards: tuple[Shard, ...], model: PytorchModel, family: Family) -> dict[str, str]:
    """The names of the folder's tensors in the program, of those that the model reads."""
    program, tied = model.program, model.content.tied
    names = state_names(program.archive)
    by_plain = {family.plain(name): name for name in reversed(names)}
    found = {}
    for shard in shards:
        file = path / shard.name
        for name, tensor in shard.tensors.items():
            own = by_plain.get(family.plain(name))
            if own is None and family.is_unread(name):
                continue
            if own is None:
                _other(file, f"the program has no {printable(name, 200)!r}")
            stored = program.tensors[own]
            if (tensor.sizes, tensor.dtype) != (stored.sizes, program.type_of(own)):
                said = f"{tensor.dtype} {tensor.sizes}, in the program {program.type_of(own)} {stored.sizes}"
                _other(file, f"{printable(name, 200)!r} is {said}")
            found[name] = own
    held = {tied.get(name, name) for name in found.values()}
    missing = [name for name in names if tied.get(name, name) not in held]
    if missing:
        _other(path, f"the program has {printable(missing[0], 200)!r}, which the folder lacks")
    for shard in shards:
        with _reading(path / shard.name) as source:
            for name, tensor in shard.tensors.items():
                if name in found and not _same(read_tensor(source, tensor), program.raw(found[name])):
                    _other(path / shard.name, f"{printable(name, 200)!r} has other elements in the program")
    return found


def _same(array: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether arrays are the same, byte for byte."""
    first, second = (np.ascontiguousarray(one).reshape(-1).view(np.uint8) for one in (array, other))
    return bool(np.array_equal(first, second))


def _kept(name: str, shape: tuple[int, ...], cut: Optional[ParameterSlice]) -> Kept:
    """What a slice leaves of a parameter."""
    new = shape if cut is None else cut.sizes(shape)[1]
    positions: list[Optional[NDArray[np.int64]]] = []
    for axis, (size, left) in enumerate(zip(shape, new)):
        if cut is None or size == left:
            positions.append(None)
            continue
        along = [size if other == axis else 1 for other in range(len(shape))]
        # A table that takes no room, whose elements say where on the axis they stand.
        table = np.broadcast_to(np.arange(size, dtype=np.int32).reshape(along), shape)
        lines = np.moveaxis(sliced(table, cut), axis, -1)
        positions.append(lines[(0,) * (len(shape) - 1)].astype(np.int64))
    return Kept(name, shape, tuple(positions))


# --- writing ---------------------------------------------------------------------------------


def _elements(path: Path, tensor: SafeTensor) -> Iterator[bytes]:
    with _reading(path) as file:
        yield from copied(file, tensor)


def _renewed(index: Mapping[str, Any], fewer_bytes: int, fewer: int) -> Mapping[str, Any]:
    """The list of shards, with the sums that it has of them."""
    metadata = index.get("metadata")
    if not isinstance(metadata, dict):
        return index
    less = {"total_size": fewer_bytes, "total_parameters": fewer}
    renewed = {
        key: value - less[key] if key in less and isinstance(value, (int, float)) else value
        for key, value in metadata.items()
    }
    return {**index, "metadata": renewed}


def _write_text(path: Path, document: Mapping[str, Any]) -> None:
    """Writes JSON as the library does: an entry a line."""
    with written(path) as out:
        out.write(
            (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
        )


# --- messages --------------------------------------------------------------------------------


def _unreadable(path: Path, note: str) -> NoReturn:
    raise PrunecError(
        Diagnostic(
            "P350",
            "the folder cannot be read as a model of transformers",
            where=printable(str(path)),
            notes=(note,),
            help="give the folder that save_pretrained wrote: config.json, and model.safetensors or shards",
        )
    ) from None


def _other(path: Path, note: str) -> NoReturn:
    raise PrunecError(
        Diagnostic(
            "P352",
            "the folder does not hold the model of the program",
            where=printable(str(path)),
            notes=(note,),
            help="save the module that was exported with save_pretrained, and give that folder",
        )
    )
