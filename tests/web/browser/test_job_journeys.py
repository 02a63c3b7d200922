"""What people do about jobs, in a browser, on real data."""

from __future__ import annotations

import re
from urllib.parse import quote

from playwright.async_api import Page, expect
from pydantic import BaseModel

from pgboss import Job, Jobs, SyncPgBoss
from support.job_samples import fill
from support.web import serving

jobs = Jobs()
TO_ADA = quote('{"to": "ada"}')
LIVE_MILLISECONDS = 30_000


IS_REFUSED = """() => new Promise((resolve) => {
    document.body.addEventListener("htmx:beforeRequest", (event) => resolve(event.defaultPrevented));
    setInterval(() => document.body.dispatchEvent(new CustomEvent("pgboss:counts")), 100);
})"""


class Parcel(BaseModel):
    street: str
    weight_grams: int


@jobs.job("parcels", retry_limit=0)
async def deliver(parcel: Parcel, job: Job) -> dict[str, str]:
    """Fails at first, and succeeds when somebody has it retried."""
    if job.retry_count == 0 and parcel.weight_grams > 1000:
        raise RuntimeError("The parcel is too heavy")
    return {"left_at": parcel.street}


async def test_a_failed_job_is_retried_and_seen_completed_live(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url, jobs=jobs, work=True) as url:
        id = boss.send("parcels", {"street": "Elm Street 1", "weight_grams": 2000})
        await page.goto(f"{url}/jobs/{id}")
        heading = page.get_by_role("heading", level=1)
        await expect(heading).to_contain_text("failed", timeout=LIVE_MILLISECONDS)
        await expect(page.get_by_text("The parcel is too heavy").first).to_be_visible()
        await page.get_by_role("button", name="Retry").click()
        await expect(page.get_by_role("status").filter(has_text="one more attempt")).to_be_visible()
        # From here on nobody touches the page.
        await expect(heading).to_contain_text("completed", timeout=LIVE_MILLISECONDS)
        await expect(page.locator("#job-around")).to_contain_text("Elm Street 1")
        await expect(page.get_by_role("button", name="Retry")).to_have_count(0)


