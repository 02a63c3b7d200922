"""The statement that changes queued jobs in place."""

from __future__ import annotations

from collections.abc import Iterator

from pgboss.core.checks import UNSET
from pgboss.core.names import SchemaName, column_of
from pgboss.core.options import UpdateOptions, start_after_text
from pgboss.core.query import Parameter, Query
from pgboss.sql.insert import start_of

# The options that are columns of the job, with the column's type.
_COLUMNS = {
    "priority": "int",
    "expire_in_seconds": "int",
    "delete_after_seconds": "int",
    "retry_limit": "int",
    "retry_delay": "int",
    "retry_backoff": "bool",
    "retry_delay_max": "int",
    "heartbeat_seconds": "int",
    "dead_letter": "text",
    "group_id": "text",
    "group_tier": "text",
}

_ORDER = {"newest": "ORDER BY j.created_on DESC LIMIT 1", "oldest": "ORDER BY j.created_on LIMIT 1", "all": ""}


def update(
    schema: SchemaName, name: str, options: UpdateOptions, data_json: str | None, *, for_upsert: bool = False
) -> Query:
    """Change the queued jobs that the options name: what they give, and the data unless it is ``None``.

    Listeners are notified once when the queue wants it and at least one changed job is due. ``for_upsert`` touches
    nothing where the job could not be created if it were missing: it has no key, and the queue demands one.

    Returns one row: ``queues`` (0 when the queue is missing), ``lost`` (the dead letter queue, if it does not exist),
    ``keyless`` (whether an upsert lacks the key that its queue demands); in any of these cases nothing was changed;
    ``ids``.
    """
    values = _Values([name, schema.channel])
    job, queue, now = schema.table("job"), schema.table("queue"), schema.now
    given = options.given()
    by_id = "id" in given
    named = (
        f"j.id = {values.add(given['id'], 'uuid')}"
        if by_id
        else f"j.singleton_key = {values.add(given['singleton_key'], 'text')}"
    )
    order = "" if by_id else _ORDER[given.get("match", "newest")]
    dead_letter = values.add(given.get("dead_letter"), "text")
    keyless = "q.policy = 'key_strict_fifo'" if for_upsert and by_id else "false"
    changes = ",\n                   ".join(_changes(options, data_json, values, now))
    # The target is read without a lock, and a claim may come first. So the state is asked twice: the second time of the
    # row as it is once it is locked.
    return Query(
        f"""
        WITH queue AS MATERIALIZED (
            SELECT q.*, {keyless} AS keyless FROM {queue} q WHERE q.name = $1::text
        ), lost AS MATERIALIZED (
            SELECT {dead_letter} AS dead_letter
             WHERE {dead_letter} IS NOT NULL AND NOT EXISTS (SELECT FROM {queue} d WHERE d.name = {dead_letter})
        ), target AS MATERIALIZED (
            SELECT j.id
              FROM {job} j
             WHERE j.name = $1::text AND {named} AND j.state < 'active'
               AND EXISTS (SELECT FROM queue q WHERE NOT q.keyless) AND NOT EXISTS (SELECT FROM lost)
             {order}
        ), changed AS (
            UPDATE {job} j
               SET {changes}
             WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM target)) AND j.state < 'active'
            RETURNING j.id, j.start_after
        ), notified AS (
            SELECT pg_notify($2::text, q.name)
              FROM queue q
             WHERE q.notify AND EXISTS (SELECT FROM changed WHERE start_after <= {now})
        )
        SELECT (SELECT count(*) FROM queue)::int AS queues,
               (SELECT array_agg(dead_letter) FROM lost) AS lost,
               EXISTS (SELECT FROM queue q WHERE q.keyless) AS keyless,
               (SELECT array_agg(id) FROM changed) AS ids,
               (SELECT count(*) FROM notified)::int AS notified
        """,
        values.parameters,
    )


class _Values:
    """The statement's parameters, numbered as they are added."""

    def __init__(self, first: list[Parameter]) -> None:
        self._values = first

    def add(self, value: Parameter, kind: str) -> str:
        self._values.append(value)
        return f"${len(self._values)}::{kind}"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(self._values)


def _changes(options: UpdateOptions, data_json: str | None, values: _Values, now: str) -> Iterator[str]:
    given = options.given()
    # An upsert of a job that exists may have nothing to say about it, and UPDATE must set something.
    yield "state = j.state"
    if data_json is not None:
        yield f"data = {values.add(data_json, 'jsonb')}"
    for option, kind in _COLUMNS.items():
        if option in given:
            yield f"{column_of(option)} = {values.add(given[option], kind)}"
    yield from _times(options, values, now)


def _times(options: UpdateOptions, values: _Values, now: str) -> Iterator[str]:
    """Retention counts from the start, so keep_until goes along with it, or a job put off might be swept unworked."""
    start = "j.start_after"
    if options.start_after is not UNSET:
        text = values.add(start_after_text(options.start_after, past_is_now=False), "text")
        start = f"({start_of(text, now)})"
        yield f"start_after = {start}"
    if options.retention_seconds is not UNSET:
        retention = values.add(options.given()["retention_seconds"], "int")
        yield f"keep_until = {start} + {retention} * interval '1 second'"
    elif options.start_after is not UNSET:
        yield f"keep_until = {start} + (j.keep_until - j.start_after)"
