"""What a live schema has that it should not, or lacks: the check behind ``pgboss doctor``."""

from __future__ import annotations

from collections.abc import Iterator

from pgboss.core.names import SchemaName
from pgboss.core.query import Query, Steps, atomic
from pgboss.errors import SchemaMissingError
from pgboss.schema import checks
from pgboss.schema.catalog import Catalog, PartitionedQueue
from pgboss.schema.compare_functions import compare_functions, compare_states
from pgboss.schema.compare_tables import compare_tables
from pgboss.schema.findings import Finding
from pgboss.schema.manifest import JOB_TABLE, expected_catalog
from pgboss.schema.presence import Presence, read_presence, read_version
from pgboss.schema.reading import (
    canonical_spelling,
    partitioned_queues,
    quoted_name,
    read_catalog,
    unfinished_builds,
)
from pgboss.schema.version import SCHEMA_VERSION

__all__ = ["detect_drift"]

# One snapshot for all of it: a queue that goes meanwhile must not look like a queue without its table.
_ONE_SNAPSHOT = Query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

_PLAIN_JOB_TABLE = Finding(
    "plain job table",
    JOB_TABLE,
    "pg-boss was set up here as for a database without partitioning, all jobs in one table. It works, but this check "
    "knows the partitioned layout only: ask `npx pg-boss@12.38 doctor`.",
    note=True,
)


@atomic
def detect_drift(schema: SchemaName) -> Steps[list[Finding]]:
    """Compare the schema with what this release expects, and return every difference.

    Types, columns, constraints, indexes and functions are compared, of the partitions of queues too. It makes no
    difference whether Node or Python has installed the schema, nor in which order the columns stand. Everything but
    the findings marked as notes should be mended.

    Raises:
        SchemaMissingError: pg-boss is not installed.
        SchemaVersionError: the schema is of another version, so there is nothing to compare it with.
        SchemaError: this role may not read it, or it is not pg-boss's.
    """
    yield _ONE_SNAPSHOT
    yield canonical_spelling()
    presence: Presence = yield from read_presence(schema)
    if not presence.columns:
        raise SchemaMissingError(
            f"pg-boss is not installed in the schema {schema.configured}. "
            f"Run `pgboss migrate --schema '{schema.configured}'` to install it."
        )
    checks.refuse_unreadable(schema, presence)
    versions = (yield read_version(schema)).column() if "version" in presence.columns else []
    checks.refuse_other_versions(schema, versions)
    if JOB_TABLE in presence.columns and not presence.partitioned:
        return [_PLAIN_JOB_TABLE]

    findings = yield from _compare(schema, presence)
    return [*findings, *_version_findings(schema, versions, findings)]


def _compare(schema: SchemaName, presence: Presence) -> Steps[list[Finding]]:
    name = (yield quoted_name(schema)).scalar()
    queues = [PartitionedQueue(**row) for row in (yield partitioned_queues(schema))] if _knows_queues(presence) else []
    builds = (yield unfinished_builds(schema)).column() if _knows_builds(presence) else []
    found: Catalog = yield from read_catalog(schema)
    wanted = expected_catalog(name, queues)
    return [
        *compare_states(schema, wanted.states, found.states),
        *compare_tables(name, wanted.tables, found.tables, builds),
        *compare_functions(schema, wanted, found),
    ]


def _knows_queues(presence: Presence) -> bool:
    return {"name", "policy", "partition", "table_name"} <= presence.columns.get("queue", frozenset())


def _knows_builds(presence: Presence) -> bool:
    return {"command", "status"} <= presence.columns.get("bam", frozenset())


def _version_findings(schema: SchemaName, versions: list[int], others: list[Finding]) -> Iterator[Finding]:
    table = schema.table("version")
    if len(versions) > 1:
        yield Finding(
            "different version",
            "version",
            f"There are {len(versions)} rows where there must be one.",
            (f"DELETE FROM {table} a USING {table} b WHERE a.ctid > b.ctid;",),
        )
    elif not versions:
        whole = all(finding.note or finding.object == "version" for finding in others)
        yield Finding(
            "missing version",
            "version",
            f"There is no version row. All else is as in version {SCHEMA_VERSION}."
            if whole
            else "There is no version row. Mend the rest first, then look again.",
            (f"INSERT INTO {table} (version) VALUES ({SCHEMA_VERSION});",) if whole else (),
        )
