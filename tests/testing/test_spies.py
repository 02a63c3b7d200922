"""Spies: what an instance does to jobs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pgboss import ConfigurationError, Job, ValidationError
from support.boss import BossFactory


async def test_a_spy_sees_jobs_come_and_go(make_boss: BossFactory) -> None:
    boss = await make_boss(enable_spies=True)
    await boss.create_queue("mail", retry_limit=1, retry_delay=0, retry_backoff=False)
    spy = boss.get_spy("mail")

    async def handler(job: Job) -> dict[str, Any]:
        if job.data["to"] == "nobody":
            raise LookupError("nobody")
        return {"printed": job.data["to"]}

    await boss.work("mail", handler)
    data = {"to": "ada"}
    id = await boss.send("mail", data)
    assert id is not None
    lost = await boss.send("mail", {"to": "nobody"})
    assert lost is not None

    created = await spy.wait_for_job(lambda data: data["to"] == "ada", "created")
    active = await spy.wait_for_job_with_id(id, "active")
    completed = await spy.wait_for_job_with_id(str(id), "completed")
    failed = await spy.wait_for_job_with_id(lost, "failed")

    assert created.id == active.id == completed.id == id
    assert (completed.name, completed.data, completed.output) == ("mail", data, {"printed": "ada"})
    assert created.data is not data
    job = await boss.get_job(lost)
    assert job is not None
    # Only the last of the two attempts counted as a failure.
    assert (job.state, job.retry_count) == ("failed", 1)
    assert failed.output == job.output

    # Seen already: at once, and every time a copy.
    again = await spy.wait_for_job_with_id(id, "completed")
    assert again == completed
    assert again.data is not completed.data


async def test_every_way_of_creating_jobs_is_seen(make_boss: BossFactory) -> None:
    boss = await make_boss(enable_spies=True)
    await boss.create_queue("mail")
    await boss.subscribe("event", "mail")
    spy = boss.get_spy("mail")
    await boss.insert("mail", [{"data": {"by": "insert"}}, {"data": {"by": "insert too"}}])
    await boss.publish("event", {"by": "publish"})
    await boss.upsert("mail", {"by": "upsert"}, singleton_key="k")
    await boss.send_throttled("mail", {"by": "throttled"}, 60)
    await boss.send_throttled("mail", {"by": "dropped"}, 60)
    await boss.flow(
        [
            {"ref": "a", "name": "mail", "data": {"by": "flow"}},
            {"ref": "b", "name": "mail", "data": {"by": "flow too"}, "depends_on": ["a"]},
        ]
    )

    for by in ("insert", "insert too", "publish", "upsert", "throttled", "flow", "flow too"):
        spied = await spy.wait_for_job(lambda data, by=by: data["by"] == by, "created")  # type: ignore[misc]  # a default binds it now
        job = await boss.get_job(spied.id)
        assert job is not None
        assert job.data == {"by": by}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await spy.wait_for_job(lambda data: data["by"] == "dropped", "created")


async def test_clearing_forgets(make_boss: BossFactory) -> None:
    boss = await make_boss(enable_spies=True)
    await boss.create_queue("mail")
    spy = boss.get_spy("mail")
    id = await boss.send("mail")
    assert id is not None
    boss.clear_spies()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await spy.wait_for_job_with_id(id, "created")


async def test_spies_are_off_unless_asked_for(make_boss: BossFactory) -> None:
    boss = await make_boss()
    with pytest.raises(ConfigurationError, match="enable_spies=True"):
        boss.get_spy("mail")


async def test_mistakes_are_told(make_boss: BossFactory) -> None:
    spy = (await make_boss(enable_spies=True)).get_spy("mail")
    with pytest.raises(ValidationError, match="created, active, completed, failed"):
        await spy.wait_for_job_with_id("00000000-0000-0000-0000-000000000000", "retry")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValidationError):
        await spy.wait_for_job_with_id("no id", "created")


async def test_without_a_spy_nothing_is_watched(make_boss: BossFactory) -> None:
    boss = await make_boss(enable_spies=True, open_telemetry=False)
    assert not boss._watch.is_needed
    boss.get_spy("mail")
    assert boss._watch.is_needed
