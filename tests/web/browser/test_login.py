"""Logging in with a key, and what somebody who may only look is shown and refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import BrowserContext, Page, expect

from pgboss import SyncPgBoss
from pgboss.web import ApiKey, WebOptions
from support.axe import serious_problems
from support.web import serving

KEYS = WebOptions(keys=(ApiKey("grafana", "read", "look-secret"), ApiKey("ada", "full", "full-secret")))


async def log_in(page: Page, key: str) -> None:
    await page.get_by_label("API key").fill(key)
    await page.get_by_role("button", name="Log in").click()


async def test_in_and_out(page: Page, context: BrowserContext, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url, KEYS) as url:
        boss.create_queue("mail")
        await page.goto(f"{url}/audit?before=7")
        assert await serious_problems(page) == []
        await log_in(page, "full-secret")
        await expect(page).to_have_url(f"{url}/audit?before=7")
        await expect(page.get_by_text("ada")).to_be_visible()
        [cookie] = await context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        await page.goto(url)
        await expect(page.get_by_label("API key")).to_be_visible()


async def test_in_read_only_mode_nothing_can_be_changed(page: Page, refusals: set[int], database_url: str) -> None:
    refusals.add(403)
    writing, looking = serving(database_url, KEYS), serving(database_url, replace(KEYS, read_only=True))
    with SyncPgBoss(database_url) as boss, looking as url, writing as other:
        boss.create_queue("mail")
        await page.goto(other)
        await log_in(page, "full-secret")
        await page.goto(f"{other}/jobs")
        await expect(page.get_by_role("link", name="Send a job")).to_have_count(2)

        await page.goto(url)
        await log_in(page, "full-secret")
        await expect(page.get_by_text("read only")).to_be_visible()
        await page.goto(f"{url}/jobs")
        await expect(page.get_by_role("link", name="Send a job")).to_have_count(0)
        # Tried all the same: by its address, and by a form that somebody had open before.
        await page.goto(f"{url}/send?queue=mail")
        await expect(page.get_by_role("alert")).to_have_text("ada may look, and change nothing.")
        await page.goto(url)
        await page.evaluate(
            """() => {
                const form = document.querySelector("form[action$='/logout']");
                form.action = form.action.replace("/logout", "/send");
                form.submit();
            }"""
        )
        await expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_text("ada may look, and change nothing.")
        assert boss.find_jobs("mail") == []


@pytest.mark.parametrize("width", [360, 1280])
async def test_a_wrong_key_is_told(page: Page, refusals: set[int], database_url: str, width: int) -> None:
    refusals.add(401)
    with SyncPgBoss(database_url), serving(database_url, KEYS) as url:
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(url)
        await log_in(page, "wrong")
        await expect(page.get_by_role("alert")).to_have_text("There is no such key.")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
