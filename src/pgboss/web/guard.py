"""Lets requests in, or not: who asks is found out before anything else looks at a request."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from pgboss.web.access import LOCAL, Principal
from pgboss.web.options import WebOptions

__all__ = ["Guard"]


class Guard:
    """Puts the principal into ``request.state.principal``; ``None`` where nobody was recognised."""

    def __init__(self, app: ASGIApp, *, options: WebOptions) -> None:
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["principal"] = self._principal(HTTPConnection(scope))
        await self._app(scope, receive, send)

    def _principal(self, connection: HTTPConnection) -> Principal | None:
        if self._options.authenticate is not None:
            found = self._options.authenticate(connection)
        else:
            found = None if self._options.keys else LOCAL
        if found is not None and self._options.read_only:
            return Principal(found.name, "read")
        return found
