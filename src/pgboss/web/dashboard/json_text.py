"""JSON that people type into a field of a form, or into an address."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from pgboss.core.wire import JSON, Unreadable, loads

__all__ = ["JsonObjectText", "JsonText", "pretty"]


def pretty(value: JSON) -> str:
    """JSON as people like to read and to change it."""
    if isinstance(value, Unreadable):
        return ""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _parsed(text: object) -> JSON:
    if not isinstance(text, str):
        return text
    try:
        value = loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise PydanticCustomError("json", "This is not JSON: {reason} at {place}.", _where(error, place)) from None
    if isinstance(value, Unreadable):
        raise PydanticCustomError("json", "This JSON cannot be read: {reason}.", {"reason": value.reason})
    return value


def _where(error: json.JSONDecodeError, place: str) -> dict[str, Any]:
    return {"reason": error.msg[:1].lower() + error.msg[1:], "place": place}


def _parsed_object(text: object) -> JSON:
    value = _parsed(text)
    if not isinstance(value, dict):
        raise PydanticCustomError("json", 'This must be a JSON object, such as {"to": "ada"}.')
    return value


JsonText: TypeAlias = Annotated[Any, BeforeValidator(_parsed)]
"""A field whose text is JSON; what is wrong with it is said with line and column."""

JsonObjectText: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_parsed_object)]
"""The same, for what other JSON is to contain."""
