"""Flows on a real PostgreSQL: created whole or not at all, and freed parent by parent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from pgboss import (
    DependencyRef,
    Flow,
    FlowIds,
    FlowJob,
    Jobs,
    PayloadError,
    PgBoss,
    QueueNotFoundError,
    SendOptions,
    SyncPgBoss,
    ValidationError,
)
from pgboss.drivers.psycopg import AsyncDatabase
from pgboss.errors import DatabaseError, JobConflictError
from pgboss.maintenance import FlowResolver, RetentionPass
from pgboss.operations import flows as operations
from pgboss.sql import flows as statements
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql, sql_value
from support.upkeep import SCHEMA, Watched, add_jobs, database, job_rows

QUEUES = ("a", "b", "c", "own")


@pytest.fixture
async def boss(boss: PgBoss) -> PgBoss:
    """An instance without upkeep: only what a test calls frees a job."""
    for name in QUEUES:
        await boss.create_queue(name, partition=name == "own")
    return boss


@pytest.fixture
async def pool(database_url: str, boss: PgBoss) -> AsyncIterator[AsyncDatabase]:
    async with database(database_url) as opened:
        yield opened


def waiting(url: str, queue: str) -> list[tuple[str, bool, bool, int]]:
    """State, blocked, blocking and pending_dependencies of a queue's jobs, in the order of their data."""
    rows = sql(
        url,
        "SELECT state::text, blocked, blocking, pending_dependencies "
        "FROM pgboss.job WHERE name = %s ORDER BY data::text",
        [queue],
    )
    return [tuple(row.values()) for row in rows]


def count_rows(url: str) -> tuple[int, int]:
    return (
        sql_value(url, "SELECT count(*) FROM pgboss.job"),
        sql_value(url, "SELECT count(*) FROM pgboss.job_dependency"),
    )


async def work_one(boss: PgBoss, queue: str) -> UUID:
    """Claim the next job of a queue, complete it and return its id."""
    [job] = await boss.fetch(queue)
    assert (await boss.complete(queue, job)).affected == 1
    return job.id


def fan_in() -> Flow:
    """Two jobs of different tables and one behind both."""
    flow = Flow()
    first, second = flow.add("a"), flow.add("own")
    flow.add("b", after=[first, second])
    return flow


async def test_the_rows_say_who_waits_for_how_many(boss: PgBoss, database_url: str) -> None:
    flow = Flow()
    root = flow.add("a", {"n": 1}, priority=3)
    left = flow.add("own", {"n": 2}, after=root)
    right = flow.add("b", {"n": 3}, after=[root, root])
    end = flow.add("a", {"n": 4}, after=[root, left, right])
    ids = await boss.flow(flow)

    assert waiting(database_url, "a") == [("created", False, True, 0), ("created", True, False, 3)]
    assert waiting(database_url, "own") == waiting(database_url, "b") == [("created", True, True, 1)]
    found = await boss.get_job(ids[root])
    assert found is not None
    assert (found.data, found.priority) == ({"n": 1}, 3)
    assert await boss.get_dependencies("a", ids[root]) == []
    assert await boss.get_dependencies("a", ids[end]) == sorted_refs(
        ("a", ids[root]), ("own", ids[left]), ("b", ids[right])
    )
    assert await boss.get_dependents("a", ids[root]) == sorted_refs(
        ("a", ids[end]), ("own", ids[left]), ("b", ids[right])
    )


def sorted_refs(*refs: tuple[str, UUID]) -> list[DependencyRef]:
    return [DependencyRef(*ref) for ref in sorted(refs)]


async def test_a_flow_can_be_sent_again_and_given_ids(boss: PgBoss, database_url: str) -> None:
    id = uuid4()
    given: list[FlowJob | dict[str, Any]] = [
        {"ref": "first", "name": "a", "options": {"id": str(id), "start_after": -5}},
        FlowJob("then", "b", depends_on=["first"]),
    ]
    assert (await boss.flow(given))["first"] == id
    flow = fan_in()
    ids = [await boss.flow(flow) for _ in range(2)]
    assert not set(ids[0].values()) & set(ids[1].values())
    assert count_rows(database_url) == (2 + 3 + 3, 1 + 2 + 2)


async def test_sync_programs_have_flows_too(boss: PgBoss, database_url: str) -> None:
    with SyncPgBoss(database_url) as sync_boss:
        ids = sync_boss.flow(fan_in())
        assert sync_boss.get_dependents("own", ids["own"]) == [DependencyRef("b", ids["b"])]
        assert sync_boss.resolve_flow() == 0


