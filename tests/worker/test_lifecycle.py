"""Starting and stopping in every order, from everywhere, cut short: nothing is left running, connected or active."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pgboss import Job, PgBoss
from support.eventually import eventually
from support.postgres import sql, sql_value


def connections(url: str) -> int:
    count: int = sql_value(
        url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return count


def states(url: str) -> list[str]:
    return sorted(row["state"] for row in sql(url, "SELECT state::text FROM pgboss.job"))


async def nothing_is_left(url: str) -> None:
    await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()} and connections(url) == 0)


class Handler:
    """Runs until it is released."""

    def __init__(self) -> None:
        self.began, self.release = asyncio.Event(), asyncio.Event()

    async def __call__(self, job: Job) -> None:
        self.began.set()
        await self.release.wait()


async def working(url: str, handler: Handler) -> PgBoss:
    """An instance in the middle of a job."""
    boss = await PgBoss(url).start()
    await boss.create_queue("jobs")
    await boss.send("jobs")
    await boss.work("jobs", handler)
    await handler.began.wait()
    return boss


async def test_starts_at_the_same_moment_are_one_start(database_url: str) -> None:
    boss = PgBoss(database_url)
    await asyncio.gather(boss.start(), boss.start(), boss.start())
    await boss.stop()

    await nothing_is_left(database_url)


async def test_a_start_waits_for_the_stop_before(database_url: str) -> None:
    handler = Handler()
    boss = await working(database_url, handler)
    stopping = asyncio.create_task(boss.stop())
    starting = asyncio.create_task(boss.start())
    handler.release.set()
    await asyncio.gather(stopping, starting)

    assert await boss.send("jobs") is not None
    await boss.stop()
    await nothing_is_left(database_url)


async def test_a_stop_goes_on_when_nobody_waits_for_it_any_more(database_url: str) -> None:
    handler = Handler()
    boss = await working(database_url, handler)
    stopping = asyncio.create_task(boss.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    handler.release.set()

    await nothing_is_left(database_url)
    assert states(database_url) == ["completed"]


async def test_a_later_stop_without_patience_hurries_the_one_under_way(database_url: str) -> None:
    boss = await working(database_url, Handler())
    async with asyncio.timeout(5):
        await asyncio.gather(boss.stop(timeout=60), boss.stop(timeout=0))

    assert states(database_url) == ["retry"]


async def test_a_handler_may_stop_its_own_instance(database_url: str) -> None:
    boss = await PgBoss(database_url).start()

    async def handler(job: Job) -> None:
        await boss.stop(timeout=0)

    await boss.create_queue("jobs")
    await boss.send("jobs")
    await boss.work("jobs", handler)

    await nothing_is_left(database_url)
    assert states(database_url) == ["retry"]


async def test_serving_stops_when_it_is_cancelled(database_url: str) -> None:
    """A program that serves among other things ends it by cancelling the task."""
    ready = asyncio.Event()
    serving = asyncio.create_task(PgBoss(database_url).serve(on_ready=ready.set))
    await ready.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving

    await nothing_is_left(database_url)


def test_an_instance_works_in_one_event_loop_after_another(database_url: str) -> None:
    boss = PgBoss(database_url)

    async def work_one_job() -> None:
        began = asyncio.Event()

        async def handler(job: Job) -> None:
            began.set()
            await asyncio.sleep(0.1)  # long enough for the stop to find it running

        async with boss:
            await boss.create_queue("jobs")
            await boss.send("jobs")
            await boss.work("jobs", handler)
            await began.wait()

    asyncio.run(work_one_job())
    asyncio.run(work_one_job())

    assert states(database_url) == ["completed", "completed"]


async def test_a_queue_is_left_twice_at_the_same_moment(database_url: str) -> None:
    handler = Handler()
    boss = await working(database_url, handler)
    leaving = [asyncio.create_task(boss.off_work("jobs")) for _ in range(2)]
    handler.release.set()
    await asyncio.gather(*leaving)

    assert states(database_url) == ["completed"]
    await boss.stop()


async def test_leaving_a_queue_can_be_given_up_and_tried_again(database_url: str) -> None:
    handler = Handler()
    boss = await working(database_url, handler)
    leaving = asyncio.create_task(boss.off_work("jobs"))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    handler.release.set()
    await boss.off_work("jobs")

    assert states(database_url) == ["completed"]
    await boss.stop()


async def test_leaving_a_queue_ends_its_threads(database_url: str) -> None:
    def handler(job: Job) -> str:
        return threading.current_thread().name

    async with PgBoss(database_url) as boss:
        await boss.create_queue("jobs")
        await boss.send("jobs")
        await boss.work("jobs", handler)
        await eventually(lambda: states(database_url) == ["completed"])
        await boss.off_work("jobs")

        await eventually(lambda: not [thread for thread in threading.enumerate() if "pgboss-jobs" in thread.name])
