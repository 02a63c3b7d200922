"""Sending jobs over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from pgboss import PgBoss
from support.postgres import sql


async def test_a_job_with_options(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    id = str(uuid4())
    options = {"id": id, "priority": 3, "start_after": 60, "retry_limit": 5, "singleton_key": "k"}
    answer = await api.post("/api/jobs", json={"name": "mail", "data": {"to": "ada"}, "options": options})
    assert (answer.status_code, answer.json()) == (200, {"id": id})
    job = await boss.get_job(id)
    assert job is not None
    assert (job.data, job.priority, job.retry_limit, job.singleton_key) == ({"to": "ada"}, 3, 5, "k")
    assert (job.start_after - job.created_on).total_seconds() == 60
    [recorded] = sql(database_url, "SELECT action, what FROM pgboss.py_audit")
    assert recorded == {"action": "send", "what": {"queue": "mail", "options": options}}


async def test_a_slot_that_is_taken_makes_no_job(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail", policy="short")
    ids = [(await api.post("/api/jobs", json={"name": "mail"})).json()["id"] for _ in range(2)]
    assert ids[0] is not None
    assert ids[1] is None


async def test_many_jobs(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    jobs = [{"data": number, "options": {"priority": number}} for number in range(3)]
    ids = (await api.post("/api/jobs/insert", json={"name": "mail", "jobs": jobs})).json()["ids"]
    found = [await boss.get_job(id) for id in ids]
    assert sorted((job.data, job.priority) for job in found if job is not None) == [(0, 0), (1, 1), (2, 2)]
    [recorded] = sql(database_url, "SELECT action, what FROM pgboss.py_audit")
    assert recorded == {"action": "insert", "what": {"queue": "mail", "jobs": 3}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "nobody"}, 404),
        ({"name": "no name"}, 422),
        ({}, 422),
        ({"name": "mail", "options": {"retry_limit": -1}}, 422),
        ({"name": "mail", "options": {"start_after": "whenever"}}, 422),
        ({"name": "mail", "options": {"colour": "red"}}, 422),
        ({"name": "mail", "data": "a\0"}, 422),
    ],
    ids=str,
)
async def test_what_makes_no_job(
    api: httpx.AsyncClient, boss: PgBoss, database_url: str, body: dict[str, Any], status: int
) -> None:
    await boss.create_queue("mail")
    assert (await api.post("/api/jobs", json=body)).status_code == status
    several = {"name": body.get("name", ""), "jobs": [{name: body[name] for name in body.keys() - {"name"}}]}
    assert (await api.post("/api/jobs/insert", json=several)).status_code == status
    assert (await api.post("/api/jobs/insert", json={"name": "mail", "jobs": []})).status_code == 422
    assert sql(database_url, "SELECT FROM pgboss.job") == []
