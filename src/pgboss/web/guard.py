"""Lets requests in, or not: who asks is found out before anything else looks at a request.

Where there are credentials, whoever shows one is let in. Where there are none, only this machine is: the address must
be a loopback one, and so must the name that was asked for, because a page of somebody else's may have its own name lead
here. And nobody's browser changes anything here on behalf of another site's page.
"""

from __future__ import annotations

from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from pgboss.web.access import LOCAL, Principal
from pgboss.web.options import WebOptions
from pgboss.web.problems import Problem, answer, unauthenticated

__all__ = ["OPEN_PATHS", "Guard"]

OPEN_PATHS = frozenset({"/health", "/ready"})
"""What anybody may ask: whoever watches over the process has no credentials."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FOREIGN = frozenset({"cross-site", "same-site"})

CLOSED = Problem(
    403,
    "closed",
    "No credentials are configured, so only this machine may ask, by a loopback address such as http://localhost. "
    "Configure keys to let others in.",
)
FROM_ELSEWHERE = Problem(403, "foreign_origin", "A page of another site may not change anything here.")


class Guard:
    """Puts the principal into ``request.state.principal``, and answers those who may not ask."""

    def __init__(self, app: ASGIApp, *, options: WebOptions) -> None:
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        principal = self._principal(connection)
        scope.setdefault("state", {})["principal"] = principal
        refusal = self._refusal(connection, principal)
        await (self._app if refusal is None else answer(refusal))(scope, receive, send)

    def _refusal(self, connection: HTTPConnection, principal: Principal | None) -> Problem | None:
        if principal is None:
            path = connection.scope["path"].removeprefix(connection.scope.get("root_path", ""))
            is_closed = self._options.authenticate is None and not self._options.keys
            return None if path in OPEN_PATHS else CLOSED if is_closed else unauthenticated()
        if connection.scope["method"] in SAFE_METHODS or _shown(connection) is not None:
            return None
        return FROM_ELSEWHERE if _is_from_elsewhere(connection) else None

    def _principal(self, connection: HTTPConnection) -> Principal | None:
        found = self._found(connection)
        if found is not None and self._options.read_only:
            return Principal(found.name, "read")
        return found

    def _found(self, connection: HTTPConnection) -> Principal | None:
        if self._options.authenticate is not None:
            return self._options.authenticate(connection)
        if not self._options.keys:
            return LOCAL if _is_this_machine(connection) else None
        shown = (_shown(connection) or "").encode()
        # All of them, whichever fits: how long it takes tells nothing.
        fitting = [key for key in self._options.keys if compare_digest(key.secret.encode(), shown)]
        return Principal(fitting[0].name, fitting[0].right) if fitting else None


def _shown(connection: HTTPConnection) -> str | None:
    """The key that the request shows, which no browser adds by itself."""
    kind, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else connection.headers.get("x-api-key")


def _is_this_machine(connection: HTTPConnection) -> bool:
    return connection.client is not None and _is_loopback(connection.client.host) and _is_loopback(_host(connection))


def _host(connection: HTTPConnection) -> str:
    try:
        return urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_from_elsewhere(connection: HTTPConnection) -> bool:
    """Whether a browser says that the page behind the request is not of this address."""
    if connection.headers.get("sec-fetch-site") in FOREIGN:
        return True
    origin = connection.headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != connection.headers.get("host", "").lower()
    except ValueError:
        return True
