"""``pgboss instances``."""

from __future__ import annotations

import asyncio
import json

from pgboss import PgBoss, SyncPgBoss
from support.command_line import CommandLine
from support.postgres import sql


def test_live_instances_are_listed(pgboss: CommandLine, database_url: str) -> None:
    async def run() -> tuple[str, str]:
        async with PgBoss(database_url, supervise=False, instance_name="gone"):
            pass
        async with PgBoss(database_url, supervise=False, instance_name="mail", instance_heartbeat_seconds=60) as boss:
            earlier = "UPDATE pgboss.instance SET started_on = now() - interval '2 hours', heartbeat_on = started_on"
            await asyncio.to_thread(sql, database_url, f"{earlier} WHERE name = 'gone'")
            await asyncio.to_thread(sql, database_url, f"{earlier} + interval '119 minutes' WHERE name = 'mail'")
            listed = await asyncio.to_thread(pgboss.ok, "instances", "list")
            everyone = await asyncio.to_thread(pgboss.ok, "instances", "list", "--all", "--json")
            return f"{boss.id}\n{listed}", everyone

    found, everyone = asyncio.run(run())
    id, titles, mail = found.splitlines()
    assert titles.split() == ["ID", "NAME", "HOST", "PID", "RUNS", "STATE", "UP", "CRASHES", "WORKS"]
    assert mail.split()[:2] == [id, "mail"]
    assert mail.split()[-3:] == ["live", "2", "h"]
    assert [(one["name"], one["live"]) for one in json.loads(everyone)] == [("gone", False), ("mail", True)]


def test_nobody_there_is_said(pgboss: CommandLine) -> None:
    outcome = pgboss("instances", "list")

    assert outcome.code == 0
    assert "No instance has registered here yet." in outcome.err


def test_queues_and_instances_are_paused_and_resumed(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    id = "01890000-0000-7000-8000-000000000001"
    installed.create_queue("mail")
    for group, target in (("queues", "mail"), ("instances", id)):
        assert pgboss.ok(group, "pause", target).startswith("Paused")
        assert [pause.target for pause in installed.get_pauses()] == [target]
        assert pgboss.ok(group, "resume", target).startswith("Resumed")
        assert "was not paused" in pgboss(group, "resume", target).err
    assert installed.get_pauses() == []