async def conflicting(boss: PgBoss, what: str) -> list[FlowJob]:
    """A flow whose last job finds its place taken."""
    options = {
        "id": {"id": uuid4()},
        "policy": {"singleton_key": "k"},
        "slot": {"singleton_seconds": 3600},
        "in itself": {"singleton_key": "k"},
    }[what]
    policy = "short" if what in ("policy", "in itself") else "standard"
    await boss.create_queue("tight", policy=policy)  # type: ignore[arg-type]  # one of the two
    if what != "in itself":
        await boss.send("tight", **options)  # type: ignore[arg-type]
    taken = SendOptions(**options)  # type: ignore[arg-type]
    twice = [FlowJob("one more", "tight", options=taken)] if what == "in itself" else []
    return [FlowJob("1", "a"), FlowJob("2", "own", depends_on=["1"]), *twice, FlowJob("3", "tight", options=taken)]


@pytest.mark.parametrize("what", ["id", "policy", "slot", "in itself"])
async def test_a_place_that_is_taken_undoes_the_whole_flow(boss: PgBoss, database_url: str, what: str) -> None:
    flow = await conflicting(boss, what)
    before = count_rows(database_url)
    with pytest.raises(JobConflictError, match="No job of the flow was created"):
        await boss.flow(flow)
    assert count_rows(database_url) == before

    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await boss.send("a", {"before": True}, connection=connection)
        with pytest.raises(JobConflictError):
            await boss.flow(flow, connection=connection)
        await boss.flow(fan_in(), connection=connection)
    # What the caller did before and after is there, and nothing of the flow that was refused.
    assert count_rows(database_url) == (before[0] + 1 + 3, before[1] + 2)


LOST: dict[str, tuple[list[FlowJob], type[Exception], str]] = {
    "queue": ([FlowJob("1", "a"), FlowJob("2", "nowhere", depends_on=["1"])], QueueNotFoundError, "Queue 'nowhere'"),
    "every queue": ([FlowJob("1", "no-a"), FlowJob("2", "no-b", depends_on=["1"])], QueueNotFoundError, "Queue 'no-a'"),
    "dead letter": (
        [FlowJob("1", "a"), FlowJob("2", "b", None, ["1"], SendOptions(dead_letter="nowhere"))],
        QueueNotFoundError,
        "Dead letter queue 'nowhere'",
    ),
    "key": (
        [FlowJob("1", "a"), FlowJob("2", "fifo", depends_on=["1"])],
        ValidationError,
        "'fifo'.*need a singleton_key",
    ),
    "start": (
        [FlowJob("1", "a"), FlowJob("2", "b", None, ["1"], SendOptions(start_after="soon"))],
        ValidationError,
        "start_after cannot be read",
    ),
    "next slot": (
        [
            FlowJob("1", "a"),
            FlowJob("2", "b", None, ["1"], SendOptions(singleton_seconds=5, singleton_next_slot=True)),
        ],
        ValidationError,
        "singleton_next_slot .* of job '2'",
    ),
    "json": ([FlowJob("1", "a"), FlowJob("2", "b", {"n": float("nan")}, ["1"])], PayloadError, "NaN|JSON"),
    "large": ([FlowJob("1", "a"), FlowJob("2", "b", "x" * 2000, ["1"])], PayloadError, "at most 1000"),
}


@pytest.mark.parametrize("what", LOST)
async def test_what_cannot_be_created_leaves_nothing_behind(
    boss: PgBoss, make_boss: BossFactory, database_url: str, what: str
) -> None:
    flow, error, message = LOST[what]
    await boss.create_queue("fifo", policy="key_strict_fifo")
    small = await make_boss(max_payload_bytes=1000)
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await boss.send("a", connection=connection)
        with pytest.raises(error, match=message):
            await small.flow(flow, connection=connection)
        await boss.send("a", connection=connection)
    assert count_rows(database_url) == (2, 0)


