"""Every call that takes ``connection=``: it works there, and the caller's rollback takes it back.

A new call is one line in CALLS. Its arguments may name jobs that are there: ``"$waiting"``, ``"$active"``,
``"$failed"``, ``"$cancelled"`` and ``"$dead"`` stand for their ids.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from drivers.callers import DRIVERS, Driver
from pgboss.client import Client
from support.postgres import sql

# Once over each driver; what lies between a driver and the caller makes no difference to a statement.
EACH_DRIVER = ["psycopg-async", "psycopg-sync", "psycopg2", "asyncpg", "asyncpg-pool", "django"]


@dataclass(frozen=True)
class Call:
    """One call; ``writes`` says whether it changes rows."""

    method: str
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    writes: bool = True


FLOW = [{"ref": "a", "name": "jobs", "data": 1}, {"ref": "b", "name": "jobs", "data": 2, "depends_on": ["a"]}]

CALLS = [
    Call("send", ("jobs", {"ü": "%s :a $1 '\" ✓", "big": 2**70, "none": None, "empty": []})),
    Call("send_after", ("jobs", None, 5)),
    Call("send_throttled", ("jobs", {"a": 1}, 60)),
    Call("send_debounced", ("jobs", {"a": 1}, 60), {"key": "k"}),
    Call("insert", ("jobs", [{}, {"data": "Zoë"}]), {"return_id": True}),
    Call("insert_stream", ("jobs", [{}, {"data": "Zoë"}])),
    Call("upsert", ("jobs", {"a": 1}), {"singleton_key": "new"}),
    Call("update", ("jobs", {"changed": True}), {"id": "$waiting"}),
    Call("publish", ("event", {"a": 1})),
    Call("subscribe", ("event", "other")),
    Call("unsubscribe", ("event", "jobs")),
    Call("flow", (FLOW,)),
    Call("get_dependencies", ("jobs", "$waiting"), writes=False),
    Call("get_dependents", ("jobs", "$waiting"), writes=False),
    Call("fetch", ("jobs",), {"batch_size": 2}),
    Call("fetch_details", ("jobs",)),
    Call("complete", ("jobs", "$active", {"done": "%"})),
    Call("fail", ("jobs", "$active", ValueError("no $1"))),
    Call("cancel", ("jobs", "$waiting")),
    Call("resume", ("jobs", "$cancelled")),
    Call("retry", ("jobs", "$failed")),
    Call("touch", ("jobs", "$active")),
    Call("delete_job", ("jobs", "$failed")),
    Call("delete_queued_jobs", ("jobs",)),
    Call("delete_stored_jobs", ("jobs",)),
    Call("delete_all_jobs", ("jobs",)),
    Call("delete_all_jobs", (), {"every_queue": True}),
    Call("redrive", ("dead",)),
    Call("preview_redrive", ("dead",), {"ids": ["$dead"]}, writes=False),
    Call("find_jobs", ("jobs",), {"data": {"a": 1}}, writes=False),
    Call("get_job", ("$active",), writes=False),
    Call("get_blocked_keys", ("strict",), writes=False),
    Call("create_queue", ("new",), {"partition": True}),
    Call("update_queue", ("jobs",), {"retry_limit": 7}),
    Call("get_queue", ("jobs",), writes=False),
    Call("get_queues", (["jobs", "none"],), writes=False),
    Call("delete_queue", ("jobs",)),
    Call("schedule", ("jobs", "0 6 * * *", {"a": "%"}), {"key": "new", "tz": "Europe/Zurich"}),
    Call("unschedule", ("jobs",)),
    Call("get_schedule", ("jobs",), writes=False),
    Call("get_schedules", ("jobs",), writes=False),
    Call("preview_schedule", ("0 6 * * *",), writes=False),
    Call("get_warnings", (), {"limit": 1}, writes=False),
    Call("get_bam_status", writes=False),
    Call("get_bam_entries", writes=False),
    Call("get_reindex_commands", writes=False),
    Call("get_instances", writes=False),
    Call("get_pauses", writes=False),
    Call("get_queue_stats", ("jobs",)),
]
# They read, free or announce what is committed already, so nobody's transaction concerns them.
WITHOUT_CONNECTION = {"start", "stop", "resolve_flow", "wait_for"} | {
    f"{verb}_{what}" for verb in ("pause", "resume") for what in ("queue", "instance")
}


def public_calls() -> dict[str, Any]:
    return {
        name: function for name, function in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")
    }


def test_every_call_is_in_the_list() -> None:
    assert {call.method for call in CALLS} == public_calls().keys() - WITHOUT_CONNECTION


def test_every_call_takes_a_connection() -> None:
    without = {name for name, call in public_calls().items() if "connection" not in inspect.signature(call).parameters}
    assert without == WITHOUT_CONNECTION


@pytest.fixture(params=EACH_DRIVER)
async def driver(request: pytest.FixtureRequest, database_url: str) -> Any:
    async with DRIVERS[request.param](database_url) as made:
        yield made


async def furnish(driver: Driver) -> dict[str, UUID]:
    """Queues, and a job of every state, by the names that calls use for them."""
    await driver.call("create_queue", "dead")
    await driver.call("create_queue", "other")
    await driver.call("create_queue", "strict", policy="key_strict_fifo")
    await driver.call("create_queue", "jobs", dead_letter="dead", retry_limit=0)
    await driver.call("subscribe", "event", "jobs")
    await driver.call("schedule", "jobs", "*/5 * * * *")
    ids = {name: await driver.call("send", "jobs", {"a": 1}) for name in ("failed", "active", "cancelled", "waiting")}
    await driver.call("fetch", "jobs", batch_size=2)
    await driver.call("fail", "jobs", ids["failed"])
    await driver.call("cancel", "jobs", ids["cancelled"])
    [dead] = await driver.call("find_jobs", "dead")
    return {**{f"${name}": id for name, id in ids.items()}, "$dead": dead.id}


def filled(value: Any, ids: dict[str, UUID]) -> Any:
    if isinstance(value, str):
        return ids.get(value, value)
    return [filled(item, ids) for item in value] if value == ["$dead"] else value


def rows(url: str) -> list[Any]:
    tables = ("job", "queue", "subscription", "job_dependency", "schedule")
    return [sql(url, f"SELECT t::text AS row FROM pgboss.{table} t ORDER BY 1") for table in tables]


async def test_calls_in_a_transaction_can_be_taken_back(driver: Driver, database_url: str) -> None:
    ids = await furnish(driver)
    before = rows(database_url)
    async with driver.connection() as connection:
        for call in CALLS:
            args = [filled(argument, ids) for argument in call.args]
            options = {name: filled(value, ids) for name, value in call.options.items()}
            await driver.call_in(connection, call.method, *args, **options)
            seen = await state_in(driver, connection)
            await driver.rollback(connection)
            assert rows(database_url) == before, call
            # Otherwise the call would have done nothing that a rollback could take back.
            assert (seen != flat(before)) == call.writes, call


def flat(tables: list[Any]) -> list[Any]:
    return [[row["row"] for row in table] for table in tables]


async def state_in(driver: Driver, connection: Any) -> list[Any]:
    tables = ("job", "queue", "subscription", "job_dependency", "schedule")
    return [
        [text for (text,) in await driver.execute(connection, f"SELECT t::text FROM pgboss.{table} t ORDER BY 1")]
        for table in tables
    ]


async def test_calls_give_the_same_over_every_driver(driver: Driver) -> None:
    """Not only equal values: of the very same types."""
    ids = await furnish(driver)
    async with driver.connection() as connection:
        [job] = await driver.call_in(connection, "fetch_details", "jobs")
        settled = await driver.call_in(connection, "complete", "jobs", job.id, "done")
        done = await driver.call_in(connection, "get_job", job.id)
        queue = await driver.call_in(connection, "get_queue", "jobs")
        inserted = await driver.call_in(connection, "insert", "jobs", [{}], return_id=True)

    assert [type(id) for id in (job.id, *settled.settled, *inserted)] == [UUID] * 3
    assert (job.id, done.output, done.state) == (ids["$waiting"], {"value": "done"}, "completed")
    kinds = {name: type(getattr(done, name)).__name__ for name in done.__dataclass_fields__}
    assert {kinds[name] for name in ("created_on", "started_on", "completed_on", "keep_until")} == {"datetime"}
    assert done.created_on.utcoffset() is not None
    assert {kinds[name] for name in ("priority", "retry_limit", "retry_count", "expire_in_seconds")} == {"int"}
    assert (kinds["retry_backoff"], kinds["name"], kinds["data"]) == ("bool", "str", "dict")
    assert (type(queue.created_on).__name__, queue.dead_letter, queue.retry_limit) == ("datetime", "dead", 0)
