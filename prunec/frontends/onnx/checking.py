"""Whether a file that was written is as sound as the one it comes from: onnx's full check says.

The full check holds a file against the format and the operators' schemas, and every shape that it states
against those that follow.  Files that nobody would write can end its process, so it gets one of its own.

``python -m prunec.frontends.onnx.checking`` reads a path from the standard input and answers on the
standard output.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, Optional

from prunec.frontends.onnx.protobuf import onnx_package
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.processes import written_by

_PASSED = b"passed"
#: Far more than any model takes.
_SECONDS = 120.0
_MEMORY = 4 << 30
#: Copies of the file that the check holds at a time, at most.
_COPIES = 6


def check_written(written: Path, original: Path) -> None:
    """Checks a file that was made of another.

    Raises PrunecError P516 where it fails and the original passes: what is wrong with both is not of prunec's
    making.
    """
    finding = finding_of(written)
    if finding is None or finding_of(original) is not None:
        return
    raise PrunecError(
        Diagnostic(
            "P516",
            "the smaller model fails onnx's full check, and the original passes it",
            where=printable(str(original)),
            notes=(f"onnx says: {printable(finding, 500)}", "nothing was written"),
            help="this is an error in prunec: please report it, with the model or its structure",
        )
    )


def finding_of(path: Path) -> Optional[str]:
    """What the full check says of a file; ``None`` where it passes."""
    try:
        memory = _MEMORY + _COPIES * path.stat().st_size
    except OSError as error:
        return str(error)
    answer = written_by(answer_check, __name__, os.fsencode(path), _SECONDS, memory)
    if answer == _PASSED:
        return None
    return answer.decode("utf-8", "replace") or "the check ended without an answer"


def answer_check(question: bytes, out: BinaryIO) -> None:
    """Writes what the check says of the file whose path is asked about."""
    try:
        _check(os.fsdecode(question))
    except Exception as error:  # whatever the check raises is its finding
        text = " ".join(str(error).split()) or type(error).__name__
        out.write(text.encode("utf-8", "replace"))
    else:
        out.write(_PASSED)


def _check(path: str) -> None:
    """The full check.  External data are looked for and not read.

    Old versions of the package write into the file when they are given its path for a full check: its parts
    are asked for one by one where they are needed.
    """
    onnx = onnx_package()
    data = Path(path).read_bytes()
    model = onnx.ModelProto.FromString(data)
    if any(_is_external(tensor) for tensor in _tensors(model.graph)):
        onnx.checker.check_model(path)
        onnx.shape_inference.infer_shapes(data, check_type=True, strict_mode=True)
    else:
        onnx.checker.check_model(data, full_check=True)


def _tensors(graph: Any) -> list[Any]:
    held = [attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t")]
    return [*graph.initializer, *held]


def _is_external(tensor: Any) -> bool:
    return bool(tensor.data_location == onnx_package().TensorProto.EXTERNAL)


if __name__ == "__main__":
    answer_check(sys.stdin.buffer.read(), sys.stdout.buffer)
