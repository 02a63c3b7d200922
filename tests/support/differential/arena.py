"""Both sides, ready to run scripts, as many as one likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from pgboss import PgBossError, QueueOptions
from pgboss.client import Client
from pgboss.core.instance_options import InstanceOptions
from pgboss.core.names import SchemaName
from pgboss.core.query import Query, Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.queue_stats import StatsSource
from pgboss.maintenance import Supervision, Warnings
from pgboss.operations import firing
from pgboss.scheduler.cron_pass import CronPass
from support.differential.calls import Known, Script, for_node, for_us, instants
from support.differential.compare import TABLES, Run, differences, node_outcome, our_outcome, rows_by_key
from support.differential.database import BASE, NODE_SIDE, OUR_SIDE, connection_settings, install, keep_queues
from support.heard import HeardEvents
from support.node import NodeBoss, connection_options
from support.node_process import NodeProcess

__all__ = ["QUEUES", "Arena", "Stage", "open_arena"]

QUEUES: dict[str, dict[str, Any]] = {
    "dead": {"retryLimit": 1, "retryDelay": 3},
    "dead-exclusive": {"policy": "exclusive", "retentionSeconds": 900},
    "standard": {"deadLetter": "dead", "notify": True},
    "short": {"policy": "short"},
    "singleton": {"policy": "singleton", "retryLimit": 1, "deadLetter": "dead"},
    "stately": {"policy": "stately", "retryLimit": 1, "deadLetter": "dead-exclusive"},
    "exclusive": {"policy": "exclusive", "retryLimit": 0, "deadLetter": "dead"},
    "fifo": {"policy": "key_strict_fifo", "retryLimit": 1, "deadLetter": "dead"},
    "own": {"partition": True, "retryLimit": 1, "retryBackoff": True, "retryDelay": 4, "deadLetter": "dead"},
    "own-stately": {"policy": "stately", "partition": True, "notify": True},
    "own-fifo": {"policy": "key_strict_fifo", "partition": True, "retryLimit": 0, "deadLetter": "dead-exclusive"},
}
"""The queues that every script finds, as options of ``createQueue``; it may make others."""


NTH = f"""
SELECT id FROM {OUR_SIDE}.job
 WHERE name = %s AND (%s::text IS NULL OR state::text = %s::text)
 ORDER BY created_on OFFSET %s LIMIT 1
"""


# Node's options by our names: both sides count, record and warn.
OPTIONS = InstanceOptions(
    monitor_interval_seconds=1,
    maintenance_interval_seconds=1,
    warning_queue_size=2,
    persist_queue_stats=True,
    persist_warnings=True,
)
NODE_OPTIONS: dict[str, Any] = {
    "supervise": False,
    "schedule": False,
    "monitorIntervalSeconds": 1,
    "maintenanceIntervalSeconds": 1,
    "warningQueueSize": 2,
    "persistQueueStats": True,
    "persistWarnings": True,
    "max": 4,
}
GUEST = "guest"
"""A Node instance on our side's schema, which takes a turn at supervising where a step says ``"by": "node"``."""


class OurBoss:
    """Our instance with the upkeep as a call."""

    def __init__(self, boss: Client, node: NodeProcess) -> None:
        self._boss = boss
        self._node = node
        boss._stats_source = StatsSource(history=True)
        schema = SchemaName(OUR_SIDE)
        self._warnings = Warnings(boss._database.run, schema)
        self._warnings.open()
        self._supervision = Supervision(boss._database.run, schema, OPTIONS, self._warnings.keep)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._boss, name)

    async def supervise(self, queue: str | None, *, by_node: bool) -> None:
        if by_node:
            await self._node.request("call", boss=GUEST, method="supervise", args=[queue] if queue else [])
            return
        await self._supervision.run_pass([queue] if queue else None)
        await self._warnings.flush()

    async def close(self) -> None:
        await self._warnings.close()

    async def cron_pass(self) -> list[Any]:
        """A pass, if its turn has come; the warnings that it gave."""
        events = HeardEvents()
        await CronPass(
            self._boss._database.run, SchemaName(OUR_SIDE), events, interval_seconds=1, on_filed=lambda: None
        ).run_once()
        return [warning.data for warning in events.warnings]

    async def deliver_schedules(self) -> None:
        catalog = QueueCatalog(SchemaName(OUR_SIDE))
        await self._boss._database.run(firing.deliver(catalog))

    async def mislabel(self, queue: str, kind: str) -> None:
        await self._write("UPDATE our_side.schedule SET kind = $2::text WHERE name = $1::text", queue, kind)

    async def put_expression(self, queue: str, expression: str, tz: str | None) -> None:
        text = "UPDATE our_side.schedule SET cron = $2::text, timezone = $3::text WHERE name = $1::text"
        await self._write(text, queue, expression, tz)

    async def _write(self, text: str, *values: str | None) -> None:
        def operation() -> Steps[None]:
            yield Query(text, values)

        await self._boss._database.run(operation())


