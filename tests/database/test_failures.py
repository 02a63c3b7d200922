"""Failures by cause: what makes one, which jobs are looked at, and whose they are."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest

from pgboss import PgBoss, QueueNotFoundError
from pgboss.core.flow import DependencyRef
from pgboss.core.queue import QueueCatalog
from pgboss.insights.failures import FailureGroup, Failures, failed_jobs, failures, letters_of
from pgboss.web.redaction import redacted
from support.operations import run_operation
from support.upkeep import SCHEMA


def found(url: str, queue: str | None = None, **options: Any) -> Failures:
    return run_operation(url, failures(QueueCatalog(SCHEMA), queue, **options))


async def fail_each(boss: PgBoss, queue: str, *outputs: Any) -> None:
    """A job for each output, failed with it in this order."""
    for output in outputs:
        await boss.send(queue)
        [job] = await boss.fetch(queue)
        await boss.fail(queue, job, output)


def counts(of: Failures) -> dict[str, int]:
    return {group.cause: group.count for group in of.groups}


async def test_what_differs_from_job_to_job_makes_no_cause_of_its_own(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail", retry_limit=0)
    outputs = [
        TimeoutError("no answer from 10.0.0.7:5432 within 30.5 s"),
        TimeoutError("no answer from 10.0.0.8:5433 within 2 s"),
        ValueError(f"no user {uuid4()}"),
        ValueError(f"no user {uuid4()}\nwith a second line"),
        KeyError("name"),
        {"message": "no name"},
        "text",
        None,
    ]
    await fail_each(boss, "mail", *outputs)
    assert counts(found(database_url)) == {
        "TimeoutError: no answer from <n> within <n> s": 2,
        "ValueError: no user <id>": 2,
        "KeyError: 'name'": 1,
        "no name": 1,
        "text": 1,
        "no reason was stored": 1,
    }


async def test_a_group_knows_its_newest_jobs_and_all_of_them(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail", retry_limit=0)
    await fail_each(boss, "mail", *(ValueError(f"attempt {number}") for number in range(7)), KeyError("other"))
    jobs = {job.output["message"]: job for job in await boss.find_jobs("mail")}
    numbered = [jobs[f"attempt {number}"] for number in range(7)]
    [group, _] = found(database_url, "mail").groups
    assert group == FailureGroup(
        cause="ValueError: attempt <n>",
        queues=["mail"],
        count=7,
        removed=0,
        newest_on=numbered[-1].completed_on,
        oldest_on=numbered[0].completed_on,
        samples=[DependencyRef("mail", job.id) for job in reversed(numbered[2:])],
    )
    of_group = run_operation(database_url, failed_jobs(QueueCatalog(SCHEMA), group.cause, "mail"))
    assert {job.id for job in of_group} == {job.id for job in numbered}


async def test_only_the_newest_are_looked_at_and_it_says_so(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for queue in ("busy", "quiet"):
        await boss.create_queue(queue, retry_limit=0)
    await fail_each(boss, "busy", *["old"] * 3, *["new"] * 4)
    await fail_each(boss, "quiet", "new", "other")
    whole = found(database_url)
    assert counts(whole) == {"new": 5, "old": 3, "other": 1}
    assert whole.groups[0].queues == ["busy", "quiet"]
    assert (whole.looked_at, whole.is_whole) == (9, True)

    # The package has a function of the same name as the module.
    monkeypatch.setattr(import_module("pgboss.insights.failures"), "MOST_FAILURES", 4)
    newest = found(database_url, "busy")
    assert counts(newest) == {"new": 4}
    assert not newest.is_whole


async def test_only_the_newest_dead_letters_are_looked_at_and_it_says_so(
    boss: PgBoss, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", retry_limit=0, dead_letter="dead")
    await fail_each(boss, "mail", *["old"] * 3, *["new"] * 4)
    await boss.delete_all_jobs("mail")
    whole = found(database_url)
    assert (counts(whole), whole.is_whole) == ({"new": 4, "old": 3}, True)

    monkeypatch.setattr(import_module("pgboss.insights.failures"), "MOST_FAILURES", 4)
    monkeypatch.setattr(import_module("pgboss.insights.failures"), "LEAST_SHARE", 4)
    newest = found(database_url)
    assert (counts(newest), newest.is_whole) == ({"new": 4}, False)


async def test_what_is_not_shown_is_in_no_cause(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail", retry_limit=0)
    await fail_each(boss, "mail", {"message": "the password is hunter2"})
    [group] = found(database_url, shown=lambda output: redacted(output, frozenset({"message"}))).groups
    assert "hunter2" not in group.cause


async def test_the_dead_letters_of_a_group(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", retry_limit=0, dead_letter="dead")
    await fail_each(boss, "mail", ValueError("no user 7"), ValueError("no user 8"), KeyError("name"))
    group = run_operation(database_url, failed_jobs(QueueCatalog(SCHEMA), "ValueError: no user <n>"))
    letters = run_operation(database_url, letters_of(QueueCatalog(SCHEMA), group))
    assert {job.source_id for job in await boss.find_jobs("dead") if job.id in letters["dead"]} == {
        job.id for job in group
    }
    assert await boss.redrive("dead", ids=letters["dead"]) == 2
    assert run_operation(database_url, letters_of(QueueCatalog(SCHEMA), group)) == {}


async def test_dead_letters_stand_for_jobs_that_retention_has_removed(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("dead")
    for queue in ("mail", "post", "gone"):
        await boss.create_queue(queue, retry_limit=0, dead_letter="dead")
        await fail_each(boss, queue, ValueError("no user 7"))
    await boss.send("dead", {"an": "ordinary job"})
    await boss.delete_queue("gone")
    await boss.delete_all_jobs("post")
    letters = {job.source_name: job for job in await boss.find_jobs("dead")}

    [group] = found(database_url).groups

    assert (group.cause, group.count, group.removed) == ("ValueError: no user <n>", 3, 2)
    assert set(group.queues) == {"mail", "post", "gone"}
    assert {sample.id for sample in group.samples} == {
        letters["mail"].source_id,
        letters["post"].id,
        letters["gone"].id,
    }
    assert counts(found(database_url, "post")) == {"ValueError: no user <n>": 1}
    jobs = run_operation(database_url, failed_jobs(QueueCatalog(SCHEMA), group.cause))
    ids = run_operation(database_url, letters_of(QueueCatalog(SCHEMA), jobs))["dead"]
    assert set(ids) == {letters[queue].id for queue in ("mail", "post", "gone")}
    assert await boss.redrive("dead", ids=ids) == 2
    assert [one.removed for one in found(database_url).groups] == [1]


async def test_nothing_has_failed(boss: PgBoss, database_url: str) -> None:
    assert found(database_url) == Failures([], 0, is_whole=True)


async def test_a_queue_that_is_not_there(boss: PgBoss, database_url: str) -> None:
    with pytest.raises(QueueNotFoundError, match="'nowhere'"):
        found(database_url, "nowhere")
