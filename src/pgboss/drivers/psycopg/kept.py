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

from psycopg import AsyncConnection, Connection, errors, generators, pq
from psycopg.adapt import Transformer

from pgboss.core.garbage import uncollected
from pgboss.core.instance_options import Pooler
from pgboss.core.query import Query, Rows
from pgboss.drivers.psycopg.cursors import PlainContext
from pgboss.drivers.statements import as_literal

__all__ = ["KeptStatements", "ReadyStatement"]

MOST_A_CONNECTION = 50
NO_SUCH_STATEMENT = "26000"
STATEMENT_EXISTS = "42P05"
PLAN_OUTDATED = "0A000"
SLOW_SECONDS, SLOW_SECONDS_A_ROW = 0.005, 0.000_1
"""Beyond this a plan is doubted. Planning takes a millisecond: to do so once too often costs little."""


class _Statement:
    """One that a connection has prepared: whether its plan is to be trusted, and how to read what it answers."""

    __slots__ = ("_columns", "_reading", "is_trusted")

    def __init__(self) -> None:
        self.is_trusted = True
        self._reading: Any = None
        self._columns: tuple[str, ...] = ()

    def rows_of(self, connection: AsyncConnection[Any] | Connection[Any], result: Any) -> Rows:
        """The rows of an answer, read by psycopg's own rules, which are looked up for the first one only."""
        if self._reading is None:
            self._reading = Transformer(PlainContext(connection))
            self._reading.set_pgresult(result)
            self._columns = tuple(result.fname(number).decode() for number in range(result.nfields))
        else:
            self._reading.set_pgresult(result, set_loaders=False)
        with uncollected():
            values = self._reading.load_rows(0, result.ntuples, tuple)
        # It need not keep the answer until the next one comes.
        self._reading.set_pgresult(None, set_loaders=False)
        return Rows(self._columns, values, result.command_tuples or 0)


class KeptStatements:
    """Which connection of a pool has prepared what."""

    def __init__(self) -> None:
        self._statements: dict[AsyncConnection[Any] | Connection[Any], dict[bytes, _Statement]] = {}
        self._pooler: Pooler = "auto"

    def heed(self, pooler: Pooler) -> None:
        """What is in between: with ``session`` each connection is taken for direct, with ``transaction`` none."""
        self._pooler = pooler

    def takes(self, connection: AsyncConnection[Any] | Connection[Any], query: Query) -> bool:
        """Whether to keep this statement."""
        if self._pooler == "transaction" or not query.is_repeated:
            return False
        prepared = self._statements.get(connection, {})
        return len(prepared) < MOST_A_CONNECTION or _name(query.sql) in prepared

    def ready(self, connection: AsyncConnection[Any], query: Query) -> ReadyStatement:
        """A statement that can be sent at any moment, if the connection has prepared it by then."""
        return ReadyStatement(self, connection, query)

    def run(self, connection: AsyncConnection[Any] | Connection[Any], query: Query) -> Generator[Any, Any, Rows | None]:
        """For the connection to wait on; ``None`` when the statement has to be run without a name.

        Raises:
            psycopg.Error: the statement has failed.
        """
        pgconn, name = connection.pgconn, _name(query.sql)
        prepared = self._statements.get(connection)
        if prepared is None:
            if self._pooler == "auto" and not (yield from _is_direct(pgconn)):
                self.heed("transaction")
                return None
            prepared = self._begin(connection)
        statement = prepared.get(name)
        if statement is not None and not statement.is_trusted:
            pgconn.send_query(b"DEALLOCATE " + name)
            [result] = yield from generators.execute(pgconn)
            del prepared[name]
            statement = None
            if result.status != pq.ExecStatus.COMMAND_OK:
                self._failed(connection, result)
                return None
        if statement is None:
            pgconn.send_prepare(name, query.sql.encode())
            [result] = yield from generators.execute(pgconn)
            if result.status != pq.ExecStatus.COMMAND_OK:
                self._failed(connection, result)
                return None
            statement = prepared[name] = _Statement()
        sent_at = monotonic()
        pgconn.send_query_prepared(name, _values(query), result_format=pq.Format.BINARY)
        results = yield from generators.execute(pgconn)
        return self.answered(connection, query, statement, results, monotonic() - sent_at)

    def trusted(self, connection: AsyncConnection[Any], name: bytes) -> _Statement | None:
        """The statement of a name, if the connection keeps it and it need not be prepared anew."""
        if self._pooler == "transaction":
            return None
        statement = self._statements.get(connection, {}).get(name)
        return statement if statement is not None and statement.is_trusted else None

    def answered(
        self, connection: Any, query: Query, statement: _Statement, results: Sequence[Any], took_seconds: float
    ) -> Rows | None:
        """What an answer says, of the statement too; ``None`` when it has to be run without a name.

        Raises:
            psycopg.Error: the statement has failed.
        """
        # Rows and then an error is what comes where a deferred constraint stops the commit.
        result = results[-1]
        if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            self._failed(connection, result)
            return None
        statement.is_trusted = took_seconds < SLOW_SECONDS or took_seconds < _enough_seconds(query, result)
        return statement.rows_of(connection, result)

    def _begin(self, connection: AsyncConnection[Any] | Connection[Any]) -> dict[bytes, _Statement]:
        """Keep statements of a new connection, and forget those of connections that are closed."""
        # Other threads begin others at the same time.
        for each in list(self._statements):
            if each.closed:
                self._statements.pop(each, None)
        return self._statements.setdefault(connection, {})

    def _failed(self, connection: Any, result: Any) -> None:
        error = errors.error_from_result(result)
        if error.sqlstate == PLAN_OUTDATED:
            # All of them may be: what the schema looks like has changed.
            for statement in self._statements[connection].values():
                statement.is_trusted = False
        elif error.sqlstate in (NO_SUCH_STATEMENT, STATEMENT_EXISTS):
            self.heed("transaction")
        else:
            raise error
        if connection.pgconn.transaction_status == pq.TransactionStatus.INERROR:
            # It has ended the transaction, in which nothing can be run any more.
            raise error


