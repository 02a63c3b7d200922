"""Queues and operations in a browser: on real data, by people of all kinds, and live."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest
from playwright.async_api import Browser, Page, expect

from pgboss import SyncPgBoss
from support.postgres import sql
from support.web import serving

Camera: TypeAlias = Callable[[Page, str], Awaitable[None]]

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = {
    "overview": "/",
    "queues": "/queues",
    "queue": "/queues/document-parse?span=6h",
    "create-queue": "/create-queue",
    "instances": "/instances?show=all",
    "warnings": "/warnings",
    "builds": "/builds",
}


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
        _fill(boss, database_url)
        yield Shop(boss, url, database_url)


@pytest.mark.parametrize("name", PAGES)
async def test_pages_are_for_everybody(browser: Browser, page: Page, shop: Shop, camera: Camera, name: str) -> None:
    """In light and dark and on a phone, axe finds nothing serious, and nothing is wider than the screen."""
    await page.goto(shop.url + PAGES[name])
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its two words
        await page.set_viewport_size({"width": width, "height": 900})
        await expect(page.locator("h1")).to_be_visible()
        await camera(page, f"{name}-{scheme}-{width}")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width}"
        assert await _serious(browser, page) == []


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


async def _serious(browser: Browser, page: Page) -> list[str]:
    """What axe finds, in a context whose policy lets it be put in."""
    context = await browser.new_context(bypass_csp=True, viewport=page.viewport_size)
    try:
        other = await context.new_page()
        scheme = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
        await other.emulate_media(color_scheme=scheme)
        await other.goto(page.url)
        await other.add_script_tag(path=AXE)
        found: dict[str, Any] = await other.evaluate("axe.run()")
    finally:
        await context.close()
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def _queue(shop: Shop, name: str) -> Any:
    queue = shop.boss.get_queue(name)
    assert queue is not None
    return queue


def _fill(boss: SyncPgBoss, url: str) -> None:
    boss.create_queue("dead-letters")
    for name, options in {
        "document-parse": {"dead_letter": "dead-letters", "heartbeat_seconds": 60},
        "document-embed": {"policy": "key_strict_fifo"},
        "mail": {},
        "invoices/monthly": {"policy": "singleton"},
        "quiet": {},
    }.items():
        boss.create_queue(name, **options)  # type: ignore[arg-type]  # keywords of different types
    boss.subscribe("document.uploaded", "document-parse")
    boss.insert("mail", [{"data": {"to": f"{number}@example.com"}} for number in range(7)])
    boss.insert("document-parse", [{"data": {"page": number}} for number in range(30)])
    boss.fetch("document-parse", batch_size=4)
    _record(url)


def _record(url: str) -> None:
    """What an upkeep would have found and recorded in the last hours, and what instances tell of themselves."""
    for statement in (
        "UPDATE pgboss.queue SET ready_count = 26, queued_count = 26, active_count = 4, failed_count = 12,"
        " total_count = 8042, failed_delta = 3, completed_delta = 40, delta_on = now(), monitor_on = now()"
        " WHERE name = 'document-parse'",
        "UPDATE pgboss.queue SET ready_count = 7, queued_count = 7, total_count = 7, monitor_on = now()"
        " WHERE name = 'mail'",
        "UPDATE pgboss.job SET start_after = now() - interval '17 minutes' WHERE name = 'mail'",
        "INSERT INTO pgboss.queue_stats (name, ready_count, queued_count, active_count, created_delta, completed_delta,"
        " failed_delta, captured_on, delta_seconds, delta_on, wait_bins, run_bins)"
        " SELECT 'document-parse', 30 + 20 * sin(n / 15.0), 45 + 20 * sin(n / 15.0), 4 + n % 3,"
        " 40 + 15 * sin(n / 9.0), 38 + 15 * sin(n / 10.0), greatest(0, 4 * sin(n / 20.0))::int,"
        " now() - n * interval '1 minute', 60, now() - n * interval '1 minute',"
        " array_fill(0, ARRAY[8]) || ARRAY[5, 20, 9, 2 + n % 4, 1],"
        " array_fill(0, ARRAY[12]) || ARRAY[2, 9, 20, 6, n % 3]"
        " FROM generate_series(0, 400) n",
        "INSERT INTO pgboss.warning (type, message, data, created_on)"
        " SELECT (ARRAY['queue_backlog', 'slow_query'])[1 + n % 2], 'Queue mail has ' || n || ' queued jobs.',"
        """ '{"queue": "mail", "limit": 5}',"""
        " now() - n * interval '7 minutes' FROM generate_series(1, 8) n",
        "INSERT INTO pgboss.bam (name, version, status, table_name, command, error) VALUES"
        " ('create_index_py', 46, 'completed', 'job_common', 'CREATE INDEX CONCURRENTLY job_i14 ON job (name)', NULL),"
        " ('create_index_py', 46, 'failed', 'job_common', 'CREATE INDEX CONCURRENTLY job_i15 ON pgboss.job (id)',"
        " 'canceling statement due to lock timeout')",
        "INSERT INTO pgboss.instance (id, name, host, pid, version, node_version, heartbeat_seconds, supervise,"
        " schedule, migrate, persist_queue_stats, persist_warnings, workers, metrics, config, started_on, heartbeat_on)"
        " SELECT gen_random_uuid(), 'worker-' || n, 'host-' || n, 4000 + n, '1.0.0',"
        " CASE n WHEN 3 THEN 'v22.1.0' ELSE 'Python 3.12.4' END, 60, true, true, true, true, true,"
        """ '[{"queue": "document-parse", "active": 2, "localConcurrency": 5, "lastFetchedOn": "2026-01-01T00:00Z"},"""
        """ {"queue": "quiet", "active": 0, "localConcurrency": 2}]', '{"rss": 187654321, "cpu": 0.21}', '{}',"""
        " now() - n * interval '5 hours', now() FROM generate_series(1, 3) n",
    ):
        sql(url, statement)
