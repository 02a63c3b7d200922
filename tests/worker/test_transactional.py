"""Transactional handlers: what they write and the completion of their jobs commit together, or not at all."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import psycopg
import pytest

from pgboss import ConfigurationError, Discard, Job, JobDetails, Jobs, PgBoss, QueueOptions, Snooze
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.proxy import Proxy

AsyncConnection = psycopg.AsyncConnection[Any]
Connection = psycopg.Connection[Any]

NOTE = "INSERT INTO public.notes (text) VALUES (%s)"
KINDS = pytest.mark.parametrize("kind", ["loop", "thread"])


def make_notes(url: str) -> None:
    sql(url, "CREATE TABLE public.notes (text text UNIQUE)")


def notes(url: str) -> list[str]:
    return [row["text"] for row in sql(url, "SELECT text FROM public.notes ORDER BY text")]


async def in_state(boss: PgBoss, state: str, queue: str = "jobs") -> JobDetails | None:
    jobs = await boss.find_jobs(queue)
    return jobs[0] if {job.state for job in jobs} == {state} else None


async def one_job(boss: PgBoss, url: str, **options: Any) -> None:
    make_notes(url)
    await boss.create_queue("jobs", **({"retry_limit": 0} | options))
    await boss.send("jobs", "payload")


def writes(kind: str, then: Any = None) -> Any:
    """A handler of either kind that notes its job, and then returns or raises what it is told."""

    async def in_the_loop(job: Job, connection: AsyncConnection) -> Any:
        await connection.execute(NOTE, [job.data])
        if isinstance(then, BaseException):
            raise then
        return then

    def in_a_thread(job: Job, connection: Connection) -> Any:
        assert threading.current_thread() is not threading.main_thread()
        connection.execute(NOTE, [job.data])
        if isinstance(then, BaseException):
            raise then
        return then

    return in_the_loop if kind == "loop" else in_a_thread


@KINDS
async def test_writes_and_completion_commit_together(boss: PgBoss, database_url: str, kind: str) -> None:
    """They carry the mark of one and the same transaction."""
    await one_job(boss, database_url)
    await boss.work("jobs", writes(kind, {"done": True}), transactional=True, concurrency=1)

    job = await eventually(lambda: in_state(boss, "completed"))
    assert (job.output, notes(database_url)) == ({"done": True}, ["payload"])
    assert sql_value(database_url, "SELECT j.xmin = n.xmin FROM pgboss.job_common j, public.notes n")


@KINDS
@pytest.mark.parametrize(
    ("then", "state", "name"),
    [
        (ValueError("no good"), "failed", "ValueError"),
        (Discard("never"), "failed", "Discard"),
        ({1, 2}, "failed", "PayloadError"),
        ("a\x00b", "failed", "PayloadError"),
        (psycopg.Rollback(), "failed", "Rollback"),
    ],
    ids=["raises", "discards", "unstorable", "unstorable-text", "rolls-back"],
)
async def test_what_fails_leaves_nothing_behind(
    boss: PgBoss, database_url: str, kind: str, then: Any, state: str, name: str
) -> None:
    await one_job(boss, database_url)
    await boss.work("jobs", writes(kind, then), transactional=True, concurrency=1)

    job = await eventually(lambda: in_state(boss, state))
    assert (job.output["name"], notes(database_url)) == (name, [])


@KINDS
async def test_a_snoozed_job_leaves_nothing_behind(boss: PgBoss, database_url: str, kind: str) -> None:
    await one_job(boss, database_url)
    await boss.work("jobs", writes(kind, Snooze(3600)), transactional=True, concurrency=1)

    async def snoozed() -> JobDetails | None:
        job = await in_state(boss, "created")
        return job if job is not None and job.start_after > job.created_on else None

    assert (await eventually(snoozed)).retry_count == 0
    assert notes(database_url) == []


@KINDS
async def test_a_job_that_is_no_longer_ours_takes_its_writes_along(
    boss: PgBoss, database_url: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    written, release = threading.Event(), threading.Event()

    async def in_the_loop(job: Job, connection: AsyncConnection) -> str:
        await connection.execute(NOTE, ["stale"])
        written.set()
        await asyncio.to_thread(release.wait, 10)
        return "stale"

    def in_a_thread(job: Job, connection: Connection) -> str:
        connection.execute(NOTE, ["stale"])
        written.set()
        release.wait(10)
        return "stale"

    await one_job(boss, database_url, retry_limit=1)
    handler = in_the_loop if kind == "loop" else in_a_thread
    await boss.work("jobs", handler, transactional=True, concurrency=1)
    await eventually(written.is_set)
    [job] = await boss.find_jobs("jobs")
    await boss.fail("jobs", job.id, "expired")
    [newer] = await boss.fetch("jobs")
    release.set()
    await boss.off_work("jobs")

    job = next(iter(await boss.find_jobs("jobs")))
    assert (job.state, job.retry_count, newer.retry_count) == ("active", 1, 1)
    assert notes(database_url) == []
    assert "was no longer ours when it finished; what it wrote was rolled back" in caplog.text


async def test_calls_of_ours_within_a_handler_join_its_transaction(boss: PgBoss, database_url: str) -> None:
    seen_outside: list[int] = []

    async def handler(job: Job, connection: AsyncConnection) -> None:
        await boss.send("next", "from a handler", connection=connection)
        seen_outside.append(len(await boss.find_jobs("next")))
        if job.data == "fails":
            raise ValueError("no good")

    await boss.create_queue("next")
    await boss.create_queue("jobs", retry_limit=0)
    await boss.insert("jobs", [{"data": "fails"}, {"data": "works"}])
    await boss.work("jobs", handler, transactional=True, concurrency=1)

    await eventually(lambda: both_over(boss))
    assert len(await boss.find_jobs("next")) == 1
    assert seen_outside[0] == 0


async def both_over(boss: PgBoss) -> bool:
    return sorted(job.state for job in await boss.find_jobs("jobs")) == ["completed", "failed"]


async def test_a_handler_may_settle_its_job_itself(boss: PgBoss, database_url: str) -> None:
    async def handler(job: Job, connection: AsyncConnection) -> str:
        await connection.execute(NOTE, [job.data])
        await boss.complete("jobs", job, "by hand", connection=connection)
        return "too late"

    await one_job(boss, database_url)
    await boss.work("jobs", handler, transactional=True)

    job = await eventually(lambda: in_state(boss, "completed"))
    assert (job.output, notes(database_url)) == ({"value": "by hand"}, ["payload"])


@KINDS
async def test_savepoints_of_the_handler_keep_the_transaction_whole(boss: PgBoss, database_url: str, kind: str) -> None:
    async def in_the_loop(job: Job, connection: AsyncConnection) -> None:
        await connection.execute(NOTE, ["first"])
        with pytest.raises(psycopg.errors.UniqueViolation):
            async with connection.transaction():
                await connection.execute(NOTE, ["first"])

    def in_a_thread(job: Job, connection: Connection) -> None:
        connection.execute(NOTE, ["first"])
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute(NOTE, ["first"])

    await one_job(boss, database_url)
    await boss.work("jobs", in_the_loop if kind == "loop" else in_a_thread, transactional=True)

    await eventually(lambda: in_state(boss, "completed"))
    assert notes(database_url) == ["first"]


@pytest.mark.parametrize("statement", ["COMMIT", "SELECT 1 / 0"], ids=["ended", "failed"])
async def test_a_handler_that_breaks_its_transaction_is_told_so(
    boss: PgBoss, database_url: str, statement: Any
) -> None:
    async def handler(job: Job, connection: AsyncConnection) -> None:
        try:
            await connection.execute(statement)
        except psycopg.Error:
            return

    await one_job(boss, database_url)
    await boss.work("jobs", handler, transactional=True)

    job = await eventually(lambda: in_state(boss, "failed"))
    assert job.output["name"] == "HandlerResultError"
    assert "has failed, or the handler has ended it" in job.output["message"]


async def test_the_drivers_own_errors_reach_the_row(boss: PgBoss, database_url: str) -> None:
    async def handler(job: Job, connection: AsyncConnection) -> None:
        await connection.execute("SELECT * FROM nowhere")

    await one_job(boss, database_url)
    await boss.work("jobs", handler, transactional=True)

    job = await eventually(lambda: in_state(boss, "failed"))
    assert job.output["name"] == "UndefinedTable"


@KINDS
async def test_the_server_bounds_the_transaction(boss: PgBoss, database_url: str, kind: str) -> None:
    """To the job's time and five seconds, unless it is bound more closely already; and only this transaction."""
    show = """
        SELECT setting::int, current_setting('server_version_num')::int FROM pg_settings
         WHERE name = CASE WHEN current_setting('server_version_num')::int >= 170000
                           THEN 'transaction_timeout' ELSE 'idle_in_transaction_session_timeout' END"""

    async def in_the_loop(job: Job, connection: AsyncConnection) -> Any:
        return await (await connection.execute(show)).fetchone()

    def in_a_thread(job: Job, connection: Connection) -> Any:
        return connection.execute(show).fetchone()

    make_notes(database_url)
    await boss.create_queue("jobs", expire_in_seconds=30)
    await boss.work("jobs", in_the_loop if kind == "loop" else in_a_thread, transactional=True)
    await boss.send("jobs")

    job = await eventually(lambda: in_state(boss, "completed"))
    assert job.output["value"][0] == 35_000


