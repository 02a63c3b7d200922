"""One queue, two languages: jobs sent by one side are worked by the other, and failures are shared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pgboss import Job, JobDetails, PgBoss
from support.boss import BossFactory, is_listening
from support.eventually import eventually
from support.node import NodeBossFactory

pytestmark = pytest.mark.node


async def test_node_sends_and_we_work(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    node = await node_boss()
    ours = await make_boss()
    await node.call("createQueue", "mail")
    sent = await node.call("send", "mail", {"to": "Ada", "nested": {"camelCase": [1, None]}})
    seen: list[Job] = []

    async def handler(job: Job) -> dict[str, Any]:
        seen.append(job)
        return {"said": "hello"}

    await ours.work("mail", handler)

    [found] = await eventually(lambda: with_state(node.call, "mail", "completed"))
    assert found["id"] == sent
    assert found["output"] == {"said": "hello"}
    assert seen[0].data == {"to": "Ada", "nested": {"camelCase": [1, None]}}
    assert seen[0].expire_in_seconds == 900


async def test_we_send_and_node_works(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    ours = await make_boss()
    node = await node_boss()
    await ours.create_queue("mail")
    await ours.send("mail", {"to": "Ada"}, priority=3)
    await node.work("mail", {"return": {"said": "hello"}})

    job = await eventually(lambda: ours_with_state(ours, "mail", "completed"))

    [batch] = await node.handled("mail")
    assert batch.jobs[0]["data"] == {"to": "Ada"}
    assert job.output == {"said": "hello"}


async def test_our_failure_is_retried_by_node(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    ours = await make_boss()
    node = await node_boss()
    await ours.create_queue("mail", retry_limit=1, retry_delay=2, retry_backoff=False)
    await ours.send("mail", {})

    async def handler(job: Job) -> None:
        raise ConnectionError("mail server away")

    worker = await ours.work("mail", handler)
    await eventually(lambda: ours_with_state(ours, "mail", "retry"))
    await ours.off_work("mail", id=worker)
    await node.work("mail", {"return": "ok"}, includeMetadata=True)
    job = await eventually(lambda: ours_with_state(ours, "mail", "completed"))

    [batch] = await node.handled("mail")
    assert batch.jobs[0]["output"]["name"] == "ConnectionError"
    assert batch.jobs[0]["retryCount"] == 1
    assert (job.state, job.output) == ("completed", {"value": "ok"})


async def test_nodes_failure_is_retried_by_us(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    ours = await make_boss()
    node = await node_boss()
    await node.call("createQueue", "mail", {"retryLimit": 1, "retryDelay": 1})
    await node.call("send", "mail", {})
    await node.work("mail", {"throw": {"message": "not today"}})
    await node.handled("mail")
    await node.off_work("mail")
    failed = await eventually(lambda: ours_with_state(ours, "mail", "retry"))
    attempts: list[int] = []

    async def handler(job: Job) -> str:
        attempts.append(job.retry_count)
        return "done"

    await ours.work("mail", handler)
    job = await eventually(lambda: ours_with_state(ours, "mail", "completed"))

    assert failed.output["message"] == "not today"
    assert attempts == [1]
    assert job.started_on is not None
    assert 0 <= (job.started_on - failed.start_after).total_seconds() < 1


async def test_node_reads_what_we_wrote_field_by_field(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    ours = await make_boss()
    node = await node_boss()
    await ours.create_queue("dead")
    await ours.create_queue("mail", dead_letter="dead")
    start_after = datetime(2031, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
    job_id = await ours.send(
        "mail",
        {"a": 1},
        priority=7,
        start_after=start_after,
        singleton_key="key",
        group_id="g",
        group_tier="gold",
        retry_limit=4,
        retry_delay=5,
        retry_backoff=True,
        retry_delay_max=50,
        expire_in_seconds=60,
        retention_seconds=120,
        delete_after_seconds=240,
        heartbeat_seconds=30,
    )

    [job] = await node.call("findJobs", "mail", {"id": job_id})
    [mine] = await ours.find_jobs("mail")

    expected = {
        "id": str(job_id), "name": "mail", "data": {"a": 1}, "state": "created", "priority": 7, "policy": "standard",
        "retryLimit": 4, "retryCount": 0, "retryDelay": 5, "retryBackoff": True, "retryDelayMax": 50,
        "expireInSeconds": 60, "deleteAfterSeconds": 240, "heartbeatSeconds": 30, "heartbeatOn": None,
        "singletonKey": "key", "singletonOn": None, "groupId": "g", "groupTier": "gold", "deadLetter": "dead",
        "startAfter": start_after, "startedOn": None, "completedOn": None, "output": None, "blocked": False,
        "blocking": False, "pendingDependencies": 0, "sourceName": None, "sourceId": None, "sourceCreatedOn": None,
        "sourceRetryCount": None, "sourceOutput": None, "sourceRootId": None,
    }  # fmt: skip
    assert {key: value for key, value in job.items() if key not in ("createdOn", "keepUntil")} == expected
    # Dates of JavaScript end at the millisecond.
    assert abs((job["createdOn"] - mine.created_on).total_seconds()) < 0.001
    assert (job["keepUntil"] - start_after).total_seconds() == 120


async def test_a_notification_crosses_over(node_boss: NodeBossFactory, make_boss: BossFactory) -> None:
    """With polls a minute apart on both sides, only NOTIFY can explain a prompt pickup."""
    ours = await make_boss(polling_interval_seconds=60)
    node = await node_boss(useListenNotify=True)
    for queue in ("to-us", "to-node"):
        await ours.create_queue(queue)

    async def handler(job: Job) -> None:
        return None

    await node.work("to-node", pollingIntervalSeconds=60, notifyPollingIntervalSeconds=60)
    await eventually(lambda: listens(node.sql))
    await ours.work("to-us", handler)
    await eventually(lambda: is_listening(ours))
    await node.call("send", "to-us", {})
    await ours.send("to-node", {})

    await eventually(lambda: ours_with_state(ours, "to-us", "completed"))
    await eventually(lambda: ours_with_state(ours, "to-node", "completed"))


async def listens(sql: Any) -> bool:
    """Whether Node's side listens, while ours does not yet: the last statement of a connection was a LISTEN."""
    rows = await sql("SELECT pid FROM pg_stat_activity WHERE query ILIKE 'listen%' AND state = 'idle'")
    return bool(rows)


async def with_state(call: Any, queue: str, state: str) -> list[dict[str, Any]]:
    return [job for job in await call("findJobs", queue) if job["state"] == state]


async def ours_with_state(boss: PgBoss, queue: str, *states: str) -> JobDetails | None:
    jobs = await boss.find_jobs(queue)
    return next((job for job in jobs if job.state in states), None)
