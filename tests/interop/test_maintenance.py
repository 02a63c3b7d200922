"""The same past swept by Node in one schema and by us in another leaves the same rows; in one schema both share it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from pgboss.core.names import Lock, SchemaName
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.maintenance import ExpirySweep, RetentionPass
from support.eventually import eventually
from support.node import NodeBoss, NodeBossFactory
from support.postgres import sql, sql_value
from support.upkeep import Watched, add_job, add_jobs, database, queue_row

pytestmark = pytest.mark.node

NODE_SIDE = "node_side"
OUR_SIDE = "our_side"
SIDES = (NODE_SIDE, OUR_SIDE)
# What both sides write anew is "now", and they do not run in the same instant.
SLACK = timedelta(seconds=5)

QUEUES: dict[str, dict[str, Any]] = {
    "dead": {"retryLimit": 7, "retryDelay": 3, "expireInSeconds": 77, "heartbeatSeconds": 20, "deleteAfterSeconds": 99},
    "dead-own": {"partition": True, "retentionSeconds": 1234},
    "shared": {},
    "own": {"partition": True},
    "stately": {"policy": "stately"},
    "own-stately": {"policy": "stately", "partition": True},
    "fifo": {"policy": "key_strict_fifo"},
    "singleton": {"policy": "singleton"},
}


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[AsyncDatabase]:
    async with database(database_url) as opened:
        yield opened


async def make_queues(node: NodeBoss) -> None:
    for name, options in QUEUES.items():
        await node.call("createQueue", name, options)


@pytest.fixture
async def node(node_boss: NodeBossFactory) -> NodeBoss:
    """Node's instance on its own side; both schemas are installed and hold the same queues."""
    for schema in (OUR_SIDE, NODE_SIDE):
        node = await node_boss(schema, name=schema)
        await make_queues(node)
    return node


def instant(**ago: float) -> str:
    return f"'{(datetime.now(UTC) - timedelta(**ago)).isoformat()}'"


def add_to_both(url: str, queue: str, **columns: Any) -> UUID:
    """The very same row in both schemas, with the same id and times."""
    defaults = {"id": f"'{uuid4()}'", "start_after": instant(hours=2), "created_on": instant(hours=2)}
    defaults["keep_until"] = instant(days=-14)
    add_job(url, queue, schema=NODE_SIDE, **defaults | columns)
    return add_job(url, queue, schema=OUR_SIDE, **defaults | columns)


def assert_same_jobs(url: str, *, random_start: frozenset[UUID] = frozenset()) -> list[dict[str, Any]]:
    """Compare all columns of all jobs and return ours; the start_after of ``random_start`` has a random part."""
    theirs, ours = (sql(url, f"SELECT * FROM {schema}.job") for schema in SIDES)
    common = {row["id"] for row in theirs} & {row["id"] for row in ours}
    their_rows = {key_of(row, common): row for row in theirs}
    assert len(ours) == len(theirs) == len(their_rows)
    for row in ours:
        key = key_of(row, common)
        free = set[str]() if row["id"] in common else {"id"}
        free |= {"start_after"} if row["id"] in random_start else set()
        for column, value in row.items():
            expected = their_rows[key][column]
            assert column in free or is_same(value, expected), f"{column} of {key}: {value} here, {expected} there"
    return ours


def key_of(row: dict[str, Any], common: set[UUID]) -> tuple[str, UUID]:
    """What names a job on both sides: a copy in a dead letter queue has an id of its own and is known by its source."""
    return row["name"], row["id"] if row["id"] in common else row["source_id"]


def is_same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, datetime) and isinstance(theirs, datetime):
        return abs(ours - theirs) < SLACK
    return bool(ours == theirs)


async def sweep_both(node: NodeBoss, pool: AsyncDatabase) -> None:
    await node.call("supervise")
    await ExpirySweep(pool.run, SchemaName(OUR_SIDE)).run_once()


