"""Statements about the transaction they run in."""

from __future__ import annotations

from pgboss.core.query import Query

# A stopwatch and no date, so it is the real clock: a snapshot is not held for less because a test clock stands still.
PINNED_SECONDS = "extract(epoch FROM clock_timestamp() - statement_timestamp())::float8"
"""For how long a statement has held back vacuum, when it returns its rows."""


def limit(seconds: int) -> Query:
    """Have the server end this transaction after so many seconds, unless it would do so sooner anyway.

    From PostgreSQL 17 on that is the whole transaction's time; before, the time it may sit idle between statements.
    """
    # Both settings are in milliseconds, and zero means no limit.
    return Query(
        """
        SELECT set_config(s.name, LEAST(NULLIF(s.setting::bigint, 0), $1::bigint)::text, true)
          FROM pg_catalog.pg_settings s
         WHERE s.name = CASE WHEN current_setting('server_version_num')::int >= 170000
                             THEN 'transaction_timeout' ELSE 'idle_in_transaction_session_timeout' END
        """,
        (seconds * 1000,),
    )


def limit_statements(seconds: float, *, read_only: bool) -> Query:
    """Have the server cancel each statement of this transaction after so many seconds, and perhaps refuse to write."""
    return Query(
        """
        SELECT set_config('statement_timeout', $1::text, true),
               set_config('transaction_read_only', $2::text, true)
        """,
        (f"{round(seconds * 1000)}ms", "on" if read_only else "off"),
    )
