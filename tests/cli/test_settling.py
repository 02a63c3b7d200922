"""``pgboss jobs retry|cancel|resume|delete``."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from pgboss import SyncPgBoss
from support.command_line import CommandLine


def failed_job(boss: SyncPgBoss, queue: str) -> UUID:
    boss.create_queue(queue, retry_limit=0)
    [job] = [] if boss.send(queue) is None else boss.fetch(queue)
    boss.fail(queue, job)
    return job.id


def waiting_job(boss: SyncPgBoss, queue: str) -> UUID:
    boss.create_queue(queue)
    id = boss.send(queue)
    assert id is not None
    return id


def state(boss: SyncPgBoss, id: UUID) -> str | None:
    job = boss.get_job(id)
    return None if job is None else job.state


def test_jobs_of_several_queues_are_found_by_their_ids(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    ids = [failed_job(installed, "mail"), failed_job(installed, "pages")]

    assert pgboss.ok("jobs", "retry", *ids) == "Retried 2 jobs.\n"
    assert [state(installed, id) for id in ids] == ["retry", "retry"]


def test_the_queue_may_be_named(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    id, other = waiting_job(installed, "mail"), waiting_job(installed, "pages")

    outcome = pgboss("jobs", "cancel", id, other, "--queue", "mail")

    assert (outcome.code, outcome.out) == (1, "Cancelled 1 job.\n")
    assert outcome.err == f"There is no job {other} in queue 'mail'.\n"
    assert [state(installed, id), state(installed, other)] == ["cancelled", "created"]


def test_cancel_resume_and_delete(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    id = waiting_job(installed, "mail")

    assert pgboss.ok("jobs", "cancel", id) == "Cancelled 1 job.\n"
    assert state(installed, id) == "cancelled"
    assert pgboss.ok("jobs", "resume", id) == "Resumed 1 job.\n"
    assert state(installed, id) == "created"
    assert pgboss.ok("jobs", "delete", id, id) == "Deleted 1 job.\n"
    assert state(installed, id) is None


def test_what_is_passed_over_is_named_with_its_state(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    waiting, failed, unknown = waiting_job(installed, "mail"), failed_job(installed, "pages"), uuid4()

    outcome = pgboss("jobs", "retry", waiting, unknown, failed)

    assert (outcome.code, outcome.out) == (1, "Retried 1 job.\n")
    assert outcome.err.splitlines() == [
        f"Job {waiting} was left as it is: it is created.",
        f"There is no job {unknown}.",
    ]


def test_json_for_programs(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    waiting, failed, unknown = waiting_job(installed, "mail"), failed_job(installed, "pages"), uuid4()

    outcome = pgboss("jobs", "retry", waiting, unknown, failed, "--json")

    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.json == {
        "requested": [str(waiting), str(unknown), str(failed)],
        "settled": [str(failed)],
        "passed_over": [{"id": str(waiting), "state": "created"}, {"id": str(unknown), "state": None}],
    }


def test_a_job_whose_slot_is_taken_is_left_as_it_is(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("one", policy="short")
    first = installed.send("one")
    assert first is not None
    installed.cancel("one", first)
    installed.send("one")

    outcome = pgboss("jobs", "resume", first)

    assert (outcome.code, outcome.out) == (1, "")
    assert "another job of the same key holds the state asked for" in outcome.err
    assert state(installed, first) == "cancelled"


@pytest.mark.parametrize("command", ["retry", "cancel", "resume", "delete"])
def test_unusable_arguments(pgboss: CommandLine, command: str) -> None:
    assert pgboss("jobs", command).code == 2
    assert pgboss("jobs", command, "seven").code == 2
    assert pgboss("jobs", command, uuid4(), "--queue", "nowhere").code == 1
