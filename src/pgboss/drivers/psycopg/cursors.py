"""Cursors that read and write values by psycopg's own rules, whatever the caller has registered for them."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncRawCursor, RawCursor
from psycopg.adapt import AdaptersMap
from psycopg.postgres import register_default_adapters, types
from psycopg.types.array import register_all_arrays

__all__ = ["AsyncPlainCursor", "PlainCursor"]

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
