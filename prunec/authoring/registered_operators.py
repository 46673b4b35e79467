"""The attributes of frameworks' operators, for checks: read from what is installed once, then from a cache.

Importing a framework takes seconds, so what it says is written to the user's cache folder, keyed by
its files.  The cache is JSON and is only ever compared with names in rules.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Callable, Iterator, Mapping, Optional

from prunec.frontends.base import FrontEnd
from prunec.frontends.operators import Registered
from prunec.frontends.registry import front_end_for_rules
from prunec.language.syntax import Rule
from prunec.support import cache
from prunec.support.diagnostics import Annotation, Diagnostic, Severity

_KIND = "operators"
_MAXIMUM_BYTES = 8 << 20

#: What gives the operators that a built-in library of rules is for.
Registry = Callable[[str], Mapping[str, Registered]]


def registered_operators(library: str) -> Mapping[str, Registered]:
    """The operators that a built-in library of rules is for, as the framework that is installed lists them;
    none where there is none, or where it cannot be used.

    Raises ``PrunecError`` (P711) where prunec's own files are damaged.
    """
    front = front_end_for_rules(library)
    key = None if front is None else _installed(front)
    if front is None or key is None:
        return {}
    name = f"{key}.json"
    known: Optional[Mapping[str, Registered]] = _read(cache.read(_KIND, name, _MAXIMUM_BYTES))
    if known is None:
        try:
            known = front.operators()
        except Exception:  # a framework that does not fit its numpy fails in many ways
            return {}
        document = {operator: [list(o.attributes), o.takes_any] for operator, o in known.items()}
        cache.write(_KIND, name, json.dumps(document).encode())
    unlisted = front.unlisted_attributes()
    return {
        name: replace(operator, attributes=(*operator.attributes, *unlisted.get(name, ())))
        for name, operator in known.items()
    }


def check_attributes(rule: Rule, library: str, registered: Mapping[str, Registered]) -> Iterator[Diagnostic]:
    """A warning for each attribute in a rule's header that none of its operators has, of those that
    a built-in ``library`` is for.

    Operators that the framework does not know say nothing: they belong to other versions, or to a fork.
    """
    known = [registered[name.name] for name in rule.operators if name.name in registered]
    if not known or any(operator.takes_any for operator in known):
        return
    front = front_end_for_rules(library)
    owner = library if front is None else front.name
    names = dict.fromkeys(name for operator in known for name in operator.attributes)
    operator = next(name.name for name in rule.operators if name.name in registered)
    for attribute in rule.attributes:
        if attribute.name in names:
            continue
        close = get_close_matches(attribute.name, names, 1)
        some = ", ".join(f"`{name}`" for name in names)
        yield Diagnostic(
            "P725",
            f"{owner}'s `{operator}` has no attribute `{attribute.name}`",
            annotations=(Annotation(attribute.span),),
            notes=(f"its attributes are {some}" if names else "it has no attributes",),
            help=f"did you mean `{close[0]}`?"
            if close
            else "name one of these, or leave it out of the header",
            severity=Severity.WARNING,
        )


# --- the cache ---


def _installed(front: FrontEnd[Any]) -> Optional[str]:
    """A key for what is installed of a front end's framework, ``None`` where nothing is."""
    versions: list[object] = ["3"]
    try:
        files = front.installed_files()
        for path in files or ():
            status = path.stat()
            versions += [str(path), status.st_size, status.st_mtime_ns]
    except (ImportError, ValueError, OSError):
        return None
    return None if files is None else hashlib.sha256(json.dumps(versions).encode()).hexdigest()[:16]


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
