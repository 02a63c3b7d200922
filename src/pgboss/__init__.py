"""Background jobs on PostgreSQL: the Python side of pg-boss.

Example:
    from pgboss import Job, Jobs, PgBoss

    jobs = Jobs()

    @jobs.job("welcome-mail", retry_limit=5)
    async def welcome(payload: Welcome, job: Job) -> None: ...

    async with PgBoss(jobs=[jobs]) as boss:
        await boss.send(welcome, Welcome(to="ada@example.com"))
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgboss.boss import PgBoss, run_worker
    from pgboss.client.base import QUEUE_DEFAULTS
    from pgboss.core.bam import BamEntry, BamStatus
    from pgboss.core.checks import UNSET
    from pgboss.core.events import BamEvent, ErrorEvent, FlowEvent, WarningEvent
    from pgboss.core.flow import DependencyRef, Flow, FlowIds, FlowJob, FlowStep
    from pgboss.core.groups import GroupConcurrency
    from pgboss.core.instance import Instance
    from pgboss.core.instance_options import ReindexOptions
    from pgboss.core.job import Attempt, Job, JobDetails, JobState, Settled
    from pgboss.core.latency import add_bins, percentile
    from pgboss.core.options import QueueOptions, SendOptions
    from pgboss.core.pause import Pause
    from pgboss.core.queue import Queue
    from pgboss.core.queue_stats import QueueStats, QueueStatsPercentile
    from pgboss.core.redrive import RedrivePreview
    from pgboss.core.result import JobResult
    from pgboss.core.schedule import Schedule, ScheduleDetails
    from pgboss.core.telemetry_options import OpenTelemetryOptions
    from pgboss.core.warnings import StoredWarning
    from pgboss.core.wip import WipData
    from pgboss.errors import (
        ConfigurationError,
        ConflictError,
        DatabaseError,
        DatabaseUnavailableError,
        EmbeddedServerError,
        HandlerProcessError,
        HandlerResultError,
        HandlerTimeoutError,
        JobCancelledError,
        JobConflictError,
        JobFailedError,
        JobNotFoundError,
        LeaseLostError,
        PayloadError,
        PgBossError,
        QueueNotFoundError,
        SchemaError,
        SchemaMissingError,
        SchemaVersionError,
        StoppedError,
        ValidationError,
        WaitTimeoutError,
        WorkerProcessError,
    )
    from pgboss.jobs import Discard, Event, JobDefinition, Jobs, Snooze
    from pgboss.operations.send import NewJob
    from pgboss.operations.update import Updated, Upserted
    from pgboss.sync import SyncPgBoss

__all__ = [
    "QUEUE_DEFAULTS",
    "UNSET",
    "Attempt",
    "BamEntry",
    "BamEvent",
    "BamStatus",
    "ConfigurationError",
    "ConflictError",
    "DatabaseError",
    "DatabaseUnavailableError",
    "DependencyRef",
    "Discard",
    "EmbeddedServerError",
    "ErrorEvent",
    "Event",
    "Flow",
    "FlowEvent",
    "FlowIds",
    "FlowJob",
    "FlowStep",
    "GroupConcurrency",
    "HandlerProcessError",
    "HandlerResultError",
    "HandlerTimeoutError",
    "Instance",
    "Job",
    "JobCancelledError",
    "JobConflictError",
    "JobDefinition",
    "JobDetails",
    "JobFailedError",
    "JobNotFoundError",
    "JobResult",
    "JobState",
    "Jobs",
    "LeaseLostError",
    "NewJob",
    "OpenTelemetryOptions",
    "Pause",
    "PayloadError",
    "PgBoss",
    "PgBossError",
    "Queue",
    "QueueNotFoundError",
    "QueueOptions",
    "QueueStats",
    "QueueStatsPercentile",
    "RedrivePreview",
    "ReindexOptions",
    "Schedule",
    "ScheduleDetails",
    "SchemaError",
    "SchemaMissingError",
    "SchemaVersionError",
    "SendOptions",
    "Settled",
    "Snooze",
    "StoppedError",
    "StoredWarning",
    "SyncPgBoss",
    "Updated",
    "Upserted",
    "ValidationError",
    "WaitTimeoutError",
    "WarningEvent",
    "WipData",
    "WorkerProcessError",
    "add_bins",
    "percentile",
    "run_worker",
]

# Imported when first asked for: whoever wants one name, or `pgboss --help`, does not wait for drivers and pydantic.
_HOMES = {
    "pgboss.boss": ("PgBoss", "run_worker"),
    "pgboss.client.base": ("QUEUE_DEFAULTS",),
    "pgboss.core.bam": ("BamEntry", "BamStatus"),
    "pgboss.core.groups": ("GroupConcurrency",),
    "pgboss.core.job": ("Attempt", "Job", "JobDetails", "JobState", "Settled"),
    "pgboss.core.checks": ("UNSET",),
    "pgboss.core.events": ("BamEvent", "ErrorEvent", "FlowEvent", "WarningEvent"),
    "pgboss.core.instance": ("Instance",),
    "pgboss.core.instance_options": ("ReindexOptions",),
    "pgboss.core.flow": ("DependencyRef", "Flow", "FlowIds", "FlowJob", "FlowStep"),
    "pgboss.core.options": ("QueueOptions", "SendOptions"),
    "pgboss.core.latency": ("add_bins", "percentile"),
    "pgboss.core.pause": ("Pause",),
    "pgboss.core.queue": ("Queue",),
    "pgboss.core.queue_stats": ("QueueStats", "QueueStatsPercentile"),
    "pgboss.core.redrive": ("RedrivePreview",),
    "pgboss.core.schedule": ("Schedule", "ScheduleDetails"),
    "pgboss.core.telemetry_options": ("OpenTelemetryOptions",),
    "pgboss.core.result": ("JobResult",),
    "pgboss.core.wip": ("WipData",),
    "pgboss.core.warnings": ("StoredWarning",),
    "pgboss.jobs": ("Discard", "Event", "JobDefinition", "Jobs", "Snooze"),
    "pgboss.operations.send": ("NewJob",),
    "pgboss.operations.update": ("Updated", "Upserted"),
    "pgboss.sync": ("SyncPgBoss",),
}
_HOME_OF = dict.fromkeys(__all__, "pgboss.errors") | {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker would take every misspelt name for one of ours

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
