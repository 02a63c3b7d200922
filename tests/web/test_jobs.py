"""Jobs over HTTP."""

from __future__ import annotations

from uuid import uuid4

import httpx

from pgboss import PgBoss


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


async def test_an_unknown_job(api: httpx.AsyncClient) -> None:
    id = uuid4()
    answer = await api.get(f"/api/jobs/{id}")
    assert answer.status_code == 404
    assert answer.json() == {"error": "job_not_found", "message": f"There is no job {id}."}
