"""Instances: their rows, and who of them crashed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pgboss.core.checks import check_integer
from pgboss.core.instance import Instance, InstanceReport, instances_from
from pgboss.core.names import SchemaName
from pgboss.core.query import Steps
from pgboss.errors import ValidationError
from pgboss.schema.history import require
from pgboss.sql import instances as sql

__all__ = ["beat", "count_crashes", "get_instances", "prune", "prune_lives", "register", "stop"]

MAX_INSTANCES = 100_000


def register(schema: SchemaName, report: InstanceReport) -> Steps[datetime]:
    """Write the row of an instance that starts; returns the time of its start."""
    started_on: datetime = (yield sql.register(schema, report)).scalar()
    return started_on


def count_crashes(schema: SchemaName, id: UUID, process_age_seconds: float) -> Steps[float | None]:
    """Count the crashes before this life; returns in how many seconds to count again, if some are not known yet."""
    yield sql.count_crashes(schema, id, process_age_seconds)
    seconds: float | None = (yield sql.seconds_until_judged(schema, id, process_age_seconds)).scalar()
    return seconds


def prune_lives(schema: SchemaName, id: UUID) -> Steps[None]:
    """Delete the oldest lives of an instance that starts again and again."""
    yield sql.prune_lives(schema, id)


def beat(schema: SchemaName, report: InstanceReport, started_on: datetime) -> Steps[None]:
    yield sql.beat(schema, report, started_on)


def stop(schema: SchemaName, id: UUID) -> Steps[None]:
    yield sql.stop(schema, id)


def prune(schema: SchemaName) -> Steps[None]:
    """Delete what is left of instances that are long gone, whosever they were."""
    yield sql.prune_old(schema)
    yield sql.prune_dead(schema)


def get_instances(schema: SchemaName, *, limit: int, after: UUID | None) -> Steps[list[Instance]]:
    """A page of the instances, in the order in which they started."""
    check_integer("limit", limit, 1, MAX_INSTANCES)
    require(schema, "instance", "The instances")
    found = instances_from((yield sql.instances(schema, after, limit)))
    if not found and after is not None and not (yield sql.exists(schema, after)):
        # Not an empty page: that would say that there are no more instances.
        raise ValidationError(f"after names an instance whose row is gone: {after}.")
    return found
