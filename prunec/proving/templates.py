"""The operators that the proof puts around the one it tries, and values for attributes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Mapping

from prunec.diagnostics import Diagnostic, PrunecError
from prunec.language.resources import data_folder
from prunec.language.syntax import Value


@dataclass(frozen=True)
class Template:
    """An operator with attribute texts that hold ``{placeholders}``."""

    operator: str
    attributes: Mapping[str, str]

    def fill(self, **values: object) -> dict[str, str]:
        """The attribute texts with every placeholder replaced."""
        filled = dict(self.attributes)
        for name, value in values.items():
            filled = {key: text.replace("{" + name + "}", str(value)) for key, text in filled.items()}
        return filled


@dataclass(frozen=True)
class Templates:
    """What ``rules/proving.json`` says.

    ``produce`` mixes the last axis into new channels, ``order`` reorders axes, ``reshape`` reshapes, ``add``
    and ``join`` put two tensors together, ``sum`` sums over an axis.  ``ranges`` are chains that bring values
    into a range (all numbers, between -1 and 1, positive, …); the last one makes zeros something else.
    ``inputs`` are rows for slots that hold coordinates, ``whole`` slots that hold whole numbers and nothing
    else.  ``values`` are menus by attribute name, ``leave`` attributes to leave alone, ``longest`` bounds on
    the length of tuples, ``all_outputs`` operators that compute nothing right unless all their outputs are
    used, ``operators`` fixed attributes of single operators.
    """

    produce: Template
    order: Template
    reshape: Template
    add: Template
    join: Template
    sum: Template
    ranges: tuple[tuple[Template, ...], ...]
    inputs: Mapping[str, tuple[float, ...]]
    whole: frozenset[str]
    values: Mapping[str, tuple[Value, ...]]
    leave: frozenset[str]
    longest: Mapping[str, int]
    all_outputs: frozenset[str]
    operators: Mapping[str, Mapping[str, Value]]


@lru_cache(maxsize=1)
def templates() -> Templates:
    """Reads ``rules/proving.json``.  Raises ``PrunecError`` (P711) where it is missing or damaged."""
    path = data_folder("rules") / "proving.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        single = ("produce", "order", "reshape", "add", "join", "sum")
        return Templates(
            **{name: _template(document[name]) for name in single},
            ranges=tuple(tuple(_template(entry) for entry in chain) for chain in document["ranges"]),
            inputs={name: tuple(row) for name, row in document["inputs"].items()},
            whole=frozenset(document["whole"]),
            values={name: tuple(values) for name, values in document["values"].items()},
            leave=frozenset(document["leave"]),
            longest=document["longest"],
            all_outputs=frozenset(document["all_outputs"]),
            operators=document["operators"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PrunecError(
            Diagnostic(
                "P711",
                f"cannot read {path}",
                notes=(f"{type(error).__name__}: {error}",),
                help="the file comes with prunec; install prunec anew",
            )
        ) from None


def _template(entry: Mapping[str, Any]) -> Template:
    return Template(entry["operator"], {str(k): str(v) for k, v in entry["attributes"].items()})
