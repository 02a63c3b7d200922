"""What each version of the schema brought, from the oldest that can be upgraded to the one of this release.

One list, from which everything else about versions follows: which columns a statement may name on an older schema
(:func:`lacking`), which version a call has to wait for (:func:`require`), and what an upgrade adds (``upgrade.py``).
Facts of pg-boss, kept true by tests/interop against what its releases install.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from pgboss.core.names import SchemaName
from pgboss.errors import SchemaVersionError
from pgboss.schema.version import OLDEST_UPGRADABLE, SCHEMA_VERSION

__all__ = ["HISTORY", "Change", "IndexBuild", "lacking", "release_of", "require", "since"]


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """An index of the job tables, ``<table>_i<number>``, which an upgrade builds in the background.

    ``name`` is what pg-boss calls the build in ``bam``; with a ``policy``, only queues of that one have the index in
    a table of their own.
    """

    number: int
    name: str
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one version added; ``release`` is the first pg-boss that has it."""

    version: int
    release: str
    tables: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    indexes: tuple[IndexBuild, ...] = ()

    @property
    def parts(self) -> frozenset[str]:
        """What is new, as :meth:`SchemaName.has <pgboss.core.names.SchemaName.has>` names it."""
        columns = (f"{table}.{column}" for table, names in self.columns.items() for column in names)
        return frozenset([*self.tables, *columns, *(f"{name}()" for name in self.functions)])


HISTORY = (
    Change(26, "11.1.0"),
    Change(
        27,
        "12.6.0",
        tables=("bam",),
        columns={"version": ("bam_on",), "job": ("group_id", "group_tier")},
        functions=("job_table_format", "job_table_run", "job_table_run_async"),
        indexes=(IndexBuild(7, "group_concurency_index"),),
    ),
    Change(28, "12.10.0", indexes=(IndexBuild(8, "key_strict_fifo_index", "key_strict_fifo"),)),
    Change(29, "12.11.0", tables=("warning",)),
    Change(30, "12.12.0", columns={"job": ("heartbeat_on", "heartbeat_seconds"), "queue": ("heartbeat_seconds",)}),
    Change(31, "12.19.0", tables=("job_dependency",), columns={"job": ("blocked", "blocking", "pending_dependencies")}),
    Change(32, "12.21.0", columns={"queue": ("notify", "failed_count", "ready_count")}),
    Change(33, "12.22.0", columns={"version": ("flow_on",)}, indexes=(IndexBuild(9, "flow_resolver_index"),)),
    Change(34, "12.23.0", columns={"job": ("source_name", "source_id", "source_created_on", "source_retry_count")}),
    Change(35, "12.24.0", tables=("queue_stats",), columns={"queue": ("ready_history",)}),
    Change(36, "12.24.1"),
    Change(37, "12.26.0"),
    Change(38, "12.28.0", indexes=(IndexBuild(10, "key_strict_fifo_head_index", "key_strict_fifo"),)),
    Change(39, "12.29.0", columns={"version": ("reindex_on",)}),
    Change(
        40,
        "12.30.0",
        columns={"version": ("monitor_backoff_on",), "queue": ("monitor_claim_on",)},
        indexes=(IndexBuild(11, "fetch_index_priority_build"),),
    ),
    Change(41, "12.31.0", columns={"schedule": ("kind", "last_job_id")}),
    Change(42, "12.33.0", functions=("job_now",)),
    Change(
        43,
        "12.35.0",
        columns={
            "queue": ("created_delta", "completed_delta", "failed_delta", "delta_on", "delta_seconds"),
            "queue_stats": ("created_delta", "completed_delta", "failed_delta", "delta_seconds", "delta_on"),
            "job": ("source_output", "source_root_id"),
        },
        indexes=(IndexBuild(12, "source_root_index_build"),),
    ),
    Change(
        44,
        "12.36.0",
        tables=("instance",),
        columns={
            "queue": ("blocked_count", "wait_bins", "run_bins", "ready_oldest_seconds"),
            "queue_stats": ("wait_bins", "run_bins", "ready_oldest_seconds"),
            "job": ("trace_context",),
        },
    ),
    Change(45, "12.37.0", columns={"job": ("upsert_by_key",)}, indexes=(IndexBuild(13, "upsert_index_build"),)),
    Change(
        46,
        "12.38.0",
        columns={"queue": ("retained_count", "retained_on")},
        indexes=(
            IndexBuild(14, "live_index_build"),
            IndexBuild(15, "created_index_build"),
            IndexBuild(16, "completed_index_build"),
            IndexBuild(17, "queued_key_index_build"),
        ),
    ),
)
"""Every version after the oldest that can be upgraded, in order."""


@cache
def lacking(version: int) -> frozenset[str]:
    """What a schema of this version does not have yet; nothing, for the version of this release and later ones."""
    later = (change.parts for change in HISTORY if change.version > version)
    return frozenset[str]().union(*later)


def since(part: str) -> Change:
    """The version that brought a ``table``, ``table.column`` or ``function()``."""
    for change in HISTORY:
        if part in change.parts:
            return change
    raise LookupError(f"{part} has been there since version {OLDEST_UPGRADABLE}, or does not exist")


def release_of(version: int) -> str:
    """The first pg-boss release with this version of the schema."""
    return next(change.release for change in HISTORY if change.version == version)


def require(schema: SchemaName, part: str, what: str) -> None:
    """Let only those versions pass that have what a call needs.

    Args:
        schema: as it was found at start.
        part: the ``table``, ``table.column`` or ``function()`` that it takes.
        what: what was asked for, as the beginning of a sentence: ``"Upserts by singleton_key"``.

    Raises:
        SchemaVersionError: the installed version is older.
    """
    if schema.has(part):
        return
    change = since(part)
    raise SchemaVersionError(
        f"{what} need {part}, which pg-boss has since schema version {change.version} (npm pg-boss {change.release}); "
        f"the schema {schema.configured} is at version {schema.version}. When all applications that use it can move to "
        f"pg-boss 12.38 (schema version {SCHEMA_VERSION}), upgrade it: pgboss migrate --schema '{schema.configured}'",
        installed=schema.version,
        expected=change.version,
    )
