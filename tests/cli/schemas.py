"""Comparing JSON documents with the schemas that prunec ships."""

from __future__ import annotations

import re
from typing import Any

from cli.tools import ROOT

SCHEMAS = ROOT / "prunec" / "schemas"


def validate(document: object, schema: dict[str, Any]) -> None:
    """Raises an error where a document does not follow a schema."""
    try:
        import jsonschema
    except ImportError:
        _check(document, schema, schema)
    else:
        jsonschema.validate(document, schema)


def _check(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> None:
    """The part of JSON Schema that these schemas use."""
    if "$ref" in schema:
        _check(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    if "anyOf" in schema:
        for choice in schema["anyOf"]:
            try:
                return _check(value, choice, root)
            except AssertionError:
                continue
        raise AssertionError(f"{value!r} is none of {schema['anyOf']}")
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
    types.update({"boolean": bool, "null": type(None)})
    assert isinstance(value, types[schema["type"]] if "type" in schema else object), (value, schema)
    assert value == schema.get("const", value)
    assert value in schema.get("enum", [value])
    if "minimum" in schema:
        assert value >= schema["minimum"]
    if "pattern" in schema:
        assert re.search(schema["pattern"], value)
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value)
        for key, item in value.items():
            _check(item, schema.get("properties", {}).get(key, schema.get("additionalProperties", {})), root)
    if isinstance(value, list):
        assert len(value) >= schema.get("minItems", 0)
        for item in value:
            _check(item, schema.get("items", {}), root)
