"""Cursors that read and write values by psycopg's own rules, whatever the caller has registered for them."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor, Connection, RawCursor
from psycopg.adapt import AdaptersMap
from psycopg.postgres import register_default_adapters, types
from psycopg.types.array import register_all_arrays

__all__ = ["AsyncPlainCursor", "PlainContext", "PlainCursor"]

_ADAPTERS = AdaptersMap(types=types)
register_default_adapters(_ADAPTERS)
register_all_arrays(_ADAPTERS)


class AsyncPlainCursor(AsyncRawCursor[Any]):
    @property
    def adapters(self) -> AdaptersMap:
        return _ADAPTERS


class PlainCursor(RawCursor[Any]):
    @property
    def adapters(self) -> AdaptersMap:
        return _ADAPTERS


class PlainContext:
    """What reading the values of an answer needs of a cursor: a connection, and the rules."""

    adapters = _ADAPTERS
    __slots__ = ("connection",)

    def __init__(self, connection: AsyncConnection[Any] | Connection[Any]) -> None:
        self.connection = connection
