"""Building bloated indexes anew.

VACUUM empties the pages of an index and never gives them back, so an index stays as large as the largest backlog its
queue has ever had, and every later VACUUM reads all of it. A rebuild without locks gives the room back.

The turn, for all instances together, is for whoever moves ``version.reindex_on``. An instance that only reports leaves
it to those that rebuild, and keeps the interval by itself. A rebuild that is under way when the instance stops is left
to the server, which finishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from time import monotonic

from pgboss.core.events import ErrorEvent, WarningEvent
from pgboss.core.instance_options import ReindexOptions
from pgboss.core.job_index import JobIndex
from pgboss.core.names import SchemaName
from pgboss.core.sqlstate import ACTIVE_TRANSACTION, UNDEFINED_TABLE
from pgboss.drivers.alone import Alone
from pgboss.drivers.runner import Run
from pgboss.errors import DatabaseError, DatabaseUnavailableError
from pgboss.maintenance.long_command import LongCommand
from pgboss.operations import indexes
from pgboss.runtime.events import Events

__all__ = ["ReindexPass"]

MEGABYTE = 1024 * 1024

logger = logging.getLogger("pgboss.maintenance")


class ReindexPass:
    """Finds bloated indexes, rebuilds those it may, and warns of the others."""

    def __init__(
        self,
        run: Run,
        database: Alone,
        schema: SchemaName,
        events: Events,
        *,
        interval_seconds: float,
        reindex: bool | ReindexOptions = True,
        has_room: bool = True,
    ) -> None:
        """Prepare the duty.

        Args:
            run: runs what looks for indexes.
            database: gives connections for the rebuilds.
            schema: the schema.
            events: hears of what is not rebuilt.
            interval_seconds: how often a turn comes, for all instances together.
            reindex: whether to rebuild, and from when on; ``False`` only reports.
            has_room: whether there is a connection to spare for a rebuild.
        """
        self._run = run
        self._database = database
        self._schema = schema
        self._events = events
        self._interval_seconds = interval_seconds
        self._reindex = reindex
        self._why_not = None if has_room else "a rebuild needs a pool of two connections"
        self._told_of: frozenset[str] = frozenset()
        self._report_due = monotonic()

    async def run_once(self) -> float | None:
        """Look for bloat, if it is time.

        Raises:
            DatabaseError: the indexes could not be looked at. What goes wrong with one of them is a warning.
        """
        await self.run()
        return None

    async def run(
        self,
        *,
        reindex: bool | ReindexOptions | None = None,
        tables: Sequence[str] | None = None,
    ) -> None:
        """The same with another setting for this once, and perhaps for some job tables only.

        With its ``force`` every index is rebuilt, without waiting for a turn.
        """
        setting = self._reindex if reindex is None else reindex
        limits = setting if isinstance(setting, ReindexOptions) else ReindexOptions()
        is_rebuilding = setting is not False and self._why_not is None
        if not limits.force and not await self._is_due(is_rebuilding):
            return
        bloated = await self._run(indexes.find_bloated(self._schema, limits, tables))
        failures: dict[str, str] = {}
        rebuilt: set[str] = set()
        if is_rebuilding:
            candidates = await self._run(indexes.find_all(self._schema, tables)) if limits.force else bloated
            wanted = [index.name for index in candidates if index.owned and index.bytes <= limits.max_index_bytes]
            rebuilt, failures = await self._rebuild(wanted, tables)
        self._report([index for index in bloated if index.name not in rebuilt], failures, is_rebuilding=is_rebuilding)

    async def _is_due(self, is_rebuilding: bool) -> bool:
        if is_rebuilding:
            return await self._run(indexes.claim_turn(self._schema, self._interval_seconds))
        now = monotonic()
        if now < self._report_due:
            return False
        self._report_due = now + self._interval_seconds
        return True

    async def _rebuild(self, names: Sequence[str], tables: Sequence[str] | None) -> tuple[set[str], dict[str, str]]:
        """Rebuild one after the other; which of them are bloated no more, and why others are."""
        rebuilt: set[str] = set()
        failures: dict[str, str] = {}
        if names:
            await self._drop_leftovers(tables)
        for name in names:
            try:
                await LongCommand(self._database).run(indexes.rebuild(self._schema, name))
            except DatabaseUnavailableError:
                raise
            except DatabaseError as error:
                failures[name] = str(error)
                if error.sqlstate == UNDEFINED_TABLE:
                    # Its queue was deleted meanwhile.
                    rebuilt.add(name)
                if error.sqlstate == ACTIVE_TRANSACTION:
                    # Whatever holds our connections in transactions will do so next time, too.
                    self._why_not = str(error)
                    break
            else:
                rebuilt.add(name)
                logger.info("The index %s was bloated and has been rebuilt", name, extra={"index": name})
        return rebuilt, failures

    async def _drop_leftovers(self, tables: Sequence[str] | None) -> None:
        try:
            for name in await self._run(indexes.find_leftovers(self._schema, tables)):
                await LongCommand(self._database).run(indexes.drop(self._schema, name))
        except DatabaseUnavailableError:
            raise
        except DatabaseError as error:
            # They are dead weight, and in nobody's way.
            logger.warning("What an earlier rebuild has left behind could not be dropped: %s", error)
            self._events.error(ErrorEvent(error, "dropping half-built indexes"))

    def _report(self, bloated: Sequence[JobIndex], failures: dict[str, str], *, is_rebuilding: bool) -> None:
        """Warn of what is still bloated, once until it no longer is."""
        for index in bloated:
            if index.name not in self._told_of:
                reason = failures.get(index.name) or self._reason(index, is_rebuilding)
                self._events.warn(_warning(index, reason))
        self._told_of = frozenset(index.name for index in bloated)

    def _reason(self, index: JobIndex, is_rebuilding: bool) -> str:
        if not index.owned:
            return "our role does not own it"
        if self._why_not is not None:
            return self._why_not
        return "it is larger than max_index_bytes" if is_rebuilding else "rebuilding is off (reindex=False)"


def _warning(index: JobIndex, reason: str) -> WarningEvent:
    message = (
        f"The index {index.name} of {index.table} is bloated: {index.pages} pages "
        f"({round(index.bytes / MEGABYTE)} MB) for about {index.entries} entries. It was not rebuilt: {reason}. "
        "`pgboss reindex` and get_reindex_commands() rebuild it."
    )
    return WarningEvent("index_bloat", message, asdict(index))
