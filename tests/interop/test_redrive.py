"""Dead letters, and bringing them back: the same rows, and the same answers, as Node's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgboss import ConflictError, QueueOptions
from pgboss.core.job import Attempt
from pgboss.operations.work import fail_each
from support.boss import BossFactory
from support.node import NodeBossFactory, NodeError
from support.postgres import sql
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins

pytestmark = pytest.mark.node

POLICIES = ("standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo")
DAY = timedelta(days=1)


@pytest.fixture
async def twins(database_url: str, node_boss: NodeBossFactory, make_boss: BossFactory) -> Twins:
    node = await node_boss(NODE_SCHEMA)
    ours = await make_boss(schema=OUR_SCHEMA, queue_defaults=QueueOptions())
    return Twins(database_url, node, ours)


async def create(twins: Twins, name: str, node: Mapping[str, Any] | None = None, **ours: Any) -> None:
    await twins.node.call("createQueue", name, dict(node or {}))
    await twins.ours.create_queue(name, **ours)


def letters(twins: Twins, queue: str, *rows: dict[str, str]) -> None:
    """Put the same dead letters into both sides, one a minute; the values are SQL."""
    for number, row in enumerate(rows):
        created = f"now() - interval '1 hour' + {number} * interval '1 minute'"
        values = {
            "name": f"'{queue}'",
            "data": f"""'{{"n": {number}}}'""",
            "created_on": created,
            "start_after": created,
            "source_id": f"'00000000-0000-0000-0000-{number:012}'",
            "id": f"'11111111-0000-0000-0000-{number:012}'",
        } | row
        for schema in (NODE_SCHEMA, OUR_SCHEMA):
            columns, expressions = ", ".join(values), ", ".join(values.values())
            sql(twins.url, f"INSERT INTO {schema}.job ({columns}) VALUES ({expressions})")


async def redrive(twins: Twins, queue: str, node: Mapping[str, Any] | None = None, **ours: Any) -> int:
    """Preview and redrive on both sides; returns how many moved."""
    options = dict(node or {})
    foreseen = await twins.node.call("previewRedrive", queue, options)
    preview = await twins.ours.preview_redrive(queue, **ours)
    assert (preview.total, preview.unroutable) == (foreseen["total"], foreseen["unroutable"])
    assert dict(preview.destinations) == {entry["name"]: entry["count"] for entry in foreseen["destinations"]}
    moved: int = await twins.node.call("redrive", queue, options)
    assert await twins.ours.redrive(queue, **ours) == moved
    return moved


async def fail_for_good(twins: Twins, queue: str, *labels: str) -> None:
    assert len(await twins.node.call("fetch", queue, {"batchSize": len(labels)})) == len(labels)
    assert len(await twins.ours.fetch(queue, batch_size=len(labels))) == len(labels)
    await twins.node.call("fail", queue, twins.node_ids(*labels), {"reason": "broken"})
    await twins.ours.fail(queue, twins.our_ids(*labels), {"reason": "broken"})


async def test_there_and_back_again(twins: Twins) -> None:
    """A job dies, is brought back, dies again and is brought back again: its first id goes with it all the way."""
    await create(twins, "dead", {"partition": True}, partition=True)
    settings = {
        "retryLimit": 0, "retryDelay": 7, "retryBackoff": True, "retryDelayMax": 70, "expireInSeconds": 71,
        "retentionSeconds": 72, "deleteAfterSeconds": 73, "heartbeatSeconds": 74, "deadLetter": "dead",
        "policy": "short",
    }  # fmt: skip
    ours: dict[str, Any] = {
        "retry_limit": 0, "retry_delay": 7, "retry_backoff": True, "retry_delay_max": 70, "expire_in_seconds": 71,
        "retention_seconds": 72, "delete_after_seconds": 73, "heartbeat_seconds": 74, "dead_letter": "dead",
        "policy": "short",
    }  # fmt: skip
    await create(twins, "work", settings, **ours)
    sent = (
        {"priority": 4, "singletonKey": "k", "group": {"id": "g", "tier": "t"}},
        {"priority": 4, "singleton_key": "k", "group_id": "g", "group_tier": "t"},
    )
    await twins.send("job", "work", {"n": 1}, *sent)
    await fail_for_good(twins, "work", "job")
    twins.assert_same_jobs()
    assert await redrive(twins, "dead") == 1
    twins.assert_same_jobs()
    roots = []
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        [again] = sql(twins.url, f"SELECT * FROM {schema}.job WHERE state = 'created'")
        [first] = sql(twins.url, f"SELECT * FROM {schema}.job WHERE state = 'failed'")
        assert again["source_root_id"] == first["id"]
        roots.append(again["id"])
    twins.ids["again"] = (str(roots[0]), roots[1])
    await fail_for_good(twins, "work", "again")
    assert await redrive(twins, "dead") == 1
    twins.assert_same_jobs()
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        [third] = sql(twins.url, f"SELECT * FROM {schema}.job WHERE state = 'created'")
        [first] = sql(twins.url, f"SELECT * FROM {schema}.job WHERE state = 'failed' ORDER BY created_on LIMIT 1")
        assert third["source_root_id"] == first["id"]


async def test_chains_end_at_the_first_dead_letter_queue(twins: Twins) -> None:
    await create(twins, "last")
    await create(twins, "dead", {"deadLetter": "last", "retryLimit": 0}, dead_letter="last", retry_limit=0)
    await create(twins, "work", {"deadLetter": "dead", "retryLimit": 0}, dead_letter="dead", retry_limit=0)
    await twins.send("job", "work", {"n": 1}, {}, {})
    await fail_for_good(twins, "work", "job")
    [node_letter] = await twins.node.call("fetch", "dead")
    [our_letter] = await twins.ours.fetch("dead")
    await twins.node.call("fail", "dead", node_letter["id"], "again")
    await twins.ours.fail("dead", our_letter.id, "again")

    twins.assert_same_jobs()
    assert {row["name"] for row in twins.rows(OUR_SCHEMA)} == {"work", "dead"}


async def test_a_result_that_says_dead_letter(twins: Twins) -> None:
    """Node's workers say it by a result, ours by Discard; both skip the retries that are left."""
    await create(twins, "dead")
    options = {"deadLetter": "dead", "retryLimit": 3, "retryDelay": 30}
    await create(twins, "work", options, dead_letter="dead", retry_limit=3, retry_delay=30)
    await twins.send("job", "work", {"n": 1}, {}, {})
    disposition = [{"id": twins.node_ids("job")[0], "status": "deadletter", "output": {"why": "hopeless"}}]
    await twins.node.work("work", {"return": disposition}, perJobResults=True)
    await twins.node.handled("work")
    await twins.node.off_work("work")
    [job] = await twins.ours.fetch("work")
    catalog = twins.ours._queues()
    await twins.ours._run(fail_each(catalog, "work", [Attempt.of(job)], ['{"why": "hopeless"}'], [True]))

    twins.assert_same_jobs()
    assert [row["state"] for row in twins.rows(OUR_SCHEMA)] == ["created", "failed"]


