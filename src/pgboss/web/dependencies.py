"""What routes ask for in their signatures: the site, and somebody who may do what they do."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from pgboss.web.access import Principal
from pgboss.web.options import WebOptions
from pgboss.web.problems import Problem, unauthenticated
from pgboss.web.sessions import Sessions
from pgboss.web.site import Site

__all__ = ["AnyReader", "AnySessions", "AnySite", "AnyWriter", "Options"]


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def _options(request: Request) -> WebOptions:
    options: WebOptions = request.app.state.options
    return options


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _reader(request: Request) -> Principal:
    principal: Principal | None = getattr(request.state, "principal", None)
    if principal is None:
        raise unauthenticated()
    return principal


def _writer(principal: Annotated[Principal, Depends(_reader)]) -> Principal:
    if not principal.may_write:
        raise Problem(403, "read_only", f"{principal.name} may look, and change nothing.")
    return principal


AnySite: TypeAlias = Annotated[Site, Depends(_site)]
AnySessions: TypeAlias = Annotated[Sessions, Depends(_sessions)]
AnyReader: TypeAlias = Annotated[Principal, Depends(_reader)]
"""Somebody who may look: for routes that show something."""
AnyWriter: TypeAlias = Annotated[Principal, Depends(_writer)]
"""Somebody who may change things: for every route that does."""
Options: TypeAlias = Annotated[WebOptions, Depends(_options)]
