"""Calls about the upkeep of tables and indexes."""

from __future__ import annotations

from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.bam import BamEntry, BamStatus
from pgboss.core.checks import as_uuid
from pgboss.core.instance_options import ReindexOptions
from pgboss.operations import bam, indexes

__all__ = ["UpkeepCalls"]


class UpkeepCalls(ClientBase):
    """Looking after what runs in the background."""

    async def get_bam_status(self, *, connection: Connection | None = None) -> list[BamStatus]:
        """Count the commands that migrations have put off, index builds mostly, by their status."""
        return await self._run(bam.get_status(self.schema), connection)

    async def get_bam_entries(
        self, *, limit: int = 1000, after: UUID | str | None = None, connection: Connection | None = None
    ) -> list[BamEntry]:
        """Read the commands that migrations have put off, by version and in the order in which they are run.

        Args:
            limit: at most this many, from 1 to 100,000.
            after: continue behind this command: the id of the last one of the page before.
            connection: the caller's connection.

        Raises:
            ValidationError: the limit is out of range, or ``after`` names a command that is gone.
        """
        return await self._run(
            bam.get_entries(self.schema, limit, None if after is None else as_uuid("after", after)), connection
        )

    async def get_reindex_commands(
        self,
        *,
        force: bool = False,
        min_pages: int = 128,
        max_entries_per_page: float = 5,
        min_size_ratio: float = 4,
        max_index_bytes: int | None = None,
        connection: Connection | None = None,
    ) -> list[str]:
        """Write down the commands that rebuild the bloated indexes of job tables, and run none of them.

        They are for somebody who may run them where this role may not: one after the other, outside of transactions.
        Those that drop what earlier rebuilds have left behind come first. See ``docs/compatibility.md``, "Bloated
        indexes".

        Args:
            force: every index of the job tables, bloated or not.
            min_pages: smaller indexes are no bloated ones.
            max_entries_per_page: fuller ones are none.
            min_size_ratio: how many times larger than it need be one is.
            max_index_bytes: leave larger ones out.
            connection: the caller's connection.

        Raises:
            ValidationError: a limit is out of its range.
        """
        limits = ReindexOptions(
            min_pages=min_pages, max_entries_per_page=max_entries_per_page, min_size_ratio=min_size_ratio
        )
        return await self._run(
            indexes.get_commands(self.schema, limits, force=force, max_index_bytes=max_index_bytes), connection
        )