class Arena:
    """A Node instance and one of ours, which run the same scripts each on its own schema."""

    def __init__(self, node: NodeProcess, boss: Client, connection: AsyncConnection[dict[str, Any]]) -> None:
        self._node = node
        self._boss = boss
        self._ours = OurBoss(boss, node)
        self._connection = connection

    async def differences(self, script: Script, *, meddle: str = "") -> list[str]:
        """Run a script from the beginning on both sides and return what differs afterwards.

        ``meddle`` is SQL to run before the comparison, for tests of the comparison.
        """
        await self._reset()
        calls = [step | {"at": at} for step, at in zip(script, instants(script), strict=True) if "call" in step]
        theirs, mine = await asyncio.gather(self._run_node(calls), self._run_ours(calls))
        if meddle:
            await self._connection.execute(meddle)
        node, ours = await self._read(NODE_SIDE), await self._read(OUR_SIDE)
        return list(
            differences(
                script,
                Run([node_outcome(*pair, node[1]) for pair in zip(calls, theirs, strict=True)], node[0]),
                Run([our_outcome(*pair, ours[1]) for pair in zip(calls, mine, strict=True)], ours[0]),
            )
        )

    async def _run_node(self, calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        steps = [{"at": call["at"], **for_node(_step(call))} for call in calls]
        answer = await self._node.request("runDifferential", steps=steps)
        assert answer["errors"] == []
        outcomes: list[dict[str, Any]] = answer["outcomes"]
        return outcomes

    async def _run_ours(self, calls: Sequence[dict[str, Any]]) -> list[Any]:
        known, outcomes = Known(self._nth), list[Any]()
        for call in calls:
            await self._move_to(call["at"])
            step = _step(call)
            try:
                outcome = await for_us(self._ours, step, known)
            except PgBossError as error:
                outcome = error
            else:
                known.remember(step, outcome)
            outcomes.append(outcome)
        await self._move_to(calls[-1]["at"] + 1 if calls else 1)
        return outcomes

    async def _move_to(self, milliseconds: int) -> None:
        instant = BASE + timedelta(milliseconds=milliseconds)
        await self._connection.execute(f"SELECT even.{OUR_SIDE}_step(%s)", [instant])

    async def _nth(self, queue: str, position: int, state: str | None = None) -> UUID | None:
        row = await (await self._connection.execute(NTH, [queue, state, state, position])).fetchone()
        return row["id"] if row else None

    async def _read(self, side: str) -> tuple[dict[str, Any], dict[str, str]]:
        """All rows of a side, and what its ids stand for."""
        found = await self._rows(f"SELECT id::text, label FROM even.{side}_ids")
        labels = {row["id"]: row["label"] for row in found}
        rows = {table: await self._rows(f"SELECT * FROM {side}.{table}") for table in TABLES}
        return {table: rows_by_key(table, rows[table], labels) for table in TABLES}, labels

    async def _rows(self, text: str) -> list[dict[str, Any]]:
        return await (await self._connection.execute(text)).fetchall()

    async def _reset(self) -> None:
        for side in (NODE_SIDE, OUR_SIDE):
            await self._connection.execute(f"SELECT even.{side}_reset()")
            leftovers = await self._rows(f"SELECT even.{side}_restore_queues() AS name")
            names = [row["name"] for row in leftovers]
            if side == NODE_SIDE:
                await self._node.request("forgetDifferential", leftovers=names)
                continue
            for name in names:
                await self._boss.delete_queue(name)
            self._boss._catalog.forget()

    async def _prepare(self) -> None:
        """Make the queues that every script finds."""
        await self._connection.execute(install())
        for name, options in QUEUES.items():
            step = {"call": "createQueue", "queue": name, "options": options}
            await self._run_node([step | {"at": 0}])
            await self._run_ours([step | {"at": 0}])
        for side in (NODE_SIDE, OUR_SIDE):
            await self._connection.execute(f"SELECT even.{side}_step(%s)", [BASE])
            await self._connection.execute(
                f"UPDATE {side}.queue SET created_on = '{BASE.isoformat()}', updated_on = '{BASE.isoformat()}'"
            )
            columns = await self._rows(
                "SELECT string_agg(column_name, ', ') AS names FROM information_schema.columns "
                f"WHERE table_schema = '{side}' AND table_name = 'queue'"
            )
            await self._connection.execute(keep_queues(side, columns[0]["names"]))


def _step(call: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in call.items() if key not in {"at", "advance"}}


@asynccontextmanager
async def _arena(url: str) -> AsyncIterator[Arena]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(NodeProcess())
        # Installed before the clocks are, so that both sides' own installations are what is compared.
        boss = Client(
            make_conninfo(url, options=connection_settings(OUR_SIDE)),
            schema=OUR_SIDE,
            pool_size=2,
            queue_defaults=QueueOptions(),
        )
        await boss.start()
        stack.push_async_callback(boss.stop)
        options = {**connection_options(url), **NODE_OPTIONS}
        node_side = options | {"options": connection_settings(NODE_SIDE), "schema": NODE_SIDE}
        await node.request("openDifferential", base=BASE, side=NODE_SIDE, options=node_side)
        stack.push_async_callback(node.request, "closeDifferential")
        # Without index builds, for which it would look by the real clock.
        guest_options = {**NODE_OPTIONS, "schema": OUR_SIDE, "options": connection_settings(OUR_SIDE), "migrate": False}
        guest = await NodeBoss.create(node, url, name=GUEST, **guest_options)
        await guest.call("start")
        stack.push_async_callback(guest.stop)
        connection = await AsyncConnection.connect(
            make_conninfo(url, options="-c search_path=even,pg_catalog -c synchronous_commit=off"),
            autocommit=True,
            row_factory=dict_row,
        )
        await stack.enter_async_context(connection)
        arena = Arena(node, boss, connection)
        stack.push_async_callback(arena._ours.close)
        await arena._prepare()
        yield arena


class Stage:
    """An arena for tests that are not async, as those of hypothesis are."""

    def __init__(self, runner: asyncio.Runner, arena: Arena) -> None:
        self._runner = runner
        self._arena = arena

    def differences(self, script: Script, *, meddle: str = "") -> list[str]:
        """See :meth:`Arena.differences`."""
        return self._runner.run(self._arena.differences(script, meddle=meddle))

    def check(self, script: Script) -> None:
        """Fail when a script ends differently on the two sides, with the shortest beginning of it that does."""
        found = self.differences(script)
        if not found:
            return
        for length in range(1, len(script) + 1):
            early = self.differences(script[:length])
            if early:
                step = json.dumps(script[length - 1], ensure_ascii=False)
                raise AssertionError("\n  ".join([f"After step {length} of {len(script)}, {step}:", *early]))
        raise AssertionError("\n  ".join(["Once, and not again when it was run anew:", *found]))


@contextmanager
def open_arena(url: str) -> Iterator[Stage]:
    """Open both sides on an empty database."""
    with asyncio.Runner() as runner:
        context = _arena(url)
        arena = runner.run(context.__aenter__())
        try:
            yield Stage(runner, arena)
        finally:
            runner.run(context.__aexit__(None, None, None))
