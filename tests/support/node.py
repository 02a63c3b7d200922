"""The real pg-boss for tests: :class:`NodeBoss` is one instance, run by the Node that ``make setup`` installs.

Options and results keep Node's camelCase. See :mod:`support.node_process` for how values travel.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from getpass import getuser
from typing import Any, Protocol, Self

import pytest
from psycopg.conninfo import conninfo_to_dict

from support.node_process import UNDEFINED, Event, NodeDiedError, NodeError, NodeProcess

__all__ = ["UNDEFINED", "Handled", "NodeBoss", "NodeBossFactory", "NodeDiedError", "NodeError", "NodeProcess"]


@dataclass(frozen=True, slots=True)
class Handled:
    """A batch that a Node handler was given, and how that ended."""

    jobs: list[dict[str, Any]]
    outcome: str
    result: Any
    aborted: bool


class NodeBoss:
    """One pg-boss instance in a Node process."""

    def __init__(self, process: NodeProcess, name: str) -> None:
        self.process = process
        self.name = name

    @classmethod
    async def create(
        cls,
        process: NodeProcess,
        dsn: str,
        *,
        name: str = "main",
        traced: bool = False,
        clock: datetime | None = None,
        **options: Any,
    ) -> Self:
        """Construct an instance, not started; ``options`` are pg-boss's own.

        Args:
            process: where it runs.
            dsn: its database.
            name: what it is called in the process.
            traced: whether the OpenTelemetry SDK collects its spans, and jobs carry their trace.
            clock: where its test clock stands first.
            **options: pg-boss's own.
        """
        given = {**connection_options(dsn), **options}
        if traced or clock is not None:
            await process.request("createWith", boss=name, options=given, traced=traced, start=clock)
        else:
            await process.request("create", boss=name, options=given)
        return cls(process, name)

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method of the instance; see :meth:`NodeProcess.request`."""
        return await self.process.request("call", boss=self.name, method=method, args=args)

    async def sql(self, text: str, *values: Any) -> list[dict[str, Any]]:
        """Run a statement on the instance's own pool."""
        rows: list[dict[str, Any]] = await self.process.request("sql", boss=self.name, text=text, values=values)
        return rows

    async def work(self, queue: str, *steps: dict[str, Any], **options: Any) -> str:
        """Register a worker whose handler follows ``steps``; what a step may say is listed in ``script.mjs``.

        Without a step it returns nothing; the last step repeats. A queue has one script an instance.
        """
        script: Sequence[dict[str, Any]] = steps or [{}]
        options = {"pollingIntervalSeconds": 0.5, **options}
        work_id: str = await self.process.request("work", boss=self.name, queue=queue, options=options, steps=script)
        return work_id

    async def off_work(self, queue: str) -> None:
        """End the workers of a queue, after the jobs in their hands."""
        await self.call("offWork", queue, {"wait": True})

    async def release(self, queue: str) -> None:
        """Let one batch go on that a ``{"hold": true}`` step holds, or the next that comes."""
        await self.process.request("release", boss=self.name, queue=queue)

    async def started(self, queue: str, number: int = 1) -> list[dict[str, Any]]:
        """Wait until handlers of a queue were given ``number`` batches; return the jobs of all so far."""
        wanted, what = self._about("started", queue), f"{self.name} to start work on {queue}"
        events = await self.process.event(wanted, what, number=number)
        return [job for event in events for job in event["jobs"]]

    async def handled(self, queue: str, number: int = 1) -> list[Handled]:
        """Wait until handlers of a queue are through with ``number`` batches; return all so far.

        pg-boss writes the outcome only after its handler has returned, so a row may lag behind this.
        """
        wanted, what = self._about("handled", queue), f"{self.name} to finish work on {queue}"
        events = await self.process.event(wanted, what, number=number)
        return [Handled(event["jobs"], event["outcome"], event.get("result"), event["aborted"]) for event in events]

    async def tick(self, length: timedelta) -> None:
        """Move the test clock of the instance."""
        milliseconds = length / timedelta(milliseconds=1)
        await self.process.request("tick", boss=self.name, milliseconds=milliseconds)

    async def error(self) -> Event:
        """Wait for the first ``error`` event and return what it carried."""
        events = await self.process.event(self._about("error"), f"an error of {self.name}")
        error: Event = events[0]["what"]
        return error

    def errors(self) -> list[dict[str, Any]]:
        """What the instance has emitted as ``error`` events."""
        return [event["what"] for event in self.process.events(self._about("error"))]

    def warnings(self) -> list[dict[str, Any]]:
        """What the instance has emitted as ``warning`` events."""
        return [event["what"] for event in self.process.events(self._about("warning"))]

    async def stop(self, **options: Any) -> None:
        """Stop the instance; without options it waits for nobody's handler."""
        await self.call("stop", options or {"graceful": False})

    def _about(self, event: str, queue: str | None = None) -> Callable[[Event], bool]:
        wanted = {"event": event, "boss": self.name} | ({"queue": queue} if queue else {})
        return lambda candidate: wanted.items() <= candidate.items()


def connection_options(dsn: str) -> dict[str, Any]:
    """A libpq connection string as the fields node-postgres knows, which reads unix sockets from ``host``."""
    given = conninfo_to_dict(dsn)
    names = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "database"}
    return {"user": getuser()} | {theirs: given[ours] for ours, theirs in names.items() if given.get(ours)}


class NodeBossFactory(Protocol):
    """Construct an instance on the test's database and, unless ``start=False``, start it."""

    async def __call__(
        self, schema: str = ..., *, name: str = ..., start: bool = ..., expected_errors: bool = ..., **options: Any
    ) -> NodeBoss: ...


@pytest.fixture
async def node_boss(database_url: str) -> AsyncIterator[NodeBossFactory]:
    """Real pg-boss instances, all in one Node process of this test.

    They run no background duties (``supervise`` and ``schedule`` are off) unless told to. A test during which one of
    them emitted an ``error`` event fails, unless it said ``expected_errors=True``.
    """
    async with NodeProcess() as process:
        bosses: list[NodeBoss] = []
        strict: list[NodeBoss] = []

        async def create(
            schema: str = "pgboss",
            *,
            name: str = "main",
            start: bool = True,
            expected_errors: bool = False,
            **options: Any,
        ) -> NodeBoss:
            quiet = {"supervise": False, "schedule": False}
            boss = await NodeBoss.create(process, database_url, name=name, schema=schema, **(quiet | options))
            bosses.append(boss)
            if not expected_errors:
                strict.append(boss)
            if start:
                await boss.call("start")
            return boss

        yield create
        if process.alive:
            for boss in bosses:
                await boss.stop()
        assert {boss.name: boss.errors() for boss in strict if boss.errors()} == {}
