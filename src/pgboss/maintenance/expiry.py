"""Failing active jobs that ran out of time or whose worker fell silent.

Nothing in the database does that by itself: a job whose worker was killed stays active until some instance sweeps.
A turn first asks one statement where overdue jobs are, which reads the active rows only, so idle queues cost next to
nothing however many there are. It then fails them in batches, each a transaction under the table's advisory lock.
Instances do not queue up behind that lock: whoever finds it taken leaves the work to its holder and looks again soon.

A job that was settled or touched in the meantime is left alone: the condition is checked again on the row itself,
once it is locked.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from pgboss.core.names import SchemaName
from pgboss.core.sqlstate import UNDEFINED_TABLE
from pgboss.drivers.runner import Run
from pgboss.errors import DatabaseError, DatabaseUnavailableError
from pgboss.operations import maintain
from pgboss.operations.maintain import SILENT, TIMED_OUT, Overdue

__all__ = ["ExpirySweep"]

# After finding a lock taken. Its holder may be sweeping other queues than the ones we saw.
LOOK_AGAIN_SECONDS = 2.0


logger = logging.getLogger("pgboss.maintenance")


class ExpirySweep:
    """Fails overdue jobs of all queues; retries and dead letters follow as for any other failure."""

    def __init__(self, run: Run, schema: SchemaName) -> None:
        self._run = run
        self._schema = schema

    async def run_once(self, names: Sequence[str] | None = None) -> float | None:
        """Fail what is overdue now, in the named queues or in all.

        A table that cannot be swept does not keep the others from it.

        Raises:
            DatabaseError: why a table could not be swept, after all others were.
        """
        tables = await self._run(maintain.find_tables(self._schema, names))
        failure: DatabaseError | None = None
        is_busy = False
        for portion in tables.portions():
            for overdue in await self._find(portion):
                try:
                    is_busy |= not await self._sweep(tables.database, overdue)
                except DatabaseUnavailableError:
                    raise
                except DatabaseError as error:
                    # A table is missing when its queue was deleted a moment ago.
                    if error.sqlstate != UNDEFINED_TABLE:
                        failure = failure or error
        if failure is not None:
            raise failure
        return LOOK_AGAIN_SECONDS if is_busy else None

    async def _find(self, tables: Mapping[str, Sequence[str]]) -> list[Overdue]:
        try:
            return await self._run(maintain.find_overdue(self._schema, tables))
        except DatabaseUnavailableError:
            raise
        except DatabaseError:
            # One table is gone or locked; which one shows when each is swept by itself.
            return [Overdue(table, cause, names) for table, names in tables.items() for cause in (TIMED_OUT, SILENT)]

    async def _sweep(self, database: str, overdue: Overdue) -> bool:
        """Fail batches until none is left; ``False`` when somebody else is at it."""
        total = Counter[tuple[str, str]]()
        try:
            while (batch := await self._run(maintain.fail_overdue(self._schema, database, overdue))) is not None:
                total.update(batch.jobs)
                if batch.is_last:
                    return True
            return False
        finally:
            _report(overdue, total)


def _report(overdue: Overdue, total: Counter[tuple[str, str]]) -> None:
    for queue in sorted({queue for queue, _ in total}):
        retried, failed = total[queue, "retry"], total[queue, "failed"]
        logger.info(
            "Queue %s: %d active jobs %s; %d to be retried, %d failed",
            queue,
            retried + failed,
            overdue.cause.text,
            retried,
            failed,
            extra={"queue": queue, "retried": retried, "failed": failed},
        )
