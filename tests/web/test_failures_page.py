"""Failures by cause, and what is done about all of one."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from pgboss import PgBoss
from pgboss.web import Principal, WebOptions, app
from support.visitor import Visitor, visiting

SCRIPT = "<script>alert(document.cookie)</script>"
CAUSE = "no address <n>"
ASKED = f"cause={quote(CAUSE)}"


@pytest.fixture
async def failing(boss: PgBoss) -> PgBoss:
    """Two queues with jobs that have failed of two causes; those of one have dead letters."""
    await boss.create_queue("dead")
    await boss.create_queue("mail", retry_limit=0, dead_letter="dead")
    await boss.create_queue("post", retry_limit=0)
    await fail(boss, "mail", "no address 1", "no address 2", "too large")
    await fail(boss, "post", "no address 3")
    return boss


async def fail(boss: PgBoss, queue: str, *messages: str) -> None:
    for message in messages:
        await boss.send(queue, {"to": "ada"})
        [job] = await boss.fetch(queue)
        await boss.fail(queue, job, {"message": message})


async def test_without_failures_the_page_says_so(visitor: Visitor) -> None:
    assert "No failed jobs" in (await visitor.look("/failures")).text


async def test_failures_are_grouped_by_cause(visitor: Visitor, failing: PgBoss) -> None:
    page = (await visitor.look("/failures")).text
    assert '<span class="badge failed">3</span> no address &lt;n&gt;' in page
    assert '<span class="badge failed">1</span> too large' in page
    assert "4 failed jobs were looked at: all there are" in page
    for job in await failing.find_jobs("post"):
        assert f"/jobs/{job.id}?queue=post" in page


async def test_filters_are_in_the_address(visitor: Visitor, failing: PgBoss) -> None:
    page = (await visitor.look("/failures?queue=post")).text
    assert ("no address" in page, "too large" in page) == (True, False)
    page = (await visitor.look("/failures?q=LARGE")).text
    assert ("no address" in page, "too large" in page) == (False, True)
    assert "No such failures" in (await visitor.look("/failures?q=nothing")).text
    answer = await visitor.ask("/failures", queue="nowhere")
    assert (answer.status_code, "nowhere" in answer.text) == (422, True)


async def test_all_of_a_cause_are_retried(visitor: Visitor, failing: PgBoss) -> None:
    assert "Retry 3 jobs?" in (await visitor.look(f"/failures/retry?{ASKED}")).text
    assert "Retry 2 jobs?" in (await visitor.look(f"/failures/retry?{ASKED}&queue=mail")).text
    page = await visitor.follow(await visitor.send(f"/failures/retry?{ASKED}"))
    assert "3 jobs are retried." in page.text
    states = [job.state for queue in ("mail", "post") for job in await failing.find_jobs(queue)]
    assert sorted(states) == ["failed", "retry", "retry", "retry"]


async def test_the_dead_letters_of_a_cause_go_back(visitor: Visitor, failing: PgBoss) -> None:
    preview = (await visitor.look(f"/failures/redrive?{ASKED}")).text
    assert "Redrive 2 dead letters?" in preview
    assert '<td>dead</td><td>mail</td><td class="number">2</td>' in preview
    page = await visitor.follow(await visitor.send(f"/failures/redrive?{ASKED}"))
    assert "2 jobs are on their way again." in page.text
    [left] = await failing.find_jobs("dead")
    assert left.source_output == {"message": "too large"}
    again = (await visitor.look(f"/failures/redrive?{ASKED}")).text
    assert ("Redrive 0 dead letters?" in again, "None of the 3 failed jobs" in again) == (True, True)


async def test_where_only_dead_letters_are_left_they_are_redriven(visitor: Visitor, failing: PgBoss) -> None:
    await failing.delete_all_jobs("mail")
    page = (await visitor.look("/failures")).text
    assert "Of 2 only the dead letters are left" in page
    assert "Of all of them only the dead letter is left" in page
    assert page.count("Retry all") == 1
    assert "Retry 1 job?" in (await visitor.look(f"/failures/retry?{ASKED}")).text
    page = (await visitor.follow(await visitor.send(f"/failures/redrive?{ASKED}"))).text
    assert "2 jobs are on their way again." in page
    assert "Of 2 only" not in page


@pytest.mark.parametrize("action", ["retry", "redrive"])
async def test_a_cause_that_is_gone(visitor: Visitor, failing: PgBoss, action: str) -> None:
    for answer in (await visitor.ask(f"/failures/{action}?cause=x"), await visitor.send(f"/failures/{action}?cause=x")):
        assert (answer.status_code, "Not found" in answer.text) == (404, True)
    assert (await visitor.ask(f"/failures/{action}")).status_code == 422


async def test_causes_are_made_of_what_may_be_shown(failing: PgBoss) -> None:
    async with visiting(app(failing, WebOptions(redact=frozenset({"message"})))) as visitor:
        page = (await visitor.look("/failures")).text
    assert ("no address" in page, "[redacted]" in page) == (False, True)


async def test_nothing_of_a_failure_is_taken_for_html(visitor: Visitor, failing: PgBoss) -> None:
    await fail(failing, "mail", SCRIPT)
    for path in ("/failures", f"/failures/retry?cause={quote(SCRIPT)}", f"/failures/redrive?cause={quote(SCRIPT)}"):
        page = (await visitor.look(path)).text
        assert (SCRIPT in page, "&lt;script&gt;" in page) == (False, True)
    assert SCRIPT not in (await visitor.look(f"/failures?q={quote(SCRIPT)}")).text


async def test_who_may_only_look_sees_no_actions_and_is_refused(failing: PgBoss) -> None:
    options = WebOptions(authenticate=lambda connection: Principal("eve", "read"))
    async with visiting(app(failing, options)) as visitor:
        assert "/failures/retry" not in (await visitor.look("/failures")).text
        for action in ("retry", "redrive"):
            assert (await visitor.ask(f"/failures/{action}?{ASKED}")).status_code == 403
            assert (await visitor.send(f"/failures/{action}?{ASKED}")).status_code == 403
    assert len(await failing.find_jobs("dead")) == 3
