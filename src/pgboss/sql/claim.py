"""The statement that claims jobs: lock the next due ones, make them active, return them."""

from __future__ import annotations

from collections.abc import Sequence

from pgboss.core.job import detail_columns, job_columns
from pgboss.core.names import SchemaName
from pgboss.core.options import UNSET, FetchOptions
from pgboss.core.query import Parameter, Query
from pgboss.core.queue import QueueRef


def claim(queue: QueueRef, options: FetchOptions, columns: str | None = None) -> Query:
    """Make up to ``batch_size`` due jobs active, most urgent first, and return them in no particular order.

    Jobs that another claim holds are skipped, never waited for. A job that was started before counts a retry.
    """
    parameters: list[Parameter] = [queue.name, 1 if options.batch_size is UNSET else options.batch_size]
    wanted = "".join(f"\n               AND {condition}" for condition in _conditions(queue, options, parameters))
    # The ids go through an array: an index scan by primary key, whatever the planner believes about the table.
    return Query(
        f"""
        WITH next AS MATERIALIZED (
            SELECT j.id
              FROM {queue.table} j
             WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked{wanted}
             ORDER BY j.priority DESC, j.created_on
             LIMIT $2::int
               FOR UPDATE OF j SKIP LOCKED
        )
        UPDATE {queue.table} j
           SET state = 'active',
               started_on = {queue.now},
               heartbeat_on = {queue.now},
               retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
         WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM next))
        RETURNING {columns or job_columns("j")}
        """,
        tuple(parameters),
        guarded=True,
    )


def _conditions(queue: QueueRef, options: FetchOptions, parameters: list[Parameter]) -> list[str]:
    conditions = []
    if options.ignore_start_after is not True:
        conditions.append(f"j.start_after <= {queue.now}")
    for bound, operator in ((options.min_priority, ">="), (options.max_priority, "<=")):
        if bound is not UNSET:
            parameters.append(bound)
            conditions.append(f"j.priority {operator} ${len(parameters)}::int")
    return conditions


DETAILS = detail_columns("j")
"""The select list of a claim that returns everything stored about each job."""


def next_due(schema: SchemaName, names: Sequence[str]) -> Query:
    """For each queue the seconds until its next waiting job is due (zero or less: one is); none waiting, no row.

    One branch a queue: its name is a parameter there, by which the planner leaves out all other partitions.
    """
    job = schema.table("job")
    branch = """
        SELECT {name} AS name, LEAST(
               (SELECT min(start_after) FROM {job} WHERE name = {name} AND state = 'created' AND NOT blocked),
               (SELECT min(start_after) FROM {job} WHERE name = {name} AND state = 'retry' AND NOT blocked)
        ) AS start_after"""
    branches = (branch.format(name=f"${position}::text", job=job) for position in range(1, len(names) + 1))
    return Query(
        f"""
        SELECT due.name, extract(epoch FROM due.start_after - {schema.now})::float8 AS seconds
          FROM ({" UNION ALL".join(branches)}
               ) due
         WHERE due.start_after IS NOT NULL
        """,
        tuple(names),
    )
