"""Working jobs within a test."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest
from pydantic import BaseModel

from pgboss import ConfigurationError, Discard, Job, Jobs, PgBoss, Snooze, SyncPgBoss
from pgboss.testing import DrainLimitError, drain, sync_drain
from support.boss import BossFactory


class Mail(BaseModel):
    to: str


async def test_jobs_run_one_after_the_other_until_none_is_due(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.job("welcome")
    async def welcome(mail: Mail, job: Job) -> dict[str, str]:
        await boss.send(audit, {"to": mail.to})
        return {"sent_to": mail.to}

    @jobs.job("audit")
    def audit(entry: dict[str, str]) -> None:
        assert threading.current_thread() is not threading.main_thread()

    boss = await make_boss(jobs=[jobs], work=False)
    await boss.send(welcome, Mail(to="ada"))
    await boss.send(welcome, Mail(to="bob"), start_after=60)

    ran = await drain(boss)

    assert [(one.name, one.state, one.output) for one in ran] == [
        ("welcome", "completed", {"sent_to": "ada"}),
        ("audit", "completed", None),
    ]
    assert await drain(boss) == []
    assert [one.output for one in await drain(boss, welcome, ignore_start_after=True)] == [{"sent_to": "bob"}]


async def test_retries_dead_letters_and_errors(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.job("flaky", retry_limit=2, retry_delay=0, retry_backoff=False, dead_letter="dead")
    async def flaky(data: dict[str, str]) -> None:
        raise LookupError(data["key"])

    @jobs.job("dead")
    async def dead(data: dict[str, str]) -> str:
        return data["key"]

    boss = await make_boss(jobs=[jobs], work=False)
    await boss.send(flaky, {"key": "k"})

    ran = await drain(boss)

    assert [(one.name, one.state) for one in ran] == [
        ("flaky", "retry"),
        ("flaky", "retry"),
        ("flaky", "failed"),
        ("dead", "completed"),
    ]
    assert isinstance(ran[0].error, LookupError)
    assert ran[-1].output == {"value": "k"}


async def test_verdicts_batches_and_transactions(make_boss: BossFactory, database_url: str) -> None:
    jobs = Jobs()
    calls: list[int] = []

    @jobs.job("discarded")
    async def discarded(data: None) -> None:
        raise Discard("no")

    @jobs.job("snoozed")
    async def snoozed(data: None) -> None:
        raise Snooze(60)

    @jobs.batch("numbers", batch_size=3)
    async def numbers(values: list[int]) -> list[int]:
        calls.append(len(values))
        return [value * 2 for value in values]

    @jobs.job("written", transactional=True)
    async def written(data: None, job: Job, connection: psycopg.AsyncConnection[object]) -> str:
        await connection.execute("CREATE TABLE written (one int)")
        return "done"

    boss = await make_boss(jobs=[jobs], work=False)
    await boss.send(discarded)
    await boss.send(snoozed)
    await boss.insert(numbers, [{"data": value} for value in range(5)])
    await boss.send(written)

    ran = await drain(boss)

    assert sorted(calls) == [2, 3]
    by_name = {one.name: one for one in ran}
    assert by_name["discarded"].state == "failed"
    assert by_name["snoozed"].state == "created"
    assert (by_name["written"].state, by_name["written"].output) == ("completed", {"value": "done"})
    assert sorted(one.output["value"] for one in ran if one.name == "numbers") == [0, 2, 4, 6, 8]


async def test_flows_go_on(make_boss: BossFactory) -> None:
    jobs = Jobs()
    order: list[str] = []

    @jobs.job("first")
    async def first(data: None) -> None:
        order.append("first")

    @jobs.job("second")
    async def second(data: None) -> None:
        order.append("second")

    boss = await make_boss(jobs=[jobs], work=False)
    await boss.flow([{"ref": "a", "name": "first"}, {"ref": "b", "name": "second", "depends_on": ["a"]}])

    assert [one.state for one in await drain(boss)] == ["completed", "completed"]
    assert order == ["first", "second"]


async def test_queues_without_definitions_are_worked_by_given_functions(boss: PgBoss) -> None:
    await boss.create_queue("plain")
    await boss.send("plain", {"a": 1})

    [ran] = await drain(boss, handlers={"plain": lambda job: job.data["a"] + 1})

    assert ran.output == {"value": 2}
    with pytest.raises(ConfigurationError, match="no handler for plain"):
        await drain(boss, "plain")


async def test_jobs_that_make_one_another_end_in_an_error(make_boss: BossFactory) -> None:
    jobs = Jobs()

    @jobs.job("again")
    async def again(data: None) -> None:
        await boss.send("again")

    boss = await make_boss(jobs=[jobs], work=False)
    await boss.send(again)

    with pytest.raises(DrainLimitError, match="most_jobs=7"):
        await drain(boss, most_jobs=7)


async def test_within_a_transaction_of_the_caller(make_boss: BossFactory, database_url: str) -> None:
    jobs = Jobs()

    @jobs.job("seen")
    async def seen(data: None) -> str:
        return "seen"

    boss = await make_boss(jobs=[jobs], work=False)
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        id = await boss.send(seen, connection=connection)
        assert id is not None
        assert await drain(boss) == []

        [ran] = await drain(boss, connection=connection)

        assert (ran.job.id, ran.state) == (id, "completed")
        await connection.rollback()
    assert await boss.get_job(id) is None


def test_without_asyncio_plain_functions_run_in_the_tests_own_thread(database_url: str) -> None:
    jobs = Jobs()

    @jobs.job("plain", retry_limit=0)
    def plain(data: dict[str, int]) -> int:
        assert threading.current_thread() is threading.main_thread()
        with pytest.raises(RuntimeError):  # as for Django, no loop is running
            asyncio.get_running_loop()
        return data["n"] * 2

    @jobs.job("awaits")
    async def awaits(data: dict[str, int]) -> int:
        await asyncio.sleep(0)
        return data["n"] * 3

    @jobs.job("written", transactional=True)
    def written(data: None, job: Job, connection: psycopg.Connection[object]) -> None:
        connection.execute("CREATE TABLE written (one int)")

    with SyncPgBoss(database_url) as boss:
        for definition in jobs:
            boss.create_queue(definition.name)
        boss.send(plain, {"n": 2})
        boss.send(awaits, {"n": 2})
        boss.send(written)

        ran = sync_drain(boss, jobs)

        assert {one.name: (one.state, one.output) for one in ran} == {
            "plain": ("completed", {"value": 4}),
            "awaits": ("completed", {"value": 6}),
            "written": ("completed", None),
        }
