"""Freeing the jobs of flows whose last parent is completed.

Completing a job changes nothing but that job; whoever waits for it is freed by a turn of this duty. Turns are shared
by all instances, Node's too: whoever moves ``version.flow_on`` has the turn of this interval, and looks at all tables.

Between those turns an instance frees the children of jobs that it has worked itself, as soon as they are written. Such
a turn needs no claim, because the rows themselves say who is at them: a parent that somebody else resolves is skipped,
and a resolved one is marked. It leaves the claim alone, so that the turns of all others come when they would have.
"""

from __future__ import annotations

from collections.abc import Callable

from pgboss.core.events import FlowEvent
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.operations import flows

__all__ = ["FLOW_INTERVAL_SECONDS", "FlowResolver"]

FLOW_INTERVAL_SECONDS = 5.0


class FlowResolver:
    """Frees jobs: of all queues when the claim is ours, of single ones when told that parents there are completed."""

    def __init__(
        self,
        run: Run,
        schema: SchemaName,
        *,
        interval_seconds: float = FLOW_INTERVAL_SECONDS,
        on_resolved: Callable[[FlowEvent], None] = lambda event: None,
    ) -> None:
        """Prepare the duty; ``interval_seconds`` is how often a turn comes for all instances together."""
        self._run = run
        self._schema = schema
        self._interval_seconds = interval_seconds
        self._completed_in: set[str] = set()
        self._on_resolved = on_resolved

    def parents_completed(self, queue: str) -> None:
        """Have the next turn look at this queue, whoever holds the claim."""
        self._completed_in.add(queue)

    async def run_once(self) -> float | None:
        """Free whoever waits for nobody any more.

        Raises:
            DatabaseError: why a table could not be resolved, after all others were.
        """
        queues, self._completed_in = sorted(self._completed_in), set()
        if queues:
            await self._resolve(queues)
        if await self._run(flows.claim(self._schema, self._interval_seconds)):
            await self._resolve(None)
        return None

    async def _resolve(self, queues: list[str] | None) -> None:
        await self._run(
            flows.resolve(self._schema, queues, lambda table, parents: self._on_resolved(FlowEvent(table, parents)))
        )