TIMED_OUT = {"state": "'active'", "started_on": "now() - interval '1 hour'", "heartbeat_on": "now()"}
SILENT = {
    "state": "'active'",
    "started_on": "now() - interval '1 minute'",
    "heartbeat_on": "now() - interval '50 seconds'",
    "heartbeat_seconds": "30",
}
FULL = {
    "priority": "7",
    "data": '\'{"a": [1, null], "camelCase": "✓"}\'',
    "singleton_key": "'key'",
    "group_id": "'g'",
    "group_tier": "'gold'",
    "trace_context": '\'{"traceparent": "00-1"}\'',
    "output": '\'{"message": "the attempt before"}\'',
    "blocked": "true",
    "blocking": "true",
    "pending_dependencies": "2",
    "upsert_by_key": "true",
    "deletion_seconds": "11",
    "retry_delay_max": "60",
    "source_name": "'somewhere'",
    "source_id": f"'{uuid4()}'",
    "source_created_on": "'2020-01-01'",
    "source_retry_count": "3",
    "source_output": "'{}'",
}


@pytest.mark.parametrize("past", [TIMED_OUT, SILENT], ids=["timed out", "silent"])
async def test_overdue_jobs(node: NodeBoss, pool: AsyncDatabase, database_url: str, past: dict[str, str]) -> None:
    for queue in ("shared", "own"):
        for dead_letter in ("NULL", "'dead'", "'dead-own'"):
            add = {**past, "dead_letter": dead_letter, "retry_limit": "2", "retry_delay": "40"}
            add_to_both(database_url, queue, **add)
            add_to_both(database_url, queue, **add, retry_count="1")
            add_to_both(database_url, queue, **add, retry_count="2")
            # More attempts than allowed, as after retry_limit was lowered.
            add_to_both(database_url, queue, **add, retry_count="3")
            add_to_both(database_url, queue, **FULL | add)
            add_to_both(database_url, queue, **FULL | add | {"retry_count": "2", "upsert_by_key": "false"})
            add_to_both(database_url, queue, **FULL | add | {"retry_count": "2", "source_root_id": f"'{uuid4()}'"})
    # Not overdue, or not active.
    add_to_both(database_url, "shared", state="'active'", started_on="now()", heartbeat_on="now()")
    add_to_both(database_url, "shared", **past | {"state": "'completed'"})

    await sweep_both(node, pool)

    states = {row["state"] for row in assert_same_jobs(database_url)}
    assert states == {"retry", "failed", "created", "active", "completed"}


async def test_retries_with_backoff(node: NodeBoss, pool: AsyncDatabase, database_url: str) -> None:
    backoff = {"retry_limit": "30", "retry_backoff": "true", "retry_delay": "100"}
    ids = {
        add_to_both(database_url, "shared", **TIMED_OUT, **backoff, retry_count=str(count), retry_delay_max=cap): (
            min(100 * 2.0 ** min(16, count + 1) / 2, limit),
            min(100 * 2.0 ** min(16, count + 1), limit),
        )
        for count in (0, 1, 3, 15, 16, 29)
        for cap, limit in (("NULL", 1e9), ("700", 700), ("0", 0))
    }
    now = datetime.now(UTC)

    await sweep_both(node, pool)

    assert_same_jobs(database_url, random_start=frozenset(ids))
    for schema in SIDES:
        for row in sql(database_url, f"SELECT id, start_after FROM {schema}.job"):
            least, most = ids[row["id"]]
            delay = (row["start_after"] - now).total_seconds()
            assert least <= delay <= most + SLACK.total_seconds(), f"{schema}: {delay}, not {least}..{most}"


