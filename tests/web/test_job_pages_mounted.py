"""Under any base path, the pages about jobs lead only to where they live."""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.routing import Mount

from pgboss import Flow, PgBoss
from pgboss.web import app
from support.visitor import visiting

BASE = "/admin/jobs"
ADDRESS = re.compile(r'\s(?:href|src|action|formaction|hx-get|hx-post|data-follows|data-saved-filters)="([^"#]*)"')


async def test_every_address_of_every_page_is_within(boss: PgBoss) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", retry_limit=0, dead_letter="dead")
    await boss.schedule("mail", "@daily")
    await boss.send("mail", {"to": "ada"})
    [job] = await boss.fetch("mail")
    await boss.fail("mail", job, {"message": "no such address"})
    flow = Flow()
    flow.add("mail", after=flow.add("dead"))
    ids = await boss.flow(flow)
    pages = [
        "/jobs?queue=mail&state=failed&column=data.to",
        "/jobs/act?action=retry&queue=mail",
        f"/jobs/{job.id}",
        f"/jobs/{next(iter(ids.values()))}",
        "/failures",
        "/failures/retry?cause=no%20such%20address",
        "/failures/redrive?cause=no%20such%20address",
        "/schedules",
        "/schedules/new",
        "/schedule?queue=mail",
        "/schedule/edit?queue=mail",
        "/send?queue=mail",
    ]
    async with visiting(Starlette(routes=[Mount(BASE, app(boss))]), BASE) as visitor:
        for path in pages:
            found = set(ADDRESS.findall((await visitor.look(path)).text)) - {""}
            assert found, path
            assert {one for one in found if not one.startswith(f"{BASE}/")} == set(), path


async def test_forms_lead_to_pages_within(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    async with visiting(Starlette(routes=[Mount(BASE, app(boss))]), BASE) as visitor:
        sent = await visitor.send("/send", queue="mail")
        [job] = await boss.find_jobs("mail")
        assert sent.headers["location"] == f"{BASE}/jobs/{job.id}"
        assert "The job is sent." in (await visitor.follow(sent)).text
        cancelled = await visitor.send("/jobs/act?action=cancel&queue=mail")
        assert cancelled.headers["location"] == f"{BASE}/jobs?queue=mail"
        assert "1 job is cancelled." in (await visitor.follow(cancelled)).text
