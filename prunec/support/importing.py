"""Packages that not everybody has, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from prunec.support.diagnostics import Diagnostic, PrunecError


def imported(package: str, code: str, headline: str, purpose: str, help_text: str) -> Any:
    """A package.  Raises PrunecError with this code and headline where it cannot be imported: ``purpose``
    says what it is for, and leads up to the reason."""
    try:
        return importlib.import_module(package)
    except Exception as error:  # a package that does not fit those beside it fails in many ways
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        notes = (f"{purpose}: {reason}",)
        raise PrunecError(Diagnostic(code, headline, notes=notes, help=help_text)) from None
