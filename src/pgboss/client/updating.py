"""Calls that change queued jobs."""

from __future__ import annotations

from typing import TypeVar, Unpack, overload

from pgboss.client.base import ClientBase, Connection
from pgboss.core.call import Call
from pgboss.core.checks import UNSET, Unset
from pgboss.core.options import UpdateKeywords, UpdateOptions
from pgboss.core.target import QueueLike, Target, outgoing, queue_name
from pgboss.core.wire import JSON
from pgboss.operations import update as operations
from pgboss.operations.update import Updated, Upserted

__all__ = ["UpdateCalls"]

P = TypeVar("P")


class UpdateCalls(ClientBase):
    """Changing jobs that nobody has begun."""

    @overload
    async def update(
        self,
        queue: str,
        data: JSON | Unset = UNSET,
        *,
        connection: Connection | None = None,
        **options: Unpack[UpdateKeywords],
    ) -> Updated: ...

    @overload
    async def update(
        self,
        queue: Target[P],
        data: P | Unset = UNSET,
        *,
        connection: Connection | None = None,
        **options: Unpack[UpdateKeywords],
    ) -> Updated: ...

    async def update(
        self,
        queue: QueueLike,
        data: object = UNSET,
        *,
        connection: Connection | None = None,
        **options: Unpack[UpdateKeywords],
    ) -> Updated:
        """Change queued jobs in place: their data, and whatever options are given.

        Give either ``id``, or ``singleton_key`` and perhaps ``match``: ``"newest"`` (which is meant without it),
        ``"oldest"`` or ``"all"`` of the queued jobs with that key. Jobs that are active or finished are passed over.
        What is absent stays as it is; ``None`` clears ``retry_delay_max``, ``heartbeat_seconds`` and ``dead_letter``.
        Unlike in ``send``, a ``start_after`` of zero or less is kept, as an instant in the past; the time for which
        the job may wait moves along with it. See docs/compatibility.md, "Update and upsert".

        Raises:
            ValidationError: an option is out of range, or not exactly one of ``id`` and ``singleton_key`` is given.
            PayloadError: the data is not JSON, is too large, or does not fit the definition's payload type.
            QueueNotFoundError: the queue, or the dead letter queue named, does not exist.
        """
        return await self._run(
            operations.update(
                self.schema,
                queue_name(queue),
                data if data is UNSET else outgoing(queue, data),
                UpdateOptions(**options),
                self._max_payload_bytes,
            ),
            connection,
        )

    @overload
    async def upsert(
        self,
        queue: str,
        data: JSON | Unset = UNSET,
        *,
        connection: Connection | None = None,
        **options: Unpack[UpdateKeywords],
    ) -> Upserted: ...

    @overload
    async def upsert(
        self,
        queue: Target[None],
        data: Unset | None = UNSET,
        *,
        connection: Connection | None = None,
        **options: Unpack[UpdateKeywords],
    ) -> Upserted: ...

    @overload
    async def upsert(
        self, queue: Target[P], data: P, *, connection: Connection | None = None, **options: Unpack[UpdateKeywords]
    ) -> Upserted: ...

    async def upsert(
        self,
        queue: QueueLike,
        data: object = UNSET,
        *,
        connection: Connection | None = None,
        **options: Unpack[UpdateKeywords],
    ) -> Upserted:
        """Change queued jobs as :meth:`update` does, or create one where none is queued.

        A created job gets what is given here, and the rest from the queue's row, as in :meth:`send`. Any number of
        upserts of one ``singleton_key`` at the same moment create one job, which the others change. Nothing is changed
        or created when the ``id`` belongs to a job that is active or finished.

        Raises:
            ValidationError: see :meth:`update`; also for an ``id`` in a queue with the policy key_strict_fifo, whose
                jobs need a ``singleton_key``.
            PayloadError: see :meth:`update`.
            QueueNotFoundError: see :meth:`update`.
        """
        # Without data, too, a job must be one that its definition can read.
        name, encoded = queue_name(queue), outgoing(queue, None if data is UNSET else data)
        return await self._run(
            operations.upsert(
                self.schema,
                name,
                UNSET if data is UNSET else encoded,
                UpdateOptions(**options),
                self._max_payload_bytes,
            ),
            connection,
            Call("upsert", "send", queue_name(queue)),
        )
