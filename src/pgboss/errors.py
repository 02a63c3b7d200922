"""Every exception this package raises on purpose, in one tree rooted at :class:`PgBossError`.

A message says what was wrong, with which value, and what to do about it. Decisions are made on the class or on
``sqlstate``, never on the text.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ConfigurationError",
    "ConflictError",
    "DatabaseError",
    "DatabaseUnavailableError",
    "EmbeddedServerError",
    "HandlerProcessError",
    "HandlerResultError",
    "HandlerTimeoutError",
    "JobCancelledError",
    "JobConflictError",
    "JobFailedError",
    "JobNotFoundError",
    "LeaseLostError",
    "PayloadError",
    "PgBossError",
    "QueueNotFoundError",
    "SchemaError",
    "SchemaMissingError",
    "SchemaVersionError",
    "StoppedError",
    "ValidationError",
    "WaitTimeoutError",
    "WorkerProcessError",
]


# Deadlocks and serialization, a full disk or memory, a lock that was not to be had, a statement cancelled by somebody
# or by a limit, a server read-only after a failover, its files out of reach. Lost connections have their own class.
_PASSING = ("40", "53", "55P03", "57014", "25006", "58")


class PgBossError(Exception):
    """The root: ``except PgBossError`` catches everything this package raises on purpose."""


class ConfigurationError(PgBossError):
    """A setting is missing or unusable (DSN, schema name, pool size, job registry)."""


class ValidationError(PgBossError, ValueError):
    """An argument is out of its range; raised before anything is sent to the database."""


class PayloadError(ValidationError):
    """Job data cannot be stored as JSON, or does not fit the job's declared payload type."""


class StoppedError(PgBossError):
    """The instance was not started, or has been stopped."""


class DatabaseError(PgBossError):
    """PostgreSQL refused a statement.

    Attributes:
        sqlstate: the five-character code, or ``None`` when the server sent none.
        constraint: the violated constraint or index, when the server named one.
    """

    def __init__(self, message: str, *, sqlstate: str | None = None, constraint: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.constraint = constraint

    @property
    def is_passing(self) -> bool:
        """Whether the cause lies with the server at this moment, so that the same statement may succeed later."""
        return (self.sqlstate or "").startswith(_PASSING)


class DatabaseUnavailableError(DatabaseError):
    """The server cannot be reached, refused the login, or the connection broke; trying again later may help."""

    @property
    def is_passing(self) -> bool:
        return True


class QueueNotFoundError(PgBossError):
    """The queue has no row: create it first with ``create_queue``."""

    def __init__(self, message: str, *, queue: str) -> None:
        super().__init__(message)
        self.queue = queue


class ConflictError(PgBossError):
    """What was asked would break a rule of the queue's policy or of its dead letter links."""


class JobConflictError(ConflictError):
    """Jobs could not be created or moved because another job holds their slot."""


class HandlerProcessError(PgBossError):
    """The process in which a handler worked was killed, or ended itself; the message says how."""


class WorkerProcessError(PgBossError):
    """A worker process could not be started, for a reason that is no error of this package."""


class HandlerResultError(PgBossError):
    """A handler returned what says nothing about its jobs, or ended the transaction in which they were to complete."""


class HandlerTimeoutError(PgBossError):
    """A handler ran longer than its job's ``expire_in_seconds``."""


class JobNotFoundError(PgBossError):
    """There is no such job, or there is none any more: it was deleted, or removed when its time had come."""


class JobFailedError(PgBossError):
    """The result of a job was asked for, and it failed for good.

    Attributes:
        job: its :class:`~pgboss.core.job.JobDetails`; ``job.output`` says why.
    """

    def __init__(self, message: str, *, job: Any) -> None:
        super().__init__(message)
        self.job = job


class JobCancelledError(JobFailedError):
    """The result of a job was asked for, and it was cancelled."""


class WaitTimeoutError(PgBossError, TimeoutError):
    """A job had not ended when the time to wait for it was over; the job itself goes on."""


class LeaseLostError(PgBossError):
    """No heartbeat of a job got through for as long as its lease lasts, so that another worker may be running it."""


class SchemaError(PgBossError):
    """The pg-boss schema in the database is missing, half installed, or of another version."""


class SchemaMissingError(SchemaError):
    """pg-boss is not installed in this schema."""


class SchemaVersionError(SchemaError):
    """The installed schema version cannot be used by this release.

    Attributes:
        installed: the version found in the database, or ``None`` when the row is missing.
        expected: the version this release works with.
    """

    def __init__(self, message: str, *, installed: int | None, expected: int) -> None:
        super().__init__(message)
        self.installed = installed
        self.expected = expected


class EmbeddedServerError(PgBossError):
    """The embedded PostgreSQL cannot be found, started or used."""
