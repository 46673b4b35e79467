"""Whether a file that was written is as sound as the one it comes from: onnx's full check says.

The full check holds a file against the format and the operators' schemas, and every shape that it states
against those that follow.  Files that nobody would write can end its process, so it gets one of its own.

``python -m prunec.frontends.onnx.full_check`` reads a path from the standard input and answers on the
standard output.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO, Optional

from prunec.embedded.onnx_slicing import full_check
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
        full_check(os.fsdecode(question))
    except Exception as error:  # whatever the check raises is its finding
        text = " ".join(str(error).split()) or type(error).__name__
        out.write(text.encode("utf-8", "replace"))
    else:
        out.write(_PASSED)


if __name__ == "__main__":
    answer_check(sys.stdin.buffer.read(), sys.stdout.buffer)
