"""Test clocks of both sides on one schema: the same mechanism, so that both read one time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pgboss.core.names import SchemaName
from pgboss.operations.drift import detect_drift
from pgboss.testing import TestClock
from support.boss import BossFactory
from support.node import NodeBossFactory
from support.postgres import sql

pytestmark = pytest.mark.node

START = datetime(2031, 3, 5, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def what_a_clock_does(url: str) -> list[dict[str, object]]:
    """The table as the catalog has it, its row, and what a session with and one without the setting is told."""
    return sql(
        url,
        """
        SET pgboss.test_clock = 'on';
        SELECT (SELECT array_agg(format('%s %s %s', attname, atttypid::regtype, attnotnull)) FROM pg_attribute
                 WHERE attrelid = 'pgboss.__pgboss_test_clock'::regclass AND attnum > 0) AS columns,
               (SELECT array_agg(now) FROM pgboss.__pgboss_test_clock) AS rows,
               pgboss.job_now() AS told,
               (SELECT format('%s %s %s', provolatile, prorettype::regtype, prokind) FROM pg_proc
                 WHERE oid = 'pgboss.job_now'::regproc) AS kind
        """,
    )


async def test_both_put_a_schema_on_their_clock_in_the_same_way(
    make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str
) -> None:
    node = await node_boss(clock=START)
    theirs = what_a_clock_does(database_url)
    await node.stop()
    boss = await make_boss(clock=TestClock(START))
    ours = what_a_clock_does(database_url)
    await boss.stop()

    assert ours == theirs
    assert sql(database_url, "SELECT to_regclass('pgboss.__pgboss_test_clock') AS clock") == [{"clock": None}]


async def test_whoever_moves_it_moves_it_for_both(
    make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str
) -> None:
    node = await node_boss(clock=START)
    clock = TestClock(START)
    boss = await make_boss(clock=clock)
    await boss.create_queue("later")
    await node.call("send", "later", {}, {"startAfter": 3600})
    assert await boss.fetch("later") == []

    await node.tick(HOUR)
    [job] = await boss.fetch("later")
    assert (job.created_on, job.started_on) == (START, START + HOUR)

    await boss.send_after("later", {}, HOUR)
    assert await node.call("fetch", "later") == []
    await clock.set(START + 2 * HOUR)
    [fetched] = await node.call("fetch", "later", {"includeMetadata": True})
    assert fetched["startedOn"] == START + 2 * HOUR

    # Node restores the real time; ours goes on when it is moved, and restores it again at its end.
    await node.stop()
    await clock.tick(HOUR)
    assert await boss.send("later", {}) is not None
    assert sql(database_url, "SELECT max(created_on) AS last FROM pgboss.job") == [{"last": START + 3 * HOUR}]
    await boss.stop()
    plain = await make_boss()
    assert await plain._run(detect_drift(SchemaName())) == []


async def test_node_sees_no_drift_once_ours_has_gone(
    make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str
) -> None:
    boss = await make_boss(clock=TestClock(START))
    node = await node_boss(migrate=False)
    assert (await node.call("detectSchemaDrift"))["ok"] is False
    await boss.stop()
    assert (await node.call("detectSchemaDrift"))["ok"] is True
