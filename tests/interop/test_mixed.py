"""Two Node and two Python processes on one schema, all sending and working queues of every policy at once.

A trigger writes down every change of state, so that the rules are judged over the whole run, and the live rows are
looked at again and again while it lasts.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgboss import PgBoss, QueueOptions
from support import mixed_worker
from support.eventually import eventually
from support.node import connection_options
from support.node_process import FOLDER, node_binary
from support.postgres import sql

# A rule that was broken once is broken: no second try.
pytestmark = [pytest.mark.node, pytest.mark.flaky(reruns=0)]

LONG_LINE_BYTES = 1024 * 1024
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Kind:
    """One queue of the run: what part of the jobs it gets, over how many keys of each sender, and what may become of
    them."""

    queue: str
    policy: str
    part: float
    keys: int
    partition: bool = False
    fates: tuple[tuple[str, int], ...] = (("ok", 90), ("fail_once", 8), ("never", 2))


KINDS = [
    Kind("plain", "standard", 0.25, 0),
    Kind("plain-own", "standard", 0.15, 50, partition=True),
    Kind("short", "short", 0.1, 2),
    Kind("singleton", "singleton", 0.1, 20),
    Kind("singleton-own", "singleton", 0.05, 10, partition=True),
    Kind("stately", "stately", 0.1, 2),
    Kind("exclusive", "exclusive", 0.1, 2),
    # A job that fails for good blocks its key, as it should; here the queue is to be emptied.
    Kind("fifo", "key_strict_fifo", 0.1, 10, fates=(("ok", 92), ("fail_once", 8))),
    Kind("fifo-own", "key_strict_fifo", 0.05, 5, partition=True, fates=(("ok", 92), ("fail_once", 8))),
]
ONE_ACTIVE_A_KEY = "('singleton', 'stately', 'exclusive', 'key_strict_fifo')"

AUDIT = """
    CREATE TABLE mixed_run (id uuid NOT NULL, attempt int NOT NULL, worker text NOT NULL);
    CREATE TABLE mixed_change (
        seq bigint GENERATED ALWAYS AS IDENTITY, id uuid, name text, policy text, key text, state text,
        created_on timestamptz, at timestamptz DEFAULT clock_timestamp()
    );
    CREATE FUNCTION mixed_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO mixed_change (id, name, policy, key, state, created_on)
        VALUES (NEW.id, NEW.name, NEW.policy, COALESCE(NEW.singleton_key, ''), NEW.state::text, NEW.created_on);
        RETURN NULL;
    END $$;
    CREATE TRIGGER mixed_note AFTER INSERT OR UPDATE OF state ON pgboss.job FOR EACH ROW EXECUTE FUNCTION mixed_note();
"""

# What the unique indexes promise, and what lies beyond them: no FIFO key may have a job running while an older one of
# the key waits for its retry or has failed.
BROKEN_NOW = f"""
    SELECT 'two active' AS what, name, singleton_key FROM pgboss.job
     WHERE state = 'active' AND policy IN {ONE_ACTIVE_A_KEY} GROUP BY name, singleton_key HAVING count(*) > 1
    UNION ALL
    SELECT 'two waiting', name, singleton_key FROM pgboss.job
     WHERE state = 'created' AND policy IN ('short', 'stately') GROUP BY name, singleton_key HAVING count(*) > 1
    UNION ALL
    SELECT 'two unfinished', name, singleton_key FROM pgboss.job
     WHERE state < 'completed' AND policy = 'exclusive' GROUP BY name, singleton_key HAVING count(*) > 1
    UNION ALL
    SELECT 'overtaken', a.name, a.singleton_key FROM pgboss.job a JOIN pgboss.job b USING (name, singleton_key)
     WHERE a.policy = 'key_strict_fifo' AND a.state = 'active' AND b.state < 'active' AND b.created_on < a.created_on
"""

# Between a claim and the next event of that very job, no other job of the key may be claimed.
OVERLAPPED = f"""
    SELECT name, key, id, next_id FROM (
        SELECT name, key, id, state, lead(id) OVER w AS next_id
          FROM mixed_change
         WHERE policy IN {ONE_ACTIVE_A_KEY} AND state IN ('active', 'completed', 'retry', 'failed')
        WINDOW w AS (PARTITION BY name, key ORDER BY seq)
    ) changes
     WHERE state = 'active' AND next_id IS NOT NULL AND next_id <> id
"""

OUT_OF_ORDER = """
    SELECT name, key, id FROM (
        SELECT name, key, id, created_on, lag(created_on) OVER (PARTITION BY name, key ORDER BY seq) AS before
          FROM mixed_change
         WHERE policy = 'key_strict_fifo' AND state = 'active'
    ) claims
     WHERE created_on < before
"""

TWICE = "SELECT id, count(*) FROM mixed_change WHERE state = 'completed' GROUP BY id HAVING count(*) > 1"

# A job whose handler only ever succeeds is run once, by one worker.
RUN_AGAIN = """
    SELECT r.id, array_agg(r.worker) AS workers
      FROM mixed_run r JOIN pgboss.job j USING (id)
     WHERE j.data ->> 'fate' = 'ok'
     GROUP BY r.id HAVING count(*) > 1
