"""Changing jobs that nobody has begun, and creating them where there are none."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pgboss.core.checks import UNSET, Unset
from pgboss.core.names import SchemaName, check_queue_name
from pgboss.core.options import UpdateOptions
from pgboss.core.query import Steps, atomic
from pgboss.core.wire import JSON, dumps
from pgboss.operations.send import create, creating, incoming, key_needed, needs_guard, refuse_large
from pgboss.schema.history import require
from pgboss.sql import update as sql

__all__ = ["Updated", "Upserted", "update", "upsert"]


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did.

    Attributes:
        jobs: the ids of the jobs that were changed, in no particular order.
    """

    jobs: tuple[UUID, ...]

    @property
    def updated(self) -> int:
        """How many jobs were changed."""
        return len(self.jobs)


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did.

    Attributes:
        jobs: the ids of the jobs that were changed or created.
        updated: how many were changed.
        inserted: how many were created: one, or none.
    """

    jobs: tuple[UUID, ...]
    updated: int
    inserted: int


def update(
    schema: SchemaName, name: str, data: JSON | Unset, options: UpdateOptions, max_payload_bytes: int
) -> Steps[Updated]:
    """Change queued jobs in place; none when no job that is named is queued.

    Raises:
        ValidationError: a start time cannot be read.
        PayloadError: the data is too large, or no JSON.
        QueueNotFoundError: the queue, or the dead letter queue, does not exist.
    """
    check_queue_name(name)
    return Updated((yield from _change(schema, name, _data_json(data, max_payload_bytes), options)))


@atomic
def upsert(
    schema: SchemaName, name: str, data: JSON | Unset, options: UpdateOptions, max_payload_bytes: int
) -> Steps[Upserted]:
    """Change queued jobs in place, or create one where none is queued.

    Raises:
        ValidationError, PayloadError, QueueNotFoundError: as :func:`update`; ValidationError also when the queue
            demands a key and the job is named by id.
        SchemaVersionError: the job is named by its key, and an older schema has nothing that keeps it to one.
    """
    check_queue_name(name)
    if options.singleton_key is not UNSET:
        require(schema, "job.upsert_by_key", "Upserts by singleton_key")
    data_json = _data_json(data, max_payload_bytes)
    changed = yield from _change(schema, name, data_json, options, for_upsert=True)
    if changed:
        return Upserted(changed, updated=len(changed), inserted=0)
    row = incoming(None if data is UNSET else data, options, past_is_now=False)
    # Index 13 allows one job a key that an upsert created and nobody claimed: of two upserts at once, one must wait.
    row["upsert_by_key"] = options.singleton_key is not UNSET or None
    created = yield from create(schema, name, row, max_payload_bytes, guarded=needs_guard(options))
    if created is not None:
        return Upserted((created,), updated=0, inserted=1)
    # Somebody else was first with the same job: it can be seen by now, and is changed.
    changed = yield from _change(schema, name, data_json, options, for_upsert=True)
    return Upserted(changed, updated=len(changed), inserted=0)


def _data_json(data: JSON | Unset, max_payload_bytes: int) -> str | None:
    if data is UNSET:
        return None
    refuse_large(data, max_payload_bytes)
    return dumps(data)


def _change(
    schema: SchemaName, name: str, data_json: str | None, options: UpdateOptions, *, for_upsert: bool = False
) -> Steps[tuple[UUID, ...]]:
    query = sql.update(schema, name, options, data_json, for_upsert=for_upsert)
    row = yield from creating(query, name, guarded=needs_guard(options))
    if row["keyless"]:
        raise key_needed(name)
    return tuple(row["ids"] or ())
