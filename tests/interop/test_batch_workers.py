"""A batch that is settled job by job leaves the same rows whoever worked it."""

from __future__ import annotations

from typing import Any

import pytest

from pgboss import Discard, Job
from support.eventually import eventually
from support.postgres import sql_value
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins

pytestmark = pytest.mark.node

ANSWERS: dict[str, tuple[dict[str, Any], object]] = {
    "object": ({"status": "completed", "output": {"chunks": 3}}, {"chunks": 3}),
    "number": ({"status": "completed", "output": 7}, 7),
    "list": ({"status": "completed", "output": [1, "two"]}, [1, "two"]),
    "nothing": ({"status": "completed"}, None),
    "fails": (
        {"status": "failed", "output": {"name": "ValueError", "message": "no good", "stack": ""}},
        ValueError("no good"),
    ),
    "gone": (
        {"status": "deadletter", "output": {"name": "Discard", "message": "unknown", "stack": ""}},
        Discard("unknown"),
    ),
    "told": ({"status": "deadletter", "output": {"why": "old"}}, Discard("old", output={"why": "old"})),
}


async def handler(jobs: list[Job]) -> list[object]:
    return [ANSWERS[job.data["by"]][1] for job in jobs]


async def prepare(twins: Twins, *, retry_limit: int) -> None:
    for queue, dead_letter in (("dead", None), ("jobs", "dead")):
        options = {"retryLimit": retry_limit, "retryDelay": 30, "deadLetter": dead_letter}
        await twins.node.call(
            "createQueue", queue, {name: value for name, value in options.items() if value is not None}
        )
        await twins.ours.create_queue(queue, retry_limit=retry_limit, retry_delay=30, dead_letter=dead_letter)


async def work_both(twins: Twins, settle_by: dict[str, Any], ours: Any) -> None:
    await twins.node.work("jobs", {"settleBy": settle_by}, batchSize=20, perJobResults=True)
    await twins.ours.work("jobs", ours, batch_size=20, concurrency=1)
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        await eventually(lambda: all_settled(twins, schema), within=10)  # noqa: B023  awaited at once


def all_settled(twins: Twins, schema: str) -> bool:
    count = sql_value(
        twins.url, f"SELECT count(*) FROM {schema}.job WHERE name = 'jobs' AND state IN ('created', 'active')"
    )
    return bool(count == 0)


@pytest.mark.parametrize("retry_limit", [0, 2])
async def test_results_job_by_job(twins: Twins, retry_limit: int) -> None:
    await prepare(twins, retry_limit=retry_limit)
    for by in ANSWERS:
        await twins.send(by, "jobs", {"by": by}, {}, {})
    await work_both(twins, {by: node for by, (node, _) in ANSWERS.items()}, handler)

    twins.assert_same_jobs()


async def test_a_job_that_is_left_out_fails_with_the_same_words(twins: Twins) -> None:
    """The error's class has another name here, and that is all."""

    async def leaves_one_out(jobs: list[Job]) -> dict[Any, object]:
        return {job.id: 7 for job in jobs if job.data["by"] == "number"}

    await prepare(twins, retry_limit=2)
    for by in ("number", "left out"):
        await twins.send(by, "jobs", {"by": by}, {}, {})
    await work_both(twins, {"number": ANSWERS["number"][0]}, leaves_one_out)

    name = "SELECT output ->> 'name' FROM {}.job WHERE data ->> 'by' = 'left out'"
    assert sql_value(twins.url, name.format(NODE_SCHEMA)) == "Error"
    assert sql_value(twins.url, name.format(OUR_SCHEMA)) == "HandlerResultError"
    sql_value(
        twins.url,
        f"UPDATE {OUR_SCHEMA}.job SET output = output || '{{\"name\": \"Error\"}}' WHERE data ->> 'by' = 'left out' "
        "RETURNING 1",
    )
    twins.assert_same_jobs()


async def test_a_batch_that_throws_as_a_whole(twins: Twins) -> None:
    async def raises(jobs: list[Job]) -> None:
        raise ValueError("all of them")

    await prepare(twins, retry_limit=0)
    for by in ("one", "two"):
        await twins.send(by, "jobs", {"by": by}, {}, {})
    await twins.node.work("jobs", {"throw": {"name": "ValueError", "message": "all of them"}}, batchSize=2)
    await twins.ours.work("jobs", raises, batch_size=2)
    for schema in (NODE_SCHEMA, OUR_SCHEMA):
        await eventually(lambda: all_settled(twins, schema), within=10)  # noqa: B023  awaited at once

    twins.assert_same_jobs()
