"""Jobs over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from support.postgres import sql
from support.web import calling


async def test_a_job_by_its_id(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    job_id = await boss.send("mail", {"to": "ada"})
    answer = await api.get(f"/api/jobs/{job_id}")
    assert answer.status_code == 200
    assert answer.json() | {"created_at": None} == {
        "id": str(job_id),
        "name": "mail",
        "state": "created",
        "created_at": None,
        "started_at": None,
        "completed_at": None,
        "retry_count": 0,
        "error": None,
    }


async def test_why_a_job_failed(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail", retry_limit=0)
    job_id = await boss.send("mail")
    [job] = await boss.fetch("mail")
    assert (await api.get(f"/api/jobs/{job_id}")).json()["error"] is None
    await boss.fail("mail", job, {"message": "no such address"})
    answer = (await api.get(f"/api/jobs/{job_id}")).json()
    assert (answer["state"], answer["error"]) == ("failed", "no such address")


async def test_everything_stored_about_a_job(boss: PgBoss) -> None:
    await boss.create_queue("mail", dead_letter=None)
    job_id = await boss.send("mail", {"to": "ada", "Token": {"a": 1}}, priority=3, singleton_key="k")
    async with calling(app(boss, WebOptions(redact=frozenset({"token"})))) as client:
        summary = (await client.get(f"/api/jobs/{job_id}")).json()
        full = (await client.get(f"/api/jobs/{job_id}", params={"full": 1, "queue": "mail"})).json()
    assert "data" not in summary
    assert full.items() >= summary.items()
    assert (full["data"], full["priority"], full["singleton_key"]) == ({"to": "ada", "Token": "[redacted]"}, 3, "k")
    assert full["output"] is None


async def test_a_job_of_one_of_two_queues(api: httpx.AsyncClient, boss: PgBoss) -> None:
    id = uuid4()
    for queue in ("mail", "post"):
        await boss.create_queue(queue)
        await boss.insert(queue, [{"id": id, "data": queue}])
    for queue in ("mail", "post"):
        assert (await api.get(f"/api/jobs/{id}", params={"queue": queue})).json()["name"] == queue
    assert (await api.get(f"/api/jobs/{id}", params={"queue": "parcels"})).status_code == 404
    for method, path in (("GET", ""), ("POST", "/cancel"), ("DELETE", "")):
        answer = await api.request(method, f"/api/jobs/{id}{path}")
        assert (answer.status_code, answer.json()["error"]) == (409, "several_jobs")
        assert "mail, post" in answer.json()["message"]
    assert (await api.delete(f"/api/jobs/{id}", params={"queue": "mail"})).status_code == 204
    assert (await api.get(f"/api/jobs/{id}")).json()["name"] == "post"


async def test_an_unknown_job(api: httpx.AsyncClient) -> None:
    id = uuid4()
    for method, path in (("GET", ""), ("POST", "/retry"), ("DELETE", "")):
        answer = await api.request(method, f"/api/jobs/{id}{path}")
        assert answer.status_code == 404
        assert answer.json() == {"error": "job_not_found", "message": f"There is no job {id}."}


async def test_a_job_is_cancelled_and_resumed(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    id = await boss.send("mail", {"to": "ada"})
    assert (await api.post(f"/api/jobs/{id}/cancel")).json()["state"] == "cancelled"
    answer = await api.post(f"/api/jobs/{id}/cancel")
    assert (answer.status_code, answer.json()["error"]) == (409, "wrong_state")
    assert (await api.post(f"/api/jobs/{id}/resume")).json()["state"] == "created"
    recorded = sql(database_url, "SELECT action, what FROM pgboss.py_audit ORDER BY id")
    assert [one["action"] for one in recorded] == ["cancel", "resume"]
    assert recorded[0]["what"] == {"queue": "mail", "ids": [str(id)]}


async def test_a_failed_job_is_retried(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail", retry_limit=0)
    id = await boss.send("mail")
    await boss.fail("mail", await boss.fetch("mail"))
    answer = await api.post(f"/api/jobs/{id}/retry")
    assert (answer.status_code, answer.json()["state"]) == (200, "retry")


async def test_a_slot_that_is_taken(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail", policy="short")
    id = await boss.send("mail")
    await boss.cancel("mail", str(id))
    await boss.send("mail")
    answer = await api.post(f"/api/jobs/{id}/resume")
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


async def test_jobs_by_filters_page_by_page(api: httpx.AsyncClient, boss: PgBoss) -> None:
    for queue in ("mail", "post"):
        await boss.create_queue(queue)
        for number in range(3):
            await boss.send(queue, {"queue": queue, "n": number}, singleton_key=f"k{number}")

    async def listed(**params: Any) -> list[Any]:
        answer = await api.get("/api/jobs", params=params | {"full": 1})
        assert answer.status_code == 200, answer.text
        return [(job["data"]["queue"], job["data"]["n"]) for job in answer.json()["jobs"]]

    assert sorted(await listed()) == [(queue, number) for queue in ("mail", "post") for number in range(3)]
    assert await listed(name="mail") == [("mail", 2), ("mail", 1), ("mail", 0)]
    assert await listed(name="mail", state="created") == [("mail", 0), ("mail", 1), ("mail", 2)]
    assert await listed(key="k1", name="post") == [("post", 1)]
    assert await listed(data='{"n": 2}', name="post", state=["created", "active"]) == [("post", 2)]
    assert await listed(state="failed") == await listed(state="expired") == []
    assert await listed(created_before="2020-01-01T00:00:00Z") == await listed(finished_from="2020-01-01T00:00Z") == []
    first = (await api.get("/api/jobs", params={"limit": 4})).json()
    rest = (await api.get("/api/jobs", params={"limit": 4, "after": first["next"]})).json()
    assert (len(first["jobs"]), len(rest["jobs"]), rest["next"]) == (4, 2, None)
    assert len({job["id"] for job in first["jobs"] + rest["jobs"]}) == 6
    assert "data" not in first["jobs"][0]


@pytest.mark.parametrize(
    "params",
    [
        {"state": "asleep"},
        {"state": ["expired", "failed"]},
        {"data": "{"},
        {"data": "NaN"},
        {"after": "nowhere"},
        {"limit": 0},
        {"created_from": "2026-01-01T00:00:00"},
        {"key": "a\0"},
        {"name": "no name"},
    ],
    ids=str,
)
async def test_filters_that_make_no_sense(api: httpx.AsyncClient, params: Any) -> None:
    assert (await api.get("/api/jobs", params=params)).status_code == 422


async def test_jobs_of_no_queue(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/jobs", params={"name": "nobody"})
    assert (answer.status_code, answer.json()["error"]) == (404, "queue_not_found")


async def test_lists_show_no_redacted_value(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.send("mail", {"token": "hush"})
    async with calling(app(boss, WebOptions(redact=frozenset({"token"})))) as client:
        [found] = (await client.get("/api/jobs", params={"full": 1})).json()["jobs"]
    assert found["data"] == {"token": "[redacted]"}
