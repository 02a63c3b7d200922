"""Health, readiness and metrics, at the application's root."""

from __future__ import annotations

import httpx

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from support.postgres import sql
from support.web import calling


async def test_all_is_well(api: httpx.AsyncClient) -> None:
    assert (await api.get("/health")).json() == {"ok": True}
    answer = await api.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


async def test_a_schema_that_is_too_old(api: httpx.AsyncClient, database_url: str, boss: PgBoss) -> None:
    sql(database_url, "UPDATE pgboss.version SET version = 10")
    answer = await api.get("/ready")
    assert answer.status_code == 503
    assert "10" in answer.json()["reasons"][0]
    async with calling(app(boss, WebOptions(authenticate=lambda connection: None))) as stranger:
        assert (await stranger.get("/ready")).json() == {"ready": False}
    assert (await api.get("/health")).status_code == 200


async def test_an_instance_that_was_stopped(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.stop(timeout=0)
    answer = await api.get("/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)


async def test_metrics(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    sql(database_url, "UPDATE pgboss.queue SET failed_count = 3")
    answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'pgboss_queue_jobs{queue="mail",state="failed"} 3.0' in answer.text
    assert "pgboss_up 1.0" in answer.text