"""


@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_four_workers_of_two_languages_keep_every_rule(database_url: str) -> None:
    await run_mixed(database_url, jobs=3_000, seed=1, least=2_000, within=60)


@pytest.mark.prove
@pytest.mark.timeout(1200)
async def test_twenty_thousand_jobs_by_four_workers_of_two_languages(database_url: str) -> None:
    seed = random.SystemRandom().randrange(10**9)
    report = await run_mixed(database_url, jobs=24_000, seed=seed, least=20_000, within=600)
    sys.stdout.write(f"\nseed {seed}: {report}\n")


async def run_mixed(url: str, *, jobs: int, seed: int, least: int, within: float) -> str:
    await lay_out(url)
    queues = [kind.queue for kind in KINDS]
    async with AsyncExitStack() as stack:
        processes = []
        for number, make in enumerate((node, python, node, python)):
            share = list(shares(jobs // 4, f"s{number}", random.Random(seed + number)))
            told = {"name": f"{make.__name__}-{number}", "queues": queues, "share": share}
            processes.append(await stack.enter_async_context(make(url, told)))
        for process in processes:
            await process.say("go")
        watch = asyncio.create_task(watch_live(url))
        accepted = sum([int(await process.said("SENT")) for process in processes])
        await drained(url, within)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        assert watch.cancelled(), watch.exception()
    assert accepted >= least
    return judge(url, accepted)


async def lay_out(url: str) -> None:
    async with PgBoss(url, work=False, supervise=False, queue_defaults=QueueOptions()) as boss:
        await boss.create_queue("dead")
        for kind in KINDS:
            await boss.create_queue(
                kind.queue,
                policy=kind.policy,  # type: ignore[arg-type]  # a table of plain texts reads better
                partition=kind.partition,
                retry_limit=2,
                dead_letter="dead",
                notify=True,
            )
    sql(url, AUDIT)


def shares(jobs: int, sender: str, chance: random.Random) -> Iterator[dict[str, Any]]:
    """What one process sends, in its order. Keys are its own, so that the order of each key is that of its sends."""
    kinds = chance.choices(KINDS, [kind.part for kind in KINDS], k=jobs)
    for number, kind in enumerate(kinds):
        names, weights = zip(*kind.fates, strict=True)
        [fate] = chance.choices(names, weights)
        key = f"{sender}-{chance.randrange(kind.keys)}" if kind.keys else None
        yield {"queue": kind.queue, "key": key, "data": {"n": number, "fate": fate}}


class Process:
    """A worker process that is told by lines and answers in lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())
        await self._process.stdin.drain()

    async def said(self, word: str) -> str:
        """Wait for the line that begins with a word, and return the rest of it."""
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode().strip()
        if not line.startswith(word):
            assert self._process.stderr is not None
            if self._process.returncode is None:
                self._process.kill()
            pytest.fail(f"said {line!r} instead of {word}: {(await self._process.stderr.read()).decode()[-2000:]}")
        return line.removeprefix(word).strip()


@asynccontextmanager
async def node(url: str, told: dict[str, Any]) -> AsyncIterator[Process]:
    said = json.dumps(told | {"connection": connection_options(url)})
    async with started(node_binary(), str(FOLDER / "mixed.mjs"), said) as process:
        yield process


@asynccontextmanager
async def python(url: str, told: dict[str, Any]) -> AsyncIterator[Process]:
    async with started(sys.executable, str(Path(mixed_worker.__file__)), json.dumps(told | {"dsn": url})) as process:
        yield process


@asynccontextmanager
async def started(*command: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *command[:-1],
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONG_LINE_BYTES,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(command[-1].encode() + b"\n")
        talking = Process(process)
        await talking.said("READY")
        yield talking
        process.stdin.close()
        complaints = (await process.communicate())[1].decode()
        assert (process.returncode, complaints) == (0, "")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def watch_live(url: str) -> None:
    """Look at the live rows until cancelled.

    Raises:
        AssertionError: they break a rule.
    """
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while True:
            broken = await (await connection.execute(BROKEN_NOW)).fetchall()
            assert broken == []
            await asyncio.sleep(LOOK_SECONDS)


async def drained(url: str, within: float) -> None:
    """Wait until no job of the queues is left to do."""
    left = (
        "SELECT name, state::text, count(*) FROM pgboss.job WHERE state < 'completed' AND name <> 'dead' GROUP BY 1, 2"
    )

    async def nothing_left() -> bool:
        rows = await asyncio.to_thread(sql, url, left)
        assert [row for row in rows if row["name"] != "dead"] == []
        return True

    await eventually(nothing_left, within=within)


def judge(url: str, accepted: int) -> str:
    """Whether every job came to its end, and each rule was kept on the way; returns what happened in figures."""
    jobs = sql(url, "SELECT id, name, policy, state::text AS state, data FROM pgboss.job WHERE name <> 'dead'")
    assert len(jobs) == accepted, "jobs were lost"
    assert [job for job in jobs if job["state"] != expected_end(job)] == []
    for query in (TWICE, RUN_AGAIN, OVERLAPPED, OUT_OF_ORDER):
        assert sql(url, query) == [], query
    dead = Counter(row["source_id"] for row in sql(url, "SELECT source_id FROM pgboss.job WHERE name = 'dead'"))
    assert dead == Counter(job["id"] for job in jobs if job["state"] == "failed")
    runs = {row["worker"]: row["n"] for row in sql(url, "SELECT worker, count(*) AS n FROM mixed_run GROUP BY 1")}
    assert len(runs) == 4, f"only {runs} worked"
    return f"{accepted} jobs accepted, {len(dead)} failed for good; runs by worker: {runs}"


def expected_end(job: dict[str, Any]) -> str:
    if job["data"]["fate"] == "never":
        return "failed"
    # Where another job of the key waits for its retry already, a stately job fails at once.
    if job["policy"] == "stately" and job["data"]["fate"] == "fail_once":
        return str(job["state"])
    return "completed"
