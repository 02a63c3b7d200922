"""This package, by its public calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from benchmarks.systems import adapter
from benchmarks.systems.adapter import QUEUE, Handled, Place, chunks
from pgboss import Job, PgBoss, SyncPgBoss

SENDS_ONLY: dict[str, Any] = {"work": False, "supervise": False, "schedule": False, "listen": False}


class Adapter(adapter.Adapter):
    """``pool`` chooses the driver, ``work`` the worker's options, ``insert`` how many jobs one statement creates.

    ``loop`` is asyncio's own, as with a plain ``pip install pgboss``; without it uvloop, as with ``pgboss[uvloop]``.
    """

    def __init__(self, place: Place, settings: dict[str, Any]) -> None:
        super().__init__(place, settings)
        self.uses_uvloop = settings.get("loop") != "asyncio"

    async def install(self) -> None:
        async with PgBoss(self.place.dsn, **SENDS_ONLY) as boss:
            await boss.create_queue(QUEUE, **self.settings.get("queue", {}))

    async def open(self, connections: int) -> None:
        self._open = self._boss(connections, **SENDS_ONLY)
        self._sending = await self._open.__aenter__()

    async def close(self) -> None:
        await self._open.__aexit__(None, None, None)

    async def enqueue(self, first: int, count: int) -> None:
        for numbers in chunks(first, count, self.settings["insert"]):
            await self._sending.insert(QUEUE, [{"data": {"n": number}} for number in numbers])

    async def send(self, number: int) -> None:
        await self._sending.send(QUEUE, {"n": number})

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        async def one(job: Job) -> None:
            handled(job.data["n"])

        async def several(jobs: list[Job]) -> None:
            for job in jobs:
                handled(job.data["n"])

        options = self.settings["work"]
        async with self._boss(10) as boss:
            ready()
            await boss.work(QUEUE, several if "batch_size" in options else one, **options)
            await stopped.wait()

    @contextmanager
    def sender(self, threads: int) -> Iterator[Callable[[int], object]]:
        with SyncPgBoss(self.place.dsn, pool_size=threads) as boss:
            yield lambda number: boss.send(QUEUE, {"n": number})

    @asynccontextmanager
    async def _boss(self, connections: int, **options: Any) -> Any:
        if self.settings.get("pool") != "asyncpg":
            async with PgBoss(self.place.dsn, pool_size=connections, **options) as boss:
                yield boss
            return
        async with (
            asyncpg.create_pool(self.place.dsn, min_size=1, max_size=connections) as pool,
            PgBoss(self.place.dsn, pool=pool, **options) as boss,
        ):
            yield boss