@KINDS
async def test_a_handler_that_overruns_its_time_leaves_nothing_behind(
    boss: PgBoss, database_url: str, kind: str
) -> None:
    release = threading.Event()

    async def in_the_loop(job: Job, connection: AsyncConnection) -> None:
        await connection.execute(NOTE, ["late"])
        await asyncio.sleep(30)

    def in_a_thread(job: Job, connection: Connection) -> None:
        connection.execute(NOTE, ["late"])
        release.wait(20)

    await one_job(boss, database_url, expire_in_seconds=1)
    handler = in_the_loop if kind == "loop" else in_a_thread
    await boss.work("jobs", handler, transactional=True, concurrency=1)

    job = await eventually(lambda: in_state(boss, "failed"))
    assert job.output["message"] == "handler execution exceeded 1s"
    release.set()
    await boss.off_work("jobs")
    # A thread finds out at its end that its job is over.
    await eventually(lambda: not open_transactions(database_url))
    assert notes(database_url) == []


def open_transactions(url: str) -> int:
    count: int = sql_value(
        url,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND state LIKE 'idle in transaction%'",
    )
    return count


async def test_a_connection_that_breaks_within_the_handler_fails_the_job(boss: PgBoss, database_url: str) -> None:
    async def handler(job: Job, connection: AsyncConnection) -> None:
        await connection.execute(NOTE, ["gone"])
        sql(database_url, "SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        await connection.execute("SELECT 1")

    await one_job(boss, database_url)
    await boss.work("jobs", handler, transactional=True)

    job = await eventually(lambda: in_state(boss, "failed"))
    assert job.output["name"] == "AdminShutdown"
    assert notes(database_url) == []


@pytest.mark.parametrize("committed", [True, False])
@KINDS
async def test_a_commit_that_nobody_answers_is_left_to_the_lease(
    database_url: str, kind: str, committed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever way it went, the job is not failed: done is done, and not done runs again when its lease ends."""
    trigger = f"""
        CREATE FUNCTION public.hang() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(4711);
            {"" if committed else "RAISE EXCEPTION 'refused';"}
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON public.notes
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.hang()"""
    runs: list[int] = []

    async with (
        Proxy(database_url) as proxy,
        await psycopg.AsyncConnection.connect(database_url) as blocker,
        PgBoss(proxy.dsn, supervise=False, queue_defaults=QueueOptions()) as boss,
    ):
        await one_job(boss, database_url, retry_limit=2)
        sql(database_url, trigger)
        await blocker.execute("SELECT pg_advisory_xact_lock(4711)")
        await boss.work("jobs", counted(writes(kind, "done"), runs), transactional=True, concurrency=1)
        await eventually(lambda: sql(database_url, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"))
        await proxy.shut()
        await eventually(lambda: "the connection was lost while job" in caplog.text)
        await blocker.rollback()
        await proxy.open()

        await eventually(lambda: not busy(database_url))
        expected = ("completed", ["payload"]) if committed else ("active", [])
        [row] = sql(database_url, "SELECT state::text, retry_count FROM pgboss.job")
        assert (row["state"], notes(database_url)) == expected
        assert len(runs) == 1


def counted(handler: Any, runs: list[int]) -> Any:
    if asyncio.iscoroutinefunction(handler):

        async def in_the_loop(job: Job, connection: AsyncConnection) -> Any:
            runs.append(1)
            return await handler(job, connection)

        return in_the_loop

    def in_a_thread(job: Job, connection: Connection) -> Any:
        runs.append(1)
        return handler(job, connection)

    return in_a_thread


def busy(url: str) -> bool:
    return bool(sql(url, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' OR query = 'COMMIT' "
                         "AND state = 'active'"))  # fmt: skip


@KINDS
async def test_typed_handlers_take_the_connection_third(make_boss: BossFactory, database_url: str, kind: str) -> None:
    jobs = Jobs()
    make_notes(database_url)

    if kind == "loop":

        @jobs.job("typed", transactional=True)
        async def in_the_loop(payload: dict[str, int], job: Job, connection: AsyncConnection) -> int:
            await connection.execute(NOTE, [str(payload["n"])])
            return payload["n"]
    else:

        @jobs.job("typed", transactional=True)
        def in_a_thread(payload: dict[str, int], job: Job, connection: Connection) -> int:
            connection.execute(NOTE, [str(payload["n"])])
            return payload["n"]

    boss = await make_boss(jobs=[jobs])
    await boss.send("typed", {"n": 7})

    job = await eventually(lambda: in_state(boss, "completed", "typed"))
    assert (job.output, notes(database_url)) == ({"value": 7}, ["7"])


@KINDS
async def test_a_batch_is_completed_in_one_transaction(make_boss: BossFactory, database_url: str, kind: str) -> None:
    jobs = Jobs()
    make_notes(database_url)

    async def in_the_loop(payloads: list[str], jobs: list[Job], connection: AsyncConnection) -> list[str]:
        for payload in payloads:
            await connection.execute(NOTE, [payload])
        return [payload.upper() for payload in payloads]

    def in_a_thread(payloads: list[str], jobs: list[Job], connection: Connection) -> list[str]:
        for payload in payloads:
            connection.execute(NOTE, [payload])
        return [payload.upper() for payload in payloads]

    decorate = jobs.batch("many", batch_size=10, transactional=True)
    many: Any = decorate(in_the_loop) if kind == "loop" else decorate(in_a_thread)
    boss = await make_boss(jobs=[jobs], work=False)
    await boss.insert("many", [{"data": text} for text in "abc"])
    await boss.work(many)

    await eventually(lambda: in_state(boss, "completed", "many"))
    assert sorted(job.output["value"] for job in await boss.find_jobs("many")) == ["A", "B", "C"]
    assert notes(database_url) == ["a", "b", "c"]
    assert sql_value(database_url, "SELECT count(DISTINCT xmin::text) FROM pgboss.job_common") == 1


@pytest.mark.parametrize("answer", [[None, ValueError("one")], {}], ids=["list", "mapping"])
async def test_a_batch_cannot_fail_in_part(boss: PgBoss, database_url: str, answer: Any) -> None:
    async def handler(jobs: list[Job], connection: AsyncConnection) -> Any:
        await connection.execute(NOTE, ["all or none"])
        return answer

    await one_job(boss, database_url)
    await boss.send("jobs", "another")
    await boss.work("jobs", handler, batch_size=2, transactional=True)

    await eventually(lambda: in_state(boss, "failed"))
    for job in await boss.find_jobs("jobs"):
        assert "completes all jobs of a batch or none" in job.output["message"]
    assert notes(database_url) == []


async def test_a_batch_that_lost_a_job_is_rolled_back_and_the_others_run_again(boss: PgBoss, database_url: str) -> None:
    given: list[list[Any]] = []
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(jobs: list[Job], connection: AsyncConnection) -> None:
        given.append(sorted(job.data for job in jobs))
        for job in jobs:
            await connection.execute(NOTE, [job.data])
        started.set()
        await release.wait()

    make_notes(database_url)
    await boss.create_queue("jobs", retry_limit=0)
    await boss.insert("jobs", [{"data": "kept"}, {"data": "lost"}])
    await boss.work("jobs", handler, batch_size=2, transactional=True)
    await started.wait()
    [lost] = [job for job in await boss.find_jobs("jobs") if job.data == "lost"]
    await boss.cancel("jobs", lost.id)
    release.set()

    async def over() -> bool:
        return {job.data: job.state for job in await boss.find_jobs("jobs")} == {
            "kept": "completed",
            "lost": "cancelled",
        }

    await eventually(over)
    assert given == [["kept", "lost"], ["kept"]]
    assert notes(database_url) == ["kept"]


@KINDS
async def test_leases_are_kept_while_a_transaction_is_open(boss: PgBoss, database_url: str, kind: str) -> None:
    release = threading.Event()

    async def in_the_loop(job: Job, connection: AsyncConnection) -> None:
        await asyncio.to_thread(release.wait, 20)

    def in_a_thread(job: Job, connection: Connection) -> None:
        release.wait(20)

    await one_job(boss, database_url)
    sql(database_url, "UPDATE pgboss.job SET heartbeat_seconds = 1")
    await boss.work("jobs", in_the_loop if kind == "loop" else in_a_thread, transactional=True)

    await eventually(
        lambda: sql(database_url, "SELECT 1 FROM pgboss.job WHERE heartbeat_on > started_on + interval '1 second'")
    )
    release.set()
    await eventually(lambda: in_state(boss, "completed"))


@KINDS
async def test_a_stop_rolls_back_what_overruns_it(make_boss: BossFactory, database_url: str, kind: str) -> None:
    written, release = threading.Event(), threading.Event()

    async def in_the_loop(job: Job, connection: AsyncConnection) -> None:
        await connection.execute(NOTE, ["unfinished"])
        written.set()
        await asyncio.sleep(60)

    def in_a_thread(job: Job, connection: Connection) -> None:
        connection.execute(NOTE, ["unfinished"])
        written.set()
        release.wait(20)

    boss = await make_boss()
    await one_job(boss, database_url, retry_limit=1)
    await boss.work("jobs", in_the_loop if kind == "loop" else in_a_thread, transactional=True)
    await eventually(written.is_set)
    began = time.monotonic()
    await boss.stop(timeout=0)

    assert time.monotonic() - began < 5
    assert sql(database_url, "SELECT state::text, output FROM pgboss.job") == [
        {"state": "retry", "output": {"value": "pg-boss shut down while active"}}
    ]
    release.set()
    await eventually(lambda: not open_transactions(database_url))
    assert notes(database_url) == []


@KINDS
async def test_too_small_a_pool_is_mentioned_once(
    make_boss: BossFactory, database_url: str, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    handler = writes(kind)
    boss = await make_boss(pool_size=4)
    await boss.create_queue("jobs")
    with caplog.at_level(logging.WARNING, "pgboss"):
        await boss.work("jobs", handler, transactional=True, concurrency=3)
        assert caplog.text == ""
        await boss.work("jobs", handler, transactional=True, concurrency=1)

    assert "Transactional handlers may hold 4 connections at once, and the pool has 4" in caplog.text


@KINDS
async def test_more_handlers_than_connections_take_turns(make_boss: BossFactory, database_url: str, kind: str) -> None:
    make_notes(database_url)
    boss = await make_boss(pool_size=2)
    await boss.create_queue("jobs")
    await boss.insert("jobs", [{"data": str(number)} for number in range(50)])
    await boss.work("jobs", writes(kind), transactional=True, concurrency=10)

    await eventually(lambda: in_state(boss, "completed"), within=15)
    assert len(notes(database_url)) == 50


async def test_handlers_that_do_not_fit_are_refused(boss: PgBoss) -> None:
    jobs = Jobs()

    async def takes_no_connection(job: Job) -> None: ...

    async def without_a_connection(payload: Any, job: Job) -> None: ...

    @jobs.job("plain")
    async def plain(payload: Any) -> None: ...

    await boss.create_queue("jobs")
    with pytest.raises(ConfigurationError, match="must take the job and the connection, and nothing else"):
        await boss.work("jobs", takes_no_connection, transactional=True)
    with pytest.raises(ConfigurationError, match="is transactional and takes 2 parameters; it must take the payload"):
        jobs.job("typed", transactional=True)(without_a_connection)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ConfigurationError, match="transactional belongs in the decorator"):
        await boss.work(plain, transactional=True)
