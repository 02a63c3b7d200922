"""Dead rows at the front of a queue, kept by an old transaction: no job that turns up among them is left waiting."""

from __future__ import annotations

from math import inf

import psycopg

from pgboss import Job, PgBoss
from support.boss import BossFactory
from support.eventually import eventually
from support.plans import fill
from support.postgres import sql

DEAD = 100_000
# Committed long after its creation, tried again, of a higher priority.
TURNED_UP: tuple[dict[str, str], ...] = ({}, {"state": "'retry'"}, {"priority": "9"})


async def test_jobs_that_turn_up_at_the_front_are_found_though_nobody_tells(
    make_boss: BossFactory, database_url: str
) -> None:
    boss = await make_boss(polling_interval_seconds=60)
    await boss.create_queue("jobs", notify=True)
    sent: list[str] = []
    worked: list[str] = []

    async def handler(job: Job) -> None:
        worked.append(str(job.data))

    async def send_one() -> None:
        sent.append("new")
        await boss.send("jobs", "new")
        await eventually(lambda: sorted(worked) == sorted(sent))

    with psycopg.connect(database_url) as old:
        old.execute("SELECT pg_current_xact_id()")
        fill(database_url, "jobs", DEAD)
        sql(database_url, "UPDATE pgboss.job SET state = 'completed', completed_on = now()")
        await boss.work("jobs", handler, polling_interval_seconds=60, notify_polling_interval_seconds=60)
        for turned_up in TURNED_UP:
            # Claims that this announces begin behind the front before long, and leave the other one out.
            while not leaves_out(boss):
                await send_one()
            fill(database_url, "jobs", 1, created_on="now() - interval '20 s'", data="'\"old\"'", **turned_up)
            sent.append("old")
            await send_one()


def leaves_out(boss: PgBoss) -> bool:
    assert boss._crew is not None
    [worker] = boss._crew.named("jobs")
    return worker.look_at != inf
