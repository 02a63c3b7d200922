"""Background jobs on PostgreSQL: the Python side of pg-boss.

Example:
    from pgboss import Job, Jobs, PgBoss

    jobs = Jobs()

    @jobs.job("welcome-mail", retry_limit=5)
    async def welcome(payload: Welcome, job: Job) -> None: ...

    async with PgBoss(jobs=[jobs]) as boss:
        await boss.send(welcome, Welcome(to="ada@example.com"))
"""

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
