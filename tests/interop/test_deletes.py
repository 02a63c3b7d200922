"""Bulk deletes, single deletes and what they take from the counts: answers and rows equal to Node's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pgboss import QueueOptions
from support.boss import BossFactory
from support.node import NodeBossFactory, NodeError
from support.postgres import sql
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins

pytestmark = pytest.mark.node

COUNTS = (
    "deferred_count, blocked_count, queued_count, ready_count, active_count, failed_count, total_count, retained_count"
)


@pytest.fixture
async def twins(database_url: str, node_boss: NodeBossFactory, make_boss: BossFactory) -> Twins:
    node = await node_boss(NODE_SCHEMA)
    ours = await make_boss(schema=OUR_SCHEMA, queue_defaults=QueueOptions())
    return Twins(database_url, node, ours)


async def fill(twins: Twins, name: str, *, partition: bool, retained: str = "4") -> None:
    """A queue with three jobs of each state on both sides, one of them finished after the counts were taken."""
    await twins.node.call("createQueue", name, {"partition": partition})
    await twins.ours.create_queue(name, partition=partition)
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        sql(
            twins.url,
            f"""INSERT INTO {schema}.job (id, name, state, data, completed_on)
                SELECT ('00000000-0000-0000-000' || n || '-00000000000' || s)::uuid, '{name}', state,
                       jsonb_build_object('s', state, 'n', n),
                       CASE WHEN state > 'active' THEN now() - n * interval '1 minute' END
                  FROM unnest(enum_range(NULL::{schema}.job_state)) WITH ORDINALITY AS states (state, s),
                       generate_series(1, 3) n""",
        )
        sql(
            twins.url,
            f"""UPDATE {schema}.queue
                   SET queued_count = 6, active_count = 3, failed_count = 3, total_count = 16, deferred_count = 1,
                       ready_count = 5, retained_count = {retained}, retained_on = now() - interval '90 seconds'
                 WHERE name = '{name}'""",
        )


def assert_same_counts(twins: Twins) -> None:
    node, ours = (
        sql(twins.url, f"SELECT name, {COUNTS}, monitor_on IS NOT NULL AS monitored FROM {schema}.queue ORDER BY name")
        for schema in (NODE_SCHEMA, OUR_SCHEMA)
    )
    assert ours == node


CALLS: dict[str, Callable[[Any], Any]] = {
    "deleteQueuedJobs": lambda boss: boss.delete_queued_jobs("jobs"),
    "deleteStoredJobs": lambda boss: boss.delete_stored_jobs("jobs"),
    "deleteAllJobs": lambda boss: boss.delete_all_jobs("jobs"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("retained", ["4", "1", "NULL"])
@pytest.mark.parametrize("partition", [False, True], ids=["shared", "own table"])
async def test_bulk_deletes(twins: Twins, call: str, retained: str, partition: bool) -> None:
    await fill(twins, "jobs", partition=partition, retained=retained)
    await fill(twins, "other", partition=partition)
    expected = await twins.node.call(call, "jobs")
    assert await CALLS[call](twins.ours) == expected

    twins.assert_same_jobs()
    assert_same_counts(twins)


async def test_everything(twins: Twins) -> None:
    await fill(twins, "shared", partition=False)
    await fill(twins, "own", partition=True)
    assert await twins.node.call("deleteAllJobs") is None
    await twins.ours.delete_all_jobs(every_queue=True)

    twins.assert_same_jobs()
    assert twins.rows(OUR_SCHEMA) == []
    assert_same_counts(twins)


@pytest.mark.parametrize(("theirs", "ours"), [("deleteJob", "delete_job"), ("resume", "resume")])
async def test_counts_after_single_calls(twins: Twins, theirs: str, ours: str) -> None:
    await fill(twins, "jobs", partition=False)
    for state in range(1, 7):
        ids = [f"00000000-0000-0000-000{n}-00000000000{state}" for n in (1, 2)]
        result = await twins.node.call(theirs, "jobs", ids)
        assert (await getattr(twins.ours, ours)("jobs", ids)).affected == result["affected"]
        assert_same_counts(twins)

    twins.assert_same_jobs()


async def test_finding(twins: Twins) -> None:
    await fill(twins, "jobs", partition=False)
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        sql(twins.url, f"UPDATE {schema}.job SET singleton_key = data->>'s'")
    first = "00000000-0000-0000-0001-000000000001"
    searches: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {}),
        ({"id": first}, {"id": first}),
        ({"key": "failed"}, {"key": "failed"}),
        ({"data": {"n": 2}}, {"data": {"n": 2}}),
        ({"queued": True}, {"queued": True}),
        ({"queued": True, "key": "retry", "data": {"n": 3}}, {"queued": True, "key": "retry", "data": {"n": 3}}),
        ({"limit": 5}, {"limit": 5}),
        ({"after": first}, {"after": first}),
        ({"after": first, "limit": 3, "queued": True}, {"after": first, "limit": 3, "queued": True}),
    ]
    for node, ours in searches:
        expected = await twins.node.call("findJobs", "jobs", node)
        assert [str(job.id) for job in await twins.ours.find_jobs("jobs", **ours)] == [job["id"] for job in expected]
    gone = "00000000-0000-0000-0009-000000000009"
    with pytest.raises(NodeError, match="no longer exists"):
        await twins.node.call("findJobs", "jobs", {"after": gone})


async def test_pages_of_queues(twins: Twins) -> None:
    for name in ("b", "a", "d", "c"):
        await twins.node.call("createQueue", name)
        await twins.ours.create_queue(name)
    for node, ours in (
        ({}, {}),
        ({"limit": 2}, {"limit": 2}),
        ({"limit": 2, "after": "b"}, {"limit": 2, "after": "b"}),
        ({"after": "d"}, {"after": "d"}),
    ):
        expected = await twins.node.call("getQueues", ["a", "b", "d", "unknown"], node)
        found = await twins.ours.get_queues(["a", "b", "d", "unknown"], **ours)
        assert [queue.name for queue in found] == [queue["name"] for queue in expected]
