"""Lets requests in, or not: who asks is found out before anything else looks at a request.

Where there are credentials, whoever shows one is let in, and so is the browser of whoever has logged in with one. Where
there are none, only this machine is: the address must be a loopback one, and so must the name that was asked for,
because a page of somebody else's may have its own name lead here.

And nobody's browser changes anything here on behalf of another site's page: the browser itself must not say that it
does, and what a session lets in must show that session's token. Pages take it from their forms
(``dashboard/changes.py``); the API takes it from a header.
"""

from __future__ import annotations

from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pgboss.web.access import LOCAL, ApiKey, Principal
from pgboss.web.answers import answer
from pgboss.web.keyring import Keyring
from pgboss.web.options import WebOptions
from pgboss.web.paths import path_of
from pgboss.web.problems import Problem, unauthenticated
from pgboss.web.sessions import Session, Sessions

__all__ = ["OPEN_PATHS", "TOKEN_HEADER", "Guard", "is_loopback"]

OPEN_PATHS = frozenset({"/health", "/ready"})
"""What anybody may ask: whoever watches over the process has no credentials."""

TOKEN_HEADER = "x-csrf-token"  # noqa: S105  the name of a header

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FOREIGN = frozenset({"cross-site", "same-site"})

CLOSED = Problem(
    403,
    "closed",
    "No credentials are configured, so only this machine may ask, by a loopback address such as http://localhost. "
    "Configure keys to let others in.",
)
FROM_ELSEWHERE = Problem(403, "foreign_origin", "A page of another site may not change anything here.")
NO_TOKEN = Problem(403, "no_token", "A browser that has logged in must send the token of its session: X-CSRF-Token.")


class Guard:
    """Puts ``principal``, ``session`` and ``csrf_token`` into ``request.state``, and answers those who may not ask."""

    def __init__(self, app: ASGIApp, *, options: WebOptions, sessions: Sessions, keyring: Keyring) -> None:
        self._app = app
        self._options = options
        self._sessions = sessions
        self._keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            self._recognise(request)
            self._check(request)
        except Problem as refusal:
            await answer(request, refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _recognise(self, request: Request) -> None:
        session = self._session(request)
        principal = self._principal(request, session)
        request.state.principal, request.state.session = principal, session
        request.state.csrf_token = self._token(principal, session)

    def _check(self, request: Request) -> None:
        path = path_of(request)
        if request.state.principal is None and not self._is_open(path):
            is_closed = self._options.authenticate is None and not self._options.keys
            raise CLOSED if is_closed else unauthenticated()
        if request.method in SAFE_METHODS:
            return
        if _is_from_elsewhere(request):
            raise FROM_ELSEWHERE
        if not self._may_be_meant(request, path):
            raise NO_TOKEN

    def _is_open(self, path: str) -> bool:
        has_login = self._options.keys and self._options.authenticate is None
        return path in OPEN_PATHS or bool(has_login and (path == "/login" or path.startswith("/static/")))

    def _may_be_meant(self, request: Request, path: str) -> bool:
        """Whether no other page can be behind a change; the dashboard looks at what its forms hold by itself."""
        if request.state.session is None or not path.startswith("/api/"):
            return True
        return compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), request.state.csrf_token.encode())

    def _session(self, connection: HTTPConnection) -> Session | None:
        """The browser's session, where it is that which lets in."""
        is_asked = self._options.authenticate is None and self._options.keys and _shown(connection) is None
        return self._sessions.found(connection) if is_asked else None

    def _token(self, principal: Principal | None, session: Session | None) -> str:
        if session is not None:
            return self._sessions.token(session.id)
        return "" if principal is None else self._sessions.token(f"principal {principal.name}")

    def _principal(self, connection: HTTPConnection, session: Session | None) -> Principal | None:
        found = self._found(connection, session)
        if found is not None and self._options.read_only:
            return Principal(found.name, "read")
        return found

    def _found(self, connection: HTTPConnection, session: Session | None) -> Principal | None:
        if self._options.authenticate is not None:
            return self._options.authenticate(connection)
        if not self._options.keys:
            return LOCAL if _is_this_machine(connection) else None
        key = self._key(connection, session)
        return None if key is None else Principal(key.name, key.right)

    def _key(self, connection: HTTPConnection, session: Session | None) -> ApiKey | None:
        shown = _shown(connection)
        return self._sessions.key_of(session) if shown is None else self._keyring.key_with(shown, connection)


def _shown(connection: HTTPConnection) -> str | None:
    """The key that the request shows, which no browser adds by itself."""
    kind, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else connection.headers.get("x-api-key")


def _is_this_machine(connection: HTTPConnection) -> bool:
    return connection.client is not None and is_loopback(connection.client.host) and is_loopback(_host(connection))


def _host(connection: HTTPConnection) -> str:
    try:
        return urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_from_elsewhere(connection: HTTPConnection) -> bool:
    """Whether a browser says that the page behind the request is not of this address."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site in FOREIGN
    # Where a connection is neither encrypted nor to this machine, browsers say no more than this.
    origin = connection.headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != connection.headers.get("host", "").lower()
    except ValueError:
        return True
