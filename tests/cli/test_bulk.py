"""``pgboss queues redrive`` and ``purge``."""

from __future__ import annotations

import pytest

from pgboss import SyncPgBoss
from support.command_line import CommandLine


@pytest.fixture
def letters(installed: SyncPgBoss) -> SyncPgBoss:
    """Three jobs of ``mail`` in the dead letter queue ``lost``, and one of nobody."""
    installed.create_queue("lost")
    installed.create_queue("mail", dead_letter="lost", retry_limit=0)
    for number in range(3):
        installed.send("mail", {"n": number})
    # One by one, so that the dead letters have an age each, and the oldest of them is known.
    for _ in range(3):
        installed.fail("mail", installed.fetch("mail"))
    installed.send("lost", {"n": "nobody's"})
    return installed


def test_a_dry_run_moves_nothing(pgboss: CommandLine, letters: SyncPgBoss) -> None:
    outcome = pgboss("queues", "redrive", "lost", "--dry-run")

    assert [line.split() for line in outcome.out.splitlines()] == [["TO", "JOBS"], ["mail", "3"]]
    assert "1 job would stay" in outcome.err
    assert pgboss("queues", "redrive", "lost", "--dry-run", "--json").json == {
        "total": 4,
        "destinations": {"mail": 3},
        "unroutable": 1,
    }
    assert "No jobs would move." in pgboss("queues", "redrive", "lost", "--dry-run", "--from", "lost").err
    assert len(letters.find_jobs("lost")) == 4


def test_redrive(pgboss: CommandLine, letters: SyncPgBoss) -> None:
    assert pgboss.ok("queues", "redrive", "lost", "--limit", "1") == "Moved 1 job.\n"
    assert pgboss("queues", "redrive", "lost", "--data", '{"n": 2}', "--json").json == {"moved": 1}
    assert pgboss.ok("queues", "redrive", "lost", "--created-before", "2020-01-01T00:00Z") == "Moved 0 jobs.\n"
    ids = [str(job.id) for job in letters.find_jobs("lost")]
    given = [argument for id in ids for argument in ("--id", id)]
    assert pgboss.ok("queues", "redrive", "lost", "--to", "mail", *given) == "Moved 2 jobs.\n"
    assert letters.find_jobs("lost") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing",), "Queue 'missing' does not exist"),
        (("lost", "--to", "missing"), "Queue 'missing' does not exist"),
        (("lost", "--limit", "0"), "limit must be an integer of 1 or more"),
        (("lost", "--data", "[1]"), "data must be a JSON object"),
        (("lost", "--created-before", "today"), "A time is written like"),
        (("lost", "--created-before", "2026-01-31T12:00"), "has no zone"),
        (("lost", "--id", "x"), "A job's id is a UUID"),
    ],
)
def test_refusals(pgboss: CommandLine, letters: SyncPgBoss, arguments: tuple[str, ...], message: str) -> None:
    outcome = pgboss("queues", "redrive", *arguments)

    assert outcome.code != 0
    assert message in outcome.err
    assert len(letters.find_jobs("lost")) == 4


def test_purge(pgboss: CommandLine, letters: SyncPgBoss) -> None:
    assert pgboss("queues", "purge", "mail", "--queued", "--stored", "--yes").code != 0
    assert pgboss.ok("queues", "purge", "mail", "--queued", "--yes") == "Deleted 0 jobs of queue mail.\n"
    assert pgboss.ok("queues", "purge", "mail", "--stored", "--yes") == "Deleted 3 jobs of queue mail.\n"
    assert pgboss.ok("queues", "purge", "lost", "--yes") == "Deleted 4 jobs of queue lost.\n"
    letters.create_queue("own", partition=True)
    letters.send("own")
    assert pgboss.ok("queues", "purge", "own", "--yes") == "Emptied queue own.\n"
    assert letters.find_jobs("own") == []
    assert "does not exist" in pgboss("queues", "purge", "missing", "--yes").err


def test_purge_asks(pgboss: CommandLine, letters: SyncPgBoss) -> None:
    outcome = pgboss("queues", "purge", "lost")

    assert outcome.code != 0
    assert len(letters.find_jobs("lost")) == 4
