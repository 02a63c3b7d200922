"""chancy, with its asyncio executor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chancy import Chancy, Queue, Worker, job

from benchmarks.systems import adapter
from benchmarks.systems.adapter import QUEUE, Handled

# A worker imports the function by its path, so what it calls must lie in this module.
_handled: Handled | None = None


@job(queue=QUEUE)
async def numbered(*, n: int) -> None:
    if _handled is not None:
        _handled(n)


class Adapter(adapter.Adapter):
    async def install(self) -> None:
        async with self._app(2) as app:
            await app.migrate()
            queue = Queue(QUEUE, executor=Chancy.Executor.Async, **self.settings["queue"])
            await app.declare(queue, upsert=True)

    async def open(self, connections: int) -> None:
        self._sending = self._app(connections)
        await self._sending.__aenter__()

    async def close(self) -> None:
        await self._sending.__aexit__(None, None, None)

    async def enqueue(self, first: int, count: int) -> None:
        jobs = [numbered.job.with_kwargs(n=number) for number in range(first, first + count)]
        async for _ in self._sending.push_many(jobs, batch_size=self.settings["insert"]):
            pass

    async def send(self, number: int) -> None:
        await self._sending.push(numbered.job.with_kwargs(n=number))

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        global _handled
        _handled = handled
        async with self._app(10) as app:
            ready()
            worker = Worker(app, register_signal_handlers=False, shutdown_timeout=1)
            await worker.start()
            await stopped.wait()
            with suppress(Exception):
                await asyncio.wait_for(worker.stop(), 1)

    @contextmanager
    def sender(self, threads: int) -> Iterator[Callable[[int], object]]:
        with self._app(threads) as app:
            yield lambda number: app.sync_push(numbered.job.with_kwargs(n=number))

    def _app(self, connections: int) -> Chancy:
        log = logging.getLogger("chancy")
        log.setLevel(logging.WARNING)
        return Chancy(self.place.dsn, log=log, min_connection_pool_size=1, max_connection_pool_size=connections)
