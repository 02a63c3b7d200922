"""Problems as pages: what went wrong, and the way on."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pgboss.web.dashboard.pages import page
from pgboss.web.paths import base_of, path_of
from pgboss.web.problems import Problem

__all__ = ["problem_page"]

RETRY_SECONDS = 5

TITLES = {
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    413: "Too large",
    422: "Not understood",
    429: "Too many attempts",
    500: "Something went wrong",
    503: "Not available now",
}


def problem_page(request: Request, problem: Problem) -> Response:
    """The page that tells of a problem; those who are to log in are led there.

    What is not available now is asked for again by the page itself, without a script: it may be a long night.
    """
    if problem.status == 401 and request.app.state.has_login:
        return _to_login(request)
    retry_seconds = RETRY_SECONDS if problem.status == 503 and request.method == "GET" else None
    context = {
        "title": TITLES.get(problem.status, "Something went wrong"),
        "problem": problem,
        "retry_seconds": retry_seconds,
    }
    response = page(request, "problem.html", context, status=problem.status)
    response.headers.update(problem.headers or {})
    return response


def _to_login(request: Request) -> Response:
    address = f"{base_of(request)}/login"
    # What was sent by a form is lost with the session; a form cannot be led back to.
    if request.method == "GET" and "hx-request" not in request.headers:
        asked = path_of(request) + (f"?{request.url.query}" if request.url.query else "")
        address = f"{address}?next={quote(asked, safe='')}" if asked != "/" else address
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)
