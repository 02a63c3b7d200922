"""Cookies that only we can make: signed, out of reach of scripts, and not sent with the forms of other sites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from pgboss.web.paths import base_of

__all__ = ["SignedCookie"]


class SignedCookie:
    """One cookie, which holds JSON for a limited time.

    It is scoped to the path that the application lives under, so that what else this host serves does not get it.
    """

    def __init__(self, name: str, secret: str, *, seconds: int, path: str | None = None) -> None:
        self._name = name
        self._seconds = seconds
        self._path = path
        self._signer = URLSafeTimedSerializer(secret, salt=name)

    def read(self, connection: HTTPConnection) -> Any:
        """What it holds; ``None`` when it is absent, too old or not of our making."""
        for value in self._values(connection):
            try:
                return self._signer.loads(value, max_age=self._seconds)
            except BadData:
                continue
        return None

    def put(self, response: Response, connection: HTTPConnection, content: Any) -> None:
        self._set(response, connection, str(self._signer.dumps(content)), self._seconds)

    def clear(self, response: Response, connection: HTTPConnection) -> None:
        self._set(response, connection, "", 0)

    def _values(self, connection: HTTPConnection) -> Iterator[str]:
        # One application may live under the path of another: then there are two of the same name.
        for part in connection.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._name:
                yield value

    def _set(self, response: Response, connection: HTTPConnection, value: str, seconds: int) -> None:
        path = self._path or base_of(connection) or "/"
        response.set_cookie(
            self._name,
            value,
            max_age=seconds,
            path=path,
            secure=connection.scope.get("scheme") == "https",
            httponly=True,
            samesite="lax",
        )