async def test_a_flow_is_part_of_the_callers_transaction(boss: PgBoss, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        ids = await boss.flow(fan_in(), connection=connection)
        assert len(await boss.get_dependencies("b", ids["b"], connection=connection)) == 2
        assert count_rows(database_url) == (0, 0)
        await connection.rollback()
    assert count_rows(database_url) == (0, 0)


async def test_queues_that_notify_are_announced_once_and_at_the_commit(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("loud", notify=True)
    await boss.create_queue("loud-too", notify=True)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute(f"LISTEN {SCHEMA.channel}")
        await boss.flow(
            [FlowJob("1", "loud"), FlowJob("2", "loud-too", depends_on=["1"]), FlowJob("3", "a"), FlowJob("4", "loud")]
        )
        await listener.execute(f"NOTIFY {SCHEMA.channel}, 'end'")
        assert await heard(listener) == ["loud", "loud-too"]

        await work_one(boss, "loud")
        await boss.resolve_flow()
        await listener.execute(f"NOTIFY {SCHEMA.channel}, 'end'")
        assert await heard(listener) == ["loud-too"]


async def heard(listener: psycopg.AsyncConnection[Any]) -> list[str]:
    """What was announced before the ``end``, in the order of names."""
    names: list[str] = []
    async for notification in listener.notifies():
        if notification.payload == "end":
            break
        names.append(notification.payload)
    return sorted(names)


async def test_the_last_parent_frees_the_child(boss: PgBoss, database_url: str) -> None:
    ids = await boss.flow(fan_in())
    assert await boss.fetch("b") == []

    await work_one(boss, "own")
    assert waiting(database_url, "own") == [("completed", False, True, 0)]
    assert await boss.resolve_flow() == 0
    assert waiting(database_url, "own") == [("completed", False, False, 0)]
    assert waiting(database_url, "b") == [("created", True, False, 1)]
    assert await boss.fetch("b") == []

    sql(database_url, "UPDATE pgboss.job SET start_after = now() - interval '1 hour' WHERE name = 'b'")
    await work_one(boss, "a")
    assert await boss.resolve_flow() == 1
    assert waiting(database_url, "b") == [("created", False, False, 0)]
    # Its wait counts from now.
    assert sql_value(database_url, "SELECT now() - start_after < interval '1 minute' FROM pgboss.job WHERE name = 'b'")
    assert await work_one(boss, "b") == ids["b"]
    assert await boss.resolve_flow() == 0
    # Who waited for whom can still be read.
    assert len(await boss.get_dependencies("b", ids["b"])) == 2


async def test_a_freed_job_still_waits_for_its_own_time(boss: PgBoss, database_url: str) -> None:
    await boss.flow([FlowJob("1", "a"), FlowJob("2", "b", None, ["1"], SendOptions(start_after=3600))])
    await work_one(boss, "a")
    assert await boss.resolve_flow() == 1
    assert waiting(database_url, "b") == [("created", False, False, 0)]
    assert await boss.fetch("b") == []
    assert sql_value(
        database_url, "SELECT start_after > now() + interval '59 minutes' FROM pgboss.job WHERE name = 'b'"
    )


async def test_failure_and_cancelling_free_nobody_and_a_retry_that_completes_does(
    boss: PgBoss, database_url: str
) -> None:
    await boss.flow([FlowJob("1", "a", options=SendOptions(retry_limit=0)), FlowJob("2", "b", depends_on=["1"])])
    [job] = await boss.fetch("a")
    await boss.fail("a", job)
    assert waiting(database_url, "a") == [("failed", False, True, 0)]
    assert await boss.resolve_flow() == 0
    await boss.retry("a", job.id)
    await boss.cancel("a", job.id)
    assert await boss.resolve_flow() == 0
    assert waiting(database_url, "b") == [("created", True, False, 1)]

    await boss.resume("a", job.id)
    await work_one(boss, "a")
    assert await boss.resolve_flow() == 1


async def test_a_copy_in_the_dead_letter_queue_frees_nobody(boss: PgBoss, database_url: str) -> None:
    options = SendOptions(retry_limit=0, dead_letter="c")
    await boss.flow([FlowJob("1", "a", options=options), FlowJob("2", "b", depends_on=["1"])])
    [job] = await boss.fetch("a")
    await boss.fail("a", job)
    copy = await work_one(boss, "c")
    assert copy != job.id
    assert await boss.resolve_flow() == 0
    assert waiting(database_url, "b") == [("created", True, False, 1)]


async def test_a_waiting_job_can_be_cancelled_failed_and_completed(boss: PgBoss, database_url: str) -> None:
    flow = Flow()
    root = flow.add("a")
    cancelled, failed, completed = (flow.add("b", {"n": n}, after=root) for n in (1, 2, 3))
    last = flow.add("c", after=completed)
    ids = await boss.flow(flow)

    assert (await boss.cancel("b", ids[cancelled])).affected == 1
    assert (await boss.fail("b", ids[failed], "no")).affected == 1
    assert (await boss.complete("b", ids[completed])).affected == 0
    assert (await boss.complete("b", ids[completed], include_queued=True)).affected == 1
    assert waiting(database_url, "b") == [
        ("cancelled", True, False, 1),
        ("retry", True, False, 1),
        ("completed", False, True, 0),
    ]
    assert await boss.resolve_flow() == 1
    assert await work_one(boss, "c") == ids[last]

    await work_one(boss, "a")
    # The cancelled one is counted off too, so that it may run once it is resumed, but nobody is woken for it.
    assert await boss.resolve_flow() == 1
    assert [(state, blocked) for state, blocked, _, _ in waiting(database_url, "b")] == [
        ("cancelled", False),
        ("retry", False),
        ("completed", False),
    ]


async def test_a_backlog_is_resolved_in_batches(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "RESOLVE_BATCH", 2)
    flow = Flow()
    flow.add("b", after=[flow.add("a", {"n": n}) for n in range(7)])
    await boss.flow(flow)
    await boss.complete("a", await boss.fetch("a", batch_size=7))

    monkeypatch.setattr(operations, "BATCHES_A_PASS", 2)
    assert await boss.resolve_flow() == 0
    assert waiting(database_url, "b") == [("created", True, False, 3)]
    assert await boss.resolve_flow() == 1


async def test_many_tables_are_looked_at_in_portions(boss: PgBoss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "TABLES_A_STATEMENT", 1)
    await boss.flow(fan_in())
    await work_one(boss, "own")
    await work_one(boss, "a")
    assert await boss.resolve_flow() == 1


async def test_parents_in_other_hands_are_left_to_them(boss: PgBoss, database_url: str) -> None:
    await boss.flow([FlowJob("1", "a"), FlowJob("2", "b", depends_on=["1"])])
    await work_one(boss, "a")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SELECT FROM pgboss.job WHERE name = 'a' FOR UPDATE")
        assert await boss.resolve_flow() == 0
    assert await boss.resolve_flow() == 1


async def test_two_that_count_off_the_same_child_miss_nothing(boss: PgBoss, database_url: str) -> None:
    """The second waits for the first and then counts from what the first has left."""
    flow = Flow()
    flow.add("c", after=[flow.add("a"), flow.add("own")])
    await boss.flow(flow)
    await work_one(boss, "a")
    await work_one(boss, "own")
    query = statements.resolve(SCHEMA, "job_common")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute(statements.probe_by_key().sql)
        await psycopg.AsyncRawCursor(connection).execute(query.sql, query.parameters)
        second = asyncio.create_task(boss.resolve_flow())
        await eventually(lambda: sql_value(database_url, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await connection.commit()
        assert await second == 1
    assert waiting(database_url, "c") == [("created", False, False, 0)]


async def test_a_child_that_fails_in_the_same_moment_is_counted_off_all_the_same(
    boss: PgBoss, database_url: str
) -> None:
    """Failing replaces the row, and the resolver must not take the old one for all there was."""
    flow = Flow()
    root = flow.add("a")
    failed, other = (flow.add("b", {"n": n}, after=root) for n in (1, 2))
    flow.add("c", after=[failed, other])
    ids = await boss.flow(flow)
    await work_one(boss, "a")
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await boss.fail("b", ids[failed], connection=connection)
        resolving = asyncio.create_task(boss.resolve_flow())
        await eventually(lambda: sql_value(database_url, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await connection.commit()
        assert await resolving == 2
    assert waiting(database_url, "b") == [("retry", False, True, 0), ("created", False, True, 0)]
    assert waiting(database_url, "c") == [("created", True, False, 2)]


async def test_a_table_that_cannot_be_resolved_keeps_no_other_from_it(
    boss: PgBoss, pool: AsyncDatabase, database_url: str
) -> None:
    await boss.create_queue("gone", partition=True)
    await boss.flow([FlowJob("1", "a"), FlowJob("2", "b", depends_on=["1"])])
    await work_one(boss, "a")
    await pool.run(operations.resolve(SCHEMA, ["nowhere"]))
    table = sql_value(database_url, "SELECT table_name FROM pgboss.queue WHERE name = 'gone'")
    # As when the queue was deleted between the look at the queues and the look at the tables.
    sql(database_url, f'ALTER TABLE pgboss.job DETACH PARTITION pgboss."{table}"; DROP TABLE pgboss."{table}"')
    assert await boss.resolve_flow() == 1

    await boss.flow([FlowJob("1", "own"), FlowJob("2", "b", depends_on=["1"])])
    await boss.flow([FlowJob("1", "a"), FlowJob("2", "c", depends_on=["1"])])
    await work_one(boss, "own")
    await work_one(boss, "a")
    broken = sql_value(database_url, "SELECT table_name FROM pgboss.queue WHERE name = 'own'")
    sql(
        database_url,
        "CREATE FUNCTION pgboss.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'refused'; END$$;"
        f'CREATE TRIGGER refuse BEFORE UPDATE ON pgboss."{broken}" FOR EACH ROW EXECUTE FUNCTION pgboss.refuse()',
    )
    with pytest.raises(DatabaseError, match="refused"):
        await boss.resolve_flow()
    assert waiting(database_url, "c") == [("created", False, False, 0)]
    assert waiting(database_url, "b")[-1] == ("created", True, False, 1)


async def test_a_turn_is_claimed_by_one_instance_an_interval(
    boss: PgBoss, pool: AsyncDatabase, database_url: str
) -> None:
    def stamped_on() -> Any:
        return sql_value(database_url, "SELECT flow_on FROM pgboss.version")

    async def ready() -> None:
        await boss.flow([FlowJob("1", "a"), FlowJob("2", "b", depends_on=["1"])])
        await work_one(boss, "a")

    first, second = FlowResolver(pool.run, SCHEMA), FlowResolver(pool.run, SCHEMA)
    await ready()
    assert await first.run_once() is None
    stamp = stamped_on()
    assert stamp is not None
    assert len(await boss.fetch("b")) == 1

    await ready()
    await second.run_once()
    assert stamped_on() == stamp
    assert await boss.fetch("b") == []

    # Just completed ones need no claim, and leave it alone.
    second.parents_completed("a")
    await second.run_once()
    assert stamped_on() == stamp
    assert len(await boss.fetch("b")) == 1

    await ready()
    sql(database_url, "UPDATE pgboss.version SET flow_on = now() - interval '5 seconds'")
    await second.run_once()
    assert stamped_on() > stamp
    assert len(await boss.fetch("b")) == 1


async def test_an_idle_turn_is_a_claim_and_one_look(boss: PgBoss, pool: AsyncDatabase) -> None:
    await boss.flow(fan_in())
    watched = Watched(pool.run)
    resolver = FlowResolver(watched, SCHEMA)
    await resolver.run_once()
    assert watched.count == 2  # the claim, and one look that finds nothing
    await resolver.run_once()
    assert watched.count == 3  # the claim is not ours


async def test_dependencies_are_read_in_pages(boss: PgBoss) -> None:
    flow = Flow()
    parents = [flow.add(queue, {"n": n}) for queue in ("own", "b", "a") for n in range(3)]
    child = flow.add("c", after=parents)
    ids = await boss.flow(flow)
    everything = sorted_refs(*((parent.name, ids[parent]) for parent in parents))
    assert await boss.get_dependencies("c", ids[child]) == everything

    pages: list[DependencyRef] = []
    while page := await boss.get_dependencies("c", str(ids[child]), limit=2, after=pages[-1] if pages else None):
        assert len(page) <= 2
        pages += page
    assert pages == everything
    assert await boss.get_dependents("own", ids[parents[0]], after=DependencyRef("c", ids[child])) == []
    assert await boss.get_dependents("nowhere", uuid4()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit must be an integer from 1 to 100000, not 0"),
        ({"limit": 100_001}, "limit must be an integer from 1 to 100000"),
        ({"after": ("a", uuid4())}, "after must be the last DependencyRef of the page before"),
        ({"id": "five"}, "id must be a UUID, not 'five'"),
        ({"queue": "no queue"}, "'no queue' may hold only letters"),
    ],
)
@pytest.mark.parametrize("call", ["get_dependencies", "get_dependents"])
async def test_what_cannot_be_read_is_refused(boss: PgBoss, call: str, arguments: dict[str, Any], message: str) -> None:
    arguments = {"queue": "a", "id": uuid4()} | arguments
    with pytest.raises(ValidationError, match=message):
        await getattr(boss, call)(arguments.pop("queue"), arguments.pop("id"), **arguments)


async def test_the_upkeep_removes_dependencies_of_jobs_that_are_gone(
    boss: PgBoss, pool: AsyncDatabase, database_url: str
) -> None:
    ids = await boss.flow(fan_in())
    await boss.delete_job("a", ids["a"])
    assert len(await boss.get_dependencies("b", ids["b"])) == 2
    await RetentionPass(pool.run, SCHEMA).run_once()
    assert await boss.get_dependencies("b", ids["b"]) == [DependencyRef("own", ids["own"])]
    await boss.delete_job("b", ids["b"])
    await RetentionPass(pool.run, SCHEMA, maintenance_interval_seconds=0).run_once()
    assert count_rows(database_url)[1] == 0


async def test_ids_of_deleted_jobs_can_be_used_again(boss: PgBoss) -> None:
    first, second = uuid4(), uuid4()
    flow = [
        FlowJob("1", "a", options=SendOptions(id=first)),
        FlowJob("2", "b", None, ["1"], SendOptions(id=second)),
    ]
    await boss.flow(flow)
    await boss.delete_job("a", first)
    await boss.delete_job("b", second)
    await boss.flow(flow)
    assert await boss.get_dependents("a", first) == [DependencyRef("b", second)]
    await work_one(boss, "a")
    assert await boss.resolve_flow() == 1


async def test_a_worked_flow_runs_through_without_waiting_for_turns(make_boss: BossFactory, database_url: str) -> None:
    jobs, order = Jobs(), list[str]()

    @jobs.job("first")
    async def first(payload: None) -> None:
        order.append("first")

    @jobs.job("second", partition=True)
    def second(payload: None) -> None:
        order.append("second")

    @jobs.job("third")
    async def third(payload: None) -> None:
        order.append("third")

    boss = await make_boss(jobs=[jobs], supervise=True)
    # Taken, as by another instance that has just had its turn.
    await eventually(lambda: sql_value(database_url, "SELECT flow_on FROM pgboss.version"))
    far = "2100-01-01T00:00:00+00:00"
    sql(database_url, "UPDATE pgboss.version SET flow_on = %s", [far])

    flow = Flow()
    flow.add(third, after=flow.add(second, after=flow.add(first)))
    began = time.monotonic()
    ids = await boss.flow(flow)
    await eventually(lambda: len(order) == 3, within=2)
    assert time.monotonic() - began < 2
    assert order == ["first", "second", "third"]
    await eventually(lambda: all_completed(boss, ids))
    assert sql_value(database_url, "SELECT flow_on = %s::timestamptz FROM pgboss.version", [far])


async def all_completed(boss: PgBoss, ids: FlowIds) -> bool:
    found = [await boss.get_job(id) for id in ids.values()]
    return all(job is not None and job.state == "completed" for job in found)


async def test_an_instance_without_upkeep_frees_nobody(make_boss: BossFactory, database_url: str) -> None:
    jobs = Jobs()

    @jobs.job("first")
    async def first(payload: None) -> None: ...

    boss = await make_boss(jobs=[jobs], supervise=False)
    await boss.create_queue("second")
    flow = Flow()
    flow.add("second", after=flow.add(first))
    await boss.flow(flow)
    await eventually(lambda: waiting(database_url, "first") == [("completed", False, True, 0)])
    await boss.off_work("first")
    assert waiting(database_url, "second") == [("created", True, False, 1)]
    assert await boss.resolve_flow() == 1


async def test_a_large_flow_is_one_statement(boss: PgBoss, database_url: str) -> None:
    flow = Flow()
    root = flow.add("a")
    leaves = [flow.add("b", {"n": n}, after=root) for n in range(2000)]
    flow.add("c", after=leaves)
    await boss.flow(flow)
    assert count_rows(database_url) == (2002, 4000)
    await work_one(boss, "a")
    assert await boss.resolve_flow() == 2000
    await boss.complete("b", await boss.fetch("b", batch_size=2000))
    assert await boss.resolve_flow() == 1
    assert len(job_rows(database_url, "c")) == 1


async def test_old_rows_without_a_flow_cost_no_write(boss: PgBoss, database_url: str) -> None:
    add_jobs(database_url, "a", 10, state="'completed'", completed_on="now()")
    before = sql_value(database_url, "SELECT max(xmin::text::bigint) FROM pgboss.job_common")
    assert await boss.resolve_flow() == 0
    assert sql_value(database_url, "SELECT max(xmin::text::bigint) FROM pgboss.job_common") == before
