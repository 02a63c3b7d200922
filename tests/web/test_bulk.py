"""Acting on all jobs that match a filter."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pgboss import PgBoss
from pgboss.core.job_filter import JobFilter
from pgboss.web import Principal
from pgboss.web.jobs import act_on_all
from pgboss.web.site import Site
from support.postgres import sql
from support.upkeep import add_jobs

STATES = ("created", "retry", "active", "completed", "cancelled", "failed")


@pytest.fixture
async def filled(boss: PgBoss, database_url: str) -> None:
    """Three jobs of every state in each of two queues."""
    for queue in ("mail", "post"):
        await boss.create_queue(queue)
        for state in STATES:
            ended = {"completed_on": "now()"} if state in ("completed", "cancelled", "failed") else {}
            add_jobs(database_url, queue, 3, state=f"'{state}'", singleton_key="'k' || n", **ended)


def states(url: str, queue: str) -> dict[str, int]:
    rows = sql(url, "SELECT state::text, count(*)::int FROM pgboss.job WHERE name = %s GROUP BY 1", [queue])
    return {row["state"]: row["count"] for row in rows}


ALL = dict.fromkeys(STATES, 3)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("action", "matched", "left"),
    [
        ("retry", 3, {"retry": 6, "failed": 0}),
        ("cancel", 9, {"created": 0, "retry": 0, "active": 0, "cancelled": 12}),
        ("resume", 3, {"created": 6, "cancelled": 0}),
        ("delete", 18, dict.fromkeys(STATES, 0)),
    ],
)
async def test_a_dry_run_says_what_the_action_does(
    api: httpx.AsyncClient, database_url: str, action: str, matched: int, left: dict[str, int]
) -> None:
    body: dict[str, Any] = {"filter": {"name": "mail"}, "dry_run": True}
    answer = await api.post(f"/api/jobs/{action}", json=body)
    assert (answer.status_code, answer.json()) == (
        200,
        {"matched": matched, "changed": 0, "conflicts": 0, "next": None},
    )
    assert states(database_url, "mail") == ALL
    done = (await api.post(f"/api/jobs/{action}", json=body | {"dry_run": False})).json()
    assert done == {"matched": matched, "changed": matched, "conflicts": 0, "next": None}
    assert states(database_url, "mail") == {state: count for state, count in (ALL | left).items() if count}
    assert states(database_url, "post") == ALL
    [recorded] = sql(database_url, "SELECT action, what FROM pgboss.py_audit")
    assert recorded["action"] == {"delete": "delete_job"}.get(action, action)
    assert recorded["what"] == {"queue": "mail", "jobs": matched, "filter": {"queue": "mail"}}


@pytest.mark.usefixtures("filled")
async def test_filters_of_all_queues(api: httpx.AsyncClient, database_url: str) -> None:
    body = {"filter": {"key": "k1", "state": ["created", "failed"]}}
    assert (await api.post("/api/jobs/cancel", json=body)).json()["changed"] == 2
    for queue in ("mail", "post"):
        assert states(database_url, queue) == ALL | {"created": 2, "cancelled": 4}
    assert (await api.post("/api/jobs/retry", json={"filter": {"state": ["created"]}})).json()["matched"] == 0


@pytest.mark.usefixtures("filled")
async def test_a_limit_and_going_on_behind_it(api: httpx.AsyncClient, database_url: str) -> None:
    numbers, after = [], None
    while True:
        body = {"filter": {"name": "mail"}, "limit": 4, "after": after}
        done = (await api.post("/api/jobs/cancel", json=body)).json()
        numbers.append(done["changed"])
        after = done["next"]
        if after is None:
            break
    assert numbers == [4, 4, 1]
    assert states(database_url, "mail") == {"completed": 3, "cancelled": 12, "failed": 3}


async def test_a_conflict_keeps_no_other_job_from_it(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail", policy="short")
    for key in ("a", "b", "c", "d"):
        id = await boss.send("mail", singleton_key=key)
        await boss.cancel("mail", str(id))
    await boss.send("mail", singleton_key="b")
    done = (await api.post("/api/jobs/resume", json={"filter": {"name": "mail"}})).json()
    assert (done["matched"], done["changed"], done["conflicts"]) == (4, 3, 1)
    assert states(database_url, "mail") == {"created": 4, "cancelled": 1}


async def test_more_than_a_batch(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    add_jobs(database_url, "mail", 2500)
    site = Site(boss, name="", query_seconds=10)
    done = await act_on_all(site, Principal("ada"), "cancel", JobFilter(queue="mail"), dry_run=False)
    assert (done.matched, done.changed, done.next) == (2500, 2500, None)
    assert [one["what"]["jobs"] for one in sql(database_url, "SELECT what FROM pgboss.py_audit ORDER BY id")] == [
        1000,
        1000,
        500,
    ]


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("cancel", {"filter": {}}, 422),
        ("cancel", {}, 422),
        ("cancel", {"filter": {"colour": "red"}}, 422),
        ("cancel", {"filter": {"name": "nobody"}}, 404),
        ("cancel", {"filter": {"name": "mail"}, "after": "nowhere"}, 422),
        ("cancel", {"filter": {"name": "mail"}, "limit": 1_000_000}, 422),
        ("wake", {"filter": {"name": "mail"}}, 422),
    ],
    ids=str,
)
async def test_what_cannot_be_asked_for(
    api: httpx.AsyncClient, boss: PgBoss, action: str, body: dict[str, Any], status: int
) -> None:
    await boss.create_queue("mail")
    assert (await api.post(f"/api/jobs/{action}", json=body)).status_code == status
