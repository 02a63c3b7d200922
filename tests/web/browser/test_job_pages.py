"""The pages about jobs in a browser: how they look, and that everybody can use them."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from pgboss import SyncPgBoss
from support.axe import serious_problems
from support.console import errors_of
from support.job_samples import fill
from support.web import serving
from web.browser.conftest import Camera

LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
}
CAUSE = "RuntimeError%3A%20Document%20%3Cn%3E%20of%20batch%20%3Cn%3E%20cannot%20be%20read"
PAGES = {
    "of jobs": {
        "jobs": "/jobs",
        "jobs-filtered": "/jobs?queue=documents/parse&state=failed&created_from=1h&column=id&column=data.path,error",
        "jobs-none": "/jobs?state=expired",
        "jobs-wrong": "/jobs?data=%7B",
        "jobs-act": "/jobs/act?action=cancel&queue=mail",
    },
    "of a job": {
        "job-failed": "/jobs/{failed}",
        "job-completed": "/jobs/{completed}",
        "job-flow": "/jobs/{flow}",
        "job-dead-letter": "/jobs/{dead letter}",
        "send": "/send?queue=mail",
    },
    "of failures": {
        "failures": "/failures",
        "failures-redrive": f"/failures/redrive?cause={CAUSE}",
        "failures-retry": f"/failures/retry?cause={CAUSE}",
    },
    "of schedules": {
        "schedules": "/schedules",
        "schedule": "/schedule?queue=mail&key=news",
        "schedule-new": "/schedules/new?queue=mail",
        "schedule-edit": "/schedule/edit?queue=mail&key=news",
    },
}


@pytest.mark.parametrize("pages", PAGES)
@pytest.mark.parametrize("look", LOOKS)
async def test_everybody_can_use_them(
    browser: Browser, database_url: str, camera: Camera, look: str, pages: str
) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        ids = fill(boss)
        ids["failed"] = next(job.id for job in boss.find_jobs("documents/parse") if job.state == "failed")
        context = await browser.new_context(timezone_id="Europe/Berlin", **LOOKS[look])  # type: ignore[arg-type]  # a table
        page = await context.new_page()
        said = errors_of(page)
        problems = []
        for name, path in PAGES[pages].items():
            await page.goto(f"{url}{path.format_map(ids)}")
            await camera(page, f"{name}-{look}")
            problems += [f"{name}: {problem}" for problem in await serious_problems(page)]
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        await context.close()
    assert (problems, said) == ([], [])
