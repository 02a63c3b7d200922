"""Ways to break an installed schema, and what the drift check calls each.

In the statements ``{s}`` is the schema, ``{short}`` and ``{fifo}`` the tables of two queues with partitions of their
own, :data:`QUEUES`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pgboss.core.names import SchemaName, partition_table
from support.postgres import sql

__all__ = ["DAMAGES", "Damage", "break_schema", "create_queues"]

QUEUES = {"own.short": "short", "own.fifo": "key_strict_fifo"}


@dataclass(frozen=True)
class Damage:
    """One way to break a schema; ``found`` is kind and object of every finding, notes aside."""

    name: str
    sql: str
    found: tuple[tuple[str, str], ...]


def create_queues(url: str, schema: SchemaName) -> None:
    """Make the queues that the damages speak of."""
    for name, policy in QUEUES.items():
        options = json.dumps({"policy": policy, "partition": True})
        sql(url, f"SELECT {schema.table('create_queue')}(%s, %s)", (name, options))


def break_schema(url: str, schema: SchemaName, damage: Damage) -> set[tuple[str, str]]:
    """Do the damage, and return what ought to be found."""
    names = {"short": partition_table("own.short"), "fifo": partition_table("own.fifo")}
    sql(url, damage.sql.format(s=schema.sql, **names))
    return {(kind, target.format(**names)) for kind, target in damage.found}


DAMAGES = [
    Damage("a table is gone", "DROP TABLE {s}.warning", (("missing table", "warning"),)),
    Damage("a partitioned table is gone", "DROP TABLE {s}.queue_stats", (("missing table", "queue_stats"),)),
    Damage(
        "the table of all jobs is gone",
        "DROP TABLE {s}.job",
        (
            ("missing table", "job"),
            ("missing table", "job_common"),
            ("missing table", "{short}"),
            ("missing table", "{fifo}"),
        ),
    ),
    Damage("a queue's table is gone", "DROP TABLE {s}.{fifo}", (("missing table", "{fifo}"),)),
    Damage("the shared table is gone", "DROP TABLE {s}.job_common", (("missing table", "job_common"),)),
    Damage(
        "a table that others refer to is gone",
        "DELETE FROM {s}.queue; DROP TABLE {s}.{short}, {s}.{fifo}; DROP TABLE {s}.queue CASCADE",
        (
            ("missing table", "queue"),
            ("missing constraint", "job_common.q_fkey"),
            ("missing constraint", "job_common.dlq_fkey"),
            ("missing constraint", "schedule.schedule_name_fkey"),
            ("missing constraint", "subscription.subscription_name_fkey"),
        ),
    ),
    Damage(
        "a partition is detached",
        "ALTER TABLE {s}.job DETACH PARTITION {s}.{short}",
        (("detached partition", "{short}"),),
    ),
    Damage(
        "a partition holds another queue",
        "ALTER TABLE {s}.job DETACH PARTITION {s}.{short}; ALTER TABLE {s}.{short} DROP CONSTRAINT cjc; "
        "ALTER TABLE {s}.job ATTACH PARTITION {s}.{short} FOR VALUES IN ('another')",
        (("different partition", "{short}"), ("missing constraint", "{short}.cjc")),
    ),
    Damage(
        "a column is gone",
        "ALTER TABLE {s}.queue DROP COLUMN ready_history",
        (("missing column", "queue.ready_history"),),
    ),
    Damage(
        "a column of the jobs is gone, and the indexes on it",
        "ALTER TABLE {s}.job DROP COLUMN source_root_id",
        (
            ("missing column", "job.source_root_id"),
            ("missing index", "job_common_i12"),
            ("missing index", "{short}_i12"),
            ("missing index", "{fifo}_i12"),
        ),
    ),
    Damage(
        "a column too many",
        "ALTER TABLE {s}.schedule ADD COLUMN colour text DEFAULT 'red'",
        (("extra column", "schedule.colour"),),
    ),
    Damage(
        "a column of another type",
        "ALTER TABLE {s}.queue ALTER COLUMN retry_limit TYPE bigint",
        (("different column", "queue.retry_limit"),),
    ),
    Damage(
        "another default",
        "ALTER TABLE {s}.schedule ALTER COLUMN timezone SET DEFAULT 'Europe/Berlin'",
        (("different column", "schedule.timezone"),),
    ),
    Damage(
        "a column that may be NULL",
        "ALTER TABLE {s}.subscription ALTER COLUMN created_on DROP NOT NULL",
        (("different column", "subscription.created_on"),),
    ),
    Damage(
        "the jobs' defaults and NOT NULL are gone",
        "ALTER TABLE {s}.job ALTER COLUMN priority DROP DEFAULT, ALTER COLUMN priority DROP NOT NULL",
        (("different column", "job.priority"),),
    ),
    Damage(
        "a primary key is gone",
        "ALTER TABLE {s}.bam DROP CONSTRAINT bam_pkey",
        (("missing constraint", "bam.bam_pkey"),),
    ),
    Damage(
        "the jobs' primary key is gone",
        "ALTER TABLE {s}.job DROP CONSTRAINT job_pkey",
        (("missing constraint", "job.job_pkey"),),
    ),
    Damage(
        "a check says something else",
        "ALTER TABLE {s}.schedule DROP CONSTRAINT schedule_kind_check, "
        "ADD CONSTRAINT schedule_kind_check CHECK (kind IN ('cron', 'rrule', 'moon'))",
        (("different constraint", "schedule.schedule_kind_check"),),
    ),
    Damage(
        "a foreign key lets go",
        "ALTER TABLE {s}.subscription DROP CONSTRAINT subscription_name_fkey",
        (("missing constraint", "subscription.subscription_name_fkey"),),
    ),
    Damage(
        "a constraint too many",
        "ALTER TABLE {s}.queue ADD CONSTRAINT short_names CHECK (length(name) < 20)",
        (("extra constraint", "queue.short_names"),),
    ),
    Damage(
        "the jobs' foreign key is gone",
        "ALTER TABLE {s}.{short} DROP CONSTRAINT q_fkey",
        (("missing constraint", "{short}.q_fkey"),),
    ),
    Damage(
        "indexes are gone",
        "DROP INDEX {s}.job_common_i11, {s}.{short}_i1, {s}.warning_i1, {s}.job_dep_parent_idx",
        (
            ("missing index", "job_common_i11"),
            ("missing index", "{short}_i1"),
            ("missing index", "warning_i1"),
            ("missing index", "job_dep_parent_idx"),
        ),
    ),
    Damage(
        "an index over all partitions is gone",
        "DROP INDEX {s}.queue_stats_i1",
        (("missing index", "queue_stats_i1"),),
    ),
    Damage(
        "an index is not unique any more",
        "DROP INDEX {s}.{fifo}_i8; CREATE INDEX {fifo}_i8 ON {s}.{fifo} (name, singleton_key) "
        "WHERE state IN ('active', 'retry', 'failed') AND policy = 'key_strict_fifo'",
        (("different index", "{fifo}_i8"),),
    ),
    Damage(
        "an index has its columns the wrong way round",
        "DROP INDEX {s}.job_common_i15; CREATE INDEX job_common_i15 ON {s}.job_common (created_on, name)",
        (("different index", "job_common_i15"),),
    ),
    Damage(
        "the build of an index was broken off",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{s}.job_common_i4'::regclass",
        (("invalid index", "job_common_i4"),),
    ),
    Damage(
        "functions are gone",
        "DROP FUNCTION {s}.create_queue, {s}.py_create_queue, {s}.job_now",
        (
            ("missing function", "py_create_queue()"),
            ("missing function", "create_queue()"),
            ("missing function", "job_now()"),
        ),
    ),
    Damage(
        "a function says something else",
        "CREATE OR REPLACE FUNCTION {s}.delete_queue(queue_name text) RETURNS void LANGUAGE plpgsql AS "
        "$$ BEGIN DELETE FROM {s}.queue WHERE name = queue_name; END $$",
        (("different function", "delete_queue()"),),
    ),
    Damage(
        "a function of ours says something else",
        "CREATE OR REPLACE FUNCTION {s}.py_delete_queue(queue_name text) RETURNS void LANGUAGE sql AS 'SELECT'",
        (("different function", "py_delete_queue()"),),
    ),
    Damage(
        "a function returns something else",
        "DROP FUNCTION {s}.delete_queue; "
        "CREATE FUNCTION {s}.delete_queue(queue_name text) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
        (("different function", "delete_queue()"),),
    ),
    Damage(
        "a function has a namesake",
        "CREATE FUNCTION {s}.job_now(zone text) RETURNS timestamptz LANGUAGE sql AS $$ SELECT now() $$",
        (("overloaded function", "job_now()"),),
    ),
    Damage(
        "a test clock was left behind",
        "CREATE TABLE {s}.__pgboss_test_clock (now timestamptz NOT NULL); "
        "CREATE OR REPLACE FUNCTION {s}.job_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT CASE "
        "current_setting('pgboss.test_clock', true) WHEN 'on' THEN (SELECT now FROM {s}.__pgboss_test_clock) "
        "ELSE pg_catalog.now() END $$",
        (("test clock", "job_now()"),),
    ),
    Damage(
        "the type of states is gone, and all that used it",
        "DROP TYPE {s}.job_state CASCADE",
        (
            ("missing type", "job_state"),
            ("missing column", "job.state"),
            *(("missing index", f"job_common_i{n}") for n in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 13, 14, 17)),
            *(("missing index", f"{{short}}_i{n}") for n in (1, 4, 7, 9, 11, 13, 14, 17)),
            *(("missing index", f"{{fifo}}_i{n}") for n in (4, 7, 8, 9, 10, 11, 13, 14, 17)),
        ),
    ),
    Damage("the version row is gone", "DELETE FROM {s}.version", (("missing version", "version"),)),
]
"""Every damage can be mended by the statements that come with its findings."""
