"""Logging in with a key, and out again."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from pgboss.web.dashboard.changes import check_token, leave
from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnySessions
from pgboss.web.problems import Problem

__all__ = ["router"]

router = APIRouter()

NO_LOGIN = Problem(404, "not_found", "Nobody logs in here: no keys are configured.")


@router.get("/login")
async def show_login(request: Request, sessions: AnySessions, next: str = "/") -> Response:
    """The form. It begins a session that belongs to nobody yet, so that a page of another site cannot send it."""
    if not request.app.state.has_login:
        raise NO_LOGIN
    if request.state.principal is not None:
        return leave(request, _inside(next))
    session = request.state.session or sessions.of(None)
    request.state.csrf_token = sessions.token(session.id)
    response = page(request, "login.html", {"next": _inside(next), "problem": None})
    sessions.begin(response, request, session)
    return response


@router.post("/login")
async def log_in(request: Request, sessions: AnySessions) -> Response:
    """Begin a session, if the key is one that we know."""
    if not request.app.state.has_login:
        raise NO_LOGIN
    data = await check_token(request)
    next = _inside(str(data.get("next", "/")))
    key = request.app.state.keyring.key_with(str(data.get("key", "")), request)
    if key is None:
        return page(request, "login.html", {"next": next, "problem": "There is no such key."}, status=401)
    response = leave(request, next)
    # A new one, of which nobody can have known before.
    sessions.begin(response, request, sessions.of(key))
    return response


@router.post("/logout")
async def log_out(request: Request, sessions: AnySessions) -> Response:
    """End the session."""
    await check_token(request)
    response = leave(request, "/login")
    sessions.end(response, request)
    return response


def _inside(next: str) -> str:
    """A path beneath our own, whatever was asked for: nobody is led from here to another host."""
    is_path = next.startswith("/") and next[1:2] not in ("/", "\\") and next.isprintable()
    return next if is_path else "/"
