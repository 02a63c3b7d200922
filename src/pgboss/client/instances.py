"""Calls about the instances that share a schema."""

from __future__ import annotations

from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.checks import as_uuid
from pgboss.core.instance import Instance
from pgboss.operations import instances as operations

__all__ = ["InstanceCalls"]


class InstanceCalls(ClientBase):
    """Who is there."""

    async def get_instances(
        self, *, limit: int = 1000, after: UUID | str | None = None, connection: Connection | None = None
    ) -> list[Instance]:
        """Read which processes of Python's and Node's share this schema, in the order in which they started.

        Those that ran lately are there, too: they are ``live`` no more.

        Args:
            limit: at most this many, from 1 to 100,000.
            after: continue behind this instance: the last one of the page before.
            connection: the caller's connection.

        Raises:
            ValidationError: the limit is out of range, or ``after`` names an instance whose row is gone.
            SchemaVersionError: the schema is older than the registry of instances.
        """
        last = None if after is None else as_uuid("after", after)
        return await self._run(operations.get_instances(self.schema, limit=limit, after=last), connection)
