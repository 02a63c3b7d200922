"""Statements that connections of our own keep prepared: docs/decisions/0004.

Only a connection that is known to be direct keeps any: the server process that answers on it is the one that let us in,
and not one that a pooler lends us, which tells its clients numbers of its own making.

Should a pooler pass the true number on, a name is made of the statement's text: whoever finds a statement of that name
on a server connection, which may have been lent to somebody else before, finds the very same one. And where the server
knows no such name, because the connection was changed in between, or knows it already, nothing was carried out: the
statement is run without a name, and no other gets one in this pool.

PostgreSQL plans a kept statement a few times, and then keeps the plan too, until somebody analyses the table. A plan
made for a queue that was empty may be a bad one an hour of sends later. So a statement that takes longer than it should
is prepared anew, and planned for what the table holds by then.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import lru_cache
from hashlib import sha224
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, Connection, errors, generators, pq
from psycopg.adapt import Transformer

from pgboss.core.instance_options import Pooler
from pgboss.core.query import Query, Rows
from pgboss.drivers.psycopg.cursors import PlainContext
from pgboss.drivers.statements import as_literal

__all__ = ["KeptStatements", "rows_of"]

MOST_A_CONNECTION = 50
NO_SUCH_STATEMENT = "26000"
STATEMENT_EXISTS = "42P05"
PLAN_OUTDATED = "0A000"
SLOW_SECONDS, SLOW_SECONDS_A_ROW = 0.005, 0.000_1
"""Beyond this a plan is doubted. Planning takes a millisecond: to do so once too often costs little."""


class KeptStatements:
    """Which connection of a pool has prepared what."""

    def __init__(self) -> None:
        # By name, whether the plan is to be trusted.
        self._names: WeakKeyDictionary[Any, dict[bytes, bool]] = WeakKeyDictionary()
        self._pooler: Pooler = "auto"

    def heed(self, pooler: Pooler) -> None:
        """What is in between: with ``session`` each connection is taken for direct, with ``transaction`` none."""
        self._pooler = pooler

    def takes(self, connection: AsyncConnection[Any] | Connection[Any], query: Query) -> bool:
        """Whether to keep this statement; not within a transaction, which a wrong name would end."""
        if self._pooler == "transaction" or not query.is_repeated:
            return False
        if connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            return False
        names = self._names.get(connection, {})
        return len(names) < MOST_A_CONNECTION or _name(query.sql) in names

    def run(self, connection: AsyncConnection[Any] | Connection[Any], query: Query) -> Generator[Any, Any, Any]:
        """For the connection to wait on; ``None`` when the statement has to be run without a name.

        Raises:
            psycopg.Error: the statement has failed.
        """
        pgconn, name = connection.pgconn, _name(query.sql)
        if connection not in self._names:
            if self._pooler == "auto" and not (yield from _is_direct(pgconn)):
                self.heed("transaction")
                return None
            self._names[connection] = {}
        names = self._names[connection]
        if names.get(name) is False:
            pgconn.send_query(b"DEALLOCATE " + name)
            [result] = yield from generators.execute(pgconn)
            del names[name]
            if result.status != pq.ExecStatus.COMMAND_OK:
                return self._failed(connection, result)
        if name not in names:
            pgconn.send_prepare(name, query.sql.encode())
            [result] = yield from generators.execute(pgconn)
            if result.status != pq.ExecStatus.COMMAND_OK:
                return self._failed(connection, result)
            names[name] = True
        sent_at = monotonic()
        pgconn.send_query_prepared(name, _values(query), result_format=pq.Format.BINARY)
        # Rows and then an error is what comes where a deferred constraint stops the commit.
        result = (yield from generators.execute(pgconn))[-1]
        if result.status != pq.ExecStatus.TUPLES_OK:
            return self._failed(connection, result)
        names[name] = monotonic() - sent_at < SLOW_SECONDS + SLOW_SECONDS_A_ROW * _size(query, result)
        return result

    def _failed(self, connection: Any, result: Any) -> None:
        error = errors.error_from_result(result)
        if error.sqlstate == PLAN_OUTDATED:
            # All of them may be: what the schema looks like has changed.
            self._names[connection] = dict.fromkeys(self._names[connection], False)
        elif error.sqlstate in (NO_SUCH_STATEMENT, STATEMENT_EXISTS):
            self.heed("transaction")
        else:
            raise error


def rows_of(connection: AsyncConnection[Any] | Connection[Any], result: Any) -> Rows:
    """The rows of an answer, read by psycopg's own rules."""
    reading = Transformer(PlainContext(connection))
    reading.set_pgresult(result)
    columns = tuple(result.fname(number).decode() for number in range(result.nfields))
    return Rows(columns, reading.load_rows(0, result.ntuples, tuple), result.command_tuples or 0)


def _is_direct(pgconn: Any) -> Generator[Any, Any, bool]:
    """Whether the server process that answers is the one that libpq was told of as it connected."""
    pgconn.send_query(b"SELECT pg_backend_pid()")
    [result] = yield from generators.execute(pgconn)
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise errors.error_from_result(result)
    return int(result.get_value(0, 0)) == int(pgconn.backend_pid)


def _size(query: Query, result: Any) -> int:
    """How many rows it was about, going in or coming out."""
    lists = [len(value) for value in query.parameters if isinstance(value, list | tuple)]
    return max([int(result.ntuples), *lists])


@lru_cache
def _name(sql: str) -> bytes:
    return b"pgboss_" + sha224(sql.encode()).hexdigest()[:32].encode()


def _values(query: Query) -> Sequence[bytes | None]:
    texts = map(as_literal, query.parameters)
    return [None if text is None else text.encode() for text in texts]
