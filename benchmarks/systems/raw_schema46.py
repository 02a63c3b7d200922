"""The reference: plain prepared SQL on pg-boss's own tables, with no options, no retries and no checks.

It is fixed, so that figures of different days mean the same: one connection, batches of 500, a claim by one UPDATE
over an array of row-locked ids, and one UPDATE that settles the batch. It hears of new jobs by LISTEN.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress

import asyncpg
import psycopg

from benchmarks.systems import adapter
from benchmarks.systems.adapter import QUEUE, Handled, chunks

POLL_SECONDS = 2.0

TABLE = "pgboss.job_common"
INSERT = f"""WITH new AS (
  INSERT INTO {TABLE} (name, data, policy) VALUES ('{QUEUE}', $1::text::jsonb, 'standard') RETURNING id
) SELECT id, pg_notify('raw', '') FROM new"""
CLAIM = f"""UPDATE {TABLE} SET state = 'active', started_on = now(),
  retry_count = CASE WHEN started_on IS NOT NULL THEN retry_count + 1 ELSE retry_count END
WHERE name = '{QUEUE}' AND id = ANY (ARRAY(
  SELECT id FROM {TABLE} WHERE name = '{QUEUE}' AND state < 'active' AND NOT blocked AND start_after <= now()
  ORDER BY priority DESC, created_on, id LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id, data::text"""
SETTLE = f"""UPDATE {TABLE} SET state = 'completed', completed_on = now()
WHERE name = '{QUEUE}' AND id = ANY ($1::uuid[]) AND state = 'active'"""


class Adapter(adapter.Adapter):
    insert = INSERT

    async def install(self) -> None:
        # Here, so that nothing of it is in the memory of what works.
        from pgboss import PgBoss

        async with PgBoss(self.place.dsn, work=False, supervise=False, schedule=False, listen=False) as boss:
            await boss.create_queue(QUEUE)

    async def open(self, connections: int) -> None:
        # asyncpg's own reset would be a second round trip of each send, and cure what no send does.
        self._pool = await asyncpg.create_pool(
            self.place.dsn, min_size=connections, max_size=connections, reset=leave_as_it_is
        )

    async def close(self) -> None:
        await self._pool.close()

    async def enqueue(self, first: int, count: int) -> None:
        async with self._pool.acquire() as connection:
            for numbers in chunks(first, count, self.settings["insert"]):
                lines = "".join(f'{QUEUE}\t{{"n": {number}}}\tstandard\n' for number in numbers).encode()
                await connection.copy_to_table(
                    "job_common", schema_name="pgboss", source=once(lines), columns=["name", "data", "policy"]
                )

    async def send(self, number: int) -> None:
        await self._pool.fetchrow(self.insert, json.dumps({"n": number}))

    async def work(self, handled: Handled, ready: Callable[[], None], stopped: asyncio.Event) -> None:
        wake = asyncio.Event()
        connection = await asyncpg.connect(self.place.dsn)
        await connection.add_listener("raw", lambda *_: wake.set())
        claim, settle = await connection.prepare(CLAIM), await connection.prepare(SETTLE)
        ready()
        while not stopped.is_set():
            wake.clear()
            rows = await claim.fetch(self.settings["batch"])
            for row in rows:
                handled(json.loads(row[1])["n"])
            if rows:
                await settle.fetch([row[0] for row in rows])
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), POLL_SECONDS)

    @contextmanager
    def sender(self, threads: int) -> Iterator[Callable[[int], object]]:
        mine = threading.local()

        def send(number: int) -> None:
            if not hasattr(mine, "connection"):
                mine.connection = psycopg.connect(self.place.dsn, autocommit=True)
            mine.connection.execute(self.insert.replace("$1", "%s"), [json.dumps({"n": number})])

        yield send


async def leave_as_it_is(_connection: object) -> None:
    pass


async def once(lines: bytes) -> AsyncIterator[bytes]:
    yield lines
