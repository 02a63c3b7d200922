"""``pgboss send``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from pgboss import JobDetails, SyncPgBoss
from support.command_line import CommandLine


@pytest.fixture
def queue(installed: SyncPgBoss) -> str:
    installed.create_queue("mail", retry_limit=7)
    return "mail"


def sent(boss: SyncPgBoss, printed: str) -> JobDetails:
    job = boss.get_job(printed.strip())
    assert job is not None
    return job


def test_it_prints_the_id_and_nothing_else(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    printed = pgboss.ok("send", queue, '{"to": "Ada", "tags": ["ü", null]}')

    assert printed == f"{UUID(printed.strip())}\n"
    assert sent(installed, printed).data == {"to": "Ada", "tags": ["ü", None]}


def test_data_may_be_left_out(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    assert sent(installed, pgboss.ok("send", queue)).data is None


def test_a_dash_reads_stdin(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    printed = pgboss.ok("send", queue, "-", input='{"to":\n "Ädä"}\n')

    assert sent(installed, printed).data == {"to": "Ädä"}


def test_options_that_are_not_given_come_from_the_queue(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    job = sent(installed, pgboss.ok("send", queue))

    assert (job.retry_limit, job.retry_backoff, job.heartbeat_seconds, job.priority) == (7, True, 60, 0)


def test_every_option_reaches_the_job(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    installed.create_queue("lost-mail")
    id = uuid4()

    job = sent(
        installed,
        pgboss.ok(
            *("send", queue, "1", "--id", id, "--priority", 5, "--start-after", "2100-01-02T03:04:05"),
            *("--singleton-key", "k", "--group-id", "g", "--group-tier", "t", "--retry-limit", 2, "--retry-delay", 3),
            *("--retry-backoff", "--retry-delay-max", 9, "--expire-in-seconds", 10, "--retention-seconds", 11),
            *("--delete-after-seconds", 12, "--heartbeat-seconds", 13, "--dead-letter", "lost-mail"),
        ),
    )

    assert (job.id, job.priority, job.singleton_key, job.group_id, job.group_tier) == (id, 5, "k", "g", "t")
    assert (job.retry_limit, job.retry_delay, job.retry_backoff, job.retry_delay_max) == (2, 3, True, 9)
    assert (job.expire_in_seconds, job.delete_after_seconds, job.heartbeat_seconds) == (10, 12, 13)
    assert job.dead_letter == "lost-mail"
    assert job.start_after == datetime(2100, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert job.keep_until == job.start_after + timedelta(seconds=11)


def test_one_job_a_slot_of_time(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    throttled = ("send", queue, "1", "--singleton-seconds", 50_000_000)
    assert sent(installed, pgboss.ok(*throttled)).singleton_on is not None

    refused = pgboss(*throttled)
    assert (refused.code, refused.out) == (1, "")
    assert "its slot in queue 'mail', is taken" in refused.err

    assert sent(installed, pgboss.ok(*throttled, "--singleton-next-slot")).start_after > datetime.now(UTC)
    assert pgboss(*throttled, "--singleton-next-slot").code == 1


def test_options_may_be_turned_off(pgboss: CommandLine, installed: SyncPgBoss, queue: str) -> None:
    job = sent(installed, pgboss.ok("send", queue, "1", "--no-retry-backoff", "--retry-limit", 0))

    assert (job.retry_limit, job.retry_backoff) == (0, False)


@pytest.mark.parametrize("text", ["90", "90.0", "90 seconds", "00:01:30"])
def test_start_after_takes_seconds_and_intervals(
    pgboss: CommandLine, installed: SyncPgBoss, queue: str, text: str
) -> None:
    job = sent(installed, pgboss.ok("send", queue, "1", "--start-after", text))

    assert job.start_after - job.created_on == timedelta(seconds=90)


def test_a_missing_queue_is_an_error_unless_it_shall_be_created(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    refused = pgboss("send", "new", "1")

    assert (refused.code, refused.out) == (1, "")
    assert "Queue 'new' does not exist" in refused.err
    assert sent(installed, pgboss.ok("send", "new", "1", "--create-queue")).name == "new"


def test_an_id_that_is_taken_is_not_sent_again(pgboss: CommandLine, queue: str) -> None:
    id = pgboss.ok("send", queue, "1").strip()

    again = pgboss("send", queue, "2", "--id", id)

    assert (again.code, again.out) == (1, "")
    assert "is taken" in again.err


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ('{"to" "Ada"}', "The job data is not JSON (Expecting ':' delimiter at column 7): '{\"to\" \"Ada\"}'."),
        ("{\n\n nope}", "at line 3, column 2"),
        ("", "is not JSON"),
        ("NaN", "NaN and Infinity are not JSON"),
        (r'"\u0000"', "U+0000"),
        (r'"\ud800"', "lone surrogate"),
        ("[" * 100_000, "nest"),
        ("1" * 5000, "digits"),
    ],
)
def test_data_that_is_no_json_is_refused(pgboss: CommandLine, queue: str, data: str, complaint: str) -> None:
    refused = pgboss("send", queue, "--", data)

    assert (refused.code, refused.out) == (2, "")
    assert complaint in refused.err
    assert len(refused.err.splitlines()) == 1
    assert len(refused.err) < 300


def test_stdin_that_is_not_utf_8_is_refused(pgboss: CommandLine, queue: str) -> None:
    refused = pgboss("send", queue, "-", input=b'"\xff"')

    assert (refused.code, refused.out) == (2, "")
    assert "not UTF-8" in refused.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--start-after", "soon"], "start_after cannot be read"),
        (["--start-after", "nan"], "start_after cannot be read"),
        (["--retry-limit", "-1"], "retry_limit must be an integer of 0 or more, not -1"),
        (["--retry-limit", "many"], "'many' is not a valid int"),
        (["--expire-in-seconds", "0"], "expire_in_seconds must be"),
        (["--retry-delay-max", "5"], "needs retry_backoff"),
        (["--id", "seven"], "A job's id is a UUID"),
        (["--group-tier", "t"], "needs a group_id"),
        (["--bogus"], "No such option: --bogus"),
    ],
)
def test_unusable_options_are_refused(pgboss: CommandLine, queue: str, options: list[str], complaint: str) -> None:
    refused = pgboss("send", queue, "1", *options)

    assert (refused.code, refused.out) == (2, "")
    assert complaint in refused.err


def test_a_missing_dead_letter_queue_is_named(pgboss: CommandLine, queue: str) -> None:
    refused = pgboss("send", queue, "1", "--dead-letter", "nowhere")

    assert refused.code == 1
    assert "Dead letter queue 'nowhere' does not exist" in refused.err


def test_data_that_are_too_large_are_refused(pgboss: CommandLine, queue: str) -> None:
    refused = pgboss("send", queue, "-", input=f'"{"x" * 200}"', env={"PGBOSS_MAX_PAYLOAD_BYTES": "100"})

    assert (refused.code, refused.out) == (2, "")
    assert "at most 100 are sent" in refused.err
