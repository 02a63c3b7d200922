"""What the instance warns of is told, and kept in the table where that is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from pgboss import ErrorEvent, PgBoss, WarningEvent
from pgboss.core.query import Query, Steps, atomic
from pgboss.maintenance import SlowQueries, Warnings
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql
from support.upkeep import SCHEMA, database

LISTEN_FAILED = WarningEvent("listen_notify_unavailable", "no LISTEN", {"instance": "i", "error": "refused"})
NO_LISTEN_HERE = WarningEvent("listen_notify_unavailable", "no LISTEN", {"backend": "cockroachdb"})


def overrun(number: int, queue: str = "mail") -> WarningEvent:
    return WarningEvent(
        "handler_overrun",
        "a handler runs on",
        {"type": "handler_overrun", "instance": "i", "queue": queue, "jobs": [f"j{number}"], "expireInSeconds": number},
    )


def stored(url: str) -> list[dict[str, Any]]:
    return sql(url, "SELECT type, message, data FROM pgboss.warning ORDER BY created_on, id")


async def test_a_backlog_is_told_and_kept(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(persist_warnings=True, warning_queue_size=2, monitor_interval_seconds=1)
    told: list[WarningEvent] = []
    boss.on("warning", told.append)
    await boss.create_queue("mail")
    await boss.create_queue("calm", warning_queue_size=3)
    for queue in ("mail", "calm"):
        await boss.insert(queue, [{"data": {}} for _ in range(3)])

    await boss.supervise("mail")
    await boss.supervise(["calm"])

    [kept] = await boss.get_warnings()
    assert (kept.type, kept.data["name"], kept.data["queuedCount"]) == ("queue_backlog", "mail", 3)
    assert "mail has 3 queued jobs" in kept.message
    [heard] = await eventually(lambda: told)
    assert heard.data["name"] == "mail"


async def test_nothing_is_kept_unless_asked(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(warning_queue_size=1)
    await boss.create_queue("mail")
    await boss.insert("mail", [{"data": {}} for _ in range(2)])
    await boss.supervise()

    assert await boss.get_warnings() == []


async def test_warnings_of_every_duty_are_kept_that_pg_boss_keeps(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss(persist_warnings=True)
    kept = ["clock_skew", "invalid_schedule", "index_bloat", "xmin_horizon", "autovacuum_disabled", "slow_query"]
    for type in [*kept, "start_retry", "transactional_pool_headroom", "transaction_timeout_probe"]:
        boss._events.warn(WarningEvent(type, f"about {type}", {"n": 1}))
    boss._events.warn(LISTEN_FAILED)
    boss._events.warn(NO_LISTEN_HERE)

    # A stop writes what waits.
    await boss.stop()

    assert [row["type"] for row in stored(database_url)] == [*kept, "listen_notify_unavailable"]
    assert stored(database_url)[-1]["data"] == LISTEN_FAILED.data


async def test_they_are_read_by_kind_and_in_pages(boss: PgBoss, database_url: str) -> None:
    sql(
        database_url,
        "INSERT INTO pgboss.warning (type, message, data, created_on) "
        "SELECT CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END, n::text, to_jsonb(n), now() - n / 2 * interval '1 hour' "
        "FROM generate_series(1, 7) n",
    )
    everything = await boss.get_warnings()
    assert sorted(warning.message for warning in everything) == list("1234567")
    assert (everything[0].message, everything[0].data) == ("1", 1)

    first = await boss.get_warnings(limit=4)
    assert first + await boss.get_warnings(before=first[-1]) == everything
    assert [warning.message for warning in await boss.get_warnings("even")] == ["2", "4", "6"]


async def test_overruns_are_kept_at_once_and_then_by_the_hour(boss: PgBoss, database_url: str) -> None:
    async with database(database_url) as pool:
        warnings = Warnings(pool.run, SCHEMA, overrun_seconds=0.5)
        warnings.open()
        for number in range(1, 14):
            warnings.keep(overrun(number))
        warnings.keep(overrun(1, "print"))
        await eventually(lambda: len(stored(database_url)) == 3)
        # An hour without any ends it, and the next one is told at once again.
        await eventually(lambda: warnings._overruns.seconds_left() is None)
        warnings.keep(overrun(2, "print"))
        warnings.keep(overrun(3, "print"))
        # What was counted and not told yet is written at the end.
        await warnings.close()

    counts = [(row["data"]["queue"], row["data"]["count"]) for row in stored(database_url)]
    assert counts == [("mail", 1), ("print", 1), ("mail", 12), ("print", 1), ("print", 1)]
    summary = stored(database_url)[2]["data"]
    assert summary.keys() == {"type", "instance", "queue", "count", "since", "until", "expireInSeconds", "jobs"}
    assert (summary["jobs"], summary["expireInSeconds"]) == ([f"j{number}" for number in range(4, 14)], 13)
    assert summary["since"] < summary["until"]


async def test_what_cannot_be_kept_is_an_error_and_ends_nothing(boss: PgBoss, database_url: str) -> None:
    errors: list[ErrorEvent] = []
    async with database(database_url) as pool:
        warnings = Warnings(pool.run, SCHEMA, on_error=errors.append)
        warnings.open()
        sql(database_url, "ALTER TABLE pgboss.warning RENAME TO elsewhere")
        warnings.keep(WarningEvent("slow_query", "lost"))
        warnings.keep(WarningEvent("slow_query", "unstorable", {"not": "text: \x00"}))
        await warnings.flush()
        sql(database_url, "ALTER TABLE pgboss.elsewhere RENAME TO warning")
        warnings.keep(WarningEvent("slow_query", "kept"))
        await warnings.close()

    assert [error.duty for error in errors] == ["storing a warning"] * 2
    assert [row["message"] for row in stored(database_url)] == ["kept"]


async def test_slow_statements_are_told_without_payloads(boss: PgBoss, database_url: str) -> None:
    told: list[WarningEvent] = []
    secret = '{"password": "hunter2"}'

    @atomic
    def inner() -> Steps[str]:
        return str((yield Query("SELECT $1::text, pg_sleep(0)", (secret,))).scalar())

    def operation() -> Steps[str]:
        yield Query("SELECT $1::text[], $2::int", (["mail", "print"], 7))
        return (yield from inner())

    async with database(database_url) as pool:
        assert await SlowQueries(pool.run, told.append, threshold_seconds=0)(operation()) == secret
        assert await SlowQueries(pool.run, told.append, threshold_seconds=30)(operation()) == secret

    assert [warning.data["values"] for warning in told] == [[["mail", "print"], 7], [f"({len(secret)} characters)"]]
    assert told[0].type == "slow_query"
    assert told[1].data["sql"] == "SELECT $1::text, pg_sleep(0)"
    assert told[1].data["elapsed"] >= 0
    assert "hunter2" not in repr(told)


async def test_the_upkeep_is_timed(make_boss: BossFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgboss.maintenance.supervision.seconds_of", lambda interval: 0)
    boss = await make_boss(persist_warnings=True)
    await boss.create_queue("mail")
    await boss.supervise()

    slow = await boss.get_warnings("slow_query")
    assert any("UPDATE" in warning.data["sql"] and "ready_history" in warning.data["sql"] for warning in slow)
