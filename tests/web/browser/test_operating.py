"""Queues and operations in a browser: on real data, by people of all kinds, and live."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.async_api import Browser, Page, expect

from pgboss import SyncPgBoss
from support.operation_samples import fill
from support.postgres import sql
from support.web import serving

FIRST_FRAME_AFTER_RENEWAL = """() => new Promise((resolve) => {
  document.body.addEventListener("htmx:afterSwap", () => requestAnimationFrame(
    () => resolve(document.querySelectorAll(".chart canvas").length)), { once: true });
  document.body.dispatchEvent(new CustomEvent("pgboss:counts"));
})"""
"""How many charts are drawn when what has renewed itself is painted for the first time."""


class Shop(NamedTuple):
    """A database with something of everything in it, and where its dashboard is."""

    boss: SyncPgBoss
    url: str
    dsn: str


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        fill(boss, database_url)
        yield Shop(boss, url, database_url)


async def test_a_job_sent_elsewhere_changes_the_page(page: Page, shop: Shop) -> None:
    await page.goto(f"{shop.url}/queues/quiet")
    created = page.locator(".figure", has_text="Created").locator("dd")
    await expect(created).to_have_text("0")
    await page.evaluate("window.sameDocument = true")
    shop.boss.send("quiet", {})
    await expect(created).to_have_text("1", timeout=20_000)
    assert await page.evaluate("window.sameDocument")


async def test_charts_are_there_when_the_page_has_renewed_itself(page: Page, shop: Shop) -> None:
    await page.goto(shop.url)
    await expect(page.locator(".chart canvas")).to_have_count(3)
    for _ in range(2):
        assert await page.evaluate(FIRST_FRAME_AFTER_RENEWAL) == 3


async def test_a_queue_that_is_deleted_elsewhere_says_so(page: Page, refusals: set[int], shop: Shop) -> None:
    refusals.add(404)
    await page.goto(f"{shop.url}/queues/quiet")
    await expect(page.get_by_text("Live")).to_be_visible()
    shop.boss.delete_queue("quiet")
    await expect(page.get_by_role("heading", name="Not found")).to_be_visible(timeout=20_000)


async def test_the_life_of_a_queue(page: Page, refusals: set[int], shop: Shop) -> None:
    # The last is what a page hears that renews itself while its queue is deleted.
    refusals.update((422, 404))
    await page.goto(f"{shop.url}/queues")
    await page.get_by_role("link", name="Create a queue").click()
    await page.get_by_label("Name").fill("no spaces here")
    await page.get_by_role("button", name="Create the queue").click()
    await expect(page.locator("#error-name, .flash.bad").first).to_be_visible()
    await page.get_by_label("Name").fill("team/new")
    await page.get_by_role("button", name="Create the queue").click()
    await expect(page).to_have_url(f"{shop.url}/queues/team/new")

    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("team/new is paused")).to_be_visible()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("team/new is worked again")).to_be_visible()

    await page.get_by_text("Settings", exact=True).click()
    await page.get_by_label("Retry limit").fill("11")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("The settings are saved")).to_be_visible()
    assert _queue(shop, "team/new").retry_limit == 11

    shop.boss.send("team/new", {})
    await page.get_by_role("button", name="Delete waiting jobs…").click()
    await page.get_by_role("button", name="Delete them").click()
    await expect(page.get_by_text("1 waiting jobs of team/new were deleted")).to_be_visible()

    await page.get_by_role("button", name="Delete the queue…").click()
    sure = page.get_by_role("button", name="Delete the queue", exact=True)
    await expect(sure).to_be_disabled()
    await page.get_by_label("to confirm").fill("team/new")
    await sure.click()
    await expect(page).to_have_url(f"{shop.url}/queues")
    assert shop.boss.get_queue("team/new") is None


async def test_a_list_is_sorted_and_searched_by_the_keyboard(page: Page, shop: Shop) -> None:
    await page.goto(f"{shop.url}/queues")
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to the content")).to_be_focused()
    await page.get_by_role("link", name="Failed").focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"sort=-failed"))
    await expect(page.locator("tbody th").first).to_have_text("document-parse")
    await page.get_by_label("Search by name").fill("mail")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"search=mail.*sort=-failed"))
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_on_a_phone_the_entry_of_the_page_is_in_view(page: Page, shop: Shop) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    for address, name in (("/audit", "Record"), ("/jobs?state=cancelled", "Cancelled")):
        await page.goto(shop.url + address)
        await expect(page.get_by_role("link", name=name)).to_be_in_viewport()


async def test_a_theme_is_kept(page: Page, shop: Shop) -> None:
    await page.emulate_media(color_scheme="light")
    await page.goto(shop.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.get_by_role("button", name="Dark colours").click()
    dark = await page.evaluate(ground)
    await page.goto(f"{shop.url}/queues")
    assert (await page.evaluate(ground), light != dark) == (dark, True)


async def test_times_are_in_the_zone_of_who_looks(page: Page, shop: Shop) -> None:
    sql(shop.dsn, "UPDATE pgboss.queue SET created_on = '2025-07-01T12:00:00.123Z' WHERE name = 'mail'")
    await page.goto(f"{shop.url}/queues/mail")
    created = page.locator('time[datetime^="2025-07-01T12:00:00"]')
    # Berlin, in summer.
    await expect(created).to_have_text(re.compile(r"Jul 1, 2025.*(02:00 PM|14:00)"))
    assert re.search(r"00\.123.*GMT\+02:00", await created.get_attribute("title") or "")


async def test_an_instance_is_paused(page: Page, shop: Shop) -> None:
    await page.goto(f"{shop.url}/instances")
    await page.get_by_role("button", name="Pause").first.click()
    await expect(page.get_by_text("The instance is paused")).to_be_visible()
    assert len(shop.boss.get_pauses()) == 1
    await page.get_by_role("button", name="Resume").first.click()
    await expect(page.get_by_text("claims jobs again")).to_be_visible()


async def test_pages_can_be_read_without_scripts(browser: Browser, shop: Shop) -> None:
    context = await browser.new_context(java_script_enabled=False)
    try:
        page = await context.new_page()
        await page.goto(f"{shop.url}/queues/document-parse")
        await expect(page.get_by_text("UTC").first).to_be_visible()
        await page.get_by_role("button", name="Delete waiting jobs…").click()
        await page.get_by_role("button", name="Delete them").click()
        await expect(page.get_by_text("were deleted")).to_be_visible()
    finally:
        await context.close()


def _queue(shop: Shop, name: str) -> Any:
    queue = shop.boss.get_queue(name)
    assert queue is not None
    return queue
