"""What PyTorch says of the arguments of its operators, from a table that stands beside the rules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterator, Mapping, Optional

from prunec.language.resources import data_folder, own_document
from prunec.value import Value

TABLE = "aten_schemas.json"
#: What stands in the table between arguments that have a place and those that are given by name.
KEYWORDS_FOLLOW = "*"
#: What stands behind the type of an argument that the operator writes to.
WRITES = "!"
#: What stands behind the type of a result whose elements may be those of an argument.
VIEW = "&"


@dataclass(frozen=True)
class SchemaArgument:
    """An argument of an operator.

    ``kind`` is its type as a schema writes it, without sizes and marks: ``"Tensor"``, ``"Tensor?"``,
    ``"Tensor[]"``, ``"SymInt[]"``, ``"float?"``, ``"ScalarType?"`` ….  ``default`` is ``None`` for a
    ``required`` argument.  ``writes`` says that the operator changes the tensor that is given.
    """

    name: str
    kind: str
    default: Value
    required: bool
    keyword_only: bool
    writes: bool


@dataclass(frozen=True)
class Schema:
    """An operator: its arguments in order, and the types of what it returns; whether some of that may be
    a view of an argument."""

    arguments: tuple[SchemaArgument, ...]
    returns: tuple[str, ...]
    gives_views: bool = False

    def argument(self, name: str) -> Optional[SchemaArgument]:
        """The argument of that name."""
        return next((argument for argument in self.arguments if argument.name == name), None)


@lru_cache(maxsize=1)
def schemas() -> Mapping[str, Schema]:
    """The schemas of all operators by their names in rules, in the order of the names.

    Raises PrunecError P711 where the table is missing or damaged.
    """
    with own_document(data_folder("rules") / TABLE) as document:
        return {
            name: Schema(
                tuple(_arguments(arguments)),
                tuple(kind.rstrip(VIEW) for kind in returns),
                any(kind.endswith(VIEW) for kind in returns),
            )
            for name, (arguments, returns) in document.items()
        }


def schema(name: str) -> Optional[Schema]:
    """The schema of an operator by its name in rules, or ``None`` where the table has none.

    Raises PrunecError P711 where the table is missing or damaged.
    """
    return schemas().get(name)


def _arguments(rows: list[Any]) -> Iterator[SchemaArgument]:
    keyword_only = False
    for row in rows:
        if row == KEYWORDS_FOLLOW:
            keyword_only = True
            continue
        kind, name, *default = row
        yield SchemaArgument(
            name,
            kind.rstrip(WRITES),
            _value(default[0]) if default else None,
            required=not default,
            keyword_only=keyword_only,
            writes=kind.endswith(WRITES),
        )


def _value(default: Any) -> Value:
    return tuple(map(_value, default)) if isinstance(default, list) else default
