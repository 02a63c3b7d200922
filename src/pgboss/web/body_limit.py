"""Refuses requests that are too large, whether they say so beforehand or turn out to be."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pgboss.web.answers import answer
from pgboss.web.problems import Problem

__all__ = ["BodyLimit"]


class BodyLimit:
    """Reads no more of a request than so many bytes."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._message = f"A request may have {max_bytes} bytes at most (PGBOSS_MAX_REQUEST_BYTES)."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if self._says_too_much(request):
            await answer(request, Problem(413, "too_large", self._message))(scope, receive, send)
            return
        read_bytes = 0

        async def receive_some() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > self._max_bytes:
                # Whoever reads the request lets this one through, and no other.
                raise HTTPException(413, self._message)
            return message

        await self._app(scope, receive_some, send)

    def _says_too_much(self, request: Request) -> bool:
        length = request.headers.get("content-length", "")
        return length.isdecimal() and int(length) > self._max_bytes
