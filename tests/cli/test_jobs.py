"""``pgboss jobs list`` and ``pgboss jobs show``."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from pgboss import JobDetails, SyncPgBoss
from support.command_line import CommandLine

FIELDS = {field.name for field in dataclasses.fields(JobDetails)}


class Queue:
    """A queue with one job of every state; the names of the attributes are the states."""

    def __init__(self, boss: SyncPgBoss, name: str) -> None:
        boss.create_queue(name, retry_limit=0)
        self.name = name
        self.completed = self._claimed(boss, {"user": 1, "deep": {"a": [1, 2]}})
        boss.complete(name, self.completed, {"pages": 3})
        self.failed = self._claimed(boss, {"user": 2})
        boss.fail(name, self.failed, ValueError("no\x1b[31m such [bold]page[/bold]"))
        self.retry = self._claimed(boss, {"user": 3}, retry_limit=5, retry_delay=60)
        boss.fail(name, self.retry, {"value": "later"})
        self.active = self._claimed(boss, {"user": 4})
        self.cancelled = self._sent(boss, {"user": 5})
        boss.cancel(name, self.cancelled)
        self.created = self._sent(boss, {"user": 6}, singleton_key="six", priority=-3)
        self.ids = [self.completed, self.failed, self.retry, self.active, self.cancelled, self.created]

    def _sent(self, boss: SyncPgBoss, data: object, **options: object) -> UUID:
        id = boss.send(self.name, data, **options)  # type: ignore[call-overload]  # options by name, as they come
        assert isinstance(id, UUID)
        return id

    def _claimed(self, boss: SyncPgBoss, data: object, **options: object) -> UUID:
        id = self._sent(boss, data, **options)
        assert [job.id for job in boss.fetch(self.name)] == [id]
        return id


@pytest.fixture
def queue(installed: SyncPgBoss) -> Queue:
    return Queue(installed, "pages")


def listed(pgboss: CommandLine, *arguments: object) -> list[UUID]:
    outcome = pgboss("jobs", "list", "pages", "--json", *arguments)
    assert (outcome.code, outcome.err) == (0, "")
    return [UUID(job["id"]) for job in outcome.json]


def test_the_list_is_oldest_first(pgboss: CommandLine, queue: Queue) -> None:
    assert listed(pgboss) == queue.ids
    assert listed(pgboss, "--newest") == queue.ids[::-1]


@pytest.mark.parametrize(
    ("filters", "states"),
    [
        (["--state", "failed"], ["failed"]),
        (["--state", "created", "--state", "completed"], ["completed", "created"]),
        (["--state", "expired"], []),
        (["--queued"], ["retry", "created"]),
        (["--finished-from", "2020-01-01T00:00Z"], ["completed", "failed", "cancelled"]),
        (["--finished-before", "2020-01-01T00:00Z"], []),
        (["--created-from", "2020-01-01T00:00Z", "--created-before", "2020-01-02T00:00Z"], []),
        (["--created-from", "2020-01-01T00:00Z", "--state", "active"], ["active"]),
        (["--queued", "--state", "failed"], []),
        (["--key", "six"], ["created"]),
        (["--data", '{"user": 4}'], ["active"]),
        (["--data", '{"deep": {"a": [2]}}'], ["completed"]),
        (["--data", "null"], []),
        (["--state", "failed", "--data", '{"user": 4}'], []),
    ],
)
def test_filters(pgboss: CommandLine, queue: Queue, filters: list[str], states: list[str]) -> None:
    assert listed(pgboss, *filters) == [getattr(queue, state) for state in states]


@pytest.mark.parametrize("order", [[], ["--newest"]])
def test_pages_follow_one_another(pgboss: CommandLine, queue: Queue, order: list[str]) -> None:
    first = listed(pgboss, "--limit", 4, *order)
    second = listed(pgboss, "--limit", 4, "--after", first[-1], *order)

    assert [*first, *second] == (queue.ids[::-1] if order else queue.ids)
    assert listed(pgboss, "--after", second[-1], *order) == []
    assert listed(pgboss, "--after", uuid4(), *order) == []


def test_a_full_page_says_how_to_go_on(pgboss: CommandLine, queue: Queue) -> None:
    outcome = pgboss("jobs", "list", "pages", "--limit", 2)

    assert f"--after {queue.failed}" in outcome.err
    assert len(outcome.lines) == 3
    assert pgboss("jobs", "list", "pages").err == ""


def test_json_has_every_field_under_its_own_name(pgboss: CommandLine, queue: Queue) -> None:
    jobs = {job["state"]: job for job in pgboss("jobs", "list", "pages", "--json").json}

    assert all(job.keys() == FIELDS for job in jobs.values())
    assert jobs["completed"]["output"] == {"pages": 3}
    assert jobs["completed"]["data"] == {"user": 1, "deep": {"a": [1, 2]}}
    created_on = datetime.fromisoformat(jobs["created"]["created_on"])
    assert created_on.utcoffset() is not None
    assert jobs["created"]["started_on"] is None


def test_the_piped_table_is_one_line_a_job_without_any_cut(
    pgboss: CommandLine, installed: SyncPgBoss, queue: Queue
) -> None:
    installed.create_queue("long")
    installed.send("long", {"text": "[red]x[/red] " * 100, "line": "a\nb"})

    titles, line = pgboss.ok("jobs", "list", "long").splitlines()

    assert titles.split() == ["ID", "STATE", "TRY", "NEWS", "DATA"]
    assert line.endswith(f'  {{"line": "a\\nb", "text": "{"[red]x[/red] " * 100}"}}')


def test_the_table_tells_what_is_new(pgboss: CommandLine, queue: Queue) -> None:
    titles, *lines = pgboss.ok("jobs", "list", "pages").splitlines()

    assert titles.split() == ["ID", "STATE", "TRY", "PRIO", "NEWS", "ERROR", "DATA"]
    assert [line for line in lines if line != line.rstrip()] == []
    states = dict(zip(["completed", "failed", "retry", "active", "cancelled", "created"], lines, strict=True))
    assert all(line.split()[1] == state for state, line in states.items())
    assert " ago " in states["completed"]
    assert "1/6" in states["retry"]
    assert "due in " in states["retry"]
    assert " later " in states["retry"]
    assert " running " in states["active"]
    assert "0/1" in states["created"]
    assert " -3  waits " in states["created"]


def test_data_and_errors_cannot_write_over_the_screen(pgboss: CommandLine, queue: Queue) -> None:
    for printed in (pgboss.ok("jobs", "list", "pages"), pgboss.ok("jobs", "show", queue.failed)):
        assert r"ValueError: no\x1b[31m such [bold]page[/bold]" in printed
        assert "\x1b" not in printed


def test_no_jobs_is_no_error(pgboss: CommandLine, queue: Queue) -> None:
    outcome = pgboss("jobs", "list", "pages", "--key", "none")

    assert (outcome.code, outcome.out, outcome.err) == (0, "", "No such jobs.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["nowhere"], 1, "Queue 'nowhere' does not exist"),
        (["no where"], 2, "queue name 'no where' may hold only"),
        (["pages", "--state", "done"], 2, "one of created, retry, active, completed, cancelled, failed, not 'done'"),
        (["pages", "--limit", "0"], 2, "limit must be an integer from 1 to 100000, not 0"),
        (["pages", "--after", "x"], 2, "A job's id is a UUID"),
        (["pages", "--data", "{"], 2, "The data filter is not JSON"),
        (["pages", "--created-from", "noon"], 1, "A time is written like"),
        (["pages", "--state", "expired", "--state", "failed"], 2, "stands alone"),
    ],
)
def test_unusable_arguments_of_list(
    pgboss: CommandLine, queue: Queue, arguments: list[str], code: int, complaint: str
) -> None:
    refused = pgboss("jobs", "list", *arguments)

    assert (refused.code, refused.out) == (code, "")
    assert complaint in refused.err


def test_show_tells_everything(pgboss: CommandLine, queue: Queue) -> None:
    printed = pgboss.ok("jobs", "show", queue.completed)

    facts = dict(line.split("  ", 1) for line in printed.split("\n\n")[0].splitlines())
    assert {name: facts[name].strip() for name in ("Job", "Queue", "State", "Attempts", "Policy")} == {
        "Job": str(queue.completed),
        "Queue": "pages",
        "State": "completed",
        "Attempts": "1 of 1",
        "Policy": "standard",
    }
    assert {"Created", "Started", "Completed", "Took", "Kept until", "Expires in"} <= facts.keys()
    assert 'Data\n{\n  "deep": {' in printed
    assert 'Output\n{\n  "pages": 3\n}\n' in printed


def test_show_prints_the_traceback_of_an_error(pgboss: CommandLine, installed: SyncPgBoss, queue: Queue) -> None:
    def work() -> None:
        raise LookupError("no such document")

    try:
        work()
    except LookupError as error:
        installed.fail("pages", queue.active, error)

    printed = pgboss.ok("jobs", "show", queue.active)

    assert "\nError\nTraceback (most recent call last):\n" in printed
    assert '    raise LookupError("no such document")\n' in printed
    assert "\nLookupError: no such document\n" in printed


def test_show_tells_where_a_dead_letter_came_from(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("lost")
    installed.create_queue("mail", dead_letter="lost", retry_limit=0)
    id = installed.send("mail", {"to": "Ada"})
    installed.fetch("mail")
    assert id is not None
    installed.fail("mail", id, ValueError("bounced"))
    [lost] = installed.find_jobs("lost")

    printed = pgboss.ok("jobs", "show", lost.id, "--queue", "lost")

    assert f"job {id} of queue mail, after 0 retries" in printed
    assert "\nOutput in its first queue\n" in printed
    assert "ValueError: bounced" in printed


def test_show_in_json_is_the_same_object_as_in_the_list(pgboss: CommandLine, queue: Queue) -> None:
    [in_list] = pgboss("jobs", "list", "pages", "--state", "completed", "--json").json

    assert pgboss("jobs", "show", queue.completed, "--json").json == in_list


def test_jobs_that_are_nowhere(pgboss: CommandLine, installed: SyncPgBoss, queue: Queue) -> None:
    installed.create_queue("other")
    unknown = uuid4()

    assert pgboss("jobs", "show", unknown).err == f"Error: There is no job {unknown}.\n"
    elsewhere = pgboss("jobs", "show", queue.active, "--queue", "other")
    assert (elsewhere.code, elsewhere.out) == (1, "")
    assert elsewhere.err == f"Error: There is no job {queue.active} in queue 'other'.\n"
    assert pgboss("jobs", "show", "seven").code == 2


def test_output_that_only_resembles_an_error_is_shown_as_it_is(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("notes")
    id = installed.send("notes")
    [job] = installed.fetch("notes")
    installed.complete("notes", job, {"message": "hello", "count": 1})
    assert id is not None

    printed = pgboss.ok("jobs", "show", id)

    assert '\nOutput\n{\n  "count": 1,\n  "message": "hello"\n}\n' in printed
