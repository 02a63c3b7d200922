"""What the rest of the suite stands on: a database a test, and waiting for a condition."""

from __future__ import annotations

import pytest

from support.eventually import eventually, eventually_sync
from support.postgres import ForeignServer, PostgresServer, fresh_database_name, sql, sql_value

PUBLIC_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.mark.parametrize("run", [1, 2])
def test_every_test_has_an_empty_database(database_url: str, run: int) -> None:
    assert sql_value(database_url, PUBLIC_TABLES) == 0
    sql(database_url, "CREATE TABLE mine (value int); INSERT INTO mine VALUES (1), (2)")
    assert sql(database_url, "SELECT value FROM mine WHERE value > %s", [1]) == [{"value": 2}]
    assert sql_value(database_url, "SELECT 'x' WHERE false") is None
    assert sql(database_url, "SELECT 1 AS first; SELECT 2 AS last, '%%' AS sign") == [{"last": 2, "sign": "%%"}]


def test_a_server_of_somebody_elses_is_used_the_same_way(postgres: PostgresServer) -> None:
    server = ForeignServer(postgres.dsn_for("postgres"))
    name = fresh_database_name("foreign")
    url = server.create_database(name)
    sql(url, "CREATE TABLE here (value int)")
    copy = fresh_database_name("foreign")
    assert sql_value(server.create_database(copy, name), "SELECT current_database()") == copy
    assert sql_value(server.dsn_for(copy), "SELECT count(*) FROM here") == 0
    for database in (copy, name, name):
        server.drop_database(database)
    assert sql_value(server.dsn_for("postgres"), "SELECT count(*) FROM pg_database WHERE datname = %s", [name]) == 0


async def test_eventually_waits_for_plain_and_async_checks() -> None:
    answers = iter([None, "", "there"])

    async def look() -> str | None:
        return next(answers)

    assert await eventually(look) == "there"
    numbers = iter([0, 0, 7])
    assert await eventually(lambda: next(numbers)) == 7
    more = iter([0, 0, 8])
    assert eventually_sync(lambda: next(more)) == 8


async def test_eventually_gives_up_with_the_last_thing_it_saw() -> None:
    def unmet() -> bool:
        raise AssertionError("this is not yet so")

    with pytest.raises(AssertionError, match="not yet so"):
        await eventually(unmet, within=0.03)
    with pytest.raises(AssertionError, match="not yet so"):
        eventually_sync(unmet, within=0.03)
    with pytest.raises(AssertionError, match=r"not within 0.03 s: the last answer was \[\]"):
        await eventually(list, within=0.03)
    with pytest.raises(AssertionError, match=r"not within 0.03 s: the last answer was \[\]"):
        eventually_sync(list, within=0.03)


async def test_eventually_forgives_assertions_until_the_end() -> None:
    seen: list[int] = []

    def met_at_third_look() -> bool:
        seen.append(1)
        assert len(seen) >= 3
        return True

    assert await eventually(met_at_third_look)
