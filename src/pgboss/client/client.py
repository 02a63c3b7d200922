"""The client: all calls on one object, which opens and closes the pool beneath them."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from pgboss.client.deleting import DeleteCalls
from pgboss.client.fetching import FetchCalls
from pgboss.client.finding import FindCalls
from pgboss.client.flows import FlowCalls
from pgboss.client.instances import InstanceCalls
from pgboss.client.keys import KeyCalls
from pgboss.client.pausing import PauseCalls
from pgboss.client.publishing import PublishCalls
from pgboss.client.queues import QueueCalls
from pgboss.client.redriving import RedriveCalls
from pgboss.client.scheduling import ScheduleCalls
from pgboss.client.sending import SendCalls
from pgboss.client.settling import SettleCalls
from pgboss.client.statistics import StatisticsCalls
from pgboss.client.updating import UpdateCalls
from pgboss.client.upkeep import UpkeepCalls
from pgboss.client.waiting import WaitCalls

__all__ = ["Client"]


class Client(
    QueueCalls,
    SendCalls,
    FetchCalls,
    FindCalls,
    FlowCalls,
    KeyCalls,
    SettleCalls,
    UpdateCalls,
    DeleteCalls,
    RedriveCalls,
    PublishCalls,
    InstanceCalls,
    ScheduleCalls,
    WaitCalls,
    PauseCalls,
    UpkeepCalls,
    StatisticsCalls,
):
    """Every call of pg-boss, without workers."""

    async def start(self) -> Self:
        """Connect, and install the schema when it is missing (unless ``migrate=False``).

        Raises:
            DatabaseUnavailableError: the server cannot be reached or refuses the login.
            SchemaError: the schema is missing, half installed or of a version this release cannot use.
        """
        await self._open()
        return self

    async def stop(self) -> None:
        """Close the pool."""
        await self._close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
