"""Counting, recording and warning beside Node: the same rows after the same history, and every turn taken once."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from pgboss import add_bins, percentile
from pgboss.core.names import Lock, SchemaName
from support.boss import BossFactory
from support.differential.arena import Stage
from support.differential.calls import Script
from support.differential.generate import supervised_sequences
from support.differential.library import as_json
from support.eventually import eventually
from support.node import NodeBoss, NodeBossFactory, NodeProcess
from support.postgres import sql
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins
from support.worker_process import WorkerProcess

# A rule that was broken once is broken: no second try.
pytestmark = [pytest.mark.node, pytest.mark.flaky(reruns=0)]

SOME = settings(
    max_examples=12,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


def check(stage: Stage, script: Script) -> None:
    """Every column of ``queue``, ``queue_stats`` and ``warning``, also where Node takes turns on our side."""
    found = stage.differences(script)
    if found:
        note(f'"…": {as_json(script)}')
        raise AssertionError("\n  ".join(["The two sides differ:", *found]))


# Shrinking a failure may take five minutes more.
@pytest.mark.timeout(900)
@SOME
@given(script=supervised_sequences())
def test_the_same_history_leaves_the_same_rows(stage: Stage, script: Script) -> None:
    check(stage, script)


@pytest.mark.prove
@pytest.mark.timeout(7200)
@settings(SOME, max_examples=500)
@given(script=supervised_sequences())
def test_many_histories_leave_the_same_rows(stage: Stage, script: Script) -> None:
    check(stage, script)


async def test_the_helpers_for_histograms_say_what_nodes_do(node_boss: NodeBossFactory) -> None:
    process = (await node_boss(start=False)).process
    chance = random.Random(7)
    for _ in range(40):
        first, second = (
            [chance.choice([0, 0, 0, 1, chance.randrange(1000)]) for _ in range(48)] if chance.random() < 0.9 else None
            for _ in range(2)
        )
        assert add_bins(first, second) == await process.request("module", method="addBins", args=[first, second])
        p = chance.choice([1, 50, 95, 99.9, 100])
        theirs = await process.request("module", method="percentile", args=[first, p])
        assert percentile(first, p) == (theirs if theirs is None else pytest.approx(theirs, rel=1e-12))


@pytest.fixture
async def counted(twins: Twins) -> Twins:
    """Twins with a queue of five jobs in several states, never counted."""
    await twins.node.call("createQueue", "mail")
    await twins.ours.create_queue("mail")
    for number in range(5):
        later = {"startAfter": 3600} if number == 4 else {}
        await twins.send(str(number), "mail", {"n": number}, later, {"start_after": 3600} if later else {})
    await twins.node.call("fetch", "mail")
    await twins.ours.fetch("mail")
    return twins


async def both(twins: Twins, **options: Any) -> list[dict[str, Any]]:
    """What both sides say, which must be the same but for the moment."""
    [theirs] = await twins.node.call("getQueueStats", "mail", options)
    [ours] = await twins.ours.get_queue_stats("mail", **options)
    told = {
        "name": ours.name,
        "deferredCount": ours.deferred_count,
        "queuedCount": ours.queued_count,
        "readyCount": ours.ready_count,
        "activeCount": ours.active_count,
        "failedCount": ours.failed_count,
        "totalCount": ours.total_count,
        "completedDelta": ours.completed_delta,
        "failedDelta": ours.failed_delta,
        "createdDelta": ours.created_delta,
        "deltaSeconds": ours.delta_seconds,
        "deltaOn": ours.delta_on,
        "waitBins": ours.wait_bins,
        "runBins": ours.run_bins,
        "readyOldestSeconds": ours.ready_oldest_seconds,
    }
    assert {key: value for key, value in theirs.items() if key not in {"capturedOn", "percentiles"}} == told
    assert abs(theirs["capturedOn"] - ours.captured_on) < timedelta(seconds=5)
    return [theirs, told]


async def test_one_figure_where_nothing_is_recorded(counted: Twins, database_url: str) -> None:
    [first, _] = await both(counted)
    assert (first["queuedCount"], first["activeCount"], first["createdDelta"]) == (4, 1, None)

    # It is kept: what comes later shows when it is too old, or too old for who insists.
    await counted.send("late", "mail", {}, {}, {})
    assert (await both(counted))[0]["queuedCount"] == 4
    assert (await both(counted, force=True))[0]["queuedCount"] == 4
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        sql(database_url, f"UPDATE {schema}.queue SET monitor_on = now() - interval '2 minutes'")
    assert [told["queuedCount"] for told in await both_old(counted)] == [4, 4]
    assert (await both(counted, force=True))[0]["queuedCount"] == 5


async def both_old(twins: Twins) -> list[dict[str, Any]]:
    [theirs] = await twins.node.call("getQueueStats", "mail")
    [ours] = await twins.ours.get_queue_stats("mail")
    return [theirs, {"queuedCount": ours.queued_count}]


async def test_nobody_counts_while_counting_is_held_off(counted: Twins, database_url: str) -> None:
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        sql(database_url, f"UPDATE {schema}.version SET monitor_backoff_on = now() + interval '1 hour'")
    # But a queue never counted, for which zeros would be made up.
    assert (await both(counted))[0]["queuedCount"] == 4
    await counted.send("late", "mail", {}, {}, {})
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        sql(database_url, f"UPDATE {schema}.queue SET monitor_on = monitor_on - interval '1 day'")
    assert [told["queuedCount"] for told in await both_old(counted)] == [4, 4]


# Every claim of a turn, in their order, and every time that one was handed back.
AUDIT = """
CREATE TABLE claims (id bigint GENERATED ALWAYS AS IDENTITY, name text, claimed_on timestamptz);
CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.claims (name, claimed_on) VALUES (NEW.name, NEW.monitor_claim_on);
    RETURN NULL;
