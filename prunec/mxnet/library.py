"""The MXNet module, imported where it is used, so that nothing else of prunec needs it."""

from __future__ import annotations

import importlib
from typing import Any

from prunec.diagnostics import Diagnostic, PrunecError


def mxnet(purpose: str) -> Any:
    """The MXNet module.  Raises PrunecError P700 where it cannot be imported: ``purpose`` says what for, and
    leads up to the reason."""
    try:
        return importlib.import_module("mxnet")
    except Exception as error:  # an MXNet that does not fit its numpy fails in many ways
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise PrunecError(
            Diagnostic(
                "P700",
                "MXNet is not installed",
                notes=(f"{purpose}: {reason}",),
                help="pip install 'prunec[mxnet]', with Python 3.11 or older and numpy before 1.24",
            )
        ) from None
