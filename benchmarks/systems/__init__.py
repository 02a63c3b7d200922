"""The systems: how each is run, with which settings, and how to see in its store what has been done.

Settings that are not a system's defaults come from its documentation and from short sweeps of W3 on two cores. A number
of jobs is asked of the store itself: in SQL, or as a sum of Redis commands. This module imports nothing, because
children of every environment read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = ["SYSTEMS", "JobTable", "Settings", "System"]

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JobTable:
    """Where a system's jobs lie, so that one can be copied many times: a backlog, or a history.

    Attributes:
        name: the table.
        set: expressions for columns that a copy cannot share; ``{n}`` stands for the copy's number.
        left_out: columns that fill themselves.
        keeps: which jobs are completed, as a condition; ``None`` where completed jobs leave the table.
    """

    name: str
    set: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    keeps: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    """One system.

    Attributes:
        name: what it is called on the command line.
        title: what it is called in tables.
        runs_on: whose Python or Node: ``ours`` is this project's environment, ``peers`` that of the others, and
            ``newer`` one with a Python that one of them needs.
        adapter: the module of ``benchmarks.systems``, or of ``systems/node``.
        store: where its jobs are.
        unfinished: how many jobs are still to be completed, cheaply; 1 may stand for more.
        queued: how many jobs are still to be completed.
        completed: how many are completed; ``None`` where those leave no trace.
        tuned: settings for throughput and pickup.
        default: settings as installed; ``None`` for what has no defaults.
        table: its job table; ``None`` where there is not one table that could be filled.
        jobs: how many it is given at most where others get 50,000, because it is slower by an order of magnitude.
        connections: of the client that enqueues.
        has_sender: whether it has a client for threads.
        is_contender: whether it is measured again and again while there is time, and takes part in the full mode.
    """

    name: str
    title: str
    runs_on: Literal["ours", "peers", "newer", "node"]
    adapter: str
    store: Literal["postgres", "redis"]
    unfinished: str
    queued: str
    completed: str | None
    tuned: Settings
    default: Settings | None
    table: JobTable | None = None
    jobs: int = 1_000_000
    connections: int = 1
    has_sender: bool = False
    is_contender: bool = False
    prepared_by: str | None = field(default=None)


def _on_schema46(**others: Any) -> System:
    """A system whose jobs lie in pg-boss's tables, and are therefore counted alike."""
    states = "FROM pgboss.job WHERE name = 'q' AND state"
    return System(
        store="postgres",
        unfinished=f"SELECT (EXISTS (SELECT {states} < 'active') OR EXISTS (SELECT {states} = 'active'))::int",
        queued=f"SELECT count(*) {states} < 'completed'",
        completed=f"SELECT count(*) {states} = 'completed'",
        table=JobTable(
            "pgboss.job_common",
            {"id": "gen_random_uuid()", "data": "jsonb_build_object('n', {n})"},
            keeps="state = 'completed'",
        ),
        is_contender=True,
        **others,
    )


_OURS: dict[str, Any] = {
    "tuned": {"insert": 25_000, "work": {"concurrency": 1000}},
    "default": {"insert": 10_000, "work": {}, "loop": "asyncio"},
    "has_sender": True,
}


def _express(**options: bool) -> dict[str, Any]:
    """Ours in express mode, which nobody has by default."""
    return _OURS | {
        "tuned": _OURS["tuned"] | {"work": _OURS["tuned"]["work"] | {"express": True} | options},
        "default": None,
    }


_BULLMQ: dict[str, Any] = {
    "runs_on": "node",
    "adapter": "bullmq",
    "jobs": 20_000,
}

# Its view awa.jobs takes minutes for a long queue, hence the tables behind it.
_AWA_QUEUED = """SELECT (SELECT count(*) FROM awa.ready_entries) - (SELECT count(*) FROM awa.done_entries)
 - (SELECT coalesce(sum(completed_count), 0) FROM awa.receipt_completion_batches)"""