async def test_policies(node: NodeBoss, pool: AsyncDatabase, database_url: str) -> None:
    """A retry that its policy forbids ends as failed, and is copied to the dead letter queue like any other."""
    for queue in ("stately", "own-stately"):
        stately = {"policy": "'stately'", "dead_letter": "'dead'"}
        for key in ("NULL", "'a'"):
            add_to_both(database_url, queue, **stately, state="'retry'", singleton_key=key)
            add_to_both(database_url, queue, **TIMED_OUT, **stately, singleton_key=key)
        add_to_both(database_url, queue, **TIMED_OUT, **stately, singleton_key="'b'")
    for policy in ("key_strict_fifo", "singleton"):
        queue = {"key_strict_fifo": "fifo"}.get(policy, policy)
        add_to_both(database_url, queue, **TIMED_OUT, policy=f"'{policy}'", singleton_key="'a'")
        add_to_both(database_url, queue, **TIMED_OUT, policy=f"'{policy}'", singleton_key="'b'", retry_count="2")
        add_to_both(database_url, queue, policy=f"'{policy}'", singleton_key="'a'")
    throttled = {"singleton_on": "'2026-01-01'", "singleton_key": "'slot'"}
    add_to_both(database_url, "shared", **TIMED_OUT, **throttled)

    await sweep_both(node, pool)

    rows = assert_same_jobs(database_url)
    assert sum(row["state"] == "failed" for row in rows) == 4 + 2
    assert sum(row["name"] == "dead" for row in rows) == 4


async def test_retention(node: NodeBoss, pool: AsyncDatabase, database_url: str) -> None:
    for queue in ("shared", "own", "dead"):
        ids = [
            add_to_both(
                database_url, queue, state=f"'{state}'", completed_on=instant(days=days), deletion_seconds=after
            )
            for state in ("completed", "cancelled", "failed")
            for days in (1, 8)
            for after in ("604800", "0", "3600")
        ]
        for state in ("created", "retry", "active"):
            ids += [
                add_to_both(database_url, queue, state=f"'{state}'", started_on="now()", keep_until=instant(days=days))
                for days in (1, -1)
            ]
        add_to_both(database_url, queue, state="'completed'", completed_on=instant(seconds=1))
        for child, parent in pairwise(ids):
            for schema in SIDES:
                dependency = [queue, child, queue, parent]
                sql(database_url, f"INSERT INTO {schema}.job_dependency VALUES (%s, %s, %s, %s)", dependency)

    await node.call("supervise")
    await RetentionPass(pool.run, SchemaName(OUR_SIDE)).run_once()

    assert len(assert_same_jobs(database_url)) == 3 * 14
    dependencies = [
        sql(database_url, f"SELECT * FROM {schema}.job_dependency ORDER BY child_id, parent_id") for schema in SIDES
    ]
    assert dependencies[0] == dependencies[1]
    assert dependencies[0]
    for queue in QUEUES:
        theirs, ours = (queue_row(database_url, queue, schema=schema) for schema in SIDES)
        for column in ("maintain_on", "retained_count", "retained_on"):
            assert is_same(ours[column], theirs[column]), f"{column} of {queue}: {ours[column]}, {theirs[column]}"


async def test_the_cached_total_after_retention(node: NodeBoss, pool: AsyncDatabase, database_url: str) -> None:
    """Node adds what it keeps to the live counts of its monitor, and so do we: the monitor ran on both sides here."""
    for number in range(1, 6):
        add_to_both(database_url, "shared", state="'completed'", completed_on=instant(days=number))
        add_to_both(database_url, "shared")
        add_to_both(database_url, "shared", state="'failed'", completed_on=instant(days=9))
    add_to_both(database_url, "shared", state="'completed'", completed_on=instant(seconds=2))
    await node.call("supervise")
    counts = ("queued_count", "active_count", "failed_count", "total_count")
    copied = ", ".join(f"{column} = theirs.{column}" for column in counts)
    sql(
        database_url,
        f"UPDATE {NODE_SIDE}.queue SET maintain_on = NULL; "
        f"UPDATE {OUR_SIDE}.queue ours SET {copied} FROM {NODE_SIDE}.queue theirs WHERE ours.name = theirs.name",
    )

    await node.call("supervise")
    await RetentionPass(pool.run, SchemaName(OUR_SIDE)).run_once()

    theirs, ours = (queue_row(database_url, "shared", schema=schema) for schema in SIDES)
    assert {column: ours[column] for column in counts} == {column: theirs[column] for column in counts}
    assert ours["retained_count"] == theirs["retained_count"] == 5


