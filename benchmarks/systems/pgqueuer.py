"""PgQueuer on asyncpg, and on uvloop as its own command is."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import psycopg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver, SyncPsycopgDriver
from pgqueuer.queries import Queries, SyncQueries

from benchmarks.systems import adapter
from benchmarks.systems.adapter import QUEUE, Handled, chunks


class Adapter(adapter.Adapter):
    uses_uvloop = True

    async def install(self) -> None:
        connection = await asyncpg.connect(self.place.dsn)
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    async def open(self, connections: int) -> None:
        self._connection, driver = await self._connect(connections)
        self._queries = Queries(driver)

    async def close(self) -> None:
        await self._connection.close()

    async def enqueue(self, first: int, count: int) -> None:
        for numbers in chunks(first, count, self.settings["insert"]):
            payloads = [payload(number) for number in numbers]
            await self._queries.enqueue([QUEUE] * len(numbers), payloads, [0] * len(numbers))

    async def send(self, number: int) -> None:
        await self._queries.enqueue(QUEUE, payload(number), 0)

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        _, driver = await self._connect(self.settings.get("pool", 1))
        queuer = PgQueuer(driver)

        @queuer.entrypoint(QUEUE)
        async def handler(job: Any) -> None:
            handled(json.loads(job.payload)["n"])

        ready()
        running = asyncio.create_task(queuer.run(**self.settings["run"]))
        await stopped.wait()
        queuer.shutdown.set()
        await asyncio.wait([running], timeout=1)

    @contextmanager
    def sender(self, threads: int) -> Iterator[Callable[[int], object]]:
        mine = threading.local()

        def send(number: int) -> None:
            if not hasattr(mine, "queries"):
                connection = psycopg.connect(self.place.dsn, autocommit=True)
                mine.queries = SyncQueries(SyncPsycopgDriver(connection))
            mine.queries.enqueue(QUEUE, payload(number), 0)

        yield send

    async def _connect(self, connections: int) -> tuple[Any, Any]:
        if connections == 1:
            connection = await asyncpg.connect(self.place.dsn)
            return connection, AsyncpgDriver(connection)
        pool = await asyncpg.create_pool(self.place.dsn, min_size=2, max_size=connections)
        return pool, AsyncpgPoolDriver(pool)


def payload(number: int) -> bytes:
    return json.dumps({"n": number}).encode()
