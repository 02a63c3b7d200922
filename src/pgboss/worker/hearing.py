"""Hearing of new jobs, where the connections are our own.

A pooler in transaction mode lends its server connections to us for one transaction after the other. ``LISTEN`` would
then be said on a connection that the next one has, and its notifications would go anywhere or nowhere. Such a pooler
cannot be told by its port or its name, but by what it does: two connections of ours that are open and idle never have
the same server process, unless somebody lends it to both; and the process of one connection never changes.

So before it listens, the listening connection and one of the pool are asked in turn which process serves them. While
other programs keep the pooler busy, the answers may differ by chance. So the listening connection is asked again and
again while it listens. ``PGBOSS_POOLER`` says it once and for all. docs/connections.md, "Poolers".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic
from typing import Any, Protocol, TypeVar

from pgboss.core.instance_options import Pooler
from pgboss.core.query import Operation, Steps
from pgboss.drivers.psycopg import Ahead, Listener
from pgboss.drivers.runner import RunWithin
from pgboss.errors import DatabaseError
from pgboss.operations import work as operations
from pgboss.worker.patience import PatientRun

__all__ = ["Ear", "Hearing", "lends_its_backends"]

T = TypeVar("T")

# Of two server connections that are busy, each question finds the same one every second time.
ROUNDS = 10

SLOW_SECONDS = 0.25
"""While an operation runs where new jobs are announced, nobody hears of them. Most claims take milliseconds."""
SPARE_SECONDS = 60.0
"""How long that connection is spared after a slow operation."""

IS_LENT = (
    "a pooler in transaction mode shares out these connections. Say PGBOSS_POOLER=transaction to have it known "
    "from the start, or give the workers a direct connection, or one to a pooler in session mode."
)


async def lends_its_backends(own: Callable[[], Awaitable[str]], another: Callable[[], Awaitable[str]]) -> bool:
    """Whether two connections that are idle in between are seen to share a server process, or one to change its own."""
    process = await own()
    for _ in range(ROUNDS):
        if await another() == process or await own() != process:
            return True
    return False


class Ear(Protocol):
    """Who wants to hear."""

    def heard(self, name: str | None) -> None:
        """There are new jobs in a queue; or in any, because some may have been missed."""

    def hears(self, hears: bool) -> None:
        """New jobs are announced to us, or no more."""

    def unheard(self, reason: str, *, for_good: bool) -> None:
        """New jobs cannot be listened for: said once, until it works again."""


class Hearing:
    """Listens on a connection of its own until it is lost, and finds out when there is no sense in it."""

    def __init__(self, listener: Callable[[], Listener], pooler: Pooler, *, run: RunWithin, ear: Ear) -> None:
        """``listener`` makes one that tells ``ear`` what it hears."""
        self._make_listener = listener
        self._listener: Listener | None = None
        self._is_unknown = pooler == "auto"
        self._run = run
        self._ask = PatientRun(run)
        self._ear = ear
        self._is_unheard = False
        self._spared_until = -inf

    async def run(self, operation: Operation[T], *, within_seconds: float | None = None) -> T:
        """Run an operation where new jobs are announced, if that connection is at hand, and else in the pool.

        Raises:
            NoAnswerError: it took longer than ``within_seconds``.
        """
        listener = self._listener
        if listener is None or not self._is_at_hand(listener):
            return await self._run(operation, within_seconds=within_seconds)
        began = monotonic()
        try:
            return await listener.run(operation, within_seconds=within_seconds)
        finally:
            self._took(monotonic() - began)

    def arm(
        self, name: str, operation: Steps[T], may_begin: Callable[[], bool], on_over: Callable[[Ahead[T]], object]
    ) -> Ahead[T] | None:
        """Have an operation begin when new jobs are announced in a queue, before anybody hears of it, if possible.

        Once it has begun, ``on_over`` is told of its end, whatever comes of it.
        """
        if self._listener is None or not self._is_at_hand(self._listener):
            return None

        def over(ahead: Ahead[T]) -> None:
            assert ahead.sent_at is not None
            assert ahead.over_at is not None
            self._took(ahead.over_at - ahead.sent_at)
            on_over(ahead)

        return self._listener.arm(
            name, operation, may_begin=lambda: not self._is_spared() and may_begin(), on_over=over
        )

    def disarm(self, ahead: Ahead[Any]) -> None:
        """An operation that has not begun is not to begin any more."""
        if self._listener is not None:
            self._listener.disarm(ahead)

    def _is_at_hand(self, listener: Listener) -> bool:
        return listener.is_free and not self._is_spared()

    def _is_spared(self) -> bool:
        return monotonic() < self._spared_until

    def _took(self, seconds: float) -> None:
        if seconds > SLOW_SECONDS:
            self._spared_until = monotonic() + SPARE_SECONDS

    async def listen(self) -> None:
        """Listen until the connection is lost, which raises. A notification is a hint, never the only way in.

        Raises:
            DatabaseError: the connection is lost, or the server refuses to let us listen.
        """
        listener = self._make_listener()
        try:
            await self._listen(listener)
        except _Lent:
            self._ear.unheard(IS_LENT, for_good=True)
        finally:
            self._listener = None
            await listener.close()

    async def _listen(self, listener: Listener) -> None:
        try:
            process = await self._begin(listener)
        except DatabaseError as error:
            if not self._is_unheard:
                self._is_unheard = True
                self._ear.unheard(str(error), for_good=False)
            raise
        self._is_unheard = False
        self._spared_until = -inf
        self._listener = listener
        self._ear.hears(True)
        try:
            self._ear.heard(None)  # whatever was announced while nobody listened
            while True:
                await listener.silence()
                if await _served_by(listener) != process and self._is_unknown:
                    raise _Lent
        finally:
            self._ear.hears(False)

    async def _begin(self, listener: Listener) -> str:
        """Begin to listen; returns which process serves us."""
        await listener.open()
        if self._is_unknown and await lends_its_backends(lambda: _served_by(listener), self._pools_process):
            raise _Lent
        process = await _served_by(listener)
        await listener.listen()
        return process

    async def _pools_process(self) -> str:
        return await self._ask(operations.backend())


class _Lent(Exception):  # noqa: N818  a finding
    """This connection is shared out by a pooler in transaction mode."""


async def _served_by(listener: Listener) -> str:
    return await listener.run(operations.backend())
