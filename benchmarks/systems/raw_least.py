"""What a queue costs at the very least: a table of two columns, whose rows are locked, handled and deleted.

One transaction does all three, so that a crash gives the jobs back by itself. Nothing is kept: no state, no history.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

import asyncpg

from benchmarks.systems import raw_schema46
from benchmarks.systems.adapter import Handled, chunks

TABLE = "CREATE TABLE least (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data jsonb)"
INSERT = """WITH new AS (INSERT INTO least (data) VALUES ($1::text::jsonb) RETURNING id)
SELECT id, pg_notify('raw', '') FROM new"""
LOCK = "SELECT id, data::text FROM least ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
DELETE = "DELETE FROM least WHERE id = ANY ($1::bigint[])"


class Adapter(raw_schema46.Adapter):
    insert = INSERT

    async def install(self) -> None:
        connection = await asyncpg.connect(self.place.dsn)
        await connection.execute(TABLE)
        await connection.close()

    async def enqueue(self, first: int, count: int) -> None:
        async with self._pool.acquire() as connection:
            for numbers in chunks(first, count, self.settings["insert"]):
                lines = "".join(f'{{"n": {number}}}\n' for number in numbers).encode()
                await connection.copy_to_table("least", source=raw_schema46.once(lines), columns=["data"])

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        wake = asyncio.Event()
        connection = await asyncpg.connect(self.place.dsn)
        await connection.add_listener("raw", lambda *_: wake.set())
        lock, delete = await connection.prepare(LOCK), await connection.prepare(DELETE)
        ready()
        while not stopped.is_set():
            wake.clear()
            async with connection.transaction():
                rows = await lock.fetch(self.settings["batch"])
                for row in rows:
                    handled(json.loads(row[1])["n"])
                if rows:
                    await delete.fetch([row[0] for row in rows])
            if not rows:
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), raw_schema46.POLL_SECONDS)
