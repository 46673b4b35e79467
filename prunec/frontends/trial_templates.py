"""The operators that the proof puts around the one it tries, and values for attributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Mapping, Optional

from prunec.language.resources import data_folder, own_document
from prunec.value import Value


@dataclass(frozen=True)
class Template:
    """An operator with attributes; those that read ``{placeholder}`` are filled in.  ``carries`` are values
    that inputs behind the others carry, likewise."""

    operator: str
    attributes: Mapping[str, Value]
    carries: tuple[Value, ...] = ()

    def fill(self, **values: Value) -> Template:
        """The template with every placeholder replaced."""
        named = {f"{{{name}}}": value for name, value in values.items()}

        def filled(value: Value) -> Value:
            return named.get(value, value) if isinstance(value, str) else value

        attributes = {name: filled(value) for name, value in self.attributes.items()}
        return Template(self.operator, attributes, tuple(map(filled, self.carries)))


@dataclass(frozen=True)
class Templates:
    """What ``rules/trial_templates*.json`` says.

    ``produce`` mixes the last axis, ``features``, into ``size`` new channels by a weight whose axes are
    ``weight``, and takes a bias where no ``bias`` adds one; ``order`` reorders axes, ``reshape`` reshapes,
    ``add`` and ``join`` put tensors together, ``sum`` sums over an axis, ``cast`` changes the type, ``copy``
    gives a tensor of its own to an operator that writes to it.
    ``ranges`` are chains that bring values into a range (all numbers, between -1 and 1, positive, …); the
    last one makes zeros something else, and all numbers positive.

    ``inputs`` are rows for slots that hold coordinates, ``whole`` slots that hold whole numbers and nothing
    else.  ``values`` are menus by attribute name, ``leave`` attributes to leave alone, ``longest`` bounds on
    the length of tuples, ``single`` carried values that are one number, ``kinds`` types of elements for slots
    that take several and work with these, or for all of an operator's, ``codes`` the codes of a reshape
    (``None``: all that its function reads), ``all_outputs`` operators that compute nothing right unless all
    their outputs are used, ``positive`` operators that may never come back for a number below zero,
    ``operators`` fixed attributes of single operators.
    """

    produce: Template
    weight: tuple[str, str]
    bias: Optional[Template]
    order: Template
    reshape: Template
    add: Template
    join: Template
    sum: Template
    cast: Optional[Template]
    copy: Optional[Template]
    ranges: tuple[tuple[Template, ...], ...]
    inputs: Mapping[str, tuple[float, ...]]
    whole: frozenset[str]
    values: Mapping[str, tuple[Value, ...]]
    leave: frozenset[str]
    longest: Mapping[str, int]
    single: frozenset[str]
    kinds: Mapping[str, str]
    codes: Optional[tuple[int, ...]]
    all_outputs: frozenset[str]
    positive: frozenset[str]
    operators: Mapping[str, Mapping[str, Value]]


@lru_cache(maxsize=64)
def read_templates(name: str, version: Optional[int]) -> Templates:
    """Reads a file of templates for operators of a version.  Of several forms of a template, the first is
    taken that there is since then.  Raises ``PrunecError`` (P711) where it is missing or damaged."""
    with own_document(data_folder("rules") / name) as document:

        def template(entry: Any) -> Template:
            return _template(entry, version or 0)

        def optional(name: str) -> Optional[Template]:
            return template(document[name]) if name in document else None

        single = ("produce", "order", "reshape", "add", "join", "sum")
        return Templates(
            **{name: template(document[name]) for name in single},
            bias=optional("bias"),
            cast=optional("cast"),
            copy=optional("copy"),
            weight=tuple(document.get("weight", ("size", "features"))),
            ranges=tuple(tuple(template(entry) for entry in chain) for chain in document["ranges"]),
            inputs={name: tuple(row) for name, row in document["inputs"].items()},
            whole=frozenset(document["whole"]),
            values={name: tuple(map(_value, values)) for name, values in document["values"].items()},
            leave=frozenset(document["leave"]),
            longest=document["longest"],
            single=frozenset(document.get("single", ())),
            kinds=document.get("kinds", {}),
            codes=tuple(document["codes"]) if "codes" in document else None,
            all_outputs=frozenset(document["all_outputs"]),
            positive=frozenset(document.get("positive", ())),
            operators={
                operator: {name: _value(value) for name, value in fixed.items()}
                for operator, fixed in document["operators"].items()
            },
        )


def _template(entry: Any, version: int) -> Template:
    forms = entry if isinstance(entry, list) else [entry]
    form = next(form for form in forms if form.get("since", 0) <= version)
    attributes = {str(name): _value(value) for name, value in form["attributes"].items()}
    return Template(form["operator"], attributes, tuple(map(_value, form.get("carries", ()))))


def _value(value: Any) -> Value:
    return tuple(map(_value, value)) if isinstance(value, list) else value
