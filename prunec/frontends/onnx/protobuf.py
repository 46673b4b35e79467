"""Reading an ONNX file into its protocol buffer message, checked so far that the rest can rely on it."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Iterator, NoReturn

from prunec.embedded.onnx_preparing import Preparation
from prunec.embedded.onnx_tensors import STANDARD_DOMAINS, constants_of, is_external
from prunec.frontends.graph_building import fail
from prunec.support.diagnostics import printable
from prunec.support.importing import imported

#: What a protocol buffer can hold; larger models keep their weights in files of their own.
MAXIMUM_BYTES = 1 << 31
#: The oldest version of the operators that is read.
OLDEST_OPSET = 7
#: The messages that tensors stand in.
_HOLD_TENSORS = frozenset(
    f"{name}Proto" for name in ("Attribute", "Function", "Graph", "Node", "SparseTensor", "Tensor")
) | {"TrainingInfoProto"}
#: What is used of the package; older versions do not import all of it by themselves.
_PARTS = ("onnx.defs", "onnx.helper", "onnx.numpy_helper", "onnx.shape_inference")


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """An ONNX file: its path, its message (not to be changed), and the SHA-256 of its bytes.

    Where the message is prepared, ``original`` is the one that the file holds.
    """

    path: Path
    proto: Any
    digest: str
    preparation: Preparation = Preparation()
    original: Any = None

    @property
    def written(self) -> Any:
        """The message that the file holds."""
        return self.proto if self.original is None else self.original

    @property
    def name(self) -> str:
        """How messages call it."""
        return printable(str(self.path))

    @property
    def folder(self) -> Path:
        """Where its external data are."""
        return self.path.parent


@lru_cache(maxsize=1)
def onnx_package() -> Any:
    """The ``onnx`` package.  Raises PrunecError P330 where it is not installed."""
    purpose = "ONNX files are read with it; importing it gave"
    package, *_ = (
        imported(name, "P330", "the package onnx is not installed", purpose, "pip install onnx")
        for name in ("onnx", *_PARTS)
    )
    return package


def read_file(path: Path) -> OnnxFile:
    """Reads an ONNX file without its external data.

    Raises PrunecError: P301 the file cannot be read, P302 it is too large, P331 it is no ONNX model, P332
    its operators are older than version 7 or newer than the installed onnx package, P330 there is none, P334
    a tensor has external data that is none of the constants.
    """
    name = printable(str(path))
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                fail("P301", "cannot read the model", name, "it is not a file", "check the path")
            if status.st_size > MAXIMUM_BYTES:
                _too_large(name, status.st_size)
            data = file.read(MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fail("P301", "cannot read the model", name, f"the system says: {reason}", "check the path")
    return parse_file(data, path)


def parse_file(data: bytes, path: Path) -> OnnxFile:
    """The same from the bytes of a file; ``path`` names it and tells where its external data are."""
    onnx = onnx_package()
    name = printable(str(path))
    if len(data) > MAXIMUM_BYTES:
        _too_large(name, len(data))
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as error:  # protobuf's own error class depends on its implementation
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        _no_model(name, f"it cannot be decoded: {printable(reason)}")
    if any(isinstance(text, bytes) for text in _texts(proto)):
        _no_model(name, "a name in it is not UTF-8 text")
    if not proto.HasField("graph"):
        _no_model(name, "it holds no graph")
    if not proto.opset_import:
        _no_model(name, "it does not say which version of the operators it uses")
    _check_versions(onnx, proto, name)
    check_data(proto, name)
    return OnnxFile(path, proto, hashlib.sha256(data).hexdigest())


def opsets(proto: Any) -> dict[str, int]:
    """The version of each domain's operators, the standard domain as ``""``."""
    return {
        "" if entry.domain in STANDARD_DOMAINS else entry.domain: entry.version
        for entry in proto.opset_import
    }


def _texts(message: Any) -> Iterator[Any]:
    """All texts of a message; the reader gives those as bytes that cannot be decoded.  Elements of tensors
    are not touched: they may be large."""
    for field in message.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING:
            value = getattr(message, field.name)
            yield from (value,) if isinstance(value, (str, bytes)) else value
        elif field.type == field.TYPE_MESSAGE:
            value = getattr(message, field.name)
            parts = value if not hasattr(value, "DESCRIPTOR") else (value,) * message.HasField(field.name)
            for part in parts:
                yield from _texts(part)


def check_data(proto: Any, name: str) -> None:
    """Whether no tensors but the constants of the graph have external data.  Others, in attributes and nested
    graphs, are read by libraries that look for them wherever they are called from.

    Raises PrunecError P334.
    """
    external = [tensor for _, tensor in constants_of(proto.graph) if is_external(tensor)]
    found = [tensor for tensor in _tensors(proto) if is_external(tensor)]
    if len(found) == len(external):
        return
    stray = next(tensor for tensor in found if not any(tensor is other for other in external))
    shown = printable(stray.name, 80) or "a tensor without a name"
    note = f"{shown} is no constant of the graph: it stands in an attribute or in a nested graph"
    advice = "write it as one file, onnx.save(onnx.load('model.onnx'), 'whole.onnx'), if you know who made it"
    fail("P334", "external data in a place where they are not read", name, note, advice)


def _tensors(message: Any) -> Iterator[Any]:
    """All tensors of a message, however deep."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE and field.message_type.name in _HOLD_TENSORS:
            for part in value if not hasattr(value, "DESCRIPTOR") else (value,):
                if part.DESCRIPTOR.name == "TensorProto":
                    yield part
                else:
                    yield from _tensors(part)


def _check_versions(onnx: Any, proto: Any, name: str) -> None:
    version = opsets(proto).get("")
    newest = onnx.defs.onnx_opset_version()
    if version is None or OLDEST_OPSET <= version <= newest:
        return
    if version < OLDEST_OPSET:
        note = f"it uses version {version}; operators changed their meaning before version {OLDEST_OPSET}"
        advice = "convert it with onnx.version_converter, or export it again"
    else:
        note = f"it uses version {version}, and the onnx package that is installed knows up to {newest}"
        advice = "install a newer onnx package, or export the model with an older opset"
    fail("P332", "the model's operators are of a version that is not read", name, note, advice)


def _no_model(name: str, note: str) -> NoReturn:
    fail("P331", "not an ONNX model", name, note, "give the .onnx file that the framework exported")


def _too_large(name: str, size: int) -> NoReturn:
    note = f"it has {size:,} bytes, and a protocol buffer holds {MAXIMUM_BYTES:,} at most"
    advice = "save it with its weights as external data (onnx.save with save_as_external_data)"
    fail("P302", "the model file is too large", name, note, advice)
