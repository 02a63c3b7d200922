"""Somebody who looks at the dashboard without a browser, and sends its forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp

from support.web import calling

__all__ = ["Visitor", "visiting"]

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FRAGMENT = {**PAGE, "HX-Request": "true"}


class Visitor:
    """Asks for pages and sends forms, with the token that a page has given; paths are those within the application."""

    def __init__(self, client: httpx.AsyncClient, base: str = "") -> None:
        self._client = client
        self._base = base

    async def look(self, path: str) -> httpx.Response:
        """A page, which needs to be there."""
        answer = await self.ask(path)
        assert answer.status_code == 200, answer.text
        return answer

    async def ask(self, path: str, **parameters: Any) -> httpx.Response:
        """A page, or the one that says why not."""
        return await self._client.get(self._base + path, params=parameters or None, headers=PAGE)

    async def fragment(self, path: str, **parameters: Any) -> httpx.Response:
        """A part of a page, as htmx asks for it."""
        return await self._client.get(self._base + path, params=parameters or None, headers=FRAGMENT)

    async def send(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form; where it leads is not followed."""
        token = re.search(r'"X-CSRF-Token": "([0-9a-f]+)"', (await self.look("/")).text)
        assert token
        return await self._client.post(self._base + path, data={"csrf_token": token[1], **fields}, headers=PAGE)

    async def follow(self, answer: httpx.Response) -> httpx.Response:
        """The page that a form has led to, which says what has happened."""
        assert answer.status_code == 303, answer.text
        return await self.look(answer.headers["location"].removeprefix(self._base))


@asynccontextmanager
async def visiting(application: ASGIApp, base: str = "") -> AsyncIterator[Visitor]:
    """Visit an application from this machine; ``base`` is where it is mounted."""
    async with calling(application) as client:
        yield Visitor(client, base)
