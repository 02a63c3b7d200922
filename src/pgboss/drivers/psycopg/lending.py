"""Lending an async connection of a pool to a thread, as a sync connection on the same session.

A pool of async connections has none for threads, and a second pool would double what a process may open. What both
kinds of connection share is libpq's, and libpq only asks that one thread uses it at a time. So a connection that has
been taken out of the pool, on which the event loop does nothing, is used by a thread through a sync one around it.

A thread whose time is over cannot be made to let go. It keeps the connection, and its place in the pool, until it
returns; whoever does not want to wait for that shuts the socket (``cut``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.adapt import AdaptersMap

__all__ = ["lent"]


class _Lent(Connection[Any]):
    """A sync connection that does not own its session, and is set up like the one that does."""

    def __init__(self, lender: AsyncConnection[Any]) -> None:
        super().__init__(lender.pgconn)
        self._lender = lender
        self.autocommit = lender.autocommit
        self.prepare_threshold = None
        self.isolation_level = lender.isolation_level
        self.read_only = lender.read_only
        self.deferrable = lender.deferrable

    @property
    def adapters(self) -> AdaptersMap:
        return self._lender.adapters

    def __del__(self, _: Any = None) -> None:
        """Nothing: what is left open is the lender's."""


@contextmanager
def lent(lender: AsyncConnection[Any]) -> Iterator[Connection[Any]]:
    """A sync connection for this thread, on the session of an idle connection that nobody else uses meanwhile."""
    notices, notifies = lender.pgconn.notice_handler, lender.pgconn.notify_handler
    borrowed = _Lent(lender)
    try:
        yield borrowed
    finally:
        with suppress(psycopg.Error):
            lender.pgconn.notice_handler, lender.pgconn.notify_handler = notices, notifies
