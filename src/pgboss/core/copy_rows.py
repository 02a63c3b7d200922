"""Rows in COPY's binary format, which spares the server the reading of text.

A row is the number of its fields, and then each field as its length and its bytes, as the type's binary input has them.
Text is in the client's encoding, whatever COPY says of encodings: so this is for clients that speak UTF-8.
PostgreSQL's documentation has the format under "COPY", "Binary Format".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

__all__ = ["HEADER", "NO_ROW", "TRAILER", "field", "json_field", "row_head_up_to_uuid"]

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
NO_ROW: Final = b"\xff\xfe"
"""What the server takes for a row that cannot be: its error undoes the COPY."""

_NULL = b"\xff\xff\xff\xff"
_JSONB_VERSION = b"\x01"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_int2, _int4, _int8 = Struct(">h").pack, Struct(">i").pack, Struct(">q").pack


def row_head_up_to_uuid(fields: int) -> bytes:
    """What a row of so many fields begins with whose first one is a uuid, whose bytes come next."""
    return _int2(fields) + _int4(16)


def field(value: str | int | datetime | None) -> bytes:
    """A field: text, int4, boolean, timestamptz, or NULL."""
    if value is None:
        return _NULL
    content = _content(value)
    return _int4(len(content)) + content


def json_field(text: str | None) -> bytes:
    """A field of jsonb, of JSON text."""
    if text is None:
        return _NULL
    content = text.encode()
    return _int4(len(content) + 1) + _JSONB_VERSION + content


def _content(value: str | int | datetime) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return b"\x01" if value else b"\x00"
    if isinstance(value, datetime):
        return _int8((value - _EPOCH) // _MICROSECOND)
    return _int4(value)
