"""Sending a job by a form."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pgboss import Jobs, PgBoss
from pgboss.web import Principal, WebOptions, app
from pgboss.web.dashboard.skeleton import skeleton
from support.boss import BossFactory
from support.visitor import Visitor, visiting

SCRIPT = "<script>alert(1)</script>"
jobs = Jobs()


class Mail(BaseModel):
    to: str
    copies: int = Field(ge=1, examples=[2])


@jobs.job("mail")
async def mail(payload: Mail) -> None: ...


async def test_a_job_is_sent_by_a_form(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("post")
    fields = {"priority": "3", "start_after": "2099-01-31T08:00+01:00", "singleton_key": "k", "retry_backoff": "false"}
    answer = await visitor.send("/send", queue="post", data='["a", 1]', **fields)
    [job] = await boss.find_jobs("post")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
    assert (job.data, job.priority, job.singleton_key, job.retry_backoff) == (["a", 1], 3, "k", False)
    assert job.start_after.isoformat() == "2099-01-31T07:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"data": '{"to": }'}, "This is not JSON: expecting value at line 1, column 8."),
        ({"data": "[" * 200_000}, "This JSON cannot be read: it is nested too deeply."),
        ({"data": '"\\u0000"'}, "U+0000"),
        ({"queue": "nowhere"}, "nowhere"),
        ({"queue": ""}, "Field required"),
        ({"retry_limit": "-1"}, "retry_limit"),
        ({"retry_delay_max": "10"}, "needs retry_backoff"),
        ({"start_after": "2099-01-31T08:00"}, "an instant with its zone"),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_stays(
    visitor: Visitor, boss: PgBoss, fields: dict[str, str], problem: str
) -> None:
    await boss.create_queue("post")
    answer = await visitor.send("/send", **({"queue": "post", "singleton_key": "typed"} | fields))
    assert answer.status_code == 422
    assert problem in answer.text
    assert 'value="typed"' in answer.text
    assert await boss.find_jobs("post") == []


async def test_a_job_for_which_there_is_no_room_is_not_sent(visitor: Visitor, boss: PgBoss) -> None:
    await boss.create_queue("post", policy="short")
    await boss.send("post")
    answer = await visitor.send("/send", queue="post")
    assert (answer.status_code, "Nothing was sent" in answer.text) == (422, True)


async def test_typed_jobs_show_their_schema_and_a_skeleton(make_boss: BossFactory) -> None:
    boss = await make_boss(jobs=jobs, work=False)
    async with visiting(app(boss)) as visitor:
        page = await visitor.look("/send?queue=mail")
        assert "&#34;minimum&#34;: 1" in page.text
        assert "&#34;copies&#34;: 2" in page.text
        assert "minimum" in (await visitor.fragment("/send/schema", queue="mail")).text
        assert "Any JSON will do" in (await visitor.fragment("/send/schema", queue="post")).text


async def test_the_payload_of_a_typed_job_is_checked_by_its_type(make_boss: BossFactory) -> None:
    boss = await make_boss(jobs=jobs, work=False)
    async with visiting(app(boss)) as visitor:
        answer = await visitor.send("/send", queue="mail", data='{"to": "ada", "copies": 0}')
        assert (answer.status_code, "copies" in answer.text) == (422, True)
        assert 'id="error-data"' in answer.text
        assert (await visitor.send("/send", queue="mail", data='{"to": "ada", "copies": 1}')).status_code == 303
    [job] = await boss.find_jobs("mail")
    assert job.data == {"to": "ada", "copies": 1}


async def test_nothing_that_was_typed_is_taken_for_html(visitor: Visitor) -> None:
    answer = await visitor.send("/send", queue=SCRIPT, data=f'"{SCRIPT}" {SCRIPT}', singleton_key=SCRIPT)
    assert answer.status_code == 422
    assert SCRIPT not in answer.text
    assert SCRIPT not in (await visitor.fragment("/send/schema", queue=SCRIPT)).text


async def test_who_may_only_look_is_refused(boss: PgBoss) -> None:
    options = WebOptions(authenticate=lambda connection: Principal("eve", "read"))
    async with visiting(app(boss, options)) as visitor:
        assert (await visitor.ask("/send")).status_code == 403
        assert (await visitor.send("/send", queue="post")).status_code == 403


class Colour(Enum):
    RED = "red"


class Inner(BaseModel):
    colour: Colour
    sizes: list[int]


class Outer(BaseModel):
    inner: Inner
    either: int | None
    ratio: float
    given: bool = True
    again: Outer | None = None


@pytest.mark.parametrize(
    ("model", "begun"),
    [
        (Outer, {"inner": {"colour": "red", "sizes": []}, "either": 0, "ratio": 0}),
        (Mail, {"to": "", "copies": 2}),
    ],
)
def test_a_skeleton_has_what_is_required(model: type[BaseModel], begun: dict[str, Any]) -> None:
    assert skeleton(model.model_json_schema()) == begun
