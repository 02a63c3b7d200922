"""The soak: two Node and two Python instances under mixed load for half an hour, while they are killed at random.

All four send, work, schedule and supervise. Every so often one of the two that are mortal is killed with SIGKILL and
started anew, or the backends of all of them are ended. A trigger writes down every change of state, and each process
what it has sent, so that it is judged from the outside: nothing that was accepted is lost, nothing is completed twice,
nothing is stuck in the end, no rule of a policy is broken on the way, every minute of every schedule has come once.

``make soak`` runs it and prints the figures; SOAK_MINUTES makes it shorter or longer.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interop.test_mixed import BROKEN_NOW
from pgboss import PgBoss, QueueOptions
from support import soak_worker
from support.eventually import eventually
from support.node import connection_options
from support.node_process import FOLDER, node_binary
from support.postgres import sql

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
SEED = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(2**32))
RATE = float(os.environ.get("SOAK_RATE", "40"))
SECONDS_BETWEEN_KILLS = (10.0, 30.0)
LOOK_SECONDS = 0.5
STOP_SECONDS = 60.0
# A job whose worker was killed waits for its heartbeat, the sweep, and its retry.
DRAIN_SECONDS = 240.0

pytestmark = [pytest.mark.node, pytest.mark.prove, pytest.mark.soak, pytest.mark.timeout(MINUTES * 60 + 900)]

QUEUES = ("plain", "plain-own", "singleton", "exclusive", "stately", "fifo")
POLICIES = dict.fromkeys(QUEUES, "standard") | {
    "singleton": "singleton",
    "exclusive": "exclusive",
    "stately": "stately",
    "fifo": "key_strict_fifo",
}
SCHEDULES = [f"key-{number}" for number in range(6)]

AUDIT = """
    CREATE TABLE soak_run (id uuid NOT NULL, attempt int NOT NULL, worker text NOT NULL);
    CREATE TABLE soak_change (
        seq bigint GENERATED ALWAYS AS IDENTITY, id uuid, name text, state text,
        at timestamptz DEFAULT clock_timestamp()
    );
    CREATE FUNCTION soak_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO soak_change (id, name, state) VALUES (NEW.id, NEW.name, NEW.state::text);
        RETURN NULL;
    END $$;
    CREATE TRIGGER soak_note AFTER INSERT OR UPDATE OF state ON pgboss.job FOR EACH ROW EXECUTE FUNCTION soak_note();
"""

TWICE = "SELECT id FROM soak_change WHERE state = 'completed' GROUP BY id HAVING count(*) > 1"
UNFINISHED = """
    SELECT name, state::text AS state, blocked, count(*) AS n FROM pgboss.job
     WHERE state < 'completed' AND name NOT IN ('dead', 'tick', '__pgboss__send-it') GROUP BY 1, 2, 3
"""
# A job that always fails ends as failed, and a stately one may where another waits for its retry; all others succeed.
# What is scheduled goes on while the rest is judged.
WRONG_END = """
    SELECT name, state::text AS state, data ->> 'fate' AS fate, count(*) AS n FROM pgboss.job
     WHERE name NOT IN ('dead', 'tick', '__pgboss__send-it')
       AND CASE WHEN data ->> 'fate' = 'never' THEN state <> 'failed'
                WHEN policy = 'stately' THEN state NOT IN ('completed', 'failed')
                ELSE state <> 'completed' END
     GROUP BY 1, 2, 3
"""
ENDS = "SELECT state::text AS state, count(*) AS n FROM pgboss.job WHERE name <> 'dead' GROUP BY 1"
SLOTS = """
    SELECT data ->> 'key' AS key, count(*) AS jobs, count(DISTINCT singleton_on) AS slots,
           (extract(epoch FROM max(singleton_on) - min(singleton_on)) / 60)::int + 1 AS minutes
      FROM pgboss.job WHERE name = '__pgboss__send-it' GROUP BY 1 ORDER BY 1
