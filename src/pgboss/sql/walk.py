"""What walks over a queue's jobs have in common: batches of keys, in the order of the primary key.

A batch is bounded by the keys it covers and not by the rows it changes, so each row is read once, no matter how few of
them match, and no transaction holds more than a batch of locks.
"""

from __future__ import annotations

from uuid import UUID

from pgboss.core.query import Query

WALK_BATCH = 10_000

FIRST_ID = UUID(int=0)
LAST_ID = UUID(int=2**128 - 1)

# What queue.retained_count counts; failed jobs are counted with the live ones.
RETAINED = "state IN ('completed', 'cancelled')"


def walk_by_key() -> Query:
    """Let the rest of the transaction read keys in the order of their index; the row is what was set before.

    On a table that was never analysed the planner would rather sort what is left of the queue, for every batch. Where
    it must sort all the same, the plan looks so dear to PostgreSQL up to 17 that it would be compiled first, for longer
    than it then runs.
    """
    return Query(
        "SELECT current_setting('enable_sort') AS enable_sort, current_setting('jit') AS jit, "
        "set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"
    )


def walk_ends(enable_sort: str, jit: str) -> Query:
    """Set back what :func:`walk_by_key` has set: the transaction may be the caller's."""
    return Query(
        "SELECT set_config('enable_sort', $1::text, true), set_config('jit', $2::text, true)", (enable_sort, jit)
    )


def edge(table: str, name: str, id: str, after: UUID | None) -> str:
    """The last key of a batch as a CTE, without a row when fewer are left: $1 the queue, $2 the key before, $3 size."""
    return f"""edge AS MATERIALIZED (
            SELECT {id} AS id
              FROM {table}
             WHERE {name} = $1::text AND {id} {_beyond(after)} $2::uuid
             ORDER BY {id}
            OFFSET $3::int - 1
             LIMIT 1
        )"""


def within(name: str, id: str, after: UUID | None) -> str:
    """The condition on the rows between the key before and the edge."""
    last = f"COALESCE((SELECT id FROM edge), '{LAST_ID}'::uuid)"
    return f"{name} = $1::text AND {id} {_beyond(after)} $2::uuid AND {id} <= {last}"


def _beyond(after: UUID | None) -> str:
    # The smallest UUID is a valid id too.
    return ">=" if after is None else ">"
