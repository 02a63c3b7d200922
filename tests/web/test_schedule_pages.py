"""The pages of schedules."""

from __future__ import annotations

import pytest

from pgboss import PgBoss
from pgboss.web import Principal, WebOptions, app
from support.boss import BossFactory
from support.eventually import eventually
from support.visitor import Visitor, visiting

SCRIPT = "<script>alert(1)</script>"


async def test_without_schedules_the_page_says_what_they_are_for(visitor: Visitor) -> None:
    page = await visitor.look("/schedules")
    assert "No schedules yet" in page.text
    assert "/schedules/new" in page.text


async def test_schedules_are_listed_with_their_next_run(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 1 1 *", key="new-year", tz="Europe/Zurich")
    page = await visitor.look("/schedules?queue=mail")
    assert "new-year" in page.text
    assert "-01-01T05:00:00" in page.text
    assert "No schedules of post" in (await visitor.look("/schedules?queue=post")).text


async def test_lists_go_on_where_they_stopped(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    for number in range(51):
        await boss.schedule("mail", "@yearly", key=f"k{number:02}")
    first = await visitor.look("/schedules")
    assert ("k49" in first.text, "k50" in first.text) == (True, False)
    rest = await visitor.look("/schedules?queue=&after_queue=mail&after_key=k49")
    assert ("k49" in rest.text, "k50" in rest.text) == (False, True)


async def test_a_schedule_is_made_by_a_form(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    assert 'value="mail"' in (await visitor.look("/schedules/new?queue=mail")).text
    answer = await visitor.send(
        "/schedules/new",
        queue="mail",
        key="daily",
        expression="0 6 * * *",
        tz="Europe/Zurich",
        missed="once",
        data='{"to": "ada"}',
        priority="5",
        retry_backoff="true",
        start_after="60",
    )
    page = await visitor.follow(answer)
    assert "The schedule is made." in page.text
    made = await boss.get_schedule("mail", "daily")
    assert made is not None
    assert (made.expression, made.timezone, made.missed, made.data) == (
        "0 6 * * *",
        "Europe/Zurich",
        "once",
        {"to": "ada"},
    )
    assert isinstance(made.options, dict)
    assert (made.options["priority"], made.options["retryBackoff"], made.options["startAfter"]) == (5, True, 60)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"expression": "0 6 * *  * * * *"}, "fields"),
        ({"expression": "0 6 * * *", "data": "{"}, "This is not JSON"),
        ({"expression": "0 6 * * *", "priority": "high"}, "valid integer"),
        ({"expression": "0 6 * * *", "start_after": "tomorrow"}, "Seconds, such as 300"),
        ({"expression": "0 6 * * *", "tz": "Mars/Olympus"}, "Mars/Olympus"),
        ({"expression": "0 6 * * *", "queue": "nowhere"}, "nowhere"),
        ({}, "required"),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_stays(
    visitor: Visitor, boss: PgBoss, fields: dict[str, str], problem: str
) -> None:
    await boss.create_queue("mail")
    answer = await visitor.send("/schedules/new", **({"queue": "mail", "key": "typed"} | fields))
    assert answer.status_code == 422
    assert problem in answer.text
    assert 'value="typed"' in answer.text
    assert await boss.get_schedules() == []


async def test_a_schedule_that_is_there_is_not_replaced_by_a_new_one(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *")
    answer = await visitor.send("/schedules/new", queue="mail", expression="0 7 * * *")
    assert (answer.status_code, "choose another key" in answer.text) == (422, True)


async def test_the_next_runs_are_shown_while_one_types(visitor: Visitor) -> None:
    shown = await visitor.fragment("/schedules/preview", expression="30 5 24 12 *", tz="Asia/Kathmandu")
    assert shown.text.count("-12-24 05:30:00") == 10
    assert "+05:45" in shown.text
    assert "<html" not in shown.text
    assert 'role="alert"' in (await visitor.fragment("/schedules/preview", expression="nonsense")).text
    assert (
        "does not come any more"
        in (
            await visitor.fragment(
                "/schedules/preview", expression="DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=1"
            )
        ).text
    )
    assert "Say when" in (await visitor.fragment("/schedules/preview", expression=" ")).text


async def test_without_a_script_a_button_shows_the_next_runs(visitor: Visitor, boss: PgBoss) -> None:
    answer = await visitor.send(
        "/schedules/new", queue="mail", expression="30 5 24 12 *", tz="Asia/Tokyo", only_preview="true"
    )
    assert answer.text.count("-12-24 05:30:00") == 10
    assert await boss.get_schedules() == []


async def test_a_schedule_is_changed_and_keeps_what_is_hidden(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *", {"to": "ada", "token": "s3cret"}, key="k", priority=4)
    async with visiting(app(boss, WebOptions(redact=frozenset({"token"})))) as visitor:
        place = "queue=mail&key=k"
        form = await visitor.look(f"/schedule/edit?{place}")
        assert ("s3cret" in form.text, "[redacted]" in form.text, 'value="4"' in form.text) == (False, True, True)
        fields = {"expression": "0 7 * * *", "data": '{"to": "bob", "token": "[redacted]"}', "retry_limit": "1"}
        page = await visitor.follow(await visitor.send(f"/schedule/edit?{place}", **fields))
        assert "s3cret" not in page.text
    changed = await boss.get_schedule("mail", "k")
    assert changed is not None
    assert (changed.expression, changed.data) == ("0 7 * * *", {"to": "bob", "token": "s3cret"})
    assert isinstance(changed.options, dict)
    assert (changed.options.get("priority"), changed.options["retryLimit"]) == (None, 1)


async def test_what_is_wrong_with_a_change_is_said(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *")
    answer = await visitor.send("/schedule/edit?queue=mail", expression="0 25 * * *")
    assert (answer.status_code, 'value="0 25 * * *"' in answer.text) == (422, True)


async def test_a_job_of_a_schedule_is_sent_now(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *", {"to": "ada"})
    answer = await visitor.send("/schedule/run?queue=mail")
    [job] = await boss.find_jobs("mail")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
    assert job.data == {"to": "ada"}


async def test_a_schedule_is_deleted(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *")
    page = await visitor.follow(await visitor.send("/schedule/delete?queue=mail"))
    assert "The schedule is deleted." in page.text
    assert await boss.get_schedules() == []


@pytest.mark.parametrize("path", ["/schedule", "/schedule/edit"])
async def test_an_unknown_schedule(visitor: Visitor, path: str) -> None:
    answer = await visitor.ask(path, queue="mail", key="k")
    assert (answer.status_code, "Not found" in answer.text) == (404, True)


async def test_nothing_of_a_schedule_is_taken_for_html(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *", {SCRIPT: [SCRIPT]}, singleton_key=SCRIPT)
    for path in ("/schedule?queue=mail", "/schedule/edit?queue=mail"):
        assert SCRIPT not in (await visitor.look(path)).text
    assert SCRIPT not in (await visitor.fragment("/schedules/preview", expression=SCRIPT, tz=SCRIPT)).text


async def test_who_may_only_look_sees_no_actions_and_is_refused(boss: PgBoss) -> None:
    await boss.create_queue("mail")
    await boss.schedule("mail", "0 6 * * *")
    options = WebOptions(authenticate=lambda connection: Principal("eve", "read"))
    async with visiting(app(boss, options)) as visitor:
        for path in ("/schedules", "/schedule?queue=mail"):
            assert '<form method="post"' not in (await visitor.look(path)).text
        for path in ("/schedules/new", "/schedule/edit?queue=mail"):
            assert (await visitor.ask(path)).status_code == 403
        for path in ("/schedules/new", "/schedule/edit", "/schedule/run", "/schedule/delete"):
            assert (await visitor.send(f"{path}?queue=mail", expression="@daily")).status_code == 403
    assert len(await boss.get_schedules()) == 1


async def test_the_history_of_a_schedule_leads_to_its_jobs(make_boss: BossFactory) -> None:
    boss = await make_boss(schedule=True, cron_monitor_interval_seconds=1, cron_worker_interval_seconds=1)
    await boss.create_queue("mail")
    await boss.schedule("mail", "* * * * * *", {"to": "ada"}, key="often")
    [job] = await eventually(lambda: boss.find_jobs("mail"), within=20)
    async with visiting(app(boss)) as visitor:
        page = await visitor.look("/schedule?queue=mail&key=often")
    assert page.text.count(f"/jobs/{job.id}") == 2
