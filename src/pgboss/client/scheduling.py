"""Calls about schedules: jobs that come by themselves, again and again."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar, Unpack, overload

from pgboss.client.base import ClientBase, Connection
from pgboss.core.options import SendKeywords
from pgboss.core.schedule import Missed, Schedule, ScheduleDetails
from pgboss.core.target import QueueLike, Target, outgoing, queue_name
from pgboss.core.wire import JSON
from pgboss.operations import schedules as operations
from pgboss.runtime.budget import budget

__all__ = ["PREVIEW_SECONDS", "ScheduleCalls"]

P = TypeVar("P")

PREVIEW_SECONDS = 1.0


class ScheduleCalls(ClientBase):
    """Making, reading and removing schedules, and previewing expressions."""

    @overload
    async def schedule(
        self,
        queue: str,
        expression: str,
        data: JSON = None,
        *,
        key: str = "",
        tz: str | None = None,
        missed: Missed | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> None: ...

    @overload
    async def schedule(
        self,
        queue: Target[None],
        expression: str,
        data: None = None,
        *,
        key: str = "",
        tz: str | None = None,
        missed: Missed | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> None: ...

    @overload
    async def schedule(
        self,
        queue: Target[P],
        expression: str,
        data: P,
        *,
        key: str = "",
        tz: str | None = None,
        missed: Missed | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> None: ...

    async def schedule(
        self,
        queue: QueueLike,
        expression: str,
        data: object = None,
        *,
        key: str = "",
        tz: str | None = None,
        missed: Missed | None = None,
        connection: Connection | None = None,
        **options: Unpack[SendKeywords],
    ) -> None:
        """Let a queue get a job again and again; the schedule with this queue and key is replaced.

        Occurrences are fired by whichever instance has the turn, Node's too, within about half a minute, and at most
        once a minute for each schedule. docs/compatibility.md, "Schedules", has the rules.

        Args:
            queue: the queue.
            expression: a cron expression of 5 fields, or 6 with seconds, such as ``0 6 * * 1-5``; or a recurrence rule
                of iCalendar, such as ``FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17``.
            data: the payload of every job.
            key: sets schedules of one queue apart from one another.
            tz: the time zone in which the expression counts, by its IANA name; UTC when nothing is said.
            missed: ``once`` sends one job for the last of the occurrences that no instance was there to see, ``skip``
                none; ``skip`` when nothing is said.
            connection: the caller's connection.
            **options: of the jobs, as in :meth:`send`.

        Raises:
            ValidationError: the expression cannot be read or has no occurrence left, or something else is out of its
                range.
            PayloadError: the data is not JSON, is too large, or does not fit the definition's payload type.
            QueueNotFoundError: the queue does not exist.
        """
        wanted = Schedule(expression, outgoing(queue, data), key=key, tz=tz, missed=missed, **options)
        await self._run(
            operations.schedule(self.schema, queue_name(queue), wanted, wanted.data, self._max_payload_bytes),
            connection,
        )

    async def unschedule(self, queue: QueueLike, key: str = "", *, connection: Connection | None = None) -> bool:
        """Remove the schedule with this queue and key; jobs that it has made stay.

        Returns:
            Whether there was one.

        Raises:
            ValidationError: the queue's name or the key is out of range.
        """
        return await self._run(operations.unschedule(self.schema, queue_name(queue), key), connection)

    async def get_schedule(
        self, queue: QueueLike, key: str = "", *, connection: Connection | None = None
    ) -> ScheduleDetails | None:
        """Read the schedule with this queue and key, or ``None``.

        Raises:
            ValidationError: the queue's name or the key is out of range.
        """
        return await self._run(operations.get_schedule(self.schema, queue_name(queue), key), connection)

    async def get_schedules(
        self,
        queue: QueueLike | None = None,
        *,
        key: str | None = None,
        after: ScheduleDetails | tuple[str, str] | None = None,
        limit: int | None = None,
        connection: Connection | None = None,
    ) -> list[ScheduleDetails]:
        """Read the schedules of a queue, or all of them, in the order of queue and key.

        Args:
            queue: only those of this queue.
            key: only the one of this key.
            after: continue behind this one, or behind its queue and key: the last one of the page before.
            limit: at most this many, from 1 to 100,000; without it all.
            connection: the caller's connection.

        Raises:
            ValidationError: a name, the key or the limit is out of range.
        """
        name = None if queue is None else queue_name(queue)
        return await self._run(
            operations.get_schedules(self.schema, name, key, after=_place(after), limit=limit), connection
        )

    async def preview_schedule(
        self,
        expression: str,
        *,
        tz: str | None = None,
        after: datetime | None = None,
        count: int = 5,
        connection: Connection | None = None,
    ) -> list[datetime]:
        """List the next occurrences of an expression, in UTC; a rule that ends may have fewer.

        Nothing needs to be scheduled. The jobs themselves come up to half a minute later.

        Args:
            expression: a cron expression or recurrence rule, as in :meth:`schedule`.
            tz: the time zone; UTC when nothing is said.
            after: only later ones; the database's time when nothing is said.
            count: how many, from 1 to 1000.
            connection: the caller's connection.

        Raises:
            ValidationError: the expression cannot be read, or so many occurrences cannot be found within a second.
        """
        return await self._run(
            operations.preview_schedule(self.schema, expression, tz, after, count, budget(PREVIEW_SECONDS)), connection
        )


def _place(after: ScheduleDetails | tuple[str, str] | None) -> tuple[str, str] | None:
    return (after.name, after.key) if isinstance(after, ScheduleDetails) else after