async def test_a_dead_letter_queue_that_is_gone(twins: Twins) -> None:
    """The foreign key forbids it, so it takes force; the job fails all the same, without a copy."""
    await create(twins, "work", {"retryLimit": 0}, retry_limit=0)
    await twins.send("job", "work", {"n": 1}, {}, {})
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        sql(twins.url, f"ALTER TABLE {schema}.job_common DROP CONSTRAINT dlq_fkey")
        sql(twins.url, f"UPDATE {schema}.job SET dead_letter = 'gone'")
    await fail_for_good(twins, "work", "job")

    twins.assert_same_jobs()
    assert [row["state"] for row in twins.rows(OUR_SCHEMA)] == ["failed"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("partition", [False, True], ids=["shared", "own table"])
async def test_slots_that_are_taken(twins: Twins, policy: Any, partition: bool) -> None:
    """Two letters of each key, for one of which a job already waits; what finds no room fails where it is."""
    await create(twins, "dead")
    options = {"policy": policy, "partition": partition}
    await create(twins, "work", options, policy=policy, partition=partition)
    await twins.send("waiting", "work", {"n": "w"}, {"singletonKey": "b"}, {"singleton_key": "b"})
    keys = ["'a'", "'a'", "'b'", "'c'"] + ([] if policy == "key_strict_fifo" else ["NULL", "NULL"])
    letters(twins, "dead", *({"source_name": "'work'", "singleton_key": key, "output": "'{}'"} for key in keys))
    await redrive(twins, "dead")

    twins.assert_same_jobs()
    await redrive(twins, "dead")
    twins.assert_same_jobs()


async def test_what_waits_behind_a_key_stays(twins: Twins) -> None:
    """In a strict dead letter queue itself: of the letters of a key, one at most may fail."""
    await create(twins, "dead", {"policy": "key_strict_fifo"}, policy="key_strict_fifo")
    await create(twins, "work", {"policy": "exclusive"}, policy="exclusive")
    for key in ("taken", "held", "free"):
        if key != "free":
            await twins.send(key, "work", {"n": key}, {"singletonKey": key}, {"singleton_key": key})
    strict = {"source_name": "'work'", "policy": "'key_strict_fifo'"}
    letters(
        twins,
        "dead",
        strict | {"singleton_key": "'held'", "state": "'failed'"},
        strict | {"singleton_key": "'held'"},
        strict | {"singleton_key": "'taken'"},
        strict | {"singleton_key": "'taken'"},
        strict | {"singleton_key": "'free'"},
    )
    assert await redrive(twins, "dead") == 1
    twins.assert_same_jobs()
    assert await redrive(twins, "dead") == 0
    twins.assert_same_jobs()


async def test_a_job_without_key_stops_a_redrive_into_a_strict_queue(twins: Twins) -> None:
    await create(twins, "dead")
    await create(twins, "work", {"policy": "key_strict_fifo"}, policy="key_strict_fifo")
    letters(twins, "dead", {"source_name": "'work'", "singleton_key": "'k'"}, {"source_name": "'work'"})
    with pytest.raises(NodeError) as theirs:
        await twins.node.call("redrive", "dead")
    assert theirs.value.code == "23514"
    with pytest.raises(ConflictError, match=r"Nothing was redriven from queue 'dead'.*key_strict_fifo"):
        await twins.ours.redrive("dead")

    twins.assert_same_jobs()
    assert {row["name"] for row in twins.rows(OUR_SCHEMA)} == {"dead"}


async def test_filters(twins: Twins) -> None:
    for name in ("dead", "a", "b", "c"):
        await create(twins, name)
    sources = ["'a'", "'b'", "NULL", "'gone'"] * 4
    rows = [
        {"source_name": source, "data": f"""'{{"n": {number}, "tags": {{"even": {number % 2}}}}}'"""}
        for number, source in enumerate(sources)
    ]
    letters(
        twins, "dead", *rows, {"source_name": "'a'", "state": "'active'"}, {"source_name": "'a'", "state": "'retry'"}
    )
    before = datetime.now(UTC) - timedelta(minutes=52, seconds=30)
    some = ["11111111-0000-0000-0000-000000000004", "11111111-0000-0000-0000-000000000005"]
    assert await redrive(twins, "dead", {"limit": 1}, limit=1) == 1
    assert await redrive(twins, "dead", {"ids": some}, ids=some) == 2
    assert await redrive(twins, "dead", {"sourceName": "b"}, source_name="b") == 3
    assert await redrive(twins, "dead", {"data": {"tags": {"even": 1}}}, data={"tags": {"even": 1}}) == 0
    assert await redrive(twins, "dead", {"createdBefore": before}, created_before=before) == 0
    to_c = {"destination": "c", "createdBefore": before}
    assert await redrive(twins, "dead", to_c, destination="c", created_before=before) == 4
    twins.assert_same_jobs()
    assert await redrive(twins, "dead") == 3
    assert await redrive(twins, "dead", {"destination": "dead"}, destination="dead") == 4
    twins.assert_same_jobs()
