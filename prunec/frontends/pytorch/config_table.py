"""What the fields of a ``config.json`` are the sizes of, by the family of the model, from a table that stands
beside the rules.

Of each family it says how its parameters are called, and of each axis of them which fields it is the product
of: ``"num_attention_heads * head_dim"``; ``"a | b"`` is an axis of two parts, one after the other.  An axis
that no field tells is ``null``: its size stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Any, Mapping, Optional, Union

from prunec.language.resources import data_folder, own_document

TABLE = "transformers_configs.json"


@dataclass(frozen=True)
class Amount:
    """A product of numbers and fields, ``divisor`` the field that divides it."""

    factors: tuple[Union[int, str], ...]
    divisor: Optional[str] = None

    @property
    def text(self) -> str:
        """As the table has it."""
        return " * ".join(map(str, self.factors)) + (f" / {self.divisor}" if self.divisor else "")

    def value(self, fields: Mapping[str, int]) -> Optional[int]:
        """The number that it is; ``None`` where a field is missing or it is not whole."""
        named = [own for own in (*self.factors, self.divisor) if isinstance(own, str)]
        if any(name not in fields for name in named):
            return None
        found = prod(own if isinstance(own, int) else fields[own] for own in self.factors)
        by = fields[self.divisor] if self.divisor else 1
        return None if by == 0 or found % by else found // by


@dataclass(frozen=True)
class Field:
    """A field of a configuration.

    ``default`` is what it is where the file does not say; ``fixed`` says why it cannot change ("" where it
    can); one that is ``derived`` is no field of the file, and always its default.
    """

    name: str
    default: Optional[Amount]
    fixed: str
    derived: bool


@dataclass(frozen=True)
class Family:
    """The models of one ``model_type``.

    Names of parameters are compared without ``base`` in front, and with ``renamed`` texts as one version of
    the library after the other called them.  ``unread`` are tensors that files may hold and models do not.
    ``fixed_with`` names keys of the configuration with which some fields cannot change, and why;
    ``divides`` are pairs of fields, the first of which divides the second, and why.
    """

    name: str
    base: str
    renamed: tuple[tuple[str, str], ...]
    unread: tuple[re.Pattern[str], ...]
    fields: Mapping[str, Field]
    fixed_with: Mapping[str, tuple[tuple[str, ...], str]]
    divides: tuple[tuple[str, str, str], ...]
    shapes: tuple[tuple[re.Pattern[str], tuple[tuple[Amount, ...], ...]], ...]

    def plain(self, name: str) -> str:
        """The name of a parameter as the table has it."""
        bare = name[len(self.base) :] if name.startswith(self.base) else name
        for old, new in self.renamed:
            bare = bare.replace(old, new)
        return bare

    def is_unread(self, name: str) -> bool:
        """Whether models do not read a tensor of files."""
        return any(pattern.fullmatch(self.plain(name)) for pattern in self.unread)

    def axes(self, name: str) -> Optional[tuple[tuple[Amount, ...], ...]]:
        """The parts of each axis of a parameter, none for an axis that no field tells; ``None`` for a
        parameter that the table does not have."""
        plain = self.plain(name)
        return next((axes for pattern, axes in self.shapes if pattern.fullmatch(plain)), None)


def known_families() -> tuple[str, ...]:
    """What the table has.  Raises PrunecError P711 where it is missing or damaged."""
    with own_document(data_folder("rules") / TABLE) as document:
        return tuple(document)


def family_of(model_type: str) -> Optional[Family]:
    """The family of a name.  Raises PrunecError P711 as :func:`known_families`."""
    with own_document(data_folder("rules") / TABLE) as document:
        return _family(model_type, document[model_type]) if model_type in document else None


def _family(name: str, entry: Mapping[str, Any]) -> Family:
    fields = {
        own: Field(
            own,
            _amount(said["default"]) if "default" in said else None,
            said.get("fixed", ""),
            said.get("derived", False),
        )
        for own, said in entry["fields"].items()
    }
    return Family(
        name,
        entry["base"],
        tuple((old, new) for old, new in entry.get("renamed", ())),
        tuple(map(_pattern, entry.get("unread", ()))),
        fields,
        {key: (tuple(names), why) for key, (names, why) in entry.get("fixed_with", {}).items()},
        tuple((first, second, why) for first, second, why in entry.get("divides", ())),
        tuple((_pattern(own), tuple(map(_parts, axes))) for own, axes in entry["shapes"].items()),
    )


def _pattern(text: str) -> re.Pattern[str]:
    """A name in which ``*`` stands for the number of a layer."""
    return re.compile(r"\d+".join(map(re.escape, text.split("*"))))


def _parts(axis: Optional[str]) -> tuple[Amount, ...]:
    return () if axis is None else tuple(map(_amount, axis.split(" | ")))


def _amount(text: str) -> Amount:
    product, _, divisor = text.partition(" / ")
    factors = (int(own) if own.isdigit() else own for own in product.split(" * "))
    return Amount(tuple(factors), divisor or None)
