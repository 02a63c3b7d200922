"""``pgboss schedules``."""

from __future__ import annotations

import dataclasses

import pytest

from pgboss import ScheduleDetails, SyncPgBoss
from support.command_line import CommandLine


@pytest.fixture
def queue(installed: SyncPgBoss) -> str:
    installed.create_queue("report")
    return "report"


def test_create_list_show_and_delete(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    said = pgboss.ok("schedules", "create", queue, "0 6 * * *", '{"n": 1}', "--tz", "Asia/Tokyo", "--missed", "once")

    assert said.startswith("Scheduled queue report; next at ")
    assert said.endswith(" 06:00:00+09:00.\n")
    titles, line = pgboss.ok("schedules", "list").splitlines()
    assert titles.split() == ["QUEUE", "EXPRESSION", "ZONE", "MISSED", "NEXT"]
    assert line.split()[:8] == ["report", *"0 6 * * *".split(), "Asia/Tokyo", "once"]
    facts = dict(line.split("  ", 1) for line in pgboss.ok("schedules", "show", queue).splitlines() if line[0] != " ")
    assert facts["Data"].strip() == '{"n": 1}'
    assert facts["Last job"].strip() == "none yet"
    assert pgboss.ok("schedules", "delete", queue, "--yes") == "Deleted the schedule of queue report.\n"
    assert installed.get_schedules() == []


def test_keys_and_options(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    pgboss.ok("schedules", "create", queue, "FREQ=DAILY", "--key", "k", "--priority", 3, "--retry-limit", 5)
    [schedule] = installed.get_schedules()

    assert (schedule.key, schedule.kind) == ("k", "rrule")
    assert schedule.options == {"key": "k", "priority": 3, "retryLimit": 5}
    assert pgboss.ok("schedules", "list").splitlines()[1].split()[:2] == ["report", "k"]


def test_json(pgboss: CommandLine, queue: str) -> None:
    pgboss.ok("schedules", "create", queue, "0 6 * * *")

    [listed] = pgboss("schedules", "list", "--json").json

    assert listed.keys() == {field.name for field in dataclasses.fields(ScheduleDetails)} | {"next"}
    assert len(listed["next"]) == 3
    assert pgboss("schedules", "show", queue, "--json").json == listed
    assert pgboss("schedules", "list", "other", "--json").json == []


def test_what_is_not_there(pgboss: CommandLine, queue: str) -> None:
    assert pgboss("schedules", "list").err.startswith("There are no schedules.")
    for command in ("show", "delete"):
        outcome = pgboss("schedules", command, queue, "--key", "k")
        assert outcome.code == 1
        assert "There is no schedule of queue report, key k." in outcome.err
    outcome = pgboss("schedules", "create", "nowhere", "0 6 * * *")
    assert outcome.code == 1
    assert "does not exist" in outcome.err


def test_a_schedule_that_cannot_be_read_is_shown_all_the_same(
    pgboss: CommandLine, installed: SyncPgBoss, queue: str, database_url: str
) -> None:
    from support.postgres import sql

    installed.schedule(queue, "0 6 * * *")
    sql(database_url, "UPDATE pgboss.schedule SET cron = 'whenever'")

    assert pgboss.ok("schedules", "list").splitlines()[1].split() == ["report", "whenever", "UTC", "skip", "?"]
    assert "cannot be evaluated" in pgboss.ok("schedules", "show", queue)


def test_preview_needs_no_database() -> None:
    pgboss = CommandLine("postgresql://nobody@127.0.0.1:1/nowhere")

    out = pgboss.ok(
        "schedules", "preview", "30 2 * * *", "--tz", "Europe/Zurich", "--after", "2026-03-28", "--count", 2
    )

    assert out.splitlines() == ["2026-03-28 02:30:00+01:00", "2026-03-29 03:30:00+02:00"]
    spent = pgboss("schedules", "preview", "FREQ=DAILY;UNTIL=20200101T000000Z")
    assert (spent.code, spent.out) == (0, "")
    assert "no occurrence left" in spent.err
    as_json = pgboss("schedules", "preview", "0 0 1 1 *", "--after", "2026-06-01", "--count", 1, "--json").json
    assert as_json == ["2027-01-01T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["99 * * * *"], "from 0 to 59"),
        (["* * * * *", "--tz", "Mars/Olympus"], "IANA name"),
        (["* * * * *", "--count", 0], "from 1 to 1000"),
        (["* * * * *", "--after", "tomorrow"], "--after must be a time"),
    ],
)
def test_preview_refuses(arguments: list[object], message: str) -> None:
    outcome = CommandLine("postgresql://nobody@127.0.0.1:1/nowhere")("schedules", "preview", *arguments)

    assert outcome.code == 2
    assert message in outcome.err
