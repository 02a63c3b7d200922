"""Lineage, flows and failures over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx

from pgboss import FlowJob, PgBoss
from pgboss.web import WebOptions, app
from support.web import calling


async def failed(boss: PgBoss, output: Any) -> UUID:
    """A job that has failed for good, with a dead letter."""
    await boss.create_queue("dead")
    await boss.create_queue("mail", retry_limit=0, dead_letter="dead")
    id = await boss.send("mail")
    assert id is not None
    await boss.fail("mail", await boss.fetch("mail"), output)
    return id


async def test_a_history(api: httpx.AsyncClient, boss: PgBoss) -> None:
    id = await failed(boss, ValueError("no"))
    [letter] = await boss.find_jobs("dead")
    told = (await api.get(f"/api/jobs/{letter.id}/lineage")).json()
    assert [(one["kinship"], one["job"]["id"], one["job"]["state"]) for one in told["history"]] == [
        ("original", str(id), "failed"),
        ("dead_letter", str(letter.id), "created"),
    ]
    assert told["attempt"] is None
    attempt = (await api.get(f"/api/jobs/{id}/lineage")).json()["attempt"]
    assert (attempt["number"], attempt["outcome"], attempt["output"]["message"]) == (1, "failed", "no")


async def test_a_flow(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("work")
    ids = await boss.flow([FlowJob("first", "work"), FlowJob("then", "work", depends_on=["first"])])
    first, then = ({"name": "work", "id": str(ids[ref])} for ref in ("first", "then"))
    told = (await api.get(f"/api/jobs/{ids['then']}/flow")).json()
    assert told["edges"] == [{"parent": first, "child": then}]
    assert told["whole"]
    assert [(node["id"], node["job"]["state"]) for node in told["nodes"]] == [
        (then["id"], "created"),
        (first["id"], "created"),
    ]
    about = (await api.get(f"/api/jobs/{ids['then']}/lineage")).json()
    assert [one["id"] for one in about["parents"]] == [first["id"]]
    assert about["children"] == []


async def test_a_job_that_is_not_there(api: httpx.AsyncClient) -> None:
    for path in ("lineage", "flow"):
        answer = await api.get(f"/api/jobs/{uuid4()}/{path}")
        assert (answer.status_code, answer.json()["error"]) == (404, "job_not_found")
        assert (await api.get(f"/api/jobs/none/{path}")).status_code == 422


async def test_failures_by_cause(api: httpx.AsyncClient, boss: PgBoss) -> None:
    id = await failed(boss, ValueError("no user 7"))
    told = (await api.get("/api/failures")).json()
    [group] = told["groups"]
    assert (group["cause"], group["count"], group["queues"]) == ("ValueError: no user <n>", 1, ["mail"])
    assert group["samples"] == [{"name": "mail", "id": str(id)}]
    assert (told["looked_at"], told["whole"]) == (1, True)
    assert (await api.get("/api/failures?queue=dead")).json()["groups"] == []
    assert (await api.get("/api/failures?queue=nowhere")).json()["error"] == "queue_not_found"


async def test_what_is_redacted_is_in_neither(boss: PgBoss) -> None:
    id = await failed(boss, {"message": "the password is hunter2"})
    async with calling(app(boss, WebOptions(redact=frozenset({"message"})))) as client:
        for path in ("/api/failures", f"/api/jobs/{id}/lineage"):
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            assert "hunter2" not in answer.text
