"""The statement of a single send is kept prepared on connections of our own, and does without where that fails."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pgboss import DatabaseError, SyncPgBoss
from pgboss.core.instance_options import Pooler
from pgboss.core.query import Query
from pgboss.drivers.psycopg.kept import KeptStatements
from pgboss.drivers.psycopg.sessions import PsycopgSession

DOUBLE = Query("SELECT $1::int * 2 AS double, $2::text AS text", ("21", None), is_repeated=True)


def session(connection: psycopg.Connection[Any], pooler: Pooler = "auto") -> PsycopgSession:
    kept = KeptStatements()
    kept.heed(pooler)
    return PsycopgSession(connection, kept)


def names(connection: psycopg.Connection[Any]) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM pg_prepared_statements").fetchall()]


@pytest.fixture
def connection(database_url: str) -> Any:
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as own:
        yield own


def test_an_answer_reads_like_any_other(connection: Any) -> None:
    kept, plain = session(connection), PsycopgSession(connection)
    assert [kept.execute(DOUBLE) for _ in range(3)] == [plain.execute(DOUBLE)] * 3
    [name] = names(connection)
    assert name.startswith("pgboss_")


def test_one_that_answers_with_no_rows(connection: Any) -> None:
    kept = session(connection)
    connection.execute("CREATE TABLE kept_there (one int)")
    add = Query("INSERT INTO kept_there VALUES ($1::int), ($1::int)", (1,), is_repeated=True)
    for _ in range(2):
        rows = kept.execute(add)
        assert (rows.columns, rows.values, rows.affected) == ((), [], 2)


def test_a_name_that_the_server_has_lost_ends_the_keeping(connection: Any) -> None:
    kept = session(connection)
    kept.execute(DOUBLE)
    connection.execute("DEALLOCATE ALL")
    assert kept.execute(DOUBLE).scalar() == 42
    assert kept.execute(DOUBLE).scalar() == 42
    assert names(connection) == []


def test_a_name_that_is_there_already_ends_the_keeping(connection: Any) -> None:
    session(connection).execute(DOUBLE)
    another = session(connection)
    assert [another.execute(DOUBLE).scalar() for _ in range(2)] == [42, 42]
    assert len(names(connection)) == 1


def test_where_a_pooler_is_known_nothing_is_kept(connection: Any) -> None:
    assert session(connection, "transaction").execute(DOUBLE).scalar() == 42
    assert names(connection) == []


def test_a_statement_that_fails_says_why_and_is_kept(connection: Any) -> None:
    kept = session(connection)
    with pytest.raises(Exception, match="invalid input syntax") as caught:
        kept.execute(Query(DOUBLE.sql, ("x", None), is_repeated=True))
    assert getattr(caught.value, "sqlstate", None) == "22P02"
    assert kept.execute(DOUBLE).scalar() == 42


def test_within_a_transaction_too(connection: Any) -> None:
    kept = session(connection)
    with connection.transaction():
        assert [kept.execute(DOUBLE).scalar() for _ in range(2)] == [42, 42]
        assert len(names(connection)) == 1


def test_one_that_ends_a_transaction_says_why(connection: Any) -> None:
    """It cannot run again without a name there; the next transaction does without."""
    kept = session(connection)
    kept.execute(DOUBLE)
    connection.execute("DEALLOCATE ALL")
    with pytest.raises(DatabaseError, match="does not exist"), connection.transaction():
        kept.execute(DOUBLE)
    with connection.transaction():
        assert kept.execute(DOUBLE).scalar() == 42
    assert names(connection) == []


def test_one_that_takes_too_long_is_planned_anew(connection: Any) -> None:
    kept = session(connection)
    waiting = Query("SELECT $1::int FROM pg_sleep($2::float8)", (1, 0), is_repeated=True)
    times = "SELECT prepare_time FROM pg_prepared_statements"
    for _ in range(3):
        kept.execute(waiting)
    [first] = connection.execute(times).fetchall()
    kept.execute(Query(waiting.sql, (1, 0.05), is_repeated=True))
    kept.execute(waiting)
    [second] = connection.execute(times).fetchall()
    assert second > first


def test_of_many_rows_it_may_take_longer(connection: Any) -> None:
    kept = session(connection)
    waiting = Query(
        "SELECT cardinality($1::int[]) FROM pg_sleep($2::float8)", (list(range(1000)), 0.02), is_repeated=True
    )
    kept.execute(waiting)
    before = connection.execute("SELECT prepare_time FROM pg_prepared_statements").fetchall()
    kept.execute(waiting)
    assert connection.execute("SELECT prepare_time FROM pg_prepared_statements").fetchall() == before


def test_it_is_kept_again_once_its_columns_have_changed(connection: Any) -> None:
    kept = session(connection)
    everything = Query("SELECT * FROM kept_here WHERE $1::int = 1", (1,), is_repeated=True)
    connection.execute("CREATE TABLE kept_here (one int)")
    assert kept.execute(everything).columns == ("one",)
    connection.execute("ALTER TABLE kept_here ADD COLUMN two int")
    assert kept.execute(everything).columns == ("one", "two")
    assert kept.execute(everything).columns == ("one", "two")
    assert len(names(connection)) == 1


def test_sends_go_on_when_the_schema_changes_beneath_them(database_url: str) -> None:
    with SyncPgBoss(database_url, pool_size=1) as boss, psycopg.connect(database_url, autocommit=True) as connection:
        boss.create_queue("jobs")
        for _ in range(8):
            assert boss.send("jobs", {"n": 1}, priority=1)
        boss.delete_queue("jobs")
        boss.create_queue("jobs", partition=True, policy="short", retry_limit=9)
        assert boss.send("jobs", {"n": 1}, priority=1)
        assert boss.send("jobs", {"n": 1}, priority=1) is None
        connection.execute("ALTER TABLE pgboss.job ADD COLUMN mine int")
        [job] = boss.find_jobs("jobs")
        assert (job.policy, job.retry_limit) == ("short", 9)
