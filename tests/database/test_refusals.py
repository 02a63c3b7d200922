"""Every refusal of every call: which error, in which words, and that nothing is left half done.

Each is tried by itself and inside a caller's transaction, which must then be as usable as before. The ranges of single
options are tried one by one in ``tests/unit/core/test_options.py``; here each call shows that it asks them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgboss import (
    ConflictError,
    JobConflictError,
    JobNotFoundError,
    PgBossError,
    QueueNotFoundError,
    QueueOptions,
    SyncPgBoss,
    ValidationError,
)
from support.postgres import PostgresServer, fresh_database_name, sql

ID = UUID("6f1e8a0c-96fb-4b6e-9a53-3fd3a1b9bb11")
TAKEN = UUID("6f1e8a0c-96fb-4b6e-9a53-000000000001")
FAILED = UUID("6f1e8a0c-96fb-4b6e-9a53-000000000002")
NEVER_REFUSE = {"start", "stop", "resolve_flow", "get_pauses", "get_bam_status", "get_reindex_commands"}
CANCELLED = UUID("6f1e8a0c-96fb-4b6e-9a53-000000000003")


@dataclass(frozen=True)
class Refusal:
    """A call, by its name and arguments, and what it answers."""

    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    error: type[PgBossError]
    message: str

    def __str__(self) -> str:
        return f"{self.method}-{self.message[:40]}"


def refusal(error: type[PgBossError], message: str, method: str, *arguments: Any, **options: Any) -> Refusal:
    return Refusal(method, arguments, options, error, message)


def option(message: str, method: str, *arguments: Any, **options: Any) -> Refusal:
    return refusal(ValidationError, message, method, *arguments, **options)


def missing(method: str, *arguments: Any, **options: Any) -> Refusal:
    return refusal(
        QueueNotFoundError,
        r"Queue 'nowhere' does not exist\. Create it first: create_queue\('nowhere'\)",
        method,
        *arguments,
        **options,
    )


def lost(method: str, *arguments: Any, **options: Any) -> Refusal:
    options["dead_letter"] = "nowhere"
    return refusal(QueueNotFoundError, "[Dd]ead letter queue 'nowhere'.*does not exist", method, *arguments, **options)


TWO: list[dict[str, Any]] = [{"ref": "a", "name": "jobs"}, {"ref": "b", "name": "jobs", "depends_on": ["a"]}]


def flow(message: str, *jobs: Any) -> Refusal:
    return option(message, "flow", list(jobs))


# fmt: off
REFUSALS = [
    # Queues that are not there.
    missing("send", "nowhere"),
    missing("send_after", "nowhere", None, 5),
    missing("send_throttled", "nowhere", None, 60),
    missing("send_debounced", "nowhere", None, 60),
    missing("insert", "nowhere", [{}]),
    missing("insert_stream", "nowhere", [{}]),
    missing("update", "nowhere", {}, id=ID),
    missing("upsert", "nowhere", {}, id=ID),
    missing("flow", [TWO[0], {**TWO[1], "name": "nowhere"}]),
    missing("fetch", "nowhere"),
    missing("fetch_details", "nowhere"),
    missing("find_jobs", "nowhere"),
    missing("get_blocked_keys", "nowhere"),
    missing("complete", "nowhere", ID),
    missing("fail", "nowhere", ID),
    missing("cancel", "nowhere", ID),
    missing("resume", "nowhere", ID),
    missing("retry", "nowhere", ID),
    missing("touch", "nowhere", ID),
    missing("delete_job", "nowhere", ID),
    missing("redrive", "nowhere"),
    missing("redrive", "dead", destination="nowhere"),
    missing("preview_redrive", "nowhere"),
    missing("subscribe", "event", "nowhere"),
    missing("delete_queued_jobs", "nowhere"),
    missing("delete_stored_jobs", "nowhere"),
    missing("delete_all_jobs", "nowhere"),
    lost("send", "jobs"),
    lost("update", "jobs", {}, id=TAKEN),
    lost("upsert", "jobs", {}, id=ID),
    lost("create_queue", "new"),
    lost("update_queue", "jobs"),
    refusal(QueueNotFoundError, "Dead letter queue 'nowhere'", "insert", "jobs", [{"dead_letter": "nowhere"}]),
    refusal(QueueNotFoundError, "Dead letter queue 'nowhere'", "flow",
            [TWO[0], {**TWO[1], "options": {"dead_letter": "nowhere"}}]),
    # Names.
    option("queue name 'a b' may hold only letters", "send", "a b"),
    option("queue name is empty", "fetch", ""),
    option("queue name 'a b' may hold only letters", "create_queue", "a b"),
    option("dead_letter 'a b' may hold only letters", "send", "jobs", dead_letter="a b"),
    # Sending.
    option("priority must be an integer.*1.5", "send", "jobs", priority=1.5),
    option("retry_limit must be an integer of 0 or more, not -1", "send", "jobs", retry_limit=-1),
    option("retry_delay must be an integer of 0 or more, not -1", "send", "jobs", retry_delay=-1),
    option("retry_backoff must be True or False, not 1", "send", "jobs", retry_backoff=1),
    option(r"retry_delay_max \(5\) needs retry_backoff=True", "send", "jobs", retry_delay_max=5),
    option("expire_in_seconds must be an integer from 1 to 86400, not 0", "send", "jobs", expire_in_seconds=0),
    option("expire_in_seconds must be an integer from 1 to 86400, not 86401", "send", "jobs", expire_in_seconds=86401),
    option("retention_seconds must be an integer of 1 or more, not 0", "send", "jobs", retention_seconds=0),
    option("delete_after_seconds must be an integer of 0 or more", "send", "jobs", delete_after_seconds=-1),
    option("heartbeat_seconds must be an integer of 10 or more, not 9", "send", "jobs", heartbeat_seconds=9),
    option("singleton_seconds must be an integer of 1 or more, not 0", "send", "jobs", singleton_seconds=0),
    option("singleton_seconds must be an integer of 1 or more, not 0", "send_throttled", "jobs", None, 0),
    option("singleton_seconds must be an integer of 1 or more, not 0", "send_debounced", "jobs", None, 0),
    option(r"singleton_next_slot \(True\)", "insert", "jobs", [{"singleton_next_slot": True, "singleton_seconds": 5}]),
    option("group_id must not be empty", "send", "jobs", group_id=""),
    option(r"group_tier \('gold'\) needs a group_id", "send", "jobs", group_tier="gold"),
    option("id must be a UUID, not 'x'", "send", "jobs", id="x"),
    option("start_after cannot be read: .*hello", "send", "jobs", start_after="hello"),
    option("start_after cannot be read: .*1e3", "insert", "jobs", [{"start_after": "1e3"}]),
    option("chunk_size must be an integer of 1 or more, not 0", "insert_stream", "jobs", [{}], chunk_size=0),
    option("start_after is a datetime without a time zone", "send", "jobs", start_after=datetime(2030, 1, 1)),  # noqa: DTZ001  that is the mistake
    option("start_after must be a datetime, a timedelta, seconds or a string", "send", "jobs", start_after=True),
    option("'fifo' has the policy key_strict_fifo: its jobs need a singleton_key", "send", "fifo"),
    option("'fifo' has the policy key_strict_fifo: its jobs need a singleton_key", "send", "fifo", singleton_key=""),
    option("'fifo' has the policy key_strict_fifo: its jobs need a singleton_key", "insert", "fifo", [{}]),
    option("'fifo' has the policy key_strict_fifo: its jobs need a singleton_key", "upsert", "fifo", {}, id=ID),
    option("The id .*bb11 is given to more than one", "insert", "jobs", [{"id": ID}, {"id": str(ID)}]),
    option("Unknown options of a job to insert: prio", "insert", "jobs", [{"prio": 1}]),
    # Update and upsert.
    option("exactly one of id and singleton_key", "update", "jobs", {}),
    option("exactly one of id and singleton_key", "upsert", "jobs", {}, id=ID, singleton_key="k"),
    option("match .*'newest', 'oldest', 'all'|match must be", "update", "jobs", {}, singleton_key="k", match="some"),
    option("match", "update", "jobs", {}, id=ID, match="all"),
    option("priority must be an integer", "update", "jobs", {}, id=ID, priority=None),
    option("start_after cannot be read: .*hello", "update", "jobs", {}, id=TAKEN, start_after="hello"),
    option("start_after cannot be read: .*hello", "upsert", "jobs", {}, id=ID, start_after="hello"),
    # Flows.
    flow("A flow needs 2 jobs or more, not 1", TWO[0]),
    flow("The ref 'a' is given to more than one job", TWO[0], TWO[0]),
    flow("ref must not be empty", TWO[0], {**TWO[1], "ref": ""}),
    flow("Job 'b' depends on 'c', which is no ref of its flow: 'a', 'b'", TWO[0], {**TWO[1], "depends_on": ["c"]}),
    flow("Job 'b' of the flow must not depend on itself", TWO[0], {**TWO[1], "depends_on": ["b"]}),
    flow("No job of the flow depends on another", TWO[0], {"ref": "b", "name": "jobs"}),
    flow("wait for one another: a -> b -> a", {**TWO[0], "depends_on": ["b"]}, TWO[1]),
    flow("retry_limit must be an integer of 0 or more, not -1", TWO[0], {**TWO[1], "options": {"retry_limit": -1}}),
    flow("'fifo' has the policy key_strict_fifo", TWO[0], {**TWO[1], "name": "fifo"}),
    flow("start_after cannot be read: .*hello", TWO[0], {**TWO[1], "options": {"start_after": "hello"}}),
    refusal(JobConflictError, "No job of the flow was created: the id of one", "flow",
            [TWO[0], {**TWO[1], "options": {"id": TAKEN}}]),
    option("limit must be an integer from 1 to 100000, not 0", "get_dependencies", "jobs", ID, limit=0),
    option("id must be a UUID, not 'x'", "get_dependents", "jobs", "x"),
    # Fetching and finding.
    option("batch_size must be an integer of 1 or more, not 0", "fetch", "jobs", batch_size=0),
    option(r"min_priority \(2\) must not be above max_priority \(1\)", "fetch", "jobs", min_priority=2, max_priority=1),
    option("ignore_start_after must be True or False", "fetch", "jobs", ignore_start_after="yes"),
    option("group_concurrency must be an integer of 1 or more, not 0", "fetch", "jobs", group_concurrency=0),
    option("group_concurrency of tier 'gold' must be an integer of 1", "fetch", "jobs",
           group_concurrency={"default": 1, "tiers": {"gold": 0}}),
    option("ignore_groups must be a list of group ids, not 'g'", "fetch", "jobs", ignore_groups="g"),
    option("id must be a UUID, not 'x'", "get_job", "x"),
    option("queue name 'a b' may hold only letters", "get_queue", "a b"),
    option("queue name 'a b' may hold only letters", "get_queues", ["jobs", "a b"]),
    option("limit must be an integer from 1 to 100000, not 100001", "find_jobs", "jobs", limit=100_001),
    option("after must be a UUID, not 'x'", "find_jobs", "jobs", after="x"),
    option("key_strict_fifo", "get_blocked_keys", "jobs"),
    option("limit must be an integer from 1 to 100000, not 0", "get_blocked_keys", "fifo", limit=0),
    # Settling.
    option("At least one job is needed", "complete", "jobs", []),
    option("A job is named by its id", "cancel", "jobs", "x"),
    refusal(JobConflictError, "Nothing was changed in queue 'one'", "retry", "one", FAILED),
    refusal(JobConflictError, "Nothing was changed in queue 'one'", "resume", "one", CANCELLED),
    # Dead letters.
    option("limit must be an integer of 1 or more, not 0", "redrive", "dead", limit=0),
    option("limit must be an integer from 1 to 100000, not 100001", "preview_redrive", "dead", limit=100_001),
    option("ids", "redrive", "dead", ids=[]),
    option("created_before", "redrive", "dead", created_before="yesterday"),
    refusal(ConflictError, "key_strict_fifo", "redrive", "dead", destination="fifo"),
    # Events.
    option("event.* empty", "subscribe", "", "jobs"),
    option("event.* empty", "unsubscribe", "", "jobs"),
    option("event.* empty", "publish", ""),
    option("retry_limit must be an integer of 0 or more, not -1", "publish", "news", retry_limit=-1),
    # Queues.
    option("policy must be one of standard, short, .*, not 'fifo'", "create_queue", "new", policy="fifo"),
    option("dead_letter must be another queue than 'new' itself", "create_queue", "new", dead_letter="new"),
    option("dead_letter must be another queue than 'jobs' itself", "update_queue", "jobs", dead_letter="jobs"),
    option("notify must be True or False, not 1", "create_queue", "new", notify=1),
    option("Nothing to change on queue 'jobs'", "update_queue", "jobs"),
    option("policy cannot be changed after queue 'jobs'", "update_queue", "jobs", policy="short"),
    option("partition cannot be changed after queue 'jobs'", "update_queue", "jobs", partition=True),
    option("retry_limit must be", "update_queue", "jobs", retry_limit=None),
    refusal(ConflictError, "queue 'jobs' uses it as its dead letter queue", "delete_queue", "dead"),
    refusal(ConflictError, "jobs in queue 'jobs' name it as their dead letter queue", "delete_queue", "named"),
    option("every_queue", "delete_all_jobs"),
    # Schedules.
    missing("schedule", "nowhere", "0 6 * * *"),
    option(r"has 5 fields, or 6 with seconds, and '0 6 \* \* \* \* \*' has 7", "schedule", "jobs", "0 6 * * * * *"),
    option("minute of the cron expression, '61', cannot be read", "schedule", "jobs", "61 * * * *"),
    option("tz must be the IANA name of a time zone", "schedule", "jobs", "0 6 * * *", tz="Mars/Olympus"),
    option("missed must be one of skip, once, not 'twice'", "schedule", "jobs", "0 6 * * *", missed="twice"),
    option("key of the schedule 'a b' may hold only letters", "schedule", "jobs", "0 6 * * *", key="a b"),
    option("retry_limit must be an integer of 0 or more, not -1", "schedule", "jobs", "0 6 * * *", retry_limit=-1),
    option("key of the schedule 'a b' may hold only letters", "unschedule", "jobs", key="a b"),
    option("key of the schedule 'a b' may hold only letters", "get_schedule", "jobs", key="a b"),
    option("limit must be an integer from 1 to 100000, not 0", "get_schedules", limit=0),
    option(r"key \('k'\) sets schedules of one queue apart: name the queue", "get_schedules", key="k"),
    option("count must be an integer from 1 to 1000, not 0", "preview_schedule", "0 6 * * *", count=0),
    # What runs, and what is known of it.
    option("limit must be an integer from 1 to 100000, not 0", "get_warnings", limit=0),
    option("limit must be an integer from 1 to 100000, not 0", "get_bam_entries", limit=0),
    option("limit must be an integer from 1 to 100000, not 0", "get_instances", limit=0),
    missing("get_queue_stats", "nowhere"),
    option("aggregate must be one of max, min, avg, not 'sum'", "get_queue_stats", "jobs", aggregate="sum"),
    option("timeout must be a positive number of seconds, not -1", "wait_for", ID, timeout=-1),
    refusal(JobNotFoundError, "There is no job .*bb11", "wait_for", ID),
    missing("pause_queue", "nowhere"),
    option("queue name 'a b' may hold only letters", "resume_queue", "a b"),
    option("id must be a UUID, not 'x'", "pause_instance", "x"),
    option("id must be a UUID, not 'x'", "resume_instance", "x"),
]
# fmt: on


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> Iterator[str]:
    """A database with queues and jobs among which every refusal has its reason; no refusal changes it."""
    name = fresh_database_name()
    dsn = postgres.create_database(name)
    with SyncPgBoss(dsn, queue_defaults=QueueOptions()) as boss:
        boss.create_queue("dead")
        boss.create_queue("named")
        boss.create_queue("jobs", dead_letter="dead", retry_limit=0)
        boss.create_queue("fifo", policy="key_strict_fifo")
        boss.create_queue("one", policy="exclusive", retry_limit=0)
        boss.send("jobs", {"n": 1}, id=TAKEN, singleton_key="k")
        boss.send("jobs", dead_letter="named")
        boss.fail("jobs", boss.send("jobs") or ID)
        boss.send("one", id=FAILED)
        boss.fail("one", FAILED)
        boss.send("one", id=CANCELLED)
        boss.cancel("one", CANCELLED)
        boss.send("one")
    yield dsn
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def boss(url: str) -> Iterator[SyncPgBoss]:
    with SyncPgBoss(url) as boss:
        yield boss


def everything(url: str) -> list[Any]:
    tables = ("job", "queue", "job_dependency", "subscription", "schedule")
    return [sql(url, f"SELECT t.*, t.xmin::text FROM pgboss.{table} t ORDER BY t::text") for table in tables]


@pytest.mark.parametrize("refused", REFUSALS, ids=str)
def test_a_refusal_says_why_and_leaves_nothing_behind(boss: SyncPgBoss, url: str, refused: Refusal) -> None:
    before = everything(url)
    call = getattr(boss, refused.method)

    with pytest.raises(refused.error, match=refused.message):
        call(*refused.arguments, **refused.options)
    assert everything(url) == before

    if "connection" not in inspect.signature(call).parameters:
        return
    with psycopg.connect(url) as connection:
        with pytest.raises(refused.error, match=refused.message):
            call(*refused.arguments, connection=connection, **refused.options)
        # What the caller does next is in the same transaction, and is kept.
        connection.execute("CREATE TABLE mine ()")
        connection.commit()
    sql(url, "DROP TABLE mine")
    assert everything(url) == before


def test_every_call_that_can_refuse_is_among_them() -> None:
    calls = {name for name in dir(SyncPgBoss) if not name.startswith("_") and callable(getattr(SyncPgBoss, name))}
    assert calls - {refused.method for refused in REFUSALS} == NEVER_REFUSE
