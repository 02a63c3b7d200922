"""Advisory locks, and limits on waiting for the length of a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgboss.core.query import Query

WAIT_MILLISECONDS = 30_000
MOMENT_MILLISECONDS = 20


def current_database() -> Query:
    """The database's name, which is part of every advisory lock key."""
    return Query("SELECT current_database()::text")


def limits() -> Query:
    """The limits in force: how long to wait for a lock, and how long a transaction may sit idle."""
    return Query(
        """
        SELECT current_setting('lock_timeout') AS lock_timeout,
               current_setting('idle_in_transaction_session_timeout') AS idle_timeout
        """
    )


def limit_waits() -> Query:
    """Bound both for the rest of this transaction."""
    return restore({"lock_timeout": str(WAIT_MILLISECONDS), "idle_timeout": str(WAIT_MILLISECONDS)})


def hardly_wait() -> Query:
    """Wait only a moment for each further lock of this transaction: whoever comes after us waits behind us."""
    return Query("SELECT set_config('lock_timeout', $1::text, true)", (str(MOMENT_MILLISECONDS),))


def restore(limits: Mapping[str, Any]) -> Query:
    """Set both, for the rest of this transaction, to what :func:`limits` had read."""
    return Query(
        """
        SELECT set_config('lock_timeout', $1::text, true),
               set_config('idle_in_transaction_session_timeout', $2::text, true)
        """,
        (limits["lock_timeout"], limits["idle_timeout"]),
    )


def take(key: int) -> Query:
    """Take an advisory lock until the transaction ends."""
    return Query("SELECT pg_advisory_xact_lock($1::bigint)", (key,))


def try_to_take(key: int) -> Query:
    """Take an advisory lock until the transaction ends, unless somebody else holds it; the value is whether we did."""
    return Query("SELECT pg_try_advisory_xact_lock($1::bigint)", (key,))
