"""Schedules, redrive, subscriptions, instances, warnings and builds over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import WebOptions, app
from support.postgres import sql
from support.upkeep import add_job
from support.web import calling

UNKNOWN = UUID(int=1)


async def test_a_schedule_is_made_paused_and_made_again(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    wanted: dict[str, Any] = {"expression": "0 6 * * *", "tz": "Europe/Zurich", "data": {"to": "ada"}}
    wanted |= {"missed": "once", "options": {"priority": 3, "group_id": "g", "singleton_seconds": 60}}
    answer = await api.put("/api/schedules/mail?key=k", json=wanted)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["queue"], made["key"], made["data"], made["missed"]) == ("mail", "k", {"to": "ada"}, "once")
    assert (await api.get("/api/schedules/mail?key=k")).json() == made
    assert (await api.get("/api/schedules")).json() == [made]
    paused = (await api.post("/api/schedules/pause", json={"queue": "mail", "key": "k"})).json()
    assert paused == made
    assert (await api.get("/api/schedules")).json() == []
    again = {name: paused[name] for name in ("expression", "tz", "data", "missed", "options")}
    resumed = (await api.put("/api/schedules/mail?key=k", json=again)).json()
    times = {"created_at": None, "updated_at": None}
    assert resumed | times == paused | times
    assert (await api.delete("/api/schedules/mail?key=k")).status_code == 204
    assert (await api.delete("/api/schedules/mail?key=k")).json()["error"] == "schedule_not_found"


async def test_options_that_nobody_could_ask_for(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *")
    sql(database_url, """UPDATE pgboss.schedule SET options = '{"retryLimit": -1}'""")
    [found] = (await api.get("/api/schedules")).json()
    assert found["options"] is None


async def test_running_a_schedule_sends_its_job(api: httpx.AsyncClient, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *", {"to": "ada"}, priority=3)
    id = (await api.post("/api/schedules/run", json={"queue": "mail"})).json()["id"]
    job = await boss.get_job(id)
    assert job is not None
    assert (job.name, job.data, job.priority) == ("mail", {"to": "ada"}, 3)


async def test_a_preview_stores_nothing(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/schedules/preview", params={"expression": "0 6 * * *", "count": 3})
    assert len(answer.json()) == 3
    assert (await api.get("/api/schedules")).json() == []


async def test_redacted_keys_do_not_leave(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *", {"deep": [{"Password": "hush", "to": "ada"}]})
    async with calling(app(boss, WebOptions(redact=frozenset({"password"})))) as client:
        [found] = (await client.get("/api/schedules")).json()
    assert found["data"] == {"deep": [{"Password": "[redacted]", "to": "ada"}]}


async def test_a_redrive_moves_what_its_preview_counts(api: httpx.AsyncClient, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", dead_letter="dead")
    for to in ("ada", "bob"):
        add_job(database_url, "dead", source_name="'mail'", data=f"""'{{"to": "{to}"}}'""")
    filters = {"data": {"to": "ada"}}
    preview = (await api.post("/api/redrive-preview/dead", json=filters)).json()
    assert preview == {"total": 1, "destinations": {"mail": 1}, "unroutable": 0}
    assert (await api.post("/api/redrive/dead", json=filters)).json() == {"moved": 1}
    assert (await api.post("/api/redrive/dead", json={"limit": 10})).json() == {"moved": 1}
    [first, _] = sql(database_url, "SELECT what FROM pgboss.py_audit ORDER BY id")
    assert "ada" not in str(first)


async def test_events_reach_subscribers(api: httpx.AsyncClient, boss: PgBoss) -> None:
    for queue in ("a", "b"):
        await boss.create_queue(queue)
        assert (await api.put("/api/subscriptions", params={"event": "paid", "queue": queue})).status_code == 204
    first = (await api.get("/api/subscriptions", params={"limit": 1})).json()
    rest = (await api.get("/api/subscriptions", params={"after_event": "paid", "after_queue": "a"})).json()
    assert [(one["event"], one["queue"]) for one in first + rest] == [("paid", "a"), ("paid", "b")]
    jobs = (await api.post("/api/publish", json={"event": "paid", "data": 1})).json()["jobs"]
    assert set(jobs) == {"a", "b"}
    assert (await api.delete("/api/subscriptions", params={"event": "paid", "queue": "a"})).status_code == 204
    assert [one["queue"] for one in (await api.get("/api/subscriptions")).json()] == ["b"]


async def test_instances(api: httpx.AsyncClient, boss: PgBoss) -> None:
    [found] = (await api.get("/api/instances")).json()
    assert (found["id"], found["live"]) == (str(boss.id), True)
    assert (await api.post(f"/api/instances/{boss.id}/pause")).status_code == 204
    assert [one["target"] for one in (await api.get("/api/pauses")).json()] == [str(boss.id)]
    assert (await api.post(f"/api/instances/{boss.id}/resume")).json() == {"was_paused": True}


async def test_warnings_page_by_page(api: httpx.AsyncClient, database_url: str) -> None:
    sql(
        database_url,
        "INSERT INTO pgboss.warning (type, message, data, created_on) "
        "SELECT 'kind' || n % 2, n::text, '{}', now() - n * interval '1 minute' FROM generate_series(1, 4) n",
    )
    first = (await api.get("/api/warnings", params={"limit": 2})).json()
    place = {"before_at": first[-1]["created_at"], "before_id": first[-1]["id"]}
    rest = (await api.get("/api/warnings", params=place)).json()
    assert [one["message"] for one in first + rest] == ["1", "2", "3", "4"]
    assert [one["message"] for one in (await api.get("/api/warnings", params={"type": "kind0"})).json()] == ["2", "4"]


async def test_builds(api: httpx.AsyncClient, database_url: str) -> None:
    sql(
        database_url,
        "INSERT INTO pgboss.bam (name, version, status, table_name, command) "
        "VALUES ('x', 46, 'completed', 'job', 'SELECT')",
    )
    assert [(one["status"], one["count"]) for one in (await api.get("/api/builds/status")).json()] == [("completed", 1)]
    assert [(one["name"], one["table"]) for one in (await api.get("/api/builds")).json()] == [("x", "job")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/schedules/mail", {"expression": "never"}),
        ("PUT", "/api/schedules/mail", {"expression": "* * * * *", "tz": "Mars/Base"}),
        ("POST", "/api/schedules/preview?expression=never", None),
        ("POST", "/api/schedules/run", {}),
        ("POST", "/api/redrive/mail", {"limit": 0}),
        ("POST", "/api/redrive-preview/mail", {"created_before": "2026-01-01T00:00:00"}),
        ("PUT", "/api/subscriptions?event=&queue=mail", None),
        ("POST", "/api/publish", {"event": ""}),
        ("GET", f"/api/instances?after={UNKNOWN}", None),
        ("GET", f"/api/warnings?before_id={UNKNOWN}", None),
        ("GET", f"/api/builds?after={UNKNOWN}", None),
        ("POST", "/api/instances/nobody/pause", None),
    ],
)
async def test_bad_input(api: httpx.AsyncClient, boss: PgBoss, method: str, path: str, body: Any) -> None:
    await boss.create_queue("mail")
    answer = await api.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
