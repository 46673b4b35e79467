"""MXNet's errors as messages."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Iterator

from prunec.support.diagnostics import Diagnostic, PrunecError, printable

_UNREGISTERED = "Cannot find custom operator "
#: Its library for convolutions on Intel's processors cannot copy five axes out of the layout it gave them.
_OWN_LAYOUT = "to.IsDefaultData()"
_SOURCE_PLACE = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ")


@contextmanager
def failures(headline: str) -> Iterator[None]:
    """Turn MXNet's errors, whatever their class, into one message."""
    try:
        yield
    except PrunecError:
        raise
    except Exception as error:
        if _UNREGISTERED in str(error):
            raise PrunecError(_unregistered(headline, str(error))) from None
        help_text = (
            "check that the model, its parameters and the input shapes belong together, and that this MXNet"
            " has all of the model's operators"
        )
        if _OWN_LAYOUT in str(error):
            help_text = "run it again with MXNET_MKLDNN_ENABLED=0 in the environment: slower, and it works"
        note = _first_line(str(error))
        raise PrunecError(Diagnostic("P701", headline, notes=(note,), help=help_text)) from None


def _unregistered(headline: str, message: str) -> Diagnostic:
    name = message.partition(_UNREGISTERED)[2].split("\n")[0].strip()
    return Diagnostic(
        "P701",
        headline,
        notes=(f"the operator {printable(name, 100)} is written in Python, and nothing has registered it",),
        help="give the Python file that registers it, --register my_ops.py",
    )


def _first_line(message: str) -> str:
    """The first line of an MXNet error that says something: no traceback, no C++ file names."""
    for line in message.splitlines():
        text = _SOURCE_PLACE.sub("", line.strip())
        text = re.sub(r"^(MXNetError|Error): ", "", text)
        if text and not text.startswith(("Traceback", "File ", "Stack trace", "[bt]")):
            return text[:500]
    return "no reason given"
