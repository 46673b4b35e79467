"""Where the files live that come with prunec: the grammar and the rule files."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def data_folder(kind: str) -> Path:
    """The folder of the files of a kind (``"rules"`` or ``"grammar"``).

    A wheel carries them inside the package, under ``_data``; in a checkout they stand beside it.
    """
    installed = _PACKAGE / "_data" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind
