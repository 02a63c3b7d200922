"""The first page in a browser."""

from __future__ import annotations

from playwright.async_api import Page, expect

from pgboss import SyncPgBoss
from support.web import serving


async def test_queues_are_listed(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        boss.create_queue("mail")
        await page.goto(url)
        await expect(page.get_by_text("mail")).to_be_visible()


async def test_the_navigation_leads_to_pages_that_exist(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url), serving(database_url) as url:
        await page.goto(url)
        for link in await page.get_by_role("navigation").get_by_role("link").all():
            address = await link.get_attribute("href")
            answer = await page.request.get(f"{url}{address}")
            assert answer.status == 200
