"""The attributes of frameworks' operators, for checks: read from what is installed once, then from a cache.

Importing a framework takes seconds, so what it says is written to the user's cache folder, keyed by
its files.  The cache is JSON and is only ever compared with names in rules.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Callable, Iterator, Mapping, Optional

from prunec.language.resources import data_folder, own_document
from prunec.language.syntax import Rule
from prunec.support import cache
from prunec.support.diagnostics import Annotation, Diagnostic, Severity

_KIND = "operators"
_MAXIMUM_BYTES = 8 << 20


@dataclass(frozen=True)
class Registered:
    """An operator of the registry: its attributes, and whether it takes others as well."""

    attributes: tuple[str, ...]
    takes_any: bool


#: What gives the operators that a built-in library of rules is for.
Registry = Callable[[str], Mapping[str, Registered]]


def registered_operators(library: str) -> Mapping[str, Registered]:
    """The operators that a built-in library of rules is for, as the framework that is installed lists them;
    none where there is none, or where it cannot be used.

    Raises ``PrunecError`` (P711) where prunec's own files are damaged.
    """
    framework = _FRAMEWORKS.get(library)
    key = None if framework is None else _installed(framework)
    if framework is None or key is None:
        return {}
    name = f"{key}.json"
    known = _read(cache.read(_KIND, name, _MAXIMUM_BYTES))
    if known is None:
        try:
            known = framework.ask()
        except Exception:  # a framework that does not fit its numpy fails in many ways
            return {}
        document = {own: [list(o.attributes), o.takes_any] for own, o in known.items()}
        cache.write(_KIND, name, json.dumps(document).encode())
    return _with_unlisted(library, known)


def check_attributes(rule: Rule, library: str, registered: Mapping[str, Registered]) -> Iterator[Diagnostic]:
    """A warning for each attribute in a rule's header that none of its operators has, of those that
    a built-in ``library`` is for.

    Operators that the framework does not know say nothing: they belong to other versions, or to a fork.
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
            f"{_FRAMEWORKS[library].name}'s `{operator}` has no attribute `{attribute.name}`",
            annotations=(Annotation(attribute.span),),
            notes=(f"its attributes are {some}" if names else "it has no attributes",),
            help=f"did you mean `{close[0]}`?"
            if close
            else "name one of these, or leave it out of the header",
            severity=Severity.WARNING,
        )


def _with_unlisted(library: str, known: Mapping[str, Registered]) -> Mapping[str, Registered]:
    """The operators with the attributes that ``rules/framework_quirks.json`` adds.

    Raises ``PrunecError`` (P711) where that file is missing or damaged.
    """
    if library != "default":
        return known
    with own_document(data_folder("rules") / "framework_quirks.json") as document:
        added = document["attributes"]
        return {
            name: replace(operator, attributes=(*operator.attributes, *added.get(name, ())))
            for name, operator in known.items()
        }


# --- asking frameworks ---


@dataclass(frozen=True)
class _Framework:
    """What lists operators: how it is called, the packages it takes, the files by which versions are told
    apart (``None``: the packages' own), and what asks it."""

    name: str
    packages: tuple[str, ...]
    files: Optional[str]
    ask: Callable[[], dict[str, Registered]]


def _ask_mxnet() -> dict[str, Registered]:
    from prunec.frontends.mxnet.operators import find_operator, operator_names

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


def _ask_onnx() -> dict[str, Registered]:
    """Attributes of all versions, and inputs: rules read what these carry like attributes."""
    from prunec.frontends.onnx.operators import OPSET, OUTPUTS, schemas

    found: dict[str, Registered] = {}
    for name, versions in schemas().items():
        attributes = [attribute for version in versions for attribute in version.attributes]
        inputs = [formal.name for version in versions for formal in version.inputs]
        found[name] = Registered(tuple(dict.fromkeys((*attributes, *inputs, OPSET, OUTPUTS))), False)
    return found


#: By the built-in rules for their operators.
_FRAMEWORKS = {
    # The library file tells versions apart as well as a version number, and sooner.
    "default": _Framework("MXNet", ("mxnet",), "libmxnet.*", _ask_mxnet),
    "onnx": _Framework("ONNX", ("onnx", "onnxruntime"), None, _ask_onnx),
}


# --- the cache ---


def _installed(framework: _Framework) -> Optional[str]:
    """A key for what is installed of a framework, ``None`` without its first package; nothing is imported for
    it."""
    told: list[object] = ["2"]
    try:
        for package in framework.packages:
            found = importlib.util.find_spec(package)
            if found is None or found.origin is None:
                if package == framework.packages[0]:
                    return None
                continue
            path = Path(found.origin)
            if framework.files is not None:
                path = next(path.parent.glob(framework.files), path)
            status = path.stat()
            told += [str(path), status.st_size, status.st_mtime_ns]
    except (ImportError, ValueError, OSError):
        return None
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


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
