"""Several sites behind one address: each page stays in its own, and leads to the same page of the others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from pgboss import PgBoss, SyncPgBoss
from pgboss.web import ApiKey, WebOptions, app
from pgboss.web.sites import together
from support.job_samples import CAUSE, QUEUE, fill
from support.pages import addresses, at
from support.visitor import visiting
from support.web import calling

BASE = "/ops"
ADDRESS = re.compile(r'\s(?:href|src|action|formaction|hx-get|hx-post|data-follows|data-saved-filters)="([^"#]*)"')
SWITCH = re.compile(r'<nav aria-label="Sites">.*?</nav>', re.DOTALL)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[PgBoss]:
    """A second schema of the database."""
    async with PgBoss(database_url, schema="other", work=False, supervise=False, schedule=False) as boss:
        yield boss


def both(one: PgBoss, two: PgBoss, options: WebOptions | None = None) -> Starlette:
    sites = together({"one": app(one, options, name="one"), "two": app(two, options, name="two")})
    return Starlette(routes=[Mount(BASE, sites)])


async def test_every_page_leads_only_to_its_own_site_but_for_the_switch(
    boss: PgBoss, other: PgBoss, database_url: str
) -> None:
    with SyncPgBoss(database_url, schema="other") as client:
        ids = fill(client)
    async with visiting(both(boss, other), f"{BASE}/two") as visitor:
        for address in addresses():
            text = (await visitor.look(at(address, ids, queue=QUEUE, cause=CAUSE))).text
            [switch] = SWITCH.findall(text)
            found = set(ADDRESS.findall(text.replace(switch, ""))) - {""}
            assert {one for one in found if not one.startswith((f"{BASE}/two/", "?"))} == set(), address
            to_one, to_two = ADDRESS.findall(switch)
            assert to_one.removeprefix(f"{BASE}/one") == to_two.removeprefix(f"{BASE}/two")


async def test_forms_change_their_own_site(boss: PgBoss, other: PgBoss) -> None:
    await boss.create_queue("mail")
    await other.create_queue("mail")
    async with visiting(both(boss, other), f"{BASE}/two") as visitor:
        sent = await visitor.send("/send", queue="mail")
        [job] = await other.find_jobs("mail")
        assert sent.headers["location"] == f"{BASE}/two/jobs/{job.id}"
        assert "The job is sent." in (await visitor.follow(sent)).text
        assert await boss.find_jobs("mail") == []
        assert "send" in (await visitor.look("/audit")).text
    async with visiting(both(boss, other), f"{BASE}/one") as visitor:
        assert "Nobody has changed anything yet." in (await visitor.look("/audit")).text


async def test_a_key_looks_or_changes_in_all_of_them(boss: PgBoss, other: PgBoss) -> None:
    options = WebOptions(keys=(ApiKey("grafana", "read", "look-secret"), ApiKey("ada", "full", "full-secret")))
    async with calling(both(boss, other, options)) as client:
        for site in ("one", "two"):
            queue = f"{BASE}/{site}/api/queues/mail"
            assert (await client.put(queue, json={})).status_code == 401
            assert (await client.put(queue, json={}, headers={"X-API-Key": "look-secret"})).status_code == 403
            assert (await client.put(queue, json={}, headers={"X-API-Key": "full-secret"})).status_code == 200
            assert (await client.get(queue, headers={"X-API-Key": "look-secret"})).status_code == 200


async def test_somebody_goes_from_site_to_site(boss: PgBoss, other: PgBoss) -> None:
    async with visiting(both(boss, other), BASE) as visitor:
        for page in ("/jobs?state=failed", "/queues", "/schedules/new", "/"):
            switch = SWITCH.search((await visitor.look(f"/one{page}")).text)
            assert switch
            there = ADDRESS.findall(switch[0])[1]
            assert there == f"{BASE}/two/{page.split('?')[0].split('/')[1]}"
            assert 'aria-current="true">two<' in (await visitor.look(there.removeprefix(BASE))).text
