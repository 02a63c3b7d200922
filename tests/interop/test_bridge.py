"""The harness itself: what tests do to real pg-boss arrives there, and what happens there comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from support.node import UNDEFINED, NodeBossFactory, NodeDiedError, NodeError, connection_options

pytestmark = pytest.mark.node


async def test_a_job_goes_in_and_comes_out(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()
    await boss.call("createQueue", "mail")
    sent = await boss.call("send", "mail", {"to": ["anna", "béa"], "none": None}, {"priority": 3})

    [job] = await boss.call("fetch", "mail", {"includeMetadata": True})

    assert job["id"] == sent
    assert job["data"] == {"to": ["anna", "béa"], "none": None}
    assert (job["priority"], job["state"], job["retryCount"]) == (3, "active", 0)
    assert "signal" not in job


async def test_dates_and_ids_travel_both_ways(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()
    await boss.call("createQueue", "mail")
    start_after = datetime(2077, 1, 31, 23, 59, 58, 123000, tzinfo=UTC)
    job_id = uuid4()

    await boss.call("send", "mail", {}, {"id": job_id, "startAfter": start_after})
    [job] = await boss.call("findJobs", "mail", {"id": job_id})

    assert UUID(job["id"]) == job_id
    assert job["startAfter"] == start_after
    assert abs(job["createdOn"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert job["completedOn"] is None


async def test_undefined_is_not_null(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()
    await boss.call("createQueue", "mail")
    sent = await boss.call("send", "mail", {"a": 1})

    await boss.call("update", "mail", UNDEFINED, {"id": sent, "priority": 1})
    [kept] = await boss.call("findJobs", "mail", {"id": sent})
    await boss.call("update", "mail", None, {"id": sent})
    [cleared] = await boss.call("findJobs", "mail", {"id": sent})

    assert (kept["data"], kept["priority"], cleared["data"]) == ({"a": 1}, 1, None)


async def test_long_lines_pass(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()
    await boss.call("createQueue", "mail")
    text = "ü" * 3_000_000

    await boss.call("send", "mail", {"text": text})
    [job] = await boss.call("fetch", "mail")

    assert job["data"]["text"] == text


async def test_what_node_throws_keeps_its_name_message_and_code(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()

    with pytest.raises(NodeError, match="Queue nowhere") as unknown_queue:
        await boss.call("send", "nowhere")
    with pytest.raises(NodeError) as database_error:
        await boss.sql("SELECT 1 / $1::int", 0)
    with pytest.raises(NodeError, match="no method brew") as unknown_method:
        await boss.call("brew")

    assert (unknown_queue.value.name, unknown_queue.value.code) == ("Error", "PGBOSS_QUEUE_NOT_FOUND")
    assert database_error.value.code == "22012"
    assert unknown_method.value.name == "TypeError"


async def test_its_own_schema_has_not_drifted(node_boss: NodeBossFactory) -> None:
    boss = await node_boss(schema="elsewhere")

    report = await boss.call("detectSchemaDrift")

    assert report["ok"] is True
    assert await boss.sql("SELECT version FROM elsewhere.version") == [{"version": 46}]


async def test_handlers_follow_their_script(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()
    await boss.call("createQueue", "mail", {"retryLimit": 1})
    await boss.work("mail", {"throw": {"message": "no ink", "code": "EINK"}}, {"return": {"printed": True}})
    await boss.call("send", "mail", {"page": 1})

    first, second = await boss.handled("mail", 2)
    await boss.off_work("mail")
    [job] = await boss.call("findJobs", "mail")

    assert (first.outcome, first.result) == ("threw", "Error: no ink")
    assert (second.outcome, second.result) == ("returned", {"printed": True})
    assert [attempt.jobs[0]["retryCount"] for attempt in (first, second)] == [0, 1]
    assert (job["state"], job["output"]) == ("completed", {"printed": True})


async def test_a_held_handler_waits_for_its_release(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()
    await boss.call("createQueue", "mail")
    await boss.work("mail", {"hold": True, "echo": True})
    await boss.call("send", "mail", {"page": 1})

    [job] = await boss.started("mail")
    [held] = await boss.call("findJobs", "mail", {"id": job["id"]})
    await boss.release("mail")
    [handled] = await boss.handled("mail")

    assert held["state"] == "active"
    assert (handled.result, handled.aborted) == ({"page": 1}, False)


async def test_a_held_handler_ends_with_its_instance(node_boss: NodeBossFactory) -> None:
    boss = await node_boss(expected_errors=True)
    await boss.call("createQueue", "mail", {"retryLimit": 0})
    await boss.work("mail", {"hold": True})
    await boss.call("send", "mail")
    await boss.started("mail")

    await boss.stop()
    [handled] = await boss.handled("mail")

    assert handled.aborted is True


async def test_jobs_of_a_batch_can_end_differently(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()
    await boss.call("createQueue", "mail", {"retryLimit": 0})
    await boss.call("insert", "mail", [{"data": {"page": page}} for page in (1, 2)])
    outcomes = {"settle": [{"status": "completed"}, {"status": "failed", "output": {"why": "no ink"}}]}
    await boss.work("mail", outcomes, batchSize=2, perJobResults=True)

    [handled] = await boss.handled("mail")
    await boss.off_work("mail")
    jobs = await boss.call("findJobs", "mail")

    assert len(handled.jobs) == 2
    assert sorted(job["state"] for job in jobs) == ["completed", "failed"]


async def test_one_process_holds_several_instances(node_boss: NodeBossFactory) -> None:
    first = await node_boss(name="first")
    second = await node_boss(name="second", migrate=False)
    await first.call("createQueue", "mail")
    await second.work("mail", {"return": None})
    await first.call("send", "mail", {"page": 1})

    [handled] = await second.handled("mail")
    await first.stop()

    assert handled.jobs[0]["data"] == {"page": 1}
    with pytest.raises(NodeError, match="not opened"):
        await first.call("send", "mail")
    assert await second.call("getQueue", "mail") is not None


async def test_an_error_event_is_kept(node_boss: NodeBossFactory) -> None:
    boss = await node_boss(expected_errors=True)
    await boss.work("nowhere")

    error = await boss.error()

    assert "nowhere" in error["message"]
    assert error in boss.errors()


async def test_functions_of_the_package_can_be_called(node_boss: NodeBossFactory) -> None:
    boss = await node_boss(start=False)

    sql = await boss.process.request("module", method="getConstructionPlans", args=["elsewhere"])

    assert "CREATE SCHEMA IF NOT EXISTS elsewhere" in sql


async def test_a_dead_node_says_so(node_boss: NodeBossFactory) -> None:
    boss = await node_boss()
    asked = asyncio.create_task(boss.sql("SELECT pg_sleep(60)"))
    waiting = asyncio.create_task(boss.handled("mail"))
    await boss.call("isInstalled")  # Behind what was asked before, so both are on their way.

    os.kill(boss.process.pid, signal.SIGKILL)

    for task in (asked, waiting):
        with pytest.raises(NodeDiedError, match="exit code -9"):
            await task
    with pytest.raises(NodeDiedError, match="exit code -9"):
        await boss.call("isInstalled")


@pytest.mark.parametrize(
    ("dsn", "options"),
    [
        (
            "postgresql://anna:s%40fe@127.0.0.1:5433/shop?sslmode=disable",
            {"user": "anna", "password": "s@fe", "host": "127.0.0.1", "port": "5433", "database": "shop"},
        ),
        ("postgresql://anna@/shop?host=/run/pg", {"user": "anna", "host": "/run/pg", "database": "shop"}),
        ("host=/run/pg dbname=shop user=anna", {"user": "anna", "host": "/run/pg", "database": "shop"}),
    ],
)
def test_any_libpq_connection_string_will_do(dsn: str, options: dict[str, str]) -> None:
    assert connection_options(dsn) == options
