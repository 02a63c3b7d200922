"""Celery with Redis as its broker, and no store of results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery

from benchmarks.systems import adapter
from benchmarks.systems.adapter import QUEUE, Handled


class Adapter(adapter.Adapter):
    def __init__(self, place: adapter.Place, settings: dict[str, Any]) -> None:
        super().__init__(place, settings)
        self._handled: Handled | None = None
        self._app = Celery("benchmarks", broker=place.redis)
        self._app.conf.update(
            task_ignore_result=True,
            task_default_queue=QUEUE,
            broker_connection_retry_on_startup=True,
            worker_hijack_root_logger=False,
            worker_redirect_stdouts=False,
            **settings["app"],
        )

        @self._app.task(name="job")
        def numbered(n: int) -> None:
            if self._handled is not None:
                self._handled(n)

        self._task = numbered

    async def open(self, connections: int) -> None:
        self._producer = self._app.producer_pool.acquire()

    async def close(self) -> None:
        self._producer.release()

    async def enqueue(self, first: int, count: int) -> None:
        # There is no call for many.
        for number in range(first, first + count):
            self._task.apply_async((number,), producer=self._producer)

    async def send(self, number: int) -> None:
        self._task.apply_async((number,), producer=self._producer)

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        self._handled = handled
        ready()
        # It wants the main thread to itself and never returns; the driver ends the process.
        self._app.worker_main(["worker", "--loglevel", "ERROR", *self.settings["worker"]])

    @contextmanager
    def sender(self, threads: int) -> Iterator[Callable[[int], object]]:
        yield lambda number: self._task.apply_async((number,))
