"""How problems are answered: by a page where somebody looks at the dashboard, as JSON everywhere else.

The JSON is ``{"error": "<kind>", "message": "<sentences>"}``, with ``details`` where several things were wrong at once.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pgboss.errors import PgBossError, StoppedError
from pgboss.web.dashboard.problem_page import problem_page
from pgboss.web.headers import HEADERS
from pgboss.web.paths import path_of
from pgboss.web.problems import Problem, ProblemBody, problem_of

__all__ = ["add_handlers", "answer"]

KINDS = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def answer(request: Request, problem: Problem) -> Response:
    """The response that tells of a problem."""
    return problem_page(request, problem) if _is_for_people(request) else _as_json(problem)


def add_handlers(app: FastAPI) -> None:
    """Have an application answer with problems."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(PgBossError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _is_for_people(request: Request) -> bool:
    looks = "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers
    return looks and not path_of(request).startswith("/api/")


def _as_json(problem: Problem) -> JSONResponse:
    body = ProblemBody(error=problem.error, message=problem.message, details=problem.details)
    return JSONResponse(body.model_dump(exclude_none=True), problem.status, headers=problem.headers)


async def _problem(request: Request, error: Any) -> Response:
    return answer(request, error)


async def _ours(request: Request, error: Any) -> Response:
    not_started = request.app.state.site.problem if isinstance(error, StoppedError) else None
    return answer(request, problem_of(not_started or error))


async def _invalid(request: Request, error: Any) -> Response:
    details = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return answer(request, Problem(422, "invalid", "The request is not as it should be.", details=details))


async def _http(request: Request, error: Any) -> Response:
    kind, message = KINDS.get(error.status_code, "refused"), str(error.detail)
    if error.status_code == 404:
        message = f"There is nothing at {path_of(request)}."
    return answer(request, Problem(error.status_code, kind, message, headers=error.headers))


async def _unforeseen(request: Request, error: Any) -> Response:
    # Answered outside of everything else, also of what adds these headers. The server logs the error.
    response = answer(request, Problem(500, "failed", "Something went wrong here; the log of the server says what."))
    response.headers.update(HEADERS)
    return response
