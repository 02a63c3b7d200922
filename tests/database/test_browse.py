"""Listing jobs by any filter: each exactly once, in windows of any size, also while others come and go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, get_args

import psycopg
import pytest

from pgboss import PgBoss
from pgboss.core.job import JobState
from pgboss.core.job_filter import JobFilter
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.psycopg.sessions import PsycopgSession
from pgboss.drivers.runner import run
from pgboss.errors import QueueNotFoundError, ValidationError
from pgboss.insights.browse import MAX_PAGE, FoundJobs, browse, browse_on, find_ids
from support.operations import run_operation
from support.postgres import sql
from support.upkeep import SCHEMA, add_job, add_jobs

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SPREAD = "'2026-01-31 12:00Z'::timestamptz + {} * interval '1 second'"
ENDED = {"completed_on": SPREAD.format("n"), "started_on": "now()"}
TIMED_OUT = """'{"value": {"message": "job timed out"}}'"""
OVERRUN = """'{"name": "HandlerTimeoutError", "message": "handler execution exceeded 900s", "stack": ""}'"""


def pages(url: str, wanted: JobFilter, **how: Any) -> Iterator[FoundJobs]:
    after = None
    with psycopg.connect(url, autocommit=True) as connection:
        session = PsycopgSession(connection)
        while True:
            page = run(session, browse(QueueCatalog(SCHEMA), wanted, after=after, **how))
            yield page
            after = page.next
            if after is None:
                return


def listed(url: str, wanted: JobFilter, **how: Any) -> list[Any]:
    return [job.data for page in pages(url, wanted, **how) for job in page.jobs]


@pytest.fixture
async def filled(boss: PgBoss, database_url: str) -> str:
    """Two queues with jobs of every state; of each, ``data`` is its queue and its number."""
    for name in ("mail", "post"):
        await boss.create_queue(name, partition=name == "post")
        for number, state in enumerate(("created", "retry", "active", "completed", "cancelled", "failed")):
            columns = {
                "state": f"'{state}'",
                "data": f"jsonb_build_object('queue', '{name}', 'n', n, 'state', '{state}')",
                "created_on": SPREAD.format(f"(n * 6 + {number})"),
                "start_after": SPREAD.format("n"),
                "singleton_key": "'k' || n % 3",
                "blocked": "n % 2 = 0",
            }
            ended = {"completed_on": SPREAD.format("n")} if state in ("completed", "cancelled", "failed") else {}
            add_jobs(database_url, name, 10, **columns | ended)
    return database_url


@pytest.mark.parametrize(
    "states", [(), ("created",), ("failed",), ("completed",), ("active", "failed"), ("retry", "completed")]
)
def test_every_job_is_told_once(filled: str, states: Any) -> None:
    for queue, window, limit in product((None, "mail", "post"), (7, 20_000), (4, 1000)):
        found = listed(filled, JobFilter(queue=queue, states=states), window=window, limit=limit)
        told = {(one["queue"], one["state"], one["n"]) for one in found}
        number = 10 * (len(states) or 6) * (2 if queue is None else 1)
        assert (len(found), len(told)) == (number, number)
        assert {state for _, state, _ in told} == set(states or get_args(JobState))
        assert {queue for queue, _, _ in told} == ({"mail", "post"} if queue is None else {queue})


def test_the_latest_come_first_and_what_waits_by_when_it_falls_due(filled: str) -> None:
    def numbers(*states: Any) -> list[int]:
        return [one["n"] for one in listed(filled, JobFilter(queue="mail", states=states), window=7, limit=3)]

    assert numbers("created") == list(range(1, 11))
    assert numbers("failed") == numbers("completed") == list(range(10, 0, -1))
    assert numbers()[::6] == list(range(10, 0, -1))


@pytest.mark.parametrize("states", [(), ("created",), ("completed",)])
async def test_jobs_of_one_instant(boss: PgBoss, database_url: str, states: Any) -> None:
    await boss.create_queue("mail")
    await boss.create_queue("post")
    at = {"start_after": SPREAD.format("(n / 9)"), "created_on": SPREAD.format("(n / 9)"), "data": "to_jsonb(n)"}
    if states == ("completed",):
        at |= {"state": "'completed'", "completed_on": SPREAD.format("(n / 9)")}
    add_jobs(database_url, "mail", 30, **at)
    add_jobs(database_url, "post", 5, **at | {"data": "to_jsonb(n + 100)"})
    # With windows that hold no instant, some of them, and all.
    for queue, window, limit in product((None, "mail"), (4, 8, 100), (3, 50)):
        found = listed(database_url, JobFilter(queue=queue, states=states), window=window, limit=limit)
        assert sorted(found) == [*range(1, 31), *(range(101, 106) if queue is None else ())]
        instants = [number // 9 for number in found if number < 100]
        assert instants == sorted(instants, reverse=states != ("created",))


def test_filters(filled: str) -> None:
    for (filters, numbers), state, window in product(FILTERS, ("failed", "completed"), (3, 20_000)):
        found = listed(filled, JobFilter(queue="mail", states=(state,), **filters), window=window)
        assert [one["n"] for one in found] == numbers, (filters, state, window)


FILTERS: list[tuple[Any, list[int]]] = [
    ({"key": "k1"}, [10, 7, 4, 1]),
    ({"data": {"n": 3}}, [3]),
    ({"finished_from": NOON + timedelta(seconds=9)}, [10, 9]),
    ({"finished_before": NOON + timedelta(seconds=3)}, [2, 1]),
    ({"created_from": NOON + timedelta(seconds=9 * 6)}, [10, 9]),
    ({"created_before": NOON + timedelta(seconds=2 * 6)}, [1]),
    ({"key": "k1", "data": {"n": 4}}, [4]),
]


def test_what_finished_in_a_time_whatever_its_state(filled: str) -> None:
    found = listed(filled, JobFilter(finished_from=NOON + timedelta(seconds=10)))
    assert sorted((one["queue"], one["state"]) for one in found) == [
        (queue, state) for queue in ("mail", "post") for state in ("cancelled", "completed", "failed")
    ]


async def test_expired(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    for number, (state, output) in enumerate(
        (("failed", TIMED_OUT), ("retry", OVERRUN), ("failed", "NULL"), ("completed", TIMED_OUT))
    ):
        add_job(database_url, "mail", state=f"'{state}'", output=output, data=f"'{number}'")
    assert sorted(listed(database_url, JobFilter.of(["expired"]))) == [0, 1]
    with pytest.raises(ValidationError, match="stands alone"):
        JobFilter.of(["expired", "failed"])


def test_a_short_page_says_how_far_it_has_looked(filled: str) -> None:
    found = list(pages(filled, JobFilter(queue="mail", states=("failed",), data={"n": 1}), window=3))
    assert [len(page.jobs) for page in found[:-1]] == [0] * (len(found) - 1)
    assert found[0].looked_to is not None
    assert NOON < found[0].looked_to < NOON + timedelta(seconds=10)
    assert [job.data["n"] for job in found[-1].jobs] == [1]
    assert (found[-1].looked_to, found[-1].next) == (None, None)


async def test_many_at_once_behind_one_of_them(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    # Ten of an instant, and more than a page of the listings of the web holds.
    add_jobs(database_url, "mail", 2 * MAX_PAGE + 10, data="to_jsonb(n)", created_on=SPREAD.format("(n / 10)"))
    every = set(range(1, 2 * MAX_PAGE + 11))

    for creation in ("oldest_first", "newest_first"):
        wanted = JobFilter(creation=creation)
        first = run_operation(database_url, browse_on(QueueCatalog(SCHEMA), "mail", wanted, limit=MAX_PAGE + 5))
        rest = run_operation(
            database_url, browse_on(QueueCatalog(SCHEMA), "mail", wanted, after=first.jobs[-1].id, limit=100_000)
        )

        assert (len(first.jobs), first.next is None, rest.next) == (MAX_PAGE + 5, False, None)
        numbers = [job.data for job in first.jobs + rest.jobs]
        assert (len(numbers), set(numbers)) == (len(every), every)
        instants = [number // 10 for number in numbers]
        assert instants == sorted(instants, reverse=creation == "newest_first")


def test_jobs_that_stay_are_told_while_others_come_go_and_change(filled: str) -> None:
    told: list[Any] = []
    for page in pages(filled, JobFilter(states=("failed",)), limit=3, window=4):
        told += [(job.data["queue"], job.data["n"]) for job in page.jobs]
        if page.jobs:
            first = page.jobs[0]
            sql(filled, "DELETE FROM pgboss.job WHERE id = %s", [first.id])
            sql(filled, "UPDATE pgboss.job SET state = 'retry', completed_on = NULL WHERE id = %s", [page.jobs[-1].id])
            add_job(filled, "mail", state="'failed'", data="""'{"queue": "new", "n": 0}'""")
    assert sorted(one for one in told if one[0] != "new") == [(q, n) for q in ("mail", "post") for n in range(1, 11)]


async def test_instants_beyond_pythons_calendar(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    add_jobs(database_url, "mail", 3, start_after="'infinity'")
    add_jobs(database_url, "mail", 3, start_after="'200000-01-01'::timestamptz + n * interval '1 day'")
    assert len(listed(database_url, JobFilter(states=("created",)), limit=1, window=2)) == 6


def test_ids_alone(filled: str) -> None:
    page = run_operation(filled, find_ids(QueueCatalog(SCHEMA), JobFilter(queue="mail", states=("failed",)), limit=4))
    rest = run_operation(
        filled, find_ids(QueueCatalog(SCHEMA), JobFilter(queue="mail", states=("failed",)), after=page.next)
    )
    assert len({one.id for one in (*page.jobs, *rest.jobs)}) == 10
    assert rest.next is None


def test_what_cannot_be_asked_for(filled: str) -> None:
    def ask(wanted: JobFilter, **how: Any) -> None:
        run_operation(filled, browse(QueueCatalog(SCHEMA), wanted, **how))

    with pytest.raises(QueueNotFoundError):
        ask(JobFilter(queue="nobody"))
    [page, *_] = pages(filled, JobFilter(), limit=1)
    for token in ("", "x", "é", "W10", "eyJ9", page.next):
        with pytest.raises(ValidationError):
            ask(JobFilter(states=("failed",)), after=token)
    with pytest.raises(ValidationError):
        ask(JobFilter(), limit=0)
    with pytest.raises(ValidationError, match="time zone"):
        JobFilter(created_from=datetime(2026, 1, 1))  # noqa: DTZ001  what is refused
