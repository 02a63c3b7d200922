"""The page of one job."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from pgboss import Flow, PgBoss
from pgboss.web import Principal, WebOptions, app
from support.visitor import Visitor, visiting

SCRIPT = "<script>alert(1)</script>"


async def failed(boss: PgBoss, queue: str, output: object) -> UUID:
    """A job that has failed for good."""
    id = await boss.send(queue, {"to": "ada"}, retry_limit=0)
    [job] = await boss.fetch(queue)
    await boss.fail(queue, job, output)
    assert id is not None
    return id


async def test_a_job_that_waits(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    id = await boss.send("mail", {"to": "ada", "lines": [1, None, True]}, singleton_key="k", start_after=60)
    page = await visitor.look(f"/jobs/{id}")
    for told in (str(id), "Falls due", "&quot;ada&quot;", "{2}", "[3]", "null", "true", ">k<"):
        assert told in page.text
    assert f'action="/jobs/{id}/cancel?queue=mail"' in page.text
    assert f'action="/jobs/{id}/retry?queue=mail"' not in page.text


async def test_why_a_job_failed(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")

    def fail() -> None:
        try:
            raise KeyError("address")
        except KeyError as error:
            raise ValueError("no such address") from error

    with pytest.raises(ValueError, match="no such address") as caught:
        fail()
    page = await visitor.look(f"/jobs/{await failed(boss, 'mail', caught.value)}")
    for told in (
        "Attempt 1 failed",
        "<strong>ValueError</strong>: no such address",
        "Traceback",
        "in fail",
        "KeyError",
    ):
        assert told in page.text
    page = await visitor.look(f"/jobs/{await failed(boss, 'mail', 'plainly')}")
    assert "plainly" in page.text


async def test_earlier_attempts_are_told_of(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    id = await boss.send("mail", retry_limit=3, retry_delay=0)
    for _ in range(2):
        [job] = await boss.fetch("mail")
        await boss.fail("mail", job, {"message": "busy"})
    page = await visitor.look(f"/jobs/{id}")
    for told in ("Attempt 1<", "Attempt 2 failed", "busy", "Attempt 3 falls due", "Attempt 2 of 4"):
        assert told in page.text


async def test_a_dead_letter_leads_to_what_it_is_a_copy_of(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", dead_letter="dead")
    id = await failed(boss, "mail", {"message": "no such address"})
    [letter] = await boss.find_jobs("dead")
    assert f"/jobs/{letter.id}" in (await visitor.look(f"/jobs/{id}")).text
    copy = (await visitor.look(f"/jobs/{letter.id}")).text
    assert "A copy of job" in copy
    assert f"/jobs/{id}?queue=mail" in copy
    assert "no such address" in copy


async def test_a_flow_is_drawn(visitor: Visitor, boss: PgBoss) -> None:
    for queue in ("read", "left", "right", "join"):
        await boss.create_queue(queue)
    flow = Flow()
    read = flow.add("read")
    sides = [flow.add("left", after=read), flow.add("right", after=read)]
    flow.add("join", after=[*sides, read])
    ids = await boss.flow(flow)
    [job] = await boss.fetch("read")
    await boss.complete("read", job)
    page = await visitor.look(f"/jobs/{ids['join']}")
    assert page.text.count('<path class="edge') == 5
    assert page.text.count('class="edge done"') == 3
    assert "4 jobs with 5 dependencies between them" in page.text
    assert f'href="/jobs/{ids["read"]}?queue=read" class="node completed"' in page.text
    assert 'class="node created blocked here"' in page.text
    assert "Waits for other jobs" in page.text


async def test_a_job_without_a_flow_has_no_picture(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    assert 'class="flow"' not in (await visitor.look(f"/jobs/{await boss.send('mail')}")).text


@pytest.mark.parametrize(
    ("action", "state", "said"),
    [("retry", "retry", "one more attempt"), ("delete", None, "The job is deleted")],
)
async def test_something_is_done_to_a_failed_job(
    visitor: Visitor, boss: PgBoss, action: str, state: str | None, said: str
) -> None:
    await boss.create_queue("mail")
    id = await failed(boss, "mail", None)
    page = await visitor.follow(await visitor.send(f"/jobs/{id}/{action}?queue=mail"))
    assert said in page.text
    job = await boss.get_job(id)
    assert (None if job is None else job.state) == state


async def test_a_job_is_cancelled_and_resumed(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    id = await boss.send("mail")
    assert "It is cancelled." in (await visitor.follow(await visitor.send(f"/jobs/{id}/cancel"))).text
    assert "It is resumed." in (await visitor.follow(await visitor.send(f"/jobs/{id}/resume"))).text
    refused = await visitor.send(f"/jobs/{id}/retry")
    assert (refused.status_code, "nothing to retry" in refused.text) == (409, True)


async def test_an_unknown_job(visitor: Visitor) -> None:
    for answer in (await visitor.ask(f"/jobs/{uuid4()}"), await visitor.send(f"/jobs/{uuid4()}/retry")):
        assert (answer.status_code, "Not found" in answer.text) == (404, True)
    assert (await visitor.ask("/jobs/x")).status_code == 422


async def test_what_is_hidden_is_nowhere_on_the_page(boss: PgBoss) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", dead_letter="dead")
    await boss.send("mail", {"deep": [{"Token": "s3cret"}]}, retry_limit=0)
    [job] = await boss.fetch("mail")
    await boss.fail("mail", job, {"message": "no", "token": "s3cret"})
    [letter] = await boss.find_jobs("dead")
    async with visiting(app(boss, WebOptions(redact=frozenset({"token"})))) as visitor:
        for id in (job.id, letter.id):
            page = await visitor.look(f"/jobs/{id}")
            assert ("s3cret" in page.text, "[redacted]" in page.text) == (False, True)


async def test_nothing_of_a_job_is_taken_for_html(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", dead_letter="dead")
    await boss.send("mail", {SCRIPT: [SCRIPT]}, retry_limit=0, singleton_key=SCRIPT, group_id=SCRIPT)
    [job] = await boss.fetch("mail")
    await boss.fail("mail", job, {"name": SCRIPT, "message": SCRIPT, "stack": SCRIPT, "cause": {"message": SCRIPT}})
    [letter] = await boss.find_jobs("dead")
    for id in (job.id, letter.id):
        page = await visitor.look(f"/jobs/{id}")
        assert (SCRIPT in page.text, "&lt;script&gt;" in page.text) == (False, True)


async def test_who_may_only_look_sees_no_actions_and_is_refused(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    id = await boss.send("mail")
    options = WebOptions(authenticate=lambda connection: Principal("eve", "read"))
    async with visiting(app(boss, options)) as visitor:
        assert 'method="post"' not in (await visitor.look(f"/jobs/{id}")).text
        for action in ("retry", "cancel", "resume", "delete"):
            assert (await visitor.send(f"/jobs/{id}/{action}")).status_code == 403
    assert await boss.get_job(id) is not None  # type: ignore[arg-type]  # it was sent
