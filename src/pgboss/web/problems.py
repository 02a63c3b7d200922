"""How errors come out of the API: a status, and JSON that says what was wrong and what to do.

Every answer that is not a success has the body ``{"error": "<kind>", "message": "<sentences>"}``, with ``details``
where several things were wrong at once.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

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

__all__ = ["Problem", "ProblemBody", "add_handlers", "answer", "problem_of", "unauthenticated"]

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

    def __init__(self, status: int, error: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.headers = headers


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


def add_handlers(app: FastAPI) -> None:
    """Have an application answer with problems."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(PgBossError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _problem(request: Request, error: Any) -> JSONResponse:
    return answer(error)


async def _ours(request: Request, error: Any) -> JSONResponse:
    return answer(problem_of(error))


async def _invalid(request: Request, error: Any) -> JSONResponse:
    details = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    body = ProblemBody(error="invalid", message="The request is not as it should be.", details=details)
    return JSONResponse(body.model_dump(), 422)


async def _http(request: Request, error: Any) -> JSONResponse:
    kind = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    return answer(Problem(error.status_code, kind, str(error.detail), headers=error.headers))


def answer(problem: Problem) -> JSONResponse:
    """The response that tells of a problem."""
    body = ProblemBody(error=problem.error, message=problem.message)
    return JSONResponse(body.model_dump(exclude_none=True), problem.status, headers=problem.headers)
