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
    from pgboss.core.job import Attempt, Job, JobDetails, JobState, Settled
    from pgboss.core.options import UNSET, QueueOptions, SendOptions
    from pgboss.core.queue import Queue
    from pgboss.errors import (
        ConfigurationError,
        ConflictError,
        DatabaseError,
        DatabaseUnavailableError,
        EmbeddedServerError,
        HandlerTimeoutError,
        JobConflictError,
        PayloadError,
        PgBossError,
        QueueNotFoundError,
        SchemaError,
        SchemaMissingError,
        SchemaVersionError,
        StoppedError,
        ValidationError,
    )
    from pgboss.jobs import Discard, JobDefinition, Jobs, Snooze
    from pgboss.operations.jobs import NewJob
    from pgboss.sync import SyncPgBoss

__all__ = [
    "QUEUE_DEFAULTS",
    "UNSET",
    "Attempt",
    "ConfigurationError",
    "ConflictError",
    "DatabaseError",
    "DatabaseUnavailableError",
    "Discard",
    "EmbeddedServerError",
    "HandlerTimeoutError",
    "Job",
    "JobConflictError",
    "JobDefinition",
    "JobDetails",
    "JobState",
    "Jobs",
    "NewJob",
    "PayloadError",
    "PgBoss",
    "PgBossError",
    "Queue",
    "QueueNotFoundError",
    "QueueOptions",
    "SchemaError",
    "SchemaMissingError",
    "SchemaVersionError",
    "SendOptions",
    "Settled",
    "Snooze",
    "StoppedError",
    "SyncPgBoss",
    "ValidationError",
    "run_worker",
]

# Imported when first asked for: whoever wants one name, or `pgboss --help`, does not wait for drivers and pydantic.
_HOMES = {
    "pgboss.boss": ("PgBoss", "run_worker"),
    "pgboss.client.base": ("QUEUE_DEFAULTS",),
    "pgboss.core.job": ("Attempt", "Job", "JobDetails", "JobState", "Settled"),
    "pgboss.core.options": ("UNSET", "QueueOptions", "SendOptions"),
    "pgboss.core.queue": ("Queue",),
    "pgboss.jobs": ("Discard", "JobDefinition", "Jobs", "Snooze"),
    "pgboss.operations.jobs": ("NewJob",),
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
