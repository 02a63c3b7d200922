"""The upkeep of an instance: its duties, ready to be run in loops or as one pass, and the warnings it stores."""

from __future__ import annotations

from collections.abc import Sequence

from pgboss.boss.builds import FEWEST_CONNECTIONS
from pgboss.core.instance_options import InstanceOptions, ReindexOptions, seconds_of
from pgboss.core.names import SchemaName
from pgboss.drivers.database import AnyAsyncDatabase
from pgboss.drivers.runner import Run
from pgboss.maintenance import ReindexPass, Supervision, VacuumWatch, Warnings
from pgboss.operations.monitor import find_chunks
from pgboss.runtime.events import Events

__all__ = ["Upkeep"]


class Upkeep:
    """What keeps a schema healthy; several instances, Node's too, share it by locks and claims in the database."""

    def __init__(
        self,
        run: Run,
        database: AnyAsyncDatabase,
        schema: SchemaName,
        options: InstanceOptions,
        events: Events,
        *,
        is_current: bool,
        instance: str | None = None,
    ) -> None:
        """Prepare it; only a schema of our very version (``is_current``) is counted, and its indexes rebuilt."""
        self._run = run
        self._schema = schema
        self._events = events
        self.is_current = is_current
        self.supervision = Supervision(run, schema, options, events.warn, counts=is_current)
        self.reindex = ReindexPass(
            self.supervision.timed,
            database,
            schema,
            events,
            interval_seconds=seconds_of(options.reindex_interval_seconds),
            reindex=options.reindex,
            has_room=database.pool_size >= FEWEST_CONNECTIONS,
        )
        self.vacuum = None
        if options.monitor_vacuum:
            self.vacuum = VacuumWatch(self.supervision.timed, schema, events, instance=instance)
        self._warnings = Warnings(run, schema, on_error=events.error) if options.persist_warnings else None

    def open(self) -> None:
        """Begin to store warnings, if they are to be stored."""
        if self._warnings is not None:
            self._warnings.open()
            self._events.keep_warnings(self._warnings.keep)

    async def close(self) -> None:
        """Store what was warned of until now, within two seconds."""
        if self._warnings is not None:
            await self._warnings.close()

    async def run_pass(
        self, names: Sequence[str] | None = None, *, reindex: bool | ReindexOptions | None = None
    ) -> None:
        """Everything that is due, once, in pg-boss's order.

        Raises:
            DatabaseError: why a duty could not be done; those after it were not tried.
        """
        await self.supervision.run_pass(names)
        if self.vacuum is not None:
            await self.vacuum.run_once()
        if self.is_current:
            chunks = [] if names is None else await self._run(find_chunks(self._schema, names))
            tables = sorted({chunk.table_name for chunk in chunks})
            await self.reindex.run(reindex=reindex, tables=tables or None)
        if self._warnings is not None:
            await self._warnings.flush()
