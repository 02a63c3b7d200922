"""Queues over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pgboss import PgBoss
from support.postgres import sql
from support.upkeep import add_jobs


async def test_a_queue_from_its_making_to_its_end(api: httpx.AsyncClient, database_url: str) -> None:
    made = await api.put("/api/queues/team/mail", json={"retry_limit": 7, "policy": "short"})
    assert (made.status_code, made.json()["name"], made.json()["retry_limit"]) == (200, "team/mail", 7)
    changed = await api.patch("/api/queues/team/mail", json={"retry_limit": 8})
    assert changed.json()["retry_limit"] == 8
    assert (await api.get("/api/queues/team/mail")).json() == changed.json()
    assert (await api.delete("/api/queues/team/mail")).status_code == 204
    assert (await api.get("/api/queues/team/mail")).status_code == 404
    recorded = [row["action"] for row in sql(database_url, "SELECT action FROM pgboss.py_audit ORDER BY id")]
    assert recorded == ["create_queue", "update_queue", "delete_queue"]


async def test_every_option_of_a_queue(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("dead")
    options = {
        "retry_limit": 7,
        "retry_delay": 5,
        "retry_backoff": True,
        "retry_delay_max": 60,
        "expire_in_seconds": 900,
        "retention_seconds": 3600,
        "delete_after_seconds": 60,
        "heartbeat_seconds": 30,
        "dead_letter": "dead",
        "warning_queue_size": 9,
        "notify": True,
    }
    fixed = {"policy": "short", "partition": True}
    made = (await api.put("/api/queues/made", json=options | fixed)).json()
    assert {name: made[name] for name in options | fixed} == options | fixed
    await boss.create_queue("changed")
    changed = (await api.patch("/api/queues/changed", json=options)).json()
    assert {name: changed[name] for name in options} == options
    cleared = {"heartbeat_seconds": None, "dead_letter": None}
    changed = (await api.patch("/api/queues/changed", json=cleared)).json()
    assert {name: changed[name] for name in cleared} == cleared


async def test_pages_and_search(api: httpx.AsyncClient, boss: PgBoss) -> None:
    for name in ("alpha", "beta", "gamma", "Alphabet"):
        await boss.create_queue(name)
    first = (await api.get("/api/queues", params={"limit": 3})).json()
    rest = (await api.get("/api/queues", params={"limit": 3, "after": first["next"]})).json()
    assert len(first["queues"]) == 3
    assert rest["next"] is None
    assert {one["name"] for one in first["queues"] + rest["queues"]} == {"alpha", "beta", "gamma", "Alphabet"}
    found = (await api.get("/api/queues", params={"search": "ALPHA"})).json()
    assert {one["name"] for one in found["queues"]} == {"alpha", "Alphabet"}
    assert (await api.get("/api/queues", params={"search": "%"})).json()["queues"] == []


@pytest.mark.parametrize("which", ["queued", "stored", "all"])
async def test_purging(api: httpx.AsyncClient, boss: PgBoss, database_url: str, which: str) -> None:
    await boss.create_queue("mail")
    add_jobs(database_url, "mail", 2)
    add_jobs(database_url, "mail", 3, state="'completed'", completed_on="now()")
    answer = await api.post("/api/queues/mail/purge", json={"which": which})
    left = sql(database_url, "SELECT count(*)::int AS left FROM pgboss.job")[0]["left"]
    assert (answer.json()["deleted"], left) == {"queued": (2, 3), "stored": (3, 2), "all": (5, 0)}[which]


async def test_pausing_and_resuming(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    assert (await api.post("/api/queues/mail/pause")).status_code == 204
    [pause] = (await api.get("/api/pauses")).json()
    assert (pause["kind"], pause["target"]) == ("queue", "mail")
    assert (await api.post("/api/queues/mail/resume")).json() == {"was_paused": True}
    assert (await api.post("/api/queues/mail/resume")).json() == {"was_paused": False}


async def test_figures_with_percentiles(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    sql(database_url, "UPDATE pgboss.queue SET ready_count = 4, monitor_on = now()")
    answer = await api.get("/api/stats/mail", params={"percentiles": [50, 95]})
    [figures] = answer.json()
    assert figures["ready_count"] == 4
    assert [one["p"] for one in figures["percentiles"]] == [50, 95]


async def test_blocked_keys(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("orders", policy="key_strict_fifo")
    add_jobs(database_url, "orders", 1, state="'failed'", singleton_key="'k1'", policy="'key_strict_fifo'")
    assert (await api.get("/api/blocked-keys/orders")).json() == ["k1"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/queues/no spaces", {}),
        ("PUT", "/api/queues/mail", {"retry_limit": -1}),
        ("PUT", "/api/queues/mail", {"nonsense": 1}),
        ("PATCH", "/api/queues/mail", {}),
        ("PATCH", "/api/queues/mail", {"policy": "short"}),
        ("POST", "/api/queues/mail/purge", {"which": "some"}),
        ("GET", "/api/queues?limit=0", None),
        ("GET", "/api/stats/mail?percentiles=101", None),
        ("GET", "/api/stats/mail?start=2026-01-01T00:00:00", None),
        ("GET", "/api/blocked-keys/mail", None),
    ],
)
async def test_bad_input(api: httpx.AsyncClient, boss: PgBoss, method: str, path: str, body: Any) -> None:
    await boss.create_queue("mail")
    answer = await api.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/queues/none", None),
        ("PATCH", "/api/queues/none", {"retry_limit": 1}),
        ("DELETE", "/api/queues/none", None),
        ("POST", "/api/queues/none/purge", {"which": "all"}),
        ("POST", "/api/queues/none/pause", None),
        ("GET", "/api/stats/none", None),
        ("GET", "/api/blocked-keys/none", None),
        ("POST", "/api/redrive/none", {}),
        ("POST", "/api/redrive-preview/none", {}),
    ],
)
async def test_unknown_queues(api: httpx.AsyncClient, method: str, path: str, body: Any) -> None:
    answer = await api.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (404, "queue_not_found")