async def test_the_dead_letters_of_a_cause_are_redriven(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        fill(boss)
        await page.goto(f"{url}/failures")
        group = page.get_by_role("article").filter(has_text="cannot be read")
        await group.get_by_role("link", name="Redrive dead letters").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Redrive 3 dead letters?")
        await expect(page.get_by_role("row", name="documents/dead documents/parse 3")).to_be_visible()
        await page.get_by_role("button", name="Redrive them").click()
        await expect(page.get_by_role("status").filter(has_text="3 jobs are on their way again.")).to_be_visible()
        assert len(boss.find_jobs("documents/dead")) == 1


async def test_a_schedule_is_made_while_its_next_runs_are_shown(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        boss.create_queue("mail")
        await page.goto(f"{url}/schedules")
        await page.get_by_role("link", name="New schedule").first.click()
        # What is typed before the scripts are there is previewed by nobody.
        await page.wait_for_load_state()
        await page.get_by_label("Queue", exact=True).fill("mail")
        await page.get_by_label("Expression").fill("30 6 24 12 *")
        runs = page.locator("#next-runs")
        await expect(runs.get_by_role("row")).to_have_count(11)
        await page.get_by_label("Time zone").fill("Asia/Kathmandu")
        await expect(runs.get_by_role("columnheader").first).to_have_text("In Asia/Kathmandu")
        await expect(runs.get_by_role("cell").first).to_contain_text("06:30:00 +05:45")
        # The browser is in Berlin.
        await expect(runs.get_by_role("cell").nth(1)).to_contain_text("01:45")
        await page.get_by_label("Data").fill('{"to": }')
        await page.get_by_role("button", name="Make the schedule").click()
        await expect(page.get_by_text("This is not JSON: expecting value at line 1, column 8.")).to_be_visible()
        await page.get_by_label("Data").fill('{"to": "ada"}')
        await page.get_by_role("button", name="Make the schedule").click()
        await expect(page.get_by_role("status").filter(has_text="The schedule is made.")).to_be_visible()
        await page.get_by_role("button", name="Run now").click()
        await expect(page.get_by_role("status").filter(has_text="Its job is sent.")).to_be_visible()
        [job] = boss.find_jobs("mail")
        assert job.data == {"to": "ada"}


async def test_jobs_are_cancelled_in_bulk_after_a_look_at_what_that_touches(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        boss.create_queue("mail")
        boss.insert("mail", [{"data": {"to": to}} for to in ("ada", "ada", "bob")])
        await page.goto(f"{url}/jobs?queue=mail&column=id&column=state&column=data.to&data={TO_ADA}")
        await page.get_by_label("Action").select_option("cancel")
        await page.get_by_role("button", name="All that match").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 2 jobs?")
        assert {job.state for job in boss.find_jobs("mail")} == {"created"}
        await page.get_by_role("button", name="Cancel them").click()
        await expect(page.get_by_role("status").filter(has_text="2 jobs are cancelled.")).to_be_visible()
        assert sorted(job.state for job in boss.find_jobs("mail")) == ["cancelled", "cancelled", "created"]


async def test_selected_jobs_are_deleted(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        boss.create_queue("mail")
        boss.insert("mail", [{"data": number} for number in range(3)])
        await page.goto(f"{url}/jobs")
        await page.get_by_label("Select all on this page").check()
        await page.get_by_label(re.compile("Select job")).first.uncheck()
        await page.get_by_label("Action").select_option("delete")
        await page.get_by_role("button", name="The selected").click()
        await page.get_by_role("button", name="Delete them").click()
        await expect(page.get_by_role("status").filter(has_text="2 jobs are deleted.")).to_be_visible()
        assert len(boss.find_jobs("mail")) == 1


async def test_a_filter_is_saved_in_the_browser(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url), serving(database_url) as url:
        await page.goto(f"{url}/jobs?state=failed&created_from=2h")
        await page.get_by_text("Saved filters").click()
        await page.get_by_label("Name of this filter").fill("Mine")
        await page.get_by_role("button", name="Save it in this browser").click()
        await page.goto(f"{url}/jobs")
        await page.get_by_text("Saved filters").click()
        await page.get_by_role("link", name="Mine").click()
        await expect(page).to_have_url(re.compile(r"\?state=failed&created_from=2h$"))
        await page.get_by_text("Saved filters").click()
        await page.get_by_role("button", name="Forget Mine").click()
        await expect(page.get_by_role("link", name="Mine")).to_have_count(0)


async def test_a_list_renews_itself_unless_something_is_selected(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url) as url:
        boss.create_queue("mail")
        boss.send("mail")
        await page.goto(f"{url}/jobs")
        rows = page.locator("#rows tr")
        await expect(rows).to_have_count(1)
        boss.send("mail")
        await page.evaluate("document.body.dispatchEvent(new CustomEvent('pgboss:counts'))")
        await expect(rows).to_have_count(2)
        await page.get_by_label(re.compile("Select job")).first.check()
        assert await page.evaluate(IS_REFUSED)


async def test_a_typed_job_is_sent_by_its_skeleton(page: Page, database_url: str) -> None:
    with SyncPgBoss(database_url) as boss, serving(database_url, jobs=jobs) as url:
        await page.goto(f"{url}/send")
        await page.get_by_label("Queue", exact=True).fill("parcels")
        await page.get_by_label("Queue", exact=True).blur()
        await expect(page.locator("#schema")).to_contain_text("weight_grams")
        await page.get_by_role("link", name="Begin with a skeleton").click()
        await expect(page.get_by_label("Data", exact=True)).to_have_value(re.compile('"weight_grams": 0'))
        await page.get_by_label("Data", exact=True).fill('{"street": "Elm Street 1"}')
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#error-data")).to_contain_text("weight_grams")
        await page.get_by_label("Data", exact=True).fill('{"street": "Elm Street 1", "weight_grams": 5}')
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("status").filter(has_text="The job is sent.")).to_be_visible()
        assert len(boss.find_jobs("parcels")) == 1
