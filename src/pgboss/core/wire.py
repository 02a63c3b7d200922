"""JSON as both languages read it: payloads going out, outputs and errors of handlers coming back.

Only the names of options change case between Python and Node; keys inside data and output are never touched.
The rules of output are those of docs/compatibility.md, "Output".
"""

from __future__ import annotations

import dataclasses
import json
import traceback
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel

from pgboss.errors import PayloadError

__all__ = ["JSON", "camel_case", "dumps", "error_output", "loads", "output_text"]

JSON: TypeAlias = Any
"""A JSON value: dict with string keys, list, str, int, float, bool or None."""

MAX_TRACEBACK_CHARACTERS = 16_000
MAX_CAUSES = 10


def camel_case(name: str) -> str:
    """``retry_limit`` becomes ``retryLimit``: the spelling of an option on the wire."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def dumps(value: JSON, *, what: str = "job data") -> str:
    """Serialise to JSON text that PostgreSQL's jsonb takes.

    Dates and times become ISO text, UUIDs and decimals text, enums their value, dataclasses and pydantic
    models objects.

    Raises:
        PayloadError: the value holds something JSON or jsonb cannot: NaN or Infinity, U+0000, a lone surrogate,
            a set, bytes or another object, or a reference to itself.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)
        text.encode()
    except UnicodeEncodeError as error:
        raise PayloadError(
            f"The {what} holds a lone surrogate, which is not text: {error.object[error.start]!r}."
        ) from None
    except RecursionError:
        raise PayloadError(f"The {what} is nested too deeply to be stored as JSON.") from None
    except (TypeError, ValueError) as error:
        raise PayloadError(f"The {what} cannot be stored as JSON: {_reason(error)}.") from None
    if "\\u0000" in text and _has_nul(json.loads(text)):
        raise PayloadError(f"The {what} holds the character U+0000, which PostgreSQL cannot store in jsonb. Remove it.")
    return text


def loads(text: str | None) -> JSON:
    """Parse JSON text as read from the database; SQL NULL is ``None``."""
    return None if text is None else json.loads(text)


def output_text(value: object) -> str | None:
    """The JSON text stored as a job's output: objects as they are, anything else as ``{"value": …}``.

    ``None`` is SQL NULL.

    Raises:
        PayloadError: see :func:`dumps`.
    """
    if value is None:
        return None
    if isinstance(value, BaseException):
        return dumps(error_output(value), what="error")
    text = dumps(value, what="output")
    return text if text.startswith("{") else f'{{"value":{text}}}'


def error_output(error: BaseException) -> dict[str, JSON]:
    """An exception as pg-boss stores errors: name, message, stack, and its cause or grouped errors alike.

    Never raises: what cannot be stored is replaced.
    """
    return _describe(error, MAX_CAUSES)


def _describe(error: BaseException, depth: int) -> dict[str, JSON]:
    described: dict[str, JSON] = {
        "name": type(error).__name__,
        "message": _storable(_message(error)),
        "stack": _storable("".join(traceback.format_exception(error, chain=False))[-MAX_TRACEBACK_CHARACTERS:]),
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth:
        described["cause"] = _describe(cause, depth - 1)
    if isinstance(error, BaseExceptionGroup) and depth:
        described["errors"] = [_describe(inner, depth - 1) for inner in error.exceptions[:MAX_CAUSES]]
    return described


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001  a foreign __str__ may raise anything; the job must fail all the same
        return f"<{type(error).__name__} whose text could not be made: {type(broken).__name__}>"


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _default(value: object) -> JSON:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type: {repr(value)[:80]}")


def _reason(error: Exception) -> str:
    text = str(error)
    if "Circular reference" in text:
        return "it refers to itself"
    if "Out of range float values" in text:
        return f"NaN and Infinity are not JSON ({text})"
    return text


def _has_nul(value: JSON) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or _has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
