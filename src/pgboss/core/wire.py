"""JSON as both languages read it: payloads going out, outputs and errors of handlers coming back.

Only the names of options change case between Python and Node; keys inside data and output are never touched.
The rules of output are those of docs/compatibility.md, "Output".
"""

from __future__ import annotations

import dataclasses
import json
import re
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel

from pgboss.errors import PayloadError

__all__ = [
    "JSON",
    "Unreadable",
    "camel_case",
    "dump_model",
    "dumps",
    "error_output",
    "loads",
    "output_text",
    "payload_errors",
]

JSON: TypeAlias = Any
"""A JSON value: dict with string keys, list, str, int, float, bool or None."""

MAX_TRACEBACK_CHARACTERS = 16_000
MAX_CAUSES = 10

# json.loads looks for white space by regular expressions, which takes longer than to read a short document.
_decoder = json.JSONDecoder()

# A backslash that is itself escaped comes before the escape without starting it: "\\\\u0000" is plain text.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for JSON that PostgreSQL holds and Python cannot: nested too deeply, or a number of thousands of digits.

    Attributes:
        reason: what is wrong with it.
    """

    reason: str


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
        text = _ENCODER.encode(value)
        if not text.isascii():
            text.encode()
    except Exception:
        with payload_errors(what):
            raise
    if "\\u0000" in text and _NUL.search(text):
        raise PayloadError(f"The {what} holds the character U+0000, which PostgreSQL cannot store in jsonb. Remove it.")
    return text


@contextmanager
def payload_errors(what: str) -> Iterator[None]:
    """Turn what json and pydantic raise for a value that is no JSON into a :class:`PayloadError` in words."""
    try:
        yield
    except PayloadError:
        raise
    except UnicodeEncodeError as error:
        raise PayloadError(
            f"The {what} holds a lone surrogate, which is not text: {error.object[error.start]!r}."
        ) from None
    except RecursionError:
        raise PayloadError(f"The {what} is nested too deeply to be stored as JSON.") from None
    except (TypeError, ValueError) as error:
        raise PayloadError(f"The {what} cannot be stored as JSON: {_reason(error)}.") from None


def dump_model(dump: Callable[..., Any], **how: Any) -> JSON:
    """What pydantic makes of a value for JSON, by alias; ``dump`` is its ``model_dump`` or ``dump_python``.

    Raises:
        ValueError: the value holds NaN, Infinity or a lone surrogate, which pydantic alone would quietly turn into
            null and U+FFFD wherever the declared type is Any; or something that it cannot dump.
    """
    plain = dump(mode="python", by_alias=True, warnings=False, **how)
    json.dumps(plain, ensure_ascii=False, allow_nan=False, skipkeys=True, default=_members).encode()
    return dump(mode="json", by_alias=True, warnings=False, **how)


def loads(text: str | None) -> JSON:
    """Parse JSON text as read from the database; SQL NULL is ``None``.

    Never raises for what jsonb can hold: one job that Python cannot read (:class:`Unreadable`) must not take the
    others of its batch with it.
    """
    if text is None:
        return None
    try:
        text = text.strip()
        value, end = _decoder.raw_decode(text)
        return value if end == len(text) else json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        return Unreadable("it is nested too deeply")
    except ValueError as error:
        return Unreadable(str(error))


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
        return dump_model(value.model_dump)
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Unreadable):
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


# Made once: json.dumps makes one for every call that is not all defaults.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)


def _reason(error: Exception) -> str:
    text = str(error)
    if "Circular reference" in text:
        return "it refers to itself"
    if "Out of range float values" in text:
        return f"NaN and Infinity are not JSON ({text})"
    return text


def _members(value: object) -> JSON:
    """What lies within a value that json does not know, as far as numbers and text may hide there."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Collection) and not isinstance(value, bytes | bytearray) else None
