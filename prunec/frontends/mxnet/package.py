"""The MXNet module, imported where it is used, so that nothing else of prunec needs it."""

from __future__ import annotations

from typing import Any

from prunec.support.importing import imported


def mxnet(purpose: str) -> Any:
    """The MXNet module.  Raises PrunecError P700 where it cannot be imported: ``purpose`` says what for, and
    leads up to the reason."""
    help_text = "pip install mxnet==1.9.1 'numpy<1.24', with Python 3.11 or older"
    return imported("mxnet", "P700", "MXNet is not installed", purpose, help_text)