async def test_one_of_both_has_a_queues_turn(
    node_boss: NodeBossFactory, pool: AsyncDatabase, database_url: str
) -> None:
    node = await node_boss()
    await node.call("createQueue", "work")
    old = {"state": "'completed'", "completed_on": "now() - interval '8 days'"}

    await RetentionPass(pool.run, SchemaName()).run_once()
    add_job(database_url, "work", **old)
    ours = queue_row(database_url, "work")["maintain_on"]
    await node.call("supervise")
    assert queue_row(database_url, "work")["maintain_on"] == ours
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job") == 1

    sql(database_url, "UPDATE pgboss.queue SET maintain_on = now() - interval '1 day'")
    await node.call("supervise")
    theirs = queue_row(database_url, "work")["maintain_on"]
    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job") == 0
    run = Watched(pool.run)
    await RetentionPass(run, SchemaName()).run_once()
    assert (queue_row(database_url, "work")["maintain_on"], run.count) == (theirs, 1)


async def test_sweeps_of_both_at_once_fail_each_job_once(
    node_boss: NodeBossFactory, pool: AsyncDatabase, database_url: str
) -> None:
    node = await node_boss()
    for name in ("dead", "work"):
        await node.call("createQueue", name)
    number = 6000
    add_jobs(database_url, "work", number, **TIMED_OUT, retry_limit="0", dead_letter="'dead'")

    await asyncio.gather(node.call("supervise"), ExpirySweep(pool.run, SchemaName()).run_once())

    assert sql_value(database_url, "SELECT count(*) FROM pgboss.job WHERE state = 'failed'") == number
    copies = "SELECT count(*) AS n, count(DISTINCT source_id) AS jobs FROM pgboss.job WHERE name = 'dead'"
    assert sql(database_url, copies) == [{"n": number, "jobs": number}]


@pytest.mark.parametrize(
    "lock", [Lock.expire, Lock.heartbeat, Lock.deletion, Lock.dependencies], ids=lambda it: it("table")
)
@pytest.mark.parametrize("schema", ["pgboss", "MySchema", '"My-Schema"'])
async def test_node_waits_for_our_locks(node_boss: NodeBossFactory, database_url: str, schema: str, lock: Any) -> None:
    """Node's supervision stops where we hold a lock, so both derive the same keys."""
    node = await node_boss(schema)
    await node.call("createQueue", "work")
    key = SchemaName(schema).lock_key(sql_value(database_url, "SELECT current_database()"), lock("job_common"))

    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        pass_of_node = asyncio.create_task(node.call("supervise"))
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await eventually(lambda: sql_value(database_url, waiting) == 1)
    await pass_of_node


async def test_the_plain_table_of_other_backends(
    node_boss: NodeBossFactory, pool: AsyncDatabase, database_url: str
) -> None:
    """pg-boss's profiles for engines without partitions keep all jobs in one plain table named job."""
    node = await node_boss(backend="yugabytedb")
    await node.call("createQueue", "work", {"partition": True})
    assert queue_row(database_url, "work")["table_name"] == "job"
    overdue = add_job(database_url, "work", **TIMED_OUT)
    add_job(database_url, "work", state="'completed'", completed_on="now() - interval '8 days'")

    await ExpirySweep(pool.run, SchemaName()).run_once()
    await RetentionPass(pool.run, SchemaName()).run_once()

    [left] = sql(database_url, "SELECT id, state::text FROM pgboss.job")
    assert left == {"id": overdue, "state": "retry"}
    assert queue_row(database_url, "work")["retained_count"] == 0
