"""The attributes of MXNet's operators, for checks: read from the installed MXNet once, then from a cache.

Importing MXNet takes seconds, so what it says is written to the user's cache folder, keyed by
the library file.  The cache is JSON and is only ever compared with names in rules.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Iterator, Mapping, Optional

from prunec import cache
from prunec.diagnostics import Annotation, Diagnostic, PrunecError, Severity
from prunec.language.resources import data_folder
from prunec.language.syntax import Rule

_FRAMEWORK = "mxnet"
_KIND = "operators"
_MAXIMUM_BYTES = 8 << 20


@dataclass(frozen=True)
class Registered:
    """An operator of the registry: its attributes, and whether it takes others as well."""

    attributes: tuple[str, ...]
    takes_any: bool


def registered_operators() -> Mapping[str, Registered]:
    """The operators of the MXNet that is installed; none where there is none, or where it cannot be used.

    Raises ``PrunecError`` (P711) where prunec's own files are damaged.
    """
    key = _installed()
    if key is None:
        return {}
    name = f"{key}.json"
    known = _read(cache.read(_KIND, name, _MAXIMUM_BYTES))
    if known is None:
        try:
            known = _ask()
        except Exception:  # an MXNet that does not fit its numpy fails in many ways
            return {}
        document = {own: [list(o.attributes), o.takes_any] for own, o in known.items()}
        cache.write(_KIND, name, json.dumps(document).encode())
    return _with_unlisted(known)


def check_attributes(rule: Rule, registered: Mapping[str, Registered]) -> Iterator[Diagnostic]:
    """A warning for each attribute in a rule's header that none of its operators has.

    Operators that MXNet does not know say nothing: they belong to other versions, or to a fork.
    """
    known = [registered[name.name] for name in rule.operators if name.name in registered]
    if not known or any(operator.takes_any for operator in known):
        return
    names = dict.fromkeys(name for operator in known for name in operator.attributes)
    operator = next(name.name for name in rule.operators if name.name in registered)
    for attribute in rule.attributes:
        if attribute.name in names:
            continue
        close = get_close_matches(attribute.name, names, 1)
        some = ", ".join(f"`{name}`" for name in names)
        yield Diagnostic(
            "P725",
            f"MXNet's `{operator}` has no attribute `{attribute.name}`",
            annotations=(Annotation(attribute.span),),
            notes=(f"its attributes are {some}" if names else "it has no attributes",),
            help=f"did you mean `{close[0]}`?"
            if close
            else "name one of these, or leave it out of the header",
            severity=Severity.WARNING,
        )


def _with_unlisted(known: Mapping[str, Registered]) -> dict[str, Registered]:
    """The operators with the attributes that ``rules/unlisted.json`` adds.

    Raises ``PrunecError`` (P711) where that file is missing or damaged.
    """
    path = data_folder("rules") / "unlisted.json"
    try:
        added = json.loads(path.read_text(encoding="utf-8"))["attributes"]
        return {
            name: replace(operator, attributes=(*operator.attributes, *added.get(name, ())))
            for name, operator in known.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PrunecError(
            Diagnostic(
                "P711",
                f"cannot read {path}",
                notes=(f"{type(error).__name__}: {error}",),
                help="the file comes with prunec; install prunec anew",
            )
        ) from None


# --- asking MXNet ---


def _ask() -> dict[str, Registered]:
    from prunec.mxnet.operators import find_operator, operator_names

    found: dict[str, Registered] = {}
    for name in operator_names():
        operator = find_operator(name)
        if operator is None:
            continue
        attributes = [argument.name for argument in operator.arguments]
        if operator.counted_by and operator.counted_by not in attributes:
            attributes.append(operator.counted_by)
        found[name] = Registered(tuple(attributes), bool(attributes) and operator.takes_any)
    return found


# --- the cache ---


def _installed() -> Optional[str]:
    """A key for the MXNet that is installed, ``None`` without one; MXNet is not imported for it."""
    try:
        found = importlib.util.find_spec(_FRAMEWORK)
        if found is None or found.origin is None:
            return None
        # The library file tells versions apart as well as a version number, and sooner.
        library = next(Path(found.origin).parent.glob("libmxnet.*"), Path(found.origin))
        status = library.stat()
    except (ImportError, ValueError, OSError):
        return None
    text = json.dumps(["1", str(library), status.st_size, status.st_mtime_ns])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(data: Optional[bytes]) -> Optional[dict[str, Registered]]:
    """What the cache says, ``None`` where it is missing or not what was written."""
    try:
        document = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    found: dict[str, Registered] = {}
    for name, entry in document.items():
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], list)):
            return None
        if not all(isinstance(attribute, str) for attribute in entry[0]):
            return None
        found[name] = Registered(tuple(entry[0]), bool(entry[1]))
    return found
