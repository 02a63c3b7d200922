"""oban for Python, and on uvloop as its own command is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from oban import Oban, worker
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

from benchmarks.systems import adapter
from benchmarks.systems.adapter import QUEUE, Handled, chunks

# A worker is a class that oban finds by its name.
_handled: Handled | None = None


class Worker:
    async def process(self, job: Any) -> None:
        if _handled is not None:
            _handled(job.args["n"])


Numbered: Any = worker(queue=QUEUE)(Worker)


class Adapter(adapter.Adapter):
    uses_uvloop = True

    async def install(self) -> None:
        async with self._pool(2) as pool:
            await install(pool)

    async def open(self, connections: int) -> None:
        self._connections = self._pool(connections)
        await self._connections.open()
        self._oban = Oban(pool=self._connections)

    async def close(self) -> None:
        await self._connections.close()

    async def enqueue(self, first: int, count: int) -> None:
        for numbers in chunks(first, count, self.settings["insert"]):
            await self._oban.enqueue_many(Numbered.new({"n": number}) for number in numbers)

    async def send(self, number: int) -> None:
        await self._oban.enqueue(Numbered.new({"n": number}))

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        global _handled
        _handled = handled
        async with self._pool(10) as pool:
            ready()
            oban = Oban(pool=pool, queues={QUEUE: self.settings["limit"]}, shutdown_grace_period=1.0)
            await oban.start()
            await stopped.wait()
            await oban.stop()

    def _pool(self, connections: int) -> AsyncConnectionPool:
        return AsyncConnectionPool(self.place.dsn, min_size=1, max_size=connections, open=False)