END $$;
CREATE TRIGGER note_claim AFTER UPDATE OF monitor_claim_on ON pgboss.queue
   FOR EACH ROW EXECUTE FUNCTION note_claim();
"""
INTERVAL = timedelta(seconds=2)
NODE_OPTIONS: dict[str, Any] = {
    "supervise": True,
    "superviseIntervalSeconds": 1,
    "monitorIntervalSeconds": 2,
    "persistQueueStats": True,
}
OUR_OPTIONS = "supervise_interval_seconds=1, monitor_interval_seconds=2, persist_queue_stats=True"
PROGRAM = f"""
import asyncio, sys
from pgboss import PgBoss
async def main():
    async with PgBoss(sys.argv[1], {OUR_OPTIONS}, schedule=False, listen=False):
        print("READY", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
QUEUES = ("mail", "own", "print")


class OurProcess(WorkerProcess):
    """An instance of ours in a process of its own, to be killed."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._command = [sys.executable, "-c", PROGRAM, dsn]


@asynccontextmanager
async def node_to_kill(url: str) -> AsyncIterator[NodeProcess]:
    async with NodeProcess() as process:
        boss = await NodeBoss.create(process, url, name="doomed", schedule=False, **NODE_OPTIONS)
        await boss.call("start")
        yield process


def snapshots(url: str) -> dict[str, int]:
    rows = sql(url, "SELECT name, count(*)::int AS taken FROM pgboss.queue_stats GROUP BY name")
    return {row["name"]: row["taken"] for row in rows}


def turns(url: str) -> dict[str, list[Any]]:
    """The claims of each queue that were not handed back."""
    kept: dict[str, list[Any]] = {name: [] for name in QUEUES}
    for row in sql(url, "SELECT name, claimed_on FROM claims ORDER BY id"):
        if row["claimed_on"] is not None:
            kept[row["name"]].append(row["claimed_on"])
        elif kept[row["name"]]:
            kept[row["name"]].pop()
    return kept


@pytest.mark.timeout(90)
async def test_two_and_two_share_every_turn_also_when_two_are_killed(
    make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str
) -> None:
    ours = await make_boss(
        supervise=True, supervise_interval_seconds=1, monitor_interval_seconds=2, persist_queue_stats=True
    )
    for name in QUEUES:
        await ours.create_queue(name, partition=name == "own")
    sql(database_url, AUDIT)
    await node_boss(**NODE_OPTIONS)

    def all_have(number: int) -> bool:
        taken = snapshots(database_url)
        return all(taken.get(name, 0) >= number for name in QUEUES)

    async with node_to_kill(database_url) as doomed, OurProcess(database_url) as killed:
        await eventually(lambda: all_have(3), within=30)
        os.kill(doomed.pid, signal.SIGKILL)
        killed.signal(signal.SIGKILL)
        so_far = max(snapshots(database_url).values())
        await eventually(lambda: all_have(so_far + 3), within=30)

    for name, claims in turns(database_url).items():
        gaps = [later - earlier for earlier, later in pairwise(claims)]
        # No turn comes before its interval, and none waits for those who are dead.
        assert min(gaps) >= INTERVAL, (name, gaps)
        assert max(gaps) < INTERVAL + timedelta(seconds=10), (name, gaps)
        assert snapshots(database_url)[name] <= len(claims) + 1


async def test_who_finds_another_counting_hands_its_turn_back(
    make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str
) -> None:
    ours = await make_boss()
    node = await node_boss()
    await ours.create_queue("mail")
    database = sql(database_url, "SELECT current_database() AS name")[0]["name"]
    key = SchemaName().lock_key(database, Lock.QUEUE_STATS)
    async with held_lock(database_url, key):
        await ours.supervise()
        [after_ours] = sql(database_url, "SELECT monitor_on, monitor_claim_on FROM pgboss.queue")
        await node.call("supervise")
        [after_node] = sql(database_url, "SELECT monitor_on, monitor_claim_on FROM pgboss.queue")
        assert after_ours == after_node == {"monitor_on": None, "monitor_claim_on": None}

    await ours.supervise()

    assert sql(database_url, "SELECT name FROM pgboss.queue WHERE monitor_on >= monitor_claim_on")


@asynccontextmanager
async def held_lock(url: str, key: int) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        yield


# Counted five minutes ago; jobs of that time are there, and others have been committed since it was counted.
PAST = """
UPDATE {schema}.queue SET delta_on = now() - interval '5 minutes', monitor_claim_on = now() - interval '1 hour';
UPDATE {schema}.queue_stats SET delta_on = now() - interval '5 minutes';
INSERT INTO {schema}.job (name, created_on) SELECT 'mail', now() - n * interval '1 minute' FROM generate_series(1, 3) n;
"""
LATE = """
UPDATE {schema}.queue SET monitor_claim_on = now() - interval '1 hour';
INSERT INTO {schema}.job (name, created_on) VALUES ('mail', now() - interval '2 minutes');
INSERT INTO {schema}.job (name, state, created_on, start_after, started_on, completed_on)
SELECT 'mail', state::{schema}.job_state, now() - interval '1 hour', now() - interval '1 hour',
       now() - interval '4 minutes', now() - interval '3 minutes'
  FROM unnest(ARRAY['completed', 'failed', 'failed']) state;
"""


async def test_jobs_committed_late_raise_the_same_snapshots(
    make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str
) -> None:
    node = await node_boss(NODE_SCHEMA, persistQueueStats=True)
    ours = await make_boss(schema=OUR_SCHEMA, persist_queue_stats=True)
    await node.call("createQueue", "mail")
    await ours.create_queue("mail")
    for step in ("SELECT 1", PAST, LATE):
        for schema in (NODE_SCHEMA, OUR_SCHEMA):
            sql(database_url, step.format(schema=schema))
        await node.call("supervise")
        await ours.supervise()

    counters = (
        "SELECT created_delta, completed_delta, failed_delta, delta_seconds FROM {}.queue_stats ORDER BY captured_on"
    )
    theirs, mine = (
        [tuple(row.values()) for row in sql(database_url, counters.format(schema))]
        for schema in (NODE_SCHEMA, OUR_SCHEMA)
    )
    assert mine[1][:3] == (4, 1, 2)
    assert [row[:3] for row in mine] == [row[:3] for row in theirs]
    assert [abs((row[3] or 0) - (other[3] or 0)) <= 5 for row, other in zip(mine, theirs, strict=True)] == [True] * 3


@pytest.mark.parametrize("pinned", [5.0, 6.5, 130.0, 5000.0])
async def test_counting_is_held_off_for_as_long(
    make_boss: BossFactory,
    node_boss: NodeBossFactory,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    pinned: float,
) -> None:
    node = await node_boss(NODE_SCHEMA, __test__monitor_stats_seconds=pinned, persistWarnings=True)
    ours = await make_boss(schema=OUR_SCHEMA, persist_warnings=True)
    await node.call("createQueue", "mail")
    await ours.create_queue("mail")
    monkeypatch.setattr("pgboss.sql.monitor.PINNED_SECONDS", f"{pinned}::float8")

    await node.call("supervise")
    await ours.supervise()

    held_off = "SELECT round(extract(epoch FROM monitor_backoff_on - now()) / 5)::int AS about FROM {}.version"
    theirs, mine = (sql(database_url, held_off.format(schema)) for schema in (NODE_SCHEMA, OUR_SCHEMA))
    assert mine == theirs
    told = "SELECT type, data - 'backoffUntil' - 'backoffSeconds' AS data FROM {}.warning"
    assert sql(database_url, told.format(OUR_SCHEMA)) == sql(database_url, told.format(NODE_SCHEMA))
    assert bool(sql(database_url, told.format(OUR_SCHEMA))) == (pinned > 6)
