"""Instances of ours on the test's database, stopped when the test is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from pgboss import PgBoss, QueueOptions

__all__ = ["BossFactory", "boss", "is_listening", "make_boss"]


class BossFactory(Protocol):
    """Start an instance on the test's database; the keywords are those of ``PgBoss``."""

    async def __call__(self, **options: Any) -> PgBoss: ...


@pytest.fixture
async def make_boss(database_url: str) -> AsyncIterator[BossFactory]:
    """Instances that stop with the test, at once. Background upkeep and schedules are off unless asked for."""
    async with AsyncExitStack() as stack:

        async def create(**options: Any) -> PgBoss:
            instance = PgBoss(database_url, **({"supervise": False, "schedule": False, "pool_size": 4} | options))
            await instance.start()
            stack.push_async_callback(instance.stop, timeout=0)
            return instance

        yield create


@pytest.fixture
async def boss(make_boss: BossFactory) -> PgBoss:
    """An instance that makes queues with pg-boss's own defaults."""
    return await make_boss(queue_defaults=QueueOptions())


def is_listening(boss: PgBoss) -> bool:
    """Whether its workers hear of new jobs by now. The server cannot tell: the connection runs claims as well."""
    return boss._crew is not None and boss._crew._lookout.is_listening