_ALL = (
    _on_schema46(name="ours", title="pgboss (psycopg)", runs_on="ours", adapter="ours", **_OURS),
    replace(
        _on_schema46(
            name="ours_asyncio",
            title="pgboss, without uvloop",
            runs_on="ours",
            adapter="ours",
            **(_OURS | {"tuned": _OURS["tuned"] | {"loop": "asyncio"}, "default": None}),
        ),
        is_contender=False,
    ),
    _on_schema46(
        name="ours_asyncpg",
        title="pgboss (asyncpg)",
        runs_on="ours",
        adapter="ours",
        **(_OURS | {"tuned": _OURS["tuned"] | {"pool": "asyncpg"}, "default": _OURS["default"] | {"pool": "asyncpg"}}),
    ),
    _on_schema46(name="ours_express", title="pgboss, express", runs_on="ours", adapter="ours", **_express()),
    replace(
        _on_schema46(
            name="ours_express_delete",
            title="pgboss, express, deleting",
            runs_on="ours",
            adapter="ours",
            **_express(delete_on_completion=True),
        ),
        completed=None,
    ),
    _on_schema46(
        name="pgboss",
        title="npm pg-boss 12.38",
        runs_on="node",
        adapter="pgboss",
        tuned={
            "insert": 5000,
            "queue": {"notify": True},
            "boss": {"useListenNotify": True},
            "work": {
                "batchSize": 2000,
                "localConcurrency": 2,
                "burstWhenBatchFull": True,
                "pollingIntervalSeconds": 0.5,
            },
        },
        default={"insert": 5000, "queue": {}, "boss": {}, "work": {}},
    ),
    System(
        name="graphile",
        title="graphile-worker 0.18",
        runs_on="node",
        adapter="graphile",
        store="postgres",
        unfinished="SELECT EXISTS (SELECT FROM graphile_worker._private_jobs)::int",
        queued="SELECT count(*) FROM graphile_worker._private_jobs",
        completed=None,
        tuned={
            "insert": 5000,
            "worker": {
                "concurrentJobs": 24,
                "maxPoolSize": 26,
                "localQueue": {"size": 2000},
                "completeJobBatchDelay": 0,
                "failJobBatchDelay": 0,
            },
        },
        default={"insert": 5000, "worker": {}},
        table=JobTable("graphile_worker._private_jobs", {"payload": "json_build_object('n', {n})"}, ("id",)),
        is_contender=True,
    ),
    System(
        name="procrastinate",
        title="procrastinate 3.10",
        runs_on="peers",
        adapter="procrastinate",
        store="postgres",
        unfinished="SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))::int",
        queued="SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
        completed="SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'",
        tuned={"insert": 5000, "worker": {"concurrency": 20}},
        default={"insert": 5000, "worker": {}},
        table=JobTable(
            "procrastinate_jobs", {"args": "jsonb_build_object('n', {n})"}, ("id",), keeps="status = 'succeeded'"
        ),
        jobs=20_000,
        has_sender=True,
    ),
    System(
        name="pgqueuer",
        title="PgQueuer 1.6",
        runs_on="peers",
        adapter="pgqueuer",
        store="postgres",
        unfinished="SELECT EXISTS (SELECT FROM pgqueuer)::int",
        queued="SELECT count(*) FROM pgqueuer",
        completed="SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'",
        tuned={"insert": 5000, "pool": 10, "run": {"batch_size": 500}},
        default={"insert": 5000, "run": {}},
        table=JobTable("pgqueuer", {"payload": "convert_to(json_build_object('n', {n})::text, 'UTF8')"}, ("id",)),
        has_sender=True,
        is_contender=True,
    ),
    System(
        name="oban",
        title="oban 0.7",
        runs_on="newer",
        adapter="oban",
        store="postgres",
        unfinished="SELECT EXISTS (SELECT FROM oban_jobs WHERE state IN ('available', 'executing'))::int",
        queued="SELECT count(*) FROM oban_jobs WHERE state IN ('available', 'scheduled', 'executing', 'retryable')",
        completed="SELECT count(*) FROM oban_jobs WHERE state = 'completed'",
        tuned={"insert": 5000, "limit": 200},
        default={"insert": 5000, "limit": 10},
        table=JobTable("oban_jobs", {"args": "jsonb_build_object('n', {n})"}, ("id",), keeps="state = 'completed'"),
        jobs=10_000,
    ),
    System(
        name="chancy",
        title="chancy 0.26",
        runs_on="peers",
        adapter="chancy",
        store="postgres",
        unfinished="SELECT EXISTS (SELECT FROM chancy_jobs WHERE state NOT IN ('succeeded', 'failed'))::int",
        queued="SELECT count(*) FROM chancy_jobs WHERE state NOT IN ('succeeded', 'failed')",
        completed="SELECT count(*) FROM chancy_jobs WHERE state = 'succeeded'",
        tuned={"insert": 1000, "queue": {"concurrency": 5000, "eager_polling": True, "polling_interval": 1}},
        default={"insert": 1000, "queue": {}},
        table=JobTable(
            "chancy_jobs",
            {"id": "gen_random_uuid()", "kwargs": "jsonb_build_object('n', {n})"},
            keeps="state = 'succeeded'",
        ),
        jobs=10_000,
        has_sender=True,
    ),
    System(
        name="awa",
        title="awa 0.6.9",
        runs_on="peers",
        adapter="awa",
        store="postgres",
        unfinished=_AWA_QUEUED,
        queued=_AWA_QUEUED,
        # Completed jobs leave its rings within seconds.
        completed=None,
        tuned={
            "insert": 5000,
            "queue": {"max_workers": 1024, "claimers": 1, "claim_batch_size": 512},
            "start": {"poll_interval_ms": 50},
        },
        default={"insert": 5000, "queue": None, "start": {}},
        has_sender=True,
    ),
    System(
        name="bullmq_postgres",
        title="BullMQ 6 on PostgreSQL",
        store="postgres",
        unfinished="SELECT EXISTS (SELECT FROM bullmq.job WHERE state NOT IN ('completed', 'failed'))::int",
        queued="SELECT count(*) FROM bullmq.job WHERE state NOT IN ('completed', 'failed')",
        completed="SELECT count(*) FROM bullmq.job WHERE state = 'completed'",
        tuned={"insert": 1000, "worker": {"concurrency": 100}},
        default={"insert": 1000, "worker": {}},
        table=JobTable(
            "bullmq.job",
            # It counts upwards itself.
            {"id": "'copy' || {n}", "seq": "-{n}", "data": "jsonb_build_object('n', {n})"},
            keeps="state = 'completed'",
        ),
        **_BULLMQ,
    ),
    System(
        name="bullmq_redis",
        title="BullMQ 6 on Redis",
        store="redis",
        unfinished="LLEN bull:q:wait + LLEN bull:q:active",
        queued="LLEN bull:q:wait + LLEN bull:q:active",
        completed="ZCARD bull:q:completed",
        tuned={"insert": 1000, "worker": {"concurrency": 100}},
        default={"insert": 1000, "worker": {}},
        **_BULLMQ,
    ),
    System(
        name="celery",
        title="Celery 5.7 on Redis",
        runs_on="peers",
        adapter="celery",
        store="redis",
        unfinished="LLEN q + HLEN unacked",
        queued="LLEN q + HLEN unacked",
        completed=None,
        tuned={
            "app": {"worker_prefetch_multiplier": 250, "worker_send_task_events": False},
            "worker": ["--pool", "solo", "--without-heartbeat", "--without-gossip", "--without-mingle"],
        },
        default={"app": {}, "worker": ["--pool", "threads"]},
        jobs=5000,
        has_sender=True,
    ),
    _on_schema46(
        name="raw_schema46",
        title="raw SQL on schema 46",
        runs_on="ours",
        adapter="raw_schema46",
        tuned={"insert": 10_000, "batch": 500},
        default=None,
        has_sender=True,
    ),
    System(
        name="raw_least",
        title="raw SQL, least table",
        runs_on="ours",
        adapter="raw_least",
        store="postgres",
        unfinished="SELECT EXISTS (SELECT FROM least)::int",
        queued="SELECT count(*) FROM least",
        completed=None,
        tuned={"insert": 10_000, "batch": 500},
        default=None,
        table=JobTable("least", {"data": "jsonb_build_object('n', {n})"}, ("id",)),
        is_contender=True,
    ),
)

SYSTEMS: Mapping[str, System] = {system.name: system for system in _ALL}
