"""What stands in the way of using, installing or removing a schema, said so that people can act on it.

Each function looks at what :mod:`pgboss.schema.presence` has read, and raises or stays silent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pgboss.core.names import SchemaName, quote_identifier
from pgboss.errors import SchemaError, SchemaMissingError, SchemaVersionError
from pgboss.schema.history import lacking
from pgboss.schema.manifest import JOB_TABLE, job_states
from pgboss.schema.presence import Presence
from pgboss.schema.version import OLDEST_UPGRADABLE, OLDEST_USABLE, SCHEMA_VERSION

__all__ = [
    "refuse_case_variants",
    "refuse_incomplete",
    "refuse_other_versions",
    "refuse_plain_job_table",
    "refuse_strangers",
    "refuse_unreadable",
    "refuse_unusable",
    "refuse_without_rights",
    "refuse_without_version",
    "too_old",
]

# What sending and working read and write; schedules, snapshots and the rest belong to supervision.
_TABLES_IN_USE = (JOB_TABLE, "queue")
_FUNCTIONS_IN_USE = ("job_now", "create_queue", "delete_queue")


def refuse_without_version(schema: SchemaName, presence: Presence) -> None:
    if "version" not in presence.columns:
        raise SchemaError(
            f"The schema {schema.configured} has no version table but has {_listed(presence.columns)}: pg-boss was "
            "installed halfway there, or the names are taken by tables of something else. "
            "`pgboss doctor` says what is missing; or remove what there is of pg-boss with `pgboss uninstall`, "
            "or choose another schema (PGBOSS_SCHEMA)."
        )


def refuse_unreadable(schema: SchemaName, presence: Presence) -> None:
    if "version" not in presence.columns.get("version", {"version"}):
        raise SchemaError(
            f"The table version in the schema {schema.configured} is not pg-boss's. "
            "Choose another schema (PGBOSS_SCHEMA)."
        )
    if not presence.may_use or ("version" in presence.columns and not presence.version_readable):
        role = quote_identifier(presence.role)
        raise SchemaError(
            f"The role {presence.role} may not read the pg-boss schema {schema.configured}. As its owner, run: "
            f"GRANT USAGE ON SCHEMA {schema.sql} TO {role}; "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema.sql} TO {role};"
        )


def refuse_incomplete(schema: SchemaName, presence: Presence) -> None:
    missing = [
        *(f"table {name}" for name in presence.missing_tables),
        *(f"function {name}" for name in presence.missing_functions),
    ]
    if missing:
        raise SchemaError(
            f"The pg-boss schema {schema.configured} says it is at version {SCHEMA_VERSION}, but lacks "
            f"{_listed(missing)}. Run `pgboss doctor`: it prints the DDL that mends this."
        )


def refuse_unusable(schema: SchemaName, presence: Presence, version: int) -> None:
    """Another version is fine while everything is there that sending and working use of it."""
    missing = [f"{table}.{column}" for table in _TABLES_IN_USE for column in presence.missing_columns(table)]
    missing += [f"{name}()" for name in _FUNCTIONS_IN_USE if name not in presence.functions]
    missing = [part for part in missing if part not in lacking(version)]
    # States may have been added between the ones we know; the order of those must have stayed.
    if tuple(state for state in presence.states if state in job_states()) != job_states():
        missing.append("the job states in their order")
    if missing:
        remedy = (
            "Upgrade the Python package pgboss."
            if version > SCHEMA_VERSION
            else "It was installed halfway, or changed by hand: ask `npx pg-boss@12.38 doctor`."
        )
        raise SchemaVersionError(
            f"The pg-boss schema {schema.configured} is at version {version}, and this release, made for version "
            f"{SCHEMA_VERSION}, cannot work with it: it lacks {_listed(missing)}. {remedy}",
            installed=version,
            expected=SCHEMA_VERSION,
        )


def refuse_other_versions(schema: SchemaName, versions: Collection[int]) -> None:
    """There is no telling what another version should look like."""
    for version in versions:
        if version < SCHEMA_VERSION:
            raise SchemaVersionError(
                f"The pg-boss schema {schema.configured} is at version {version}, older than version {SCHEMA_VERSION}, "
                f"which is the one this release can check. {_how_to_upgrade(schema, version)}",
                installed=version,
                expected=SCHEMA_VERSION,
            )
        if version > SCHEMA_VERSION:
            raise SchemaVersionError(
                f"The pg-boss schema {schema.configured} is at version {version}, newer than version "
                f"{SCHEMA_VERSION}, which is the one this release can check. Upgrade the Python package pgboss.",
                installed=version,
                expected=SCHEMA_VERSION,
            )


def too_old(schema: SchemaName, version: int) -> SchemaVersionError:
    return SchemaVersionError(
        f"The pg-boss schema {schema.configured} is at version {version}; this release works with versions from "
        f"{OLDEST_USABLE} (npm pg-boss 12.25) on. {_how_to_upgrade(schema, version)}",
        installed=version,
        expected=SCHEMA_VERSION,
    )


def _how_to_upgrade(schema: SchemaName, version: int) -> str:
    if version < OLDEST_UPGRADABLE:
        return (
            f"Neither `pgboss migrate` nor pg-boss 12.38 upgrades from below version {OLDEST_UPGRADABLE}: "
            "go through an older pg-boss first."
        )
    return (
        "It is left as it is, because a Node application may depend on it. When all of them can move to pg-boss "
        f"12.38, run: pgboss migrate --schema '{schema.configured}' (or npx pg-boss@12.38 migrate)."
    )


def refuse_plain_job_table(schema: SchemaName, presence: Presence) -> None:
    if JOB_TABLE in presence.columns and not presence.partitioned:
        raise SchemaError(
            f"pg-boss was set up in the schema {schema.configured} as for a database without partitioning, and only "
            f"pg-boss itself can upgrade that: npx pg-boss@12.38 migrate --schema '{schema.configured}'"
        )


def refuse_without_rights(schema: SchemaName, presence: Presence, create_schema: bool) -> None:
    role = quote_identifier(presence.role)
    if presence.schema_exists:
        if not presence.may_create_in_schema:
            raise SchemaError(
                f"pg-boss is not installed in the schema {schema.configured}, and the role {presence.role} may not "
                f"create tables there. As its owner, run the output of `pgboss plans create`, or: "
                f"GRANT USAGE, CREATE ON SCHEMA {schema.sql} TO {role};"
            )
    elif not create_schema:
        raise SchemaMissingError(
            f"The schema {schema.configured} does not exist, and create_schema is off. "
            f"Create it first: CREATE SCHEMA {schema.sql};"
        )
    elif not presence.may_create_schema:
        raise SchemaError(
            f"The schema {schema.configured} does not exist, and the role {presence.role} may not create it. As an "
            f"administrator, run: CREATE SCHEMA {schema.sql} AUTHORIZATION {role};"
        )


def refuse_case_variants(schema: SchemaName, variants: Iterable[str]) -> None:
    spelled = [quote_identifier(name) for name in variants]
    if spelled:
        raise SchemaError(
            f"pg-boss is not installed in the schema {schema.configured}, but it is in {_listed(spelled)}, which "
            "differs by case alone. PostgreSQL folds a bare name to lower case and keeps a double-quoted one as it is. "
            "Set PGBOSS_SCHEMA to that name, quotes included, or allow a second installation beside it."
        )


def refuse_strangers(schema: SchemaName, presence: Presence) -> None:
    if presence.strangers:
        raise SchemaError(
            f"Nothing was removed: in the schema {schema.configured}, {_listed(presence.strangers)} looks like "
            "something else than pg-boss's table of that name."
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
