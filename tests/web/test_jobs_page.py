"""The list of jobs, and acting on many."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from pgboss import PgBoss
from pgboss.web import Principal, WebOptions, app
from support.visitor import Visitor, visiting

SCRIPT = "<script>alert(1)</script>"
TO_ADA = quote('{"to": "ada"}')
READER = WebOptions(authenticate=lambda connection: Principal("eve", "read"))


def listed(text: str) -> list[str]:
    """The ids that a list shows, in its order."""
    return re.findall(r'<a class="mono[^"]*" href="[^"]*/jobs/([0-9a-f-]{36})', text)


async def test_without_jobs_the_page_says_so(visitor: Visitor) -> None:
    assert "No jobs yet" in (await visitor.look("/jobs")).text
    assert "No such jobs" in (await visitor.look("/jobs?state=failed")).text


async def test_filters_are_in_the_address(visitor: Visitor, boss: PgBoss) -> None:
    for queue in ("mail", "post"):
        await boss.create_queue(queue)
    wanted = await boss.send("mail", {"to": "ada", "copies": 1}, singleton_key="k")
    others = [await boss.send("mail", {"to": "bob"}), await boss.send("post", {"to": "ada"})]
    await boss.cancel("mail", [others[0]])  # type: ignore[list-item]  # it was sent
    assert len(listed((await visitor.look("/jobs")).text)) == 3
    narrowing = [
        "queue=mail&state=created",
        "key=k",
        f"queue=mail&data={TO_ADA}",
        "queue=mail&state=created&state=retry&created_from=1h",
        "queue=mail&state=created&created_from=2020-01-01T00:00",
    ]
    for query in narrowing:
        assert listed((await visitor.look(f"/jobs?{query}")).text) == [str(wanted)], query
    for query in ("created_before=1h", "finished_before=1d", "state=expired", "queue=mail&created_before=2020-01-01"):
        assert listed((await visitor.look(f"/jobs?{query}")).text) == [], query


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("queue=nowhere", "nowhere"),
        ("data={", "This is not JSON"),
        ("created_from=yesterday", "How long ago"),
        ("created_from=999999d", "longer ago than there are dates"),
        ("state=expired&state=failed", "stands alone"),
        ("after=elsewhere", "no place in this list"),
        ("state=lost", "state"),
    ],
)
async def test_what_is_wrong_with_a_filter_is_said(visitor: Visitor, query: str, problem: str) -> None:
    answer = await visitor.ask(f"/jobs?{query}")
    assert (answer.status_code, problem in answer.text) == (422, True), answer.text


async def test_pages_follow_one_another(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.insert("mail", [{"data": number} for number in range(120)])
    path, seen = "/jobs?queue=mail", list[str]()
    for _ in range(3):
        page = (await visitor.look(path)).text
        seen += listed(page)
        [path] = re.findall(r'<a class="button small" href="([^"]*)" rel="next">', page) or [""]
        path = path.replace("&amp;", "&")
    assert (len(seen), len(set(seen)), path) == (120, 120, "")
    assert "these are all" in page


async def test_columns_are_chosen_in_the_address(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.send("mail", {"to": {"name": "ada"}, "lines": [7, 8], "all": {"a": None}})
    page = (await visitor.look("/jobs?column=queue&column=data.to.name,data.lines.1&column=data.all&column=x")).text
    [head] = re.findall(r"<thead>.*?</thead>", page, re.DOTALL)
    labels = re.findall(r">([^<>]+)</th>", head)
    assert labels == ["Queue", "data.to.name", "data.lines.1", "data.all"]
    for value in (">ada<", ">8<", "{&#34;a&#34;: null}"):
        assert value in page


async def test_what_is_hidden_is_not_in_a_column_either(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.send("mail", {"token": "s3cret"})
    async with visiting(app(boss, WebOptions(redact=frozenset({"token"})))) as visitor:
        page = (await visitor.look("/jobs?column=data.token&column=data")).text
    assert ("s3cret" in page, page.count("[redacted]")) == (False, 2)


async def test_nothing_of_a_job_or_an_address_is_taken_for_html(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail", retry_limit=0)
    await boss.send("mail", {"to": SCRIPT}, singleton_key=SCRIPT)
    [job] = await boss.fetch("mail")
    await boss.fail("mail", job, {"message": SCRIPT})
    page = (await visitor.look("/jobs?column=error&column=key&column=data.to")).text
    assert (SCRIPT in page, page.count("&lt;script&gt;")) == (False, 3)
    for name in ("queue", "key", "data", "created_from", "state", "column", "after"):
        assert SCRIPT not in (await visitor.ask("/jobs", **{name: SCRIPT})).text


async def test_all_that_match_are_counted_first_and_then_cancelled(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.insert("mail", [{"data": {"to": to}} for to in ("ada", "ada", "bob")])
    query = f"queue=mail&data={TO_ADA}"
    preview = await visitor.look(f"/jobs/act?action=cancel&which=all&{query}")
    assert "Cancel 2 jobs?" in preview.text
    assert {job.state for job in await boss.find_jobs("mail")} == {"created"}
    page = await visitor.follow(await visitor.send(f"/jobs/act?action=cancel&which=all&{query}"))
    assert "2 jobs are cancelled." in page.text
    assert sorted(job.state for job in await boss.find_jobs("mail")) == ["cancelled", "cancelled", "created"]


async def test_the_selected_are_deleted(visitor: Visitor, boss: PgBoss) -> None:
    for queue in ("mail", "post"):
        await boss.create_queue(queue)
    ids = [await boss.send(queue) for queue in ("mail", "mail", "post")]
    query = f"action=delete&which=selected&job=mail:{ids[0]}&job=post:{ids[2]}"
    assert "Delete 2 jobs?" in (await visitor.look(f"/jobs/act?{query}")).text
    assert "2 jobs are deleted." in (await visitor.follow(await visitor.send(f"/jobs/act?{query}"))).text
    assert [job.id for job in await boss.find_jobs("mail")] == [ids[1]]
    again = await visitor.look(f"/jobs/act?{query}")
    assert ("Delete 0 jobs?" in again.text, "2 of them are gone" in again.text) == (True, True)


async def test_a_job_whose_place_is_taken_is_told_of(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail", policy="short")
    first = await boss.send("mail")
    await boss.cancel("mail", [first])  # type: ignore[list-item]  # it was sent
    await boss.send("mail")
    page = await visitor.follow(await visitor.send("/jobs/act?action=resume&queue=mail"))
    assert "0 jobs are resumed. 1 were not" in page.text


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("action=cancel&which=all", "at least one filter"),
        ("action=cancel&queue=nowhere", "nowhere"),
        ("action=cancel&which=selected&job=x", "is no job"),
        ("action=eat&queue=mail", "action"),
    ],
)
async def test_what_cannot_be_acted_on(visitor: Visitor, query: str, problem: str) -> None:
    for answer in (await visitor.ask(f"/jobs/act?{query}"), await visitor.send(f"/jobs/act?{query}")):
        assert (answer.status_code in (404, 422), problem in answer.text) == (True, True), answer.text


async def test_nothing_is_selected(visitor: Visitor) -> None:
    assert "0 are selected" in (await visitor.look("/jobs/act?action=cancel&which=selected")).text


async def test_who_may_only_look_sees_no_actions_and_is_refused(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.send("mail")
    async with visiting(app(boss, READER)) as visitor:
        page = (await visitor.look("/jobs?queue=mail")).text
        assert ('name="job"' in page, 'name="which"' in page) == (False, False)
        assert (await visitor.ask("/jobs/act?action=cancel&queue=mail")).status_code == 403
        assert (await visitor.send("/jobs/act?action=cancel&queue=mail")).status_code == 403
    assert [job.state for job in await boss.find_jobs("mail")] == ["created"]
