"""Upgrading an older schema, which happens when somebody asks for it and never by itself.

One transaction under the lock of all who install and upgrade, Node's instances too: whoever comes second finds it done.
The index builds that it puts off are another matter, see :mod:`pgboss.operations.bam`.
docs/compatibility.md, "Upgrading".
"""

from __future__ import annotations

from dataclasses import dataclass

from pgboss.core.names import SchemaName
from pgboss.core.query import Query, Script, Steps, atomic
from pgboss.core.sqlstate import DEADLOCK_DETECTED, INSUFFICIENT_PRIVILEGE, LOCK_NOT_AVAILABLE
from pgboss.errors import DatabaseError, SchemaError
from pgboss.operations.install import SchemaState, existing, lock_schema, make, read_one_version
from pgboss.schema import checks
from pgboss.schema.plans import create_plan, upgrade_plan
from pgboss.schema.presence import Presence, read_presence
from pgboss.schema.upgrade import upgrade_statements
from pgboss.schema.version import OLDEST_UPGRADABLE, SCHEMA_VERSION

__all__ = ["Migration", "migrate", "plan_migration"]

_READ_COMMITTED = Query("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
_READ_ONLY = Query("SET TRANSACTION READ ONLY")


@dataclass(frozen=True, slots=True)
class Migration:
    """What was done.

    Attributes:
        state: the schema afterwards.
        upgraded_from: the version before, where it was upgraded.
    """

    state: SchemaState
    upgraded_from: int | None = None


@atomic
def migrate(schema: SchemaName, *, create_schema: bool = True, allow_case_variant: bool = False) -> Steps[Migration]:
    """Install the schema where it is missing, upgrade it where it is older, and leave it as it is otherwise.

    Jobs stay as they are. Whoever works meanwhile waits for the length of the transaction, which writes no table anew.

    Args:
        schema: where pg-boss is, or shall be.
        create_schema: make the schema itself too when it is missing.
        allow_case_variant: install even where another schema, whose name differs by case alone, holds pg-boss.

    Raises:
        SchemaVersionError: it is older than any upgrade can begin at.
        SchemaError: it is half installed, or this role may not install or upgrade it, or somebody was in the way.
    """
    yield _READ_COMMITTED
    yield from lock_schema(schema)
    version = yield from _upgradable_version(schema)
    if version is not None:
        yield from _upgrade(schema, version)
        return Migration(SchemaState(SCHEMA_VERSION, installed=False, partitioned=True), upgraded_from=version)
    state = yield from existing(schema)
    if state is not None:
        return Migration(state)
    return Migration((yield from make(schema, create_schema, allow_case_variant)))


@atomic
def plan_migration(schema: SchemaName, *, create_schema: bool = True) -> Steps[str | None]:
    """The script that :func:`migrate` would run, or ``None`` where there is nothing to do. Nothing is changed.

    Raises:
        SchemaVersionError, SchemaError: as for :func:`migrate`.
    """
    yield _READ_ONLY
    version = yield from _upgradable_version(schema)
    if version is not None:
        return upgrade_plan(schema, version)
    state = yield from existing(schema)
    return create_plan(schema, create_schema=create_schema) if state is None else None


def _upgradable_version(schema: SchemaName) -> Steps[int | None]:
    """The version of an older schema; ``None`` where there is none to upgrade."""
    presence: Presence = yield from read_presence(schema)
    if not presence.columns:
        return None
    checks.refuse_without_version(schema, presence)
    checks.refuse_unreadable(schema, presence)
    version = yield from read_one_version(schema)
    if version >= SCHEMA_VERSION:
        return None
    if version < OLDEST_UPGRADABLE:
        raise checks.too_old(schema, version)
    checks.refuse_plain_job_table(schema, presence)
    return version


def _upgrade(schema: SchemaName, version: int) -> Steps[None]:
    try:
        yield Script("\n".join(upgrade_statements(schema, version)))
    except DatabaseError as error:
        if error.sqlstate == INSUFFICIENT_PRIVILEGE:
            raise SchemaError(
                f"This role may not upgrade the schema {schema.configured}: it must own the tables there. As their "
                f"owner, run the output of `pgboss plans migrate --from {version}`. PostgreSQL says: {error}"
            ) from error
        if error.sqlstate in (LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED):
            raise SchemaError(
                f"The schema {schema.configured} was not upgraded, because its tables were in use all the time. "
                f"Nothing has changed; try again, best when little is going on. PostgreSQL says: {error}"
            ) from error
        raise
