"""Looking at the dead rows of job tables, and for whoever keeps them from being removed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pgboss.core.names import SchemaName
from pgboss.core.query import Query, Steps
from pgboss.core.vacuum import DeadRows, Holder, Horizon
from pgboss.errors import DatabaseError, DatabaseUnavailableError
from pgboss.sql import vacuum as sql

__all__ = ["find_horizon", "look"]

# What pg-boss calls its connections, in either language.
OUR_NAME = "pgboss"


def look(schema: SchemaName) -> Steps[list[DeadRows]]:
    """The rows of every job table, as the server counts them."""
    return [DeadRows(**row) for row in (yield sql.dead_rows(schema))]


def find_horizon(vacuumed_on: datetime) -> Steps[Horizon]:
    """Who holds the horizon back the furthest, since before a vacuum that has removed nothing.

    Every place is asked by itself: one that our role may not read does not hide the others.
    """
    backend: dict[str, Any] = {}
    holders: list[Holder] = []
    unreadable: list[str] = []
    reason: str | None = None
    for source, query in _places(vacuumed_on):
        try:
            row = (yield query).first() or {}
        except DatabaseUnavailableError:
            raise
        except DatabaseError as error:
            unreadable.append(source)
            reason = str(error)
            continue
        backend = row if source == "backends" else backend
        if row["age"] is not None:
            holders.append(_backend(row) if source == "backends" else Holder(source, row["age"]))
    return Horizon(
        holder=max(holders, key=lambda holder: holder.age, default=None),
        opaque=backend.get("opaque", 0),
        oldest_seconds=backend.get("oldest_seconds"),
        unreadable=unreadable,
        error=reason,
    )


def _places(vacuumed_on: datetime) -> Iterator[tuple[str, Query]]:
    yield "backends", sql.oldest_backend(vacuumed_on)
    yield "slots", sql.oldest_slot()
    yield "slotsCatalog", sql.oldest_slot_of_catalogs()
    yield "standbys", sql.oldest_standby()
    yield "prepared", sql.oldest_prepared()


def _backend(row: dict[str, Any]) -> Holder:
    name, own = row["application_name"] or None, row["own_name"]
    is_ours = name is not None and (name == own or (_is_of_pgboss(name) and _is_of_pgboss(own)))
    return Holder("backends", row["age"], row["pid"], name, row["user_name"], row["state"], row["seconds"], is_ours)


def _is_of_pgboss(name: str) -> bool:
    return name == OUR_NAME or name.startswith(f"{OUR_NAME}:")
