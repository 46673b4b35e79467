"""Operators written in Python, for commands that run models with them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from prunec.support.diagnostics import Diagnostic, PrunecError, printable


def register_operators(path: Path) -> None:
    """Runs a Python file that registers operators with the framework it imports.

    This executes the file; do it only where its author is trusted, and only where the user has said so.
    Raises ``PrunecError`` (P713) where that fails.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError("there is no such file")
        spec = importlib.util.spec_from_file_location(f"prunec_registered_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError("it is not a Python file; its name has to end in .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        reason = (str(error).splitlines() or [""])[0]
        raise PrunecError(
            Diagnostic(
                "P713",
                f"cannot run {printable(str(path))}",
                notes=(printable(f"{type(error).__name__}: {reason}", 500),),
                help="--register takes a Python file that registers its operators when it is imported",
            )
        ) from None
