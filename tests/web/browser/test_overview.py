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
