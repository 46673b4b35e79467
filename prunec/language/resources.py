"""Where the files live that come with prunec: the grammar and the rule files."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from prunec.support.diagnostics import Diagnostic, PrunecError

_PACKAGE = Path(__file__).resolve().parent.parent


def data_folder(kind: str) -> Path:
    """The folder of the files of a kind (``"rules"`` or ``"grammar"``).

    A wheel carries them inside the package, under ``_data``; in a checkout they stand beside it.
    """
    installed = _PACKAGE / "_data" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


@contextmanager
def own_document(path: Path) -> Iterator[Any]:
    """The contents of a JSON file that comes with prunec, to be taken apart inside.

    Raises PrunecError P711 where it is missing, or is not as it should be.
    """
    try:
        yield json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise PrunecError(
            Diagnostic(
                "P711",
                f"cannot read {path}",
                notes=(f"{type(error).__name__}: {error}",),
                help="the file comes with prunec; install prunec anew",
            )
        ) from None
