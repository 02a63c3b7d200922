"""What type checkers see: which connections go with which client. Judged by mypy, as part of the checks."""

from __future__ import annotations

from typing import Any, get_args

import psycopg
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from pgboss import PgBoss, SyncPgBoss
from pgboss.drivers import kinds


def sync_kinds(boss: SyncPgBoss, session: Session, connection: Connection, raw: psycopg.Connection[Any]) -> None:
    boss.cancel("jobs", [], connection=session)
    boss.cancel("jobs", [], connection=connection)
    boss.cancel("jobs", [], connection=raw)


async def async_kinds(
    boss: PgBoss, session: AsyncSession, connection: AsyncConnection, raw: psycopg.AsyncConnection[Any]
) -> None:
    await boss.cancel("jobs", [], connection=session)
    await boss.cancel("jobs", [], connection=connection)
    await boss.cancel("jobs", [], connection=raw)


# Each of these must be an error: mypy complains of an "ignore" that ignores nothing.
async def exchanged(
    boss: PgBoss, sync: SyncPgBoss, session: Session, connection: Connection, other: AsyncSession, raw: AsyncConnection
) -> None:
    await boss.cancel("jobs", [], connection=session)  # type: ignore[arg-type]  # it is sync
    await boss.cancel("jobs", [], connection=connection)  # type: ignore[arg-type]  # it is sync
    sync.cancel("jobs", [], connection=other)  # type: ignore[arg-type]  # it is async
    sync.cancel("jobs", [], connection=raw)  # type: ignore[arg-type]  # it is async


def test_no_kind_is_any() -> None:
    """One Any among them would make a checker take everything."""
    assert Any not in get_args(kinds.AsyncCallersConnection)
    assert Any not in get_args(kinds.CallersConnection)
