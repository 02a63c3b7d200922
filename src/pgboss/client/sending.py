"""Calls that create jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar, Unpack, overload
from uuid import UUID

from pgboss.client.base import ClientBase, Connection
from pgboss.core.call import Call
from pgboss.core.checks import Seconds, StartAfter, check_integer
from pgboss.core.chunks import AnyIterable, async_chunks
from pgboss.core.options import SendKeywords, SendOptions
from pgboss.core.target import QueueLike, Target, outgoing, queue_name
from pgboss.core.wire import JSON
from pgboss.operations import send as operations
from pgboss.operations.send import NewJob

__all__ = ["SendCalls"]

P = TypeVar("P")


class SendCalls(ClientBase):
    """Sending jobs, one or many."""

    @overload
    async def send(
        self, queue: str, data: JSON = None, *, connection: Connection | None = None, **options: Unpack[SendKeywords]
    ) -> UUID | None: ...

    @overload
    async def send(
        self,
        queue: Target[None],
        data: None = None,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    @overload
    async def send(
        self, queue: Target[P], data: P, *, connection: Connection | None = None, **options: Unpack[SendKeywords]
    ) -> UUID | None: ...

    async def send(
        self,
        queue: QueueLike,
        data: object = None,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None:
        """Create a job and return its id.

        Options that are absent come from the queue's row. With ``connection`` the job is part of that connection's
        transaction: it exists when, and only if, the caller commits.

        Returns:
            The id, or ``None`` when the given id, or the job's slot in time or in the queue's policy, is taken.

        Raises:
            ValidationError: an option is out of range, or a key is missing that the queue's policy demands.
            PayloadError: the data is not JSON, is too large, or does not fit the definition's payload type.
            QueueNotFoundError: the queue, or the dead letter queue named, does not exist.
        """
        return await self._run(
            operations.send(
                self.schema,
                queue_name(queue),
                outgoing(queue, data),
                SendOptions(**options) if options else operations.NO_OPTIONS,
                self._max_payload_bytes,
            ),
            connection,
            Call("send", "send", queue_name(queue), 1),
        )

    @overload
    async def send_after(
        self,
        queue: str,
        data: JSON,
        after: StartAfter,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    @overload
    async def send_after(
        self,
        queue: Target[P],
        data: P,
        after: StartAfter,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    async def send_after(
        self,
        queue: QueueLike,
        data: Any,
        after: StartAfter,
        *,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None:
        """Create a job that waits: until an instant, or for a delay (seconds or a timedelta). See :meth:`send`."""
        options["start_after"] = after
        return await self.send(queue, data, connection=connection, **options)

    @overload
    async def send_throttled(
        self,
        queue: str,
        data: JSON,
        seconds: Seconds,
        *,
        key: str | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    @overload
    async def send_throttled(
        self,
        queue: Target[None],
        data: None,
        seconds: Seconds,
        *,
        key: str | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    @overload
    async def send_throttled(
        self,
        queue: Target[P],
        data: P,
        seconds: Seconds,
        *,
        key: str | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    async def send_throttled(
        self,
        queue: QueueLike,
        data: Any,
        seconds: Seconds,
        *,
        key: str | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None:
        """Create a job unless this slot of time has one already: at most one job in ``seconds``.

        Slots lie side by side since 1970, the same for everybody: 60 seconds are the minutes of the clock. Jobs compete
        with those of the same ``key`` only. A job keeps its slot when it is completed or has failed; only cancelling
        or deleting it makes room. See docs/compatibility.md, "Throttling and debouncing".

        Returns:
            The id, or ``None`` when the slot is taken.

        Raises:
            ValidationError: ``seconds`` is not a whole number of 1 or more; else see :meth:`send`.
        """
        options |= {"singleton_seconds": seconds, "singleton_next_slot": False}
        if key is not None:
            options["singleton_key"] = key
        return await self.send(queue, data, connection=connection, **options)

    @overload
    async def send_debounced(
        self,
        queue: str,
        data: JSON,
        seconds: Seconds,
        *,
        key: str | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    @overload
    async def send_debounced(
        self,
        queue: Target[None],
        data: None,
        seconds: Seconds,
        *,
        key: str | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    @overload
    async def send_debounced(
        self,
        queue: Target[P],
        data: P,
        seconds: Seconds,
        *,
        key: str | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None: ...

    async def send_debounced(
        self,
        queue: QueueLike,
        data: Any,
        seconds: Seconds,
        *,
        key: str | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> UUID | None:
        """Create a job in this slot of time, or else in the next: one more of a burst is worked after it.

        Like :meth:`send_throttled`, but a job that finds its slot taken waits for the next one, whatever its own
        ``start_after``. What comes while one is waiting already is dropped, data and all.

        Returns:
            The id, or ``None`` when both slots are taken.

        Raises:
            ValidationError: see :meth:`send_throttled`.
        """
        options |= {"singleton_seconds": seconds, "singleton_next_slot": True}
        if key is not None:
            options["singleton_key"] = key
        return await self.send(queue, data, connection=connection, **options)

    @overload
    async def insert(
        self,
        queue: str,
        jobs: Iterable[NewJob[JSON] | Mapping[str, Any]],
        *,
        return_id: Literal[True],
        connection: Connection | None = None,
    ) -> list[UUID]: ...

    @overload
    async def insert(
        self,
        queue: str,
        jobs: Iterable[NewJob[JSON] | Mapping[str, Any]],
        *,
        return_id: bool = False,
        connection: Connection | None = None,
    ) -> list[UUID] | None: ...

    @overload
    async def insert(
        self,
        queue: Target[P],
        jobs: Iterable[NewJob[P] | Mapping[str, Any]],
        *,
        return_id: Literal[True],
        connection: Connection | None = None,
    ) -> list[UUID]: ...

    @overload
    async def insert(
        self,
        queue: Target[P],
        jobs: Iterable[NewJob[P] | Mapping[str, Any]],
        *,
        return_id: bool = False,
        connection: Connection | None = None,
    ) -> list[UUID] | None: ...

    async def insert(
        self,
        queue: QueueLike,
        jobs: Iterable[NewJob[Any] | Mapping[str, Any]],
        *,
        return_id: bool = False,
        connection: Connection | None = None,
    ) -> list[UUID] | None:
        """Create many jobs at once: all of them, less those whose id or slot is taken, or none with an error.

        Args:
            queue: a queue's name, or a definition, which then checks and encodes each job's data.
            jobs: ``NewJob``s, or mappings with ``data`` and options by name. Unlike in ``send``, a negative
                ``start_after`` is kept, as an instant in the past, and there is no ``singleton_next_slot``.
            return_id: whether to return the ids of the jobs created.
            connection: the caller's connection, to create them in its transaction.

        Raises:
            ValidationError: an option is out of range, or an id is given twice.
            PayloadError: see :meth:`send`.
            QueueNotFoundError: see :meth:`send`.
        """
        new = [operations.NewJob.of(job).encoded_by(queue) for job in jobs]
        return await self._run(
            operations.insert(self.schema, queue_name(queue), new, self._max_payload_bytes, return_ids=return_id),
            connection,
            Call("insert", "send", queue_name(queue), len(new)),
        )

    @overload
    async def insert_stream(
        self,
        queue: str,
        jobs: AnyIterable[NewJob[JSON] | Mapping[str, Any]],
        *,
        chunk_size: int = 5000,
        on_progress: Callable[[int], None] | None = None,
        connection: Connection | None = None,
    ) -> int: ...

    @overload
    async def insert_stream(
        self,
        queue: Target[P],
        jobs: AnyIterable[NewJob[P] | Mapping[str, Any]],
        *,
        chunk_size: int = 5000,
        on_progress: Callable[[int], None] | None = None,
        connection: Connection | None = None,
    ) -> int: ...

    async def insert_stream(
        self,
        queue: QueueLike,
        jobs: AnyIterable[NewJob[Any] | Mapping[str, Any]],
        *,
        chunk_size: int = 5000,
        on_progress: Callable[[int], None] | None = None,
        connection: Connection | None = None,
    ) -> int:
        """Create any number of jobs, a chunk at a time, and return how many were created.

        Only one chunk is held in memory. Each is one :meth:`insert`, committed by itself: when one fails, those before
        it stay, nothing of it is created, and the error has a note of how many jobs there are. With ``connection`` all
        of them are part of the caller's transaction.

        Args:
            queue: see :meth:`insert`.
            jobs: see :meth:`insert`; an async iterable, too.
            chunk_size: how many jobs at once.
            on_progress: is told after each chunk how many jobs have been created so far.
            connection: the caller's connection, to create them in its transaction.

        Raises:
            ValidationError: see :meth:`insert`; an id may come back in a later chunk, whose job is then left out.
            PayloadError: see :meth:`send`.
            QueueNotFoundError: see :meth:`send`.
        """
        check_integer("chunk_size", chunk_size, 1)
        created = 0
        try:
            async for chunk in async_chunks(jobs, chunk_size):
                new = [operations.NewJob.of(job).encoded_by(queue) for job in chunk]
                inserted = await self._run(
                    operations.insert_counted(self.schema, queue_name(queue), new, self._max_payload_bytes),
                    connection,
                    Call("insert", "send", queue_name(queue), len(new)),
                )
                created += inserted.count
                if on_progress is not None:
                    on_progress(created)
        except Exception as error:
            error.add_note(f"insert_stream had created {created} jobs before this.")
            raise
        return created
