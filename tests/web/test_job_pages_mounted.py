"""Under any base path, pages lead only to where they live."""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.routing import Mount

from pgboss import PgBoss, SyncPgBoss
from pgboss.web import app
from support.job_samples import CAUSE, QUEUE, fill
from support.pages import addresses, at
from support.visitor import visiting

BASE = "/admin/jobs"
ADDRESS = re.compile(r'\s(?:href|src|action|formaction|hx-get|hx-post|data-follows|data-saved-filters)="([^"#]*)"')


async def test_every_address_of_every_page_is_within(boss: PgBoss, database_url: str) -> None:
    with SyncPgBoss(database_url) as client:
        ids = fill(client)
    async with visiting(Starlette(routes=[Mount(BASE, app(boss))]), BASE) as visitor:
        for address in addresses():
            path = at(address, ids, queue=QUEUE, cause=CAUSE)
            found = set(ADDRESS.findall((await visitor.look(path)).text)) - {""}
            assert found, path
            assert {one for one in found if not one.startswith((f"{BASE}/", "?"))} == set(), path


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
