"""awa: its worker is Rust's, its handlers are Python's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from awa import AsyncClient, Client

from benchmarks.systems import adapter
from benchmarks.systems.adapter import QUEUE, Handled, chunks


@dataclass
class Numbered:
    n: int


class Adapter(adapter.Adapter):
    async def install(self) -> None:
        client = AsyncClient(self._dsn)
        await client.migrate()
        await client.install_queue_storage()
        await client.close()

    async def open(self, connections: int) -> None:
        self._sending = AsyncClient(self._dsn, max_connections=connections)

    async def close(self) -> None:
        await self._sending.close()

    async def enqueue(self, first: int, count: int) -> None:
        for numbers in chunks(first, count, self.settings["insert"]):
            await self._sending.enqueue_many_copy([Numbered(number) for number in numbers], queue=QUEUE)

    async def send(self, number: int) -> None:
        await self._sending.insert(Numbered(number), queue=QUEUE)

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        client = AsyncClient(self._dsn, max_connections=10)

        @client.task(Numbered, queue=QUEUE)
        async def handle(job: Any) -> None:
            handled(job.args.n)

        queue = self.settings["queue"]
        ready()
        await client.start([{"name": QUEUE, **queue} if queue else (QUEUE, 10)], **self.settings["start"])
        await stopped.wait()
        await client.shutdown(1000)

    @contextmanager
    def sender(self, threads: int) -> Iterator[Callable[[int], object]]:
        client = Client(self._dsn, max_connections=threads)
        yield lambda number: client.insert(Numbered(number), queue=QUEUE)

    @property
    def _dsn(self) -> str:
        # Its driver wants the socket's folder where a host's name is, percent-encoded.
        url = urlsplit(self.place.dsn)
        query = parse_qs(url.query)
        return f"postgresql://{url.username}@{quote(query['host'][0], safe='')}:{query['port'][0]}{url.path}"
