"""Clocks that a test moves by hand, and everything that waits with them.

The database reads such a clock through ``job_now()``, in the sessions of the instances that were made with it;
pg-boss's own test clocks do the same in the same way. In the instance, loops, pauses and the deadlines of handlers
wait by the clock. What waits for a server goes on in real time: connections, notifications, the timeout of a stop, and
whatever handlers themselves wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from pgboss.errors import ValidationError

__all__ = ["SyncTestClock", "TestClock"]

# A tick stops at most so often on its way, and not more than once a second: to look for due jobs twice a second for
# hours would take minutes.
STOPS_A_TICK = 50
SHORTEST_STEP = timedelta(seconds=1)
# So many turns of the event loop without a new statement mean that nothing more comes of what was fired.
QUIET_TURNS = 25


Move: TypeAlias = Callable[[datetime], Any]


@dataclass(slots=True, eq=False)
class _Timer:
    due: datetime
    fire: Callable[[], object]
    timers: list[_Timer]

    def cancel(self) -> None:
        """Do not fire."""
        if self in self.timers:
            self.timers.remove(self)


class _Instances:
    """Which instances live by a clock, and where."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, Move]] = {}

    def join(self, instance: object, where: str, move: Move) -> bool:
        is_first = where not in self._places
        self._known[id(instance)] = (where, move)
        return is_first

    def leave(self, instance: object) -> bool:
        left, _ = self._known.pop(id(instance), (None, None))
        return left is not None and left not in self._places

    @property
    def _places(self) -> set[str]:
        return {where for where, _ in self._known.values()}

    def __iter__(self) -> Iterator[Move]:
        return iter([move for _, move in self._known.values()])


class _HandMovedClock:
    """What both clocks have: the time, and the instances that live by it."""

    __test__ = False  # its name begins like that of a class of tests

    def __init__(self, start: datetime | None = None) -> None:
        """A clock that stands still.

        Args:
            start: where it stands first; now, by this machine's clock.

        Raises:
            ValidationError: the start has no time zone.
        """
        self._now = _instant(start or datetime.now(UTC))
        self._instances = _Instances()

    @property
    def now(self) -> datetime:
        """Where it stands."""
        return self._now

    def join(self, instance: object, where: str, move: Move) -> bool:
        """Called by an instance when it starts."""
        return self._instances.join(instance, where, move)

    def leave(self, instance: object) -> bool:
        """Called by an instance when it stops."""
        return self._instances.leave(instance)


class TestClock(_HandMovedClock):
    """A clock for ``PgBoss(clock=…)``. Several instances may live by one clock.

    Example:
        clock = TestClock()
        async with PgBoss(dsn, jobs=[jobs], clock=clock) as boss:
            await boss.send_after("reminder", {}, timedelta(hours=1))
            await clock.tick(3600)
    """

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__(start)
        self._timers: list[_Timer] = []
        self._in_flight = 0
        self._started = 0
        self._idle = asyncio.Event()
        self._is_moving = False

    async def tick(self, seconds: float | timedelta) -> None:
        """Let time go by: whatever falls due on the way fires, in order, each at its own time.

        After each stop it waits until no statement of the instances is on its way, so a claim that was fired has come
        back. It does not wait for handlers, which may wait for the test: use a spy. A tick makes fifty stops at most, a
        second or more apart; what falls due between two of them fires at the later one.

        Raises:
            ValidationError: time does not go backwards; use :meth:`set`.
        """
        length = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if length < timedelta(0):
            raise ValidationError(f"A clock ticks forwards, not by {length}. To go back, use set().")
        with self._moving("tick"):
            await self._settle()
            target = self._now + length
            while self._now < target:
                await self._move(self._next_stop(target, max(length / STOPS_A_TICK, SHORTEST_STEP)))
            self._fire_due()
            await self._settle()

    async def set(self, instant: datetime) -> None:
        """Jump to an instant, forwards or backwards; what has fallen due fires once, as after a long sleep.

        Raises:
            ValidationError: the instant has no time zone.
        """
        with self._moving("set"):
            await self._settle()
            await self._move(_instant(instant))

    def _next_stop(self, target: datetime, shortest: timedelta) -> datetime:
        soonest = min((timer.due for timer in self._timers), default=target)
        return min(target, max(soonest, self._now + shortest))

    async def _move(self, instant: datetime) -> None:
        self._now = instant
        for move in self._instances:
            await move(instant)
        self._fire_due()
        await self._settle()

    def _fire_due(self) -> None:
        due = sorted((timer for timer in self._timers if timer.due <= self._now), key=lambda timer: timer.due)
        for timer in due:
            timer.cancel()
            timer.fire()

    @contextmanager
    def _moving(self, what: str) -> Iterator[None]:
        if self._is_moving:
            raise ValidationError(f"{what}() was called while the clock is being moved already; await one at a time.")
        self._is_moving = True
        try:
            yield
        finally:
            self._is_moving = False

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """As ``asyncio.timeout``, by this clock."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            timer = self.call_later(seconds, lambda: limit.reschedule(loop.time()))
            try:
                yield limit
            finally:
                timer.cancel()

    def call_later(self, seconds: float, function: Callable[..., object], *args: Any) -> _Timer:
        """As an event loop's ``call_later``, by this clock."""
        timer = _Timer(self._now + timedelta(seconds=seconds), partial(function, *args), self._timers)
        if seconds <= 0:
            timer.fire()
        else:
            self._timers.append(timer)
        return timer

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around every operation of an instance: the clock waits for its end before it moves on."""
        self._in_flight += 1
        self._started += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _settle(self) -> None:
        quiet = 0
        while quiet < QUIET_TURNS:
            started = self._started
            if self._in_flight:
                self._idle.clear()
                await self._idle.wait()
            await asyncio.sleep(0)
            quiet = 0 if self._in_flight or self._started != started else quiet + 1


class SyncTestClock(_HandMovedClock):
    """A clock for ``SyncPgBoss(clock=…)``, which has nothing that waits: only the database's time moves."""

    def tick(self, seconds: float | timedelta) -> None:
        """Let time go by.

        Raises:
            ValidationError: time does not go backwards; use :meth:`set`.
        """
        length = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if length < timedelta(0):
            raise ValidationError(f"A clock ticks forwards, not by {length}. To go back, use set().")
        self.set(self._now + length)

    def set(self, instant: datetime) -> None:
        """Jump to an instant, forwards or backwards.

        Raises:
            ValidationError: the instant has no time zone.
        """
        self._now = _instant(instant)
        for move in self._instances:
            move(self._now)

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """Never over: nothing waits in an instance without loops."""
        async with asyncio.timeout(None) as limit:
            yield limit

    def call_later(self, seconds: float, function: Callable[..., object], *args: Any) -> _Timer:
        """Never called, likewise."""
        return _Timer(self._now, partial(function, *args), [])

    @contextmanager
    def working(self) -> Iterator[None]:
        """Nothing needs to be waited for: a call has ended when the clock is moved."""
        yield


def _instant(value: datetime) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValidationError(f"A clock is set to a datetime with a time zone, not to {value!r}.")
    return value.astimezone(UTC)
