"""What goes wrong, in terms of HTTP: a status, a kind, and sentences that say what was wrong and what to do.

How a problem is answered, as JSON or as a page, is the business of ``answers.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from pgboss.errors import (
    ConflictError,
    DatabaseError,
    DatabaseUnavailableError,
    JobNotFoundError,
    PgBossError,
    QueueNotFoundError,
    SchemaError,
    StoppedError,
    ValidationError,
)

__all__ = ["Problem", "ProblemBody", "problem_of", "unauthenticated"]

STATEMENT_CANCELLED = "57014"

_STATUS_OF: tuple[tuple[type[PgBossError], int, str], ...] = (
    (QueueNotFoundError, 404, "queue_not_found"),
    (JobNotFoundError, 404, "job_not_found"),
    (ValidationError, 422, "invalid"),
    (ConflictError, 409, "conflict"),
    (DatabaseUnavailableError, 503, "database_unavailable"),
    (SchemaError, 503, "schema"),
    (StoppedError, 503, "stopped"),
    (DatabaseError, 500, "database"),
)


class ProblemBody(BaseModel):
    """What went wrong."""

    error: str
    message: str
    details: list[str] | None = None


class Problem(Exception):  # noqa: N818  an answer
    """Ends a request with a status and a sentence."""

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: list[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.headers = headers
        self.details = details


def unauthenticated() -> Problem:
    """Nobody was recognised, where somebody must be."""
    message = "Say who you are: Authorization: Bearer <key>, or X-API-Key: <key>."
    return Problem(401, "unauthenticated", message, headers={"WWW-Authenticate": "Bearer"})


def problem_of(error: PgBossError) -> Problem:
    """What an error of ours means over HTTP."""
    if isinstance(error, DatabaseError) and error.sqlstate == STATEMENT_CANCELLED:
        return Problem(503, "took_too_long", "The database took too long to answer. Ask for less: one queue, say.")
    status, kind = next(
        ((status, kind) for known, status, kind in _STATUS_OF if isinstance(error, known)), (500, "failed")
    )
    return Problem(status, kind, str(error))
