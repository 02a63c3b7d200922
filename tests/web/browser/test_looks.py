"""How every page looks, and that everybody can use it: in light and dark, and on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, ViewportSize

from pgboss import SyncPgBoss
from support import job_samples, operation_samples
from support.axe import serious_problems
from support.pages import PAGES, at
from support.web import serving
from web.browser.conftest import Camera

WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)


@pytest.mark.parametrize("pages", PAGES)
async def test_everybody_can_use_them(page: Page, database_url: str, camera: Camera, pages: str) -> None:
    """axe finds nothing serious, nothing is wider than the screen, and the console is silent."""
    problems = []
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        ids = job_samples.fill(boss)
        operation_samples.fill(boss, database_url, busy=job_samples.QUEUE)
        for name, address in PAGES[pages].items():
            await page.goto(url + at(address, ids, queue=job_samples.QUEUE, cause=job_samples.CAUSE))
            for look, scheme, size in (("light", "light", WIDE), ("dark", "dark", WIDE), ("phone", "light", NARROW)):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its two words
                await page.set_viewport_size(size)
                await camera(page, f"{name}-{look}")
                problems += [f"{name}, {look}: {problem}" for problem in await serious_problems(page)]
                if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    problems.append(f"{name}, {look}: wider than the screen")
    assert problems == []
