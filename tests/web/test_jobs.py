"""Jobs over HTTP."""

from __future__ import annotations

from uuid import uuid4

import httpx

from pgboss import PgBoss
from pgboss.web import WebOptions, app
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
    answer = await api.get(f"/api/jobs/{id}", params={"queue": "parcels"})
    assert answer.status_code == 404


async def test_an_unknown_job(api: httpx.AsyncClient) -> None:
    id = uuid4()
    answer = await api.get(f"/api/jobs/{id}")
    assert answer.status_code == 404
    assert answer.json() == {"error": "job_not_found", "message": f"There is no job {id}."}
