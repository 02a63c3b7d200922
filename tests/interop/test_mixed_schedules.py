"""Three instances of real pg-boss and three of ours fire the same schedules, and are killed one after the other.

Whatever minute was filed has one occurrence and one job, and no minute is left out. It takes real minutes, because
Node's passes go by its own clock: ``MIXED_SECONDS``, 150 if not set.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from support.boss import BossFactory
from support.eventually import eventually
from support.node import connection_options
from support.node_process import FOLDER, node_binary
from support.postgres import sql

pytestmark = [pytest.mark.node, pytest.mark.prove]

SECONDS = float(os.environ.get("MIXED_SECONDS", "150"))
QUEUES = [f"q_{number}" for number in range(6)]
OURS = Path(__file__).resolve().parents[1] / "support" / "mixed_scheduler.py"


async def start(kind: str, url: str) -> asyncio.subprocess.Process:
    command = (node_binary(), str(FOLDER / "scheduler.mjs")) if kind == "node" else (sys.executable, str(OURS))
    told = json.dumps(connection_options(url)) if kind == "node" else url
    process = await asyncio.create_subprocess_exec(
        *command, cwd=FOLDER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{told}\n".encode())
    await process.stdin.drain()
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"READY\n"
    return process


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.communicate()


@pytest.mark.timeout(600)
async def test_every_occurrence_is_sent_once(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss()
    for number, queue in enumerate(QUEUES):
        await boss.create_queue(queue)
        await boss.schedule(queue, "* * * * *" if number % 2 else "FREQ=SECONDLY;INTERVAL=7", key="k_1")
    running = [(kind, await start(kind, database_url)) for kind in ("node", "ours") * 3]
    chance, end, kills = random.Random(7), monotonic() + SECONDS, 0
    while monotonic() < end:
        place = chance.randrange(len(running))
        kind, process = running[place]
        await kill(process)
        running[place] = kind, await start(kind, database_url)
        kills += 1

    def all_sent() -> bool:
        text = "SELECT count(*) AS waiting FROM pgboss.job WHERE name ~ 'send-it' AND state < 'completed'"
        return sql(database_url, text) == [{"waiting": 0}]

    await eventually(all_sent, within=15)
    for _, process in running:
        await kill(process)

    occurrences = sql(
        database_url, "SELECT data ->> 'name' AS q, data ->> 'slot' AS slot FROM pgboss.job WHERE name ~ 'send-it'"
    )
    jobs = Counter(row["name"] for row in sql(database_url, "SELECT name FROM pgboss.job WHERE name !~ 'send-it'"))
    for queue in QUEUES:
        slots = sorted(datetime.fromisoformat(row["slot"]) for row in occurrences if row["q"] == queue)
        assert len(slots) >= SECONDS // 60
        assert slots == [slots[0] + timedelta(minutes=minute) for minute in range(len(slots))]
        assert jobs[queue] == len(slots)
    assert kills >= SECONDS / 20