class ReadyStatement:
    """A statement of one connection with nothing left to work out; whoever sends it reads the connection."""

    __slots__ = ("_connection", "_kept", "_name", "_query", "_results", "_sent_at", "_statement", "_values")

    def __init__(self, kept: KeptStatements, connection: AsyncConnection[Any], query: Query) -> None:
        self._kept = kept
        self._connection = connection
        self._query = query
        self._name, self._values = _name(query.sql), _values(query)
        self._statement: _Statement | None = None
        self._sent_at = 0.0
        self._results: list[Any] = []

    def send(self) -> bool:
        """Send it, if the connection has prepared it; whether it was sent.

        Raises:
            psycopg.Error: the connection is lost.
        """
        self._statement = self._kept.trusted(self._connection, self._name)
        if self._statement is None:
            return False
        self._sent_at = monotonic()
        # These are a few hundred bytes with nothing before them: the socket has room for them.
        self._connection.pgconn.send_query_prepared(self._name, self._values, result_format=pq.Format.BINARY)
        return True

    def receive(self) -> bool:
        """Take what has arrived of the answer; whether that is all of it."""
        pgconn = self._connection.pgconn
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                return True
            self._results.append(result)
        return False

    def rows(self) -> Rows | None:
        """The answer; ``None`` when the statement has to be run without a name.

        Raises:
            psycopg.Error: the statement has failed.
        """
        assert self._statement is not None
        took_seconds = monotonic() - self._sent_at
        return self._kept.answered(self._connection, self._query, self._statement, self._results, took_seconds)


def _is_direct(pgconn: Any) -> Generator[Any, Any, bool]:
    """Whether the server process that answers is the one that libpq was told of as it connected."""
    pgconn.send_query(b"SELECT pg_backend_pid()")
    [result] = yield from generators.execute(pgconn)
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise errors.error_from_result(result)
    return int(result.get_value(0, 0)) == int(pgconn.backend_pid)


def _enough_seconds(query: Query, result: Any) -> float:
    """How long a good plan may take for as many rows as it was about, going in or coming out."""
    lists = [len(value) for value in query.parameters if isinstance(value, list | tuple)]
    return SLOW_SECONDS + SLOW_SECONDS_A_ROW * max([int(result.ntuples), *lists])


@lru_cache
def _name(sql: str) -> bytes:
    return b"pgboss_" + sha224(sql.encode()).hexdigest()[:32].encode()


def _values(query: Query) -> Sequence[bytes | None]:
    texts = map(as_literal, query.parameters)
    return [None if text is None else text.encode() for text in texts]
