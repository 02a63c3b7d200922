"""A browser that looks at the dashboard: Debian's Chromium, driven by Playwright.

All of these tests share an event loop, to which the browser belongs. What they serve runs in a thread of its own
(``support.web.serving``), so that a test may prepare jobs with ``SyncPgBoss``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from support.console import errors_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# It tries to reach its maker's hosts otherwise; and root has no sandbox.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Its caret is left alone: to hide it, Playwright would add a style that the page's policy refuses.
SCREENSHOTS = os.environ.get("SCREENSHOTS")

# Four share the machine, as everywhere in the suite.
expect.set_options(timeout=10_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Berlin")
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@pytest.fixture
def refusals() -> set[int]:
    """The statuses that a test provokes: a browser's console reports them as errors."""
    return set()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, refusals: set[int]) -> AsyncIterator[Page]:
    """A page of a browser; whatever its console reports as an error fails the test, but for ``refusals``."""
    page = await context.new_page()
    said = errors_of(page)
    yield page
    provoked = [f"responded with a status of {status} " for status in refusals]
    assert [text for text in said if not any(part in text for part in provoked)] == []


class Camera(Protocol):
    """Keep a picture of a page under this name, in the folder that SCREENSHOTS names, if any."""

    async def __call__(self, page: Page, name: str) -> None: ...


@pytest.fixture
def camera() -> Camera:
    async def take(page: Page, name: str) -> None:
        if SCREENSHOTS:
            # Playwright makes the folder.
            await page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True, caret="initial")

    return take