"""


@dataclass
class Member:
    """One of the four, with what it takes to start it again."""

    name: str
    command: list[str]
    told: dict[str, Any]
    log: Path
    mortal: bool
    process: asyncio.subprocess.Process | None = None
    memory: list[int] = field(default_factory=list)
    kills: int = 0

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, cwd=FOLDER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(self.told).encode() + b"\n")
        await self.said("READY")

    async def said(self, word: str) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode().strip()
        assert line == word, f"{self.name} said {line!r}: {self.log.read_text()[-2000:]}"

    async def say(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await self.process.stdin.drain()

    async def kill(self) -> None:
        assert self.process is not None
        self.kills += 1
        self.process.kill()
        await self.process.wait()

    async def end(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        assert self.process.returncode == 0, f"{self.name}: {self.log.read_text()[-2000:]}"

    def measure(self) -> None:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
        self.memory.append(int(line.split()[1]) // 1024)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_soak(database_url: str, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    await lay_out(database_url)
    async with gathered(database_url, tmp_path) as members:
        began = time.monotonic()
        watch = asyncio.create_task(watch_live(database_url))
        terminated = await trouble(database_url, members, chance, began + MINUTES * 60)
        for member in members:
            await member.say()
        for member in members:
            await member.said("SENT")
        await drained(database_url)
        for member in members:
            member.measure()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        assert watch.cancelled(), watch.exception()
        for member in members:
            await member.end()
    report(database_url, members, terminated)


async def lay_out(url: str) -> None:
    async with PgBoss(url, work=False, supervise=False, schedule=False, queue_defaults=QueueOptions()) as boss:
        await boss.create_queue("dead", delete_after_seconds=0)
        for name in QUEUES:
            await boss.create_queue(
                name,
                policy=POLICIES[name],  # type: ignore[arg-type]  # a table of plain texts reads better
                partition=name.endswith("own"),
                retry_limit=6,
                heartbeat_seconds=10,
                expire_in_seconds=60,
                delete_after_seconds=0,
                dead_letter="dead",
                notify=True,
            )
        await boss.create_queue("tick", retry_limit=6, heartbeat_seconds=10, delete_after_seconds=0)
        for key in SCHEDULES:
            await boss.schedule("tick", "* * * * *", {"fate": "ok"}, key=key)
    sql(url, AUDIT)


@asynccontextmanager
async def gathered(url: str, folder: Path) -> AsyncIterator[list[Member]]:
    members = []
    for number, kind in enumerate(("node", "python", "node", "python")):
        name = f"{kind}-{number}"
        told = {
            "name": name,
            "queues": QUEUES,
            "scheduled": "tick",
            "rate": RATE,
            "ledger": str(folder / f"{name}.ids"),
        }
        if kind == "node":
            command, told["connection"] = [node_binary(), str(FOLDER / "soak.mjs")], connection_options(url)
        else:
            command, told["dsn"] = [sys.executable, str(Path(soak_worker.__file__))], url
        members.append(Member(name, command, told, folder / f"{name}.log", mortal=number >= 2))
    async with AsyncExitStack() as stack:
        for member in members:
            stack.callback(_make_sure_it_is_gone, member)
            await member.start()
        yield members


def _make_sure_it_is_gone(member: Member) -> None:
    if member.process is not None and member.process.returncode is None:
        member.process.kill()


async def trouble(url: str, members: list[Member], chance: random.Random, until: float) -> int:
    """Kill and restart until the time is over; returns how many backends were ended."""
    terminated = 0
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, chance.uniform(*SECONDS_BETWEEN_KILLS)))
        for member in members:
            member.measure()
        if chance.random() < 0.2:
            terminated += await asyncio.to_thread(end_backends, url)
            continue
        victim = chance.choice([member for member in members if member.mortal])
        await victim.kill()
        await victim.start()
    return terminated


def end_backends(url: str) -> int:
    """End every connection to the database but our own."""
    text = (
        "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " AND application_name LIKE 'pgboss%'"
    )
    return int(sql(url, text)[0]["n"])


async def watch_live(url: str) -> None:
    """Look at the live rows until cancelled.

    Raises:
        AssertionError: they break a rule.
    """
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, application_name="watch") as connection:
        while True:
            broken = await (await connection.execute(BROKEN_NOW)).fetchall()
            assert broken == []
            await asyncio.sleep(LOOK_SECONDS)


async def drained(url: str) -> None:
    async def nothing_left() -> bool:
        assert await asyncio.to_thread(sql, url, UNFINISHED) == []
        return True

    await eventually(nothing_left, within=DRAIN_SECONDS)


def report(url: str, members: list[Member], terminated: int) -> None:
    """Judge the run and print it in figures."""
    lines = [line for member in members for line in Path(member.told["ledger"]).read_text().split()]
    # A kill may tear the line that is being written; at most one each.
    ledger = {line for line in lines if len(line) == len(str(UUID(int=0)))}
    assert len(set(lines) - ledger) <= sum(member.kills for member in members)
    there = {str(row["id"]) for row in sql(url, "SELECT id FROM pgboss.job")}
    ends = {
        row["state"]: row["n"]
        for row in sql(
            url, "SELECT state::text AS state, count(*) AS n FROM pgboss.job WHERE name <> 'dead' GROUP BY 1"
        )
    }
    lost, twice, stuck, wrong = ledger - there, sql(url, TWICE), sql(url, UNFINISHED), sql(url, WRONG_END)
    slots = sql(url, SLOTS)
    runs = sql(url, "SELECT count(*) AS n, count(DISTINCT id) AS jobs FROM soak_run")[0]
    sys.stdout.write(
        f"\nsoak of {MINUTES:g} minutes, SOAK_SEED={SEED}: {len(ledger)} jobs known to have been sent, {ends}; "
        f"lost {len(lost)}, completed twice {len(twice)}, stuck {len(stuck)}; {runs['n']} runs of {runs['jobs']} jobs; "
        f"{sum(member.kills for member in members)} kills, {terminated} connections ended\n"
        f"slots by schedule: {slots}\n"
        + "".join(
            f"{member.name}: {member.memory[0]} MiB at the start, {max(member.memory)} at most, "
            f"{member.memory[-1]} at the end\n"
            for member in members
        )
    )
    assert (lost, twice, stuck, wrong) == (set(), [], [], [])
    for row in slots:
        assert row["jobs"] == row["slots"], row
        assert row["slots"] >= row["minutes"] - 1, row
