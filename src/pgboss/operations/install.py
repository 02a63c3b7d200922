"""Installing the schema, finding out at start whether it can be used, and removing it.

Node and Python may start on the same empty database at the same moment: both install under one advisory lock, and
whoever comes second finds the schema there. The rules about versions are in docs/compatibility.md, "Start-up and
versions": a schema of another version is never changed from here, because a Node application may own it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgboss.core.names import Lock, SchemaName
from pgboss.core.query import Query, Script, Steps, atomic
from pgboss.core.sqlstate import DEPENDENTS_EXIST, LOCK_NOT_AVAILABLE
from pgboss.errors import DatabaseError, SchemaError, SchemaMissingError
from pgboss.schema import checks
from pgboss.schema.history import lacking, release_of
from pgboss.schema.plans import drop_statements
from pgboss.schema.presence import Presence, case_variants, leftovers, read_presence, read_version
from pgboss.schema.texts import install_statements
from pgboss.schema.version import OLDEST_FIRED, OLDEST_USABLE, SCHEMA_VERSION
from pgboss.sql import locks

__all__ = [
    "SchemaState",
    "Uninstalled",
    "ensure",
    "existing",
    "install",
    "lock_schema",
    "make",
    "read_one_version",
    "uninstall",
]


# A lock is waited for with a snapshot taken before; only under READ COMMITTED does the next statement see what the
# lock's last holder has done. The role's or database's default may be another level.
_READ_COMMITTED = Query("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


@dataclass(frozen=True, slots=True)
class SchemaState:
    """A schema that can be used, and how far.

    Attributes:
        version: the installed schema version.
        installed: true when this very call installed it.
        partitioned: false where pg-boss was set up for a database without partitioning.
    """

    version: int
    installed: bool
    partitioned: bool

    @property
    def current(self) -> bool:
        """Whether this release may do all upkeep of it and run DDL in it, and not just send and work."""
        return self.version == SCHEMA_VERSION

    @property
    def may_sweep(self) -> bool:
        """Whether overdue, old and waiting jobs may be seen to: those rules are the same in all versions we know."""
        return self.version <= SCHEMA_VERSION

    @property
    def may_schedule(self) -> bool:
        """Whether schedules may be fired: all who fire them must agree on what is one occurrence."""
        return OLDEST_FIRED <= self.version <= SCHEMA_VERSION

    def found_in(self, schema: SchemaName) -> SchemaName:
        """The schema's name with what its version lacks, from which statements choose their columns."""
        return schema.at(self.version, lacking(self.version))

    @property
    def warning(self) -> str | None:
        """What to tell people once, at start; ``None`` when all is well."""
        if self.current:
            return None
        if self.version < SCHEMA_VERSION:
            left = "statistics" if self.may_schedule else "schedules, statistics"
            return (
                f"The pg-boss schema is at version {self.version} (npm pg-boss {release_of(self.version)}), older than "
                f"version {SCHEMA_VERSION}, which this release was made for. Jobs are sent and worked on, overdue and "
                f"old ones seen to; {left} and other upkeep are left to Node. When all applications that use it can "
                "move to pg-boss 12.38, upgrade it: pgboss migrate."
            )
        return (
            f"The pg-boss schema is at version {self.version}, newer than version {SCHEMA_VERSION}, which this release "
            "was made for. Jobs are sent and worked on; expiry, retention and schedules are left to the newer side. "
            "Upgrade the Python package pgboss."
        )


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """What uninstalling has left in the schema because it is not pg-boss's."""

    kept: tuple[str, ...]


@atomic
def ensure(
    schema: SchemaName, *, migrate: bool = True, create_schema: bool = True, allow_case_variant: bool = False
) -> Steps[SchemaState]:
    """Find the schema, or install it where there is none, and say what can be done with it.

    Where it is there already, this only reads: it takes no lock and needs no right to create anything.

    Args:
        schema: where pg-boss is, or shall be.
        migrate: install when it is missing.
        create_schema: make the schema itself too when it is missing.
        allow_case_variant: install even where another schema, whose name differs by case alone, holds pg-boss.

    Raises:
        SchemaMissingError: it is not installed, and ``migrate`` is false.
        SchemaVersionError: it is too old, or newer in a way that this release cannot work with.
        SchemaError: it is half installed, or this role may not use or install it.
    """
    yield _READ_COMMITTED
    state = yield from existing(schema)
    if state is not None:
        return state
    if not migrate:
        raise SchemaMissingError(
            f"pg-boss is not installed in the schema {schema.configured}. "
            f"Run `pgboss migrate --schema '{schema.configured}'`, or start with migrate=True."
        )
    return (yield from _install(schema, create_schema, allow_case_variant))


