"""A payload to begin with, as the JSON schema of a typed job would have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgboss.core.wire import JSON

__all__ = ["skeleton"]

PLAIN: Mapping[str, JSON] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "null": None}
DEEPEST = 8


def skeleton(schema: Mapping[str, Any]) -> JSON:
    """JSON with every required key, and values that the schema names itself: defaults, choices, examples."""
    return _example(schema, schema.get("$defs", {}), 0)


def _example(schema: Any, definitions: Mapping[str, Any], depth: int) -> JSON:
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return None
    for known in ("const", "default"):
        if known in schema:
            return schema[known]
    for listed in ("examples", "enum"):
        if schema.get(listed):
            return schema[listed][0]
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _example(definitions.get(name), definitions, depth + 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _example(schema[choice][0], definitions, depth + 1)
    return _plain(schema, definitions, depth)


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> JSON:
    if schema.get("type") != "object":
        return PLAIN.get(str(schema.get("type")))
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    return {name: _example(one, definitions, depth + 1) for name, one in properties.items() if name in required}
