"""``pgboss queues``."""

from __future__ import annotations

import dataclasses

import pytest

from pgboss import Queue, SyncPgBoss
from support.command_line import CommandLine

STATES = ["created", "retry", "active", "completed", "cancelled", "failed"]


def test_the_list_counts_jobs_right_now(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail", dead_letter=None, partition=True)
    installed.create_queue("idle")
    for _ in range(3):
        installed.send("mail")
    installed.fetch("mail")

    titles, idle, mail = pgboss.ok("queues", "list").splitlines()

    assert titles.split() == ["NAME", *map(str.upper, STATES), "POLICY"]
    assert idle.split() == ["idle", *"000000", "standard"]
    assert mail.split() == ["mail", *"201000", "standard"]


def test_dead_letter_queues_are_listed_where_there_are_any(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("lost")
    installed.create_queue("mail", dead_letter="lost")

    titles, _, mail = pgboss.ok("queues", "list").splitlines()

    assert titles.endswith("DEAD LETTER")
    assert mail.split()[-1] == "lost"


def test_json_has_every_setting_and_the_counts(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail", retry_limit=4)
    installed.send("mail")

    [mail] = pgboss("queues", "list", "--json").json

    assert mail.keys() == {field.name for field in dataclasses.fields(Queue)} | {"jobs"}
    assert (mail["name"], mail["retry_limit"]) == ("mail", 4)
    assert mail["jobs"] == dict.fromkeys(STATES, 0) | {"created": 1}
    assert pgboss("queues", "show", "mail", "--json").json == mail


def test_no_queues_is_no_error(pgboss: CommandLine) -> None:
    outcome = pgboss("queues", "list")

    assert (outcome.code, outcome.out) == (0, "")
    assert "pgboss queues create" in outcome.err
    assert pgboss("queues", "list", "--json").json == []


def test_show(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail", retry_limit=4, retry_delay=2, retry_delay_max=60, retry_backoff=True)
    installed.send("mail")
    installed.send("mail")

    facts = dict(line.split("  ", 1) for line in pgboss.ok("queues", "show", "mail").splitlines())

    assert facts["Jobs"].strip() == "2 created"
    assert facts["Retries"].strip() == "4, after 2 s, twice as long each time, 60 s at most"
    assert facts["Expires in"].strip() == "86400 s (1 d)"


def test_create_with_the_defaults_of_this_package(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    assert pgboss.ok("queues", "create", "mail") == "Created queue mail.\n"

    queue = installed.get_queue("mail")
    assert queue is not None
    assert (queue.retry_limit, queue.retry_backoff, queue.heartbeat_seconds, queue.notify) == (3, True, 60, True)


def test_every_option_reaches_the_queue(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("lost")

    pgboss.ok(
        *("queues", "create", "mail", "--policy", "short", "--retry-limit", 2, "--retry-delay", 3),
        *("--retry-backoff", "--retry-delay-max", 9, "--expire-in-seconds", 10, "--retention-seconds", 11),
        *("--delete-after-seconds", 12, "--heartbeat-seconds", 13, "--dead-letter", "lost"),
        *("--warning-queue-size", 14, "--partition", "--no-notify"),
    )

    queue = installed.get_queue("mail")
    assert queue is not None
    assert (queue.policy, queue.partition, queue.notify, queue.dead_letter) == ("short", True, False, "lost")
    assert (queue.retry_limit, queue.retry_delay, queue.retry_backoff, queue.retry_delay_max) == (2, 3, True, 9)
    assert (queue.expire_in_seconds, queue.retention_seconds, queue.delete_after_seconds) == (10, 11, 12)
    assert (queue.heartbeat_seconds, queue.warning_queue_size) == (13, 14)


def test_a_queue_may_do_without_heartbeats(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    pgboss.ok("queues", "create", "mail", "--no-heartbeat")

    queue = installed.get_queue("mail")
    assert queue is not None
    assert queue.heartbeat_seconds is None


def test_a_queue_that_exists_is_left_as_it_is(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail", retry_limit=4)

    outcome = pgboss("queues", "create", "mail", "--retry-limit", 9)

    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "Queue mail exists already and was left as it is.\n"
    queue = installed.get_queue("mail")
    assert queue is not None
    assert queue.retry_limit == 4


def test_delete_takes_the_jobs_along(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail")
    installed.send("mail")

    assert pgboss.ok("queues", "delete", "mail", "--yes") == "Deleted queue mail.\n"
    assert installed.get_queue("mail") is None


def test_delete_wants_a_yes(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("mail")
    installed.send("mail")

    refused = pgboss("queues", "delete", "mail", input="y\n")

    assert (refused.code, refused.out) == (2, "")
    assert "Delete queue mail with its 1 jobs?" in refused.err
    assert "--yes" in refused.err
    assert installed.get_queue("mail") is not None


def test_a_dead_letter_queue_in_use_is_not_deleted(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    installed.create_queue("lost")
    installed.create_queue("mail", dead_letter="lost")

    refused = pgboss("queues", "delete", "lost", "--yes")

    assert (refused.code, refused.out) == (1, "")
    assert "queue 'mail' uses it as its dead letter queue" in refused.err
    assert installed.get_queue("lost") is not None


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["show", "nowhere"], 1, "There is no queue 'nowhere'"),
        (["delete", "nowhere", "--yes"], 1, "There is no queue 'nowhere'"),
        (["create", "a b"], 2, "may hold only letters"),
        (["create", ""], 2, "The queue name is empty"),
        (["create", "mail", "--policy", "lifo"], 2, "policy must be one of standard, short"),
        (["create", "mail", "--heartbeat-seconds", "5"], 2, "heartbeat_seconds must be an integer of 10 or more"),
        (["create", "mail", "--dead-letter", "nowhere"], 1, "Dead letter queue 'nowhere'"),
        (["create", "mail", "--dead-letter", "mail"], 2, "another queue than 'mail' itself"),
        (["create"], 2, "Missing argument 'NAME'"),
    ],
)
def test_unusable_arguments(pgboss: CommandLine, arguments: list[str], code: int, complaint: str) -> None:
    refused = pgboss("queues", *arguments)

    assert (refused.code, refused.out) == (code, "")
    assert complaint in refused.err