@atomic
def install(schema: SchemaName, *, create_schema: bool = True, allow_case_variant: bool = False) -> Steps[SchemaState]:
    """Install the schema; where it is installed already, change nothing. The arguments and errors are `ensure`'s."""
    yield _READ_COMMITTED
    return (yield from _install(schema, create_schema, allow_case_variant))


@atomic
def uninstall(schema: SchemaName, *, force: bool = False) -> Steps[Uninstalled]:
    """Remove pg-boss and everything of ours from the schema, with all queues and jobs.

    The schema itself stays, with its grants, and so does whatever else lives in it.

    Args:
        schema: where pg-boss is installed, whole or in parts.
        force: take along what depends on it elsewhere: views, foreign keys, functions.

    Raises:
        SchemaMissingError: there is nothing to remove.
        SchemaError: something depends on it, or a table of its names is not pg-boss's.
    """
    yield _READ_COMMITTED
    yield from lock_schema(schema)
    presence: Presence = yield from read_presence(schema)
    if not presence.columns and not presence.functions:
        raise SchemaMissingError(f"There is nothing of pg-boss in the schema {schema.configured}.")
    checks.refuse_strangers(schema, presence)
    try:
        yield Script("\n".join(drop_statements(schema, cascade=force)))
    except DatabaseError as error:
        if error.sqlstate != DEPENDENTS_EXIST:
            raise
        raise SchemaError(
            f"Something else depends on pg-boss in the schema {schema.configured}; remove it first, or repeat with "
            f"force to remove it too. PostgreSQL says: {error}"
        ) from error
    remaining = yield leftovers(schema)
    return Uninstalled(kept=tuple(remaining.column()))


def _install(schema: SchemaName, create_schema: bool, allow_case_variant: bool) -> Steps[SchemaState]:
    yield from lock_schema(schema)
    state = yield from existing(schema)
    if state is not None:
        return state
    return (yield from make(schema, create_schema, allow_case_variant))


def make(schema: SchemaName, create_schema: bool, allow_case_variant: bool) -> Steps[SchemaState]:
    """Install where there is nothing, under the lock."""
    presence: Presence = yield from read_presence(schema)
    checks.refuse_without_rights(schema, presence, create_schema)
    if not allow_case_variant:
        variants = yield case_variants(schema)
        checks.refuse_case_variants(schema, variants.column())
    if not presence.schema_exists:
        yield Query(f"CREATE SCHEMA {schema.sql}")
    yield Script("\n".join(install_statements(schema)))
    return SchemaState(version=SCHEMA_VERSION, installed=True, partitioned=True)


def lock_schema(schema: SchemaName) -> Steps[None]:
    """Take the lock of everyone who installs or changes this schema, until the transaction ends."""
    database = (yield locks.current_database()).scalar()
    yield locks.limit_waits()
    try:
        yield locks.take(schema.lock_key(database, Lock.INSTALL))
    except DatabaseError as error:
        if error.sqlstate != LOCK_NOT_AVAILABLE:
            raise
        raise SchemaError(
            f"Another process has been installing or upgrading the schema {schema.configured} "
            f"for more than {locks.WAIT_MILLISECONDS // 1000} s. Try again when it is done."
        ) from error


def existing(schema: SchemaName) -> Steps[SchemaState | None]:
    """What is installed, or ``None`` when there is nothing at all."""
    presence: Presence = yield from read_presence(schema)
    if not presence.columns:
        return None
    checks.refuse_without_version(schema, presence)
    checks.refuse_unreadable(schema, presence)
    version = yield from read_one_version(schema)
    if version < OLDEST_USABLE:
        raise checks.too_old(schema, version)
    if version == SCHEMA_VERSION:
        checks.refuse_incomplete(schema, presence)
    else:
        checks.refuse_unusable(schema, presence, version)
    return SchemaState(version=version, installed=False, partitioned=presence.partitioned)


def read_one_version(schema: SchemaName) -> Steps[int]:
    """The version of a schema whose version table is there.

    Raises:
        SchemaError: the table has no row, or several.
    """
    rows = yield read_version(schema)
    if len(rows) != 1:
        raise SchemaError(
            f"The pg-boss schema {schema.configured} has {'no' if not rows else 'more than one'} row in its version "
            "table, so it was installed halfway or changed by hand. Run `pgboss doctor` to see what is wrong with it."
        )
    version: int = rows.scalar()
    return version
