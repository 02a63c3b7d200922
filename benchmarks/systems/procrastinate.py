"""procrastinate, with its psycopg connectors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from benchmarks.systems import adapter
from benchmarks.systems.adapter import QUEUE, Handled, chunks


class Adapter(adapter.Adapter):
    async def install(self) -> None:
        app, _ = self._app(PsycopgConnector)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def open(self, connections: int) -> None:
        self._sending, self._task = self._app(PsycopgConnector, min_size=1, max_size=connections)
        await self._sending.open_async()

    async def close(self) -> None:
        await self._sending.close_async()

    async def enqueue(self, first: int, count: int) -> None:
        for numbers in chunks(first, count, self.settings["insert"]):
            await self._task.batch_defer_async(*[{"n": number} for number in numbers])

    async def send(self, number: int) -> None:
        await self._task.defer_async(n=number)

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        logging.getLogger("procrastinate").setLevel(logging.ERROR)
        app, _ = self._app(PsycopgConnector, handled, min_size=1, max_size=10)
        async with app.open_async():
            ready()
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[QUEUE],
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=1,
                    **self.settings["worker"],
                )
            )
            await stopped.wait()
            worker.cancel()
            await asyncio.wait([worker])

    @contextmanager
    def sender(self, threads: int) -> Iterator[Callable[[int], object]]:
        app, task = self._app(SyncPsycopgConnector, min_size=threads, max_size=threads)
        with app.open():
            yield lambda number: task.defer(n=number)

    def _app(self, connector: Any, handled: Handled | None = None, **options: Any) -> tuple[App, Any]:
        app = App(connector=connector(conninfo=self.place.dsn, **options))

        @app.task(queue=QUEUE, name="job")
        async def job(n: int) -> None:
            if handled is not None:
                handled(n)

        return app, job
