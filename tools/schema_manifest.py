"""Write src/pgboss/schema/manifest.json, the expected catalog, from a fresh install of our own DDL.

    python tools/schema_manifest.py             write it, using the embedded PostgreSQL
    python tools/schema_manifest.py --check     only say whether it is up to date; exit code 1 when it is not

Which PostgreSQL is used does not matter: every supported one spells this catalog the same.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from pgboss.core.names import SchemaName, partition_table
from pgboss.core.query import Steps, atomic
from pgboss.drivers.psycopg.sessions import PsycopgSession
from pgboss.drivers.runner import run
from pgboss.schema import reading
from pgboss.schema.catalog import Catalog, Column, Constraint, Function, Index, Table
from pgboss.schema.manifest import COMMON_TABLE, JOB_TABLE
from pgboss.schema.plans import create_plan
from pgboss.schema.version import SCHEMA_VERSION

MANIFEST = Path(__file__).parent.parent / "src/pgboss/schema/manifest.json"
SCHEMA = SchemaName("manifest_of_a_fresh_install")
PLAIN_POLICY = "standard"
POLICIES = ("short", "singleton", "stately", "exclusive", "key_strict_fifo")
DAY_PARTITION = re.compile(r"queue_stats_\d{8}")


def read_manifest(dsn: str) -> str:
    """Install into a schema of its own, describe it, remove it, and return the file's text."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        try:
            connection.execute(create_plan(SCHEMA).encode())
            for policy in (PLAIN_POLICY, *POLICIES):
                connection.execute(
                    f"SELECT {SCHEMA.sql}.create_queue(%s, %s::jsonb)".encode(),
                    (policy, json.dumps({"policy": policy, "partition": True})),
                )
            catalog = run(PsycopgSession(connection), _read())
        finally:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA.sql} CASCADE".encode())
    return json.dumps(_describe(catalog), indent=1) + "\n"


@atomic
def _read() -> Steps[Catalog]:
    yield reading.canonical_spelling()
    return (yield from reading.read_catalog(SCHEMA))


def _describe(catalog: Catalog) -> dict[str, Any]:
    partitions = {partition_table(policy) for policy in (PLAIN_POLICY, *POLICIES)}
    fixed = [t for name, t in catalog.tables.items() if name not in partitions and not DAY_PARTITION.fullmatch(name)]
    # Whatever refers to a table comes after it: the others refer to queue, and job_common to job.
    fixed.sort(key=lambda table: (table.name != "queue", table.name))
    described: dict[str, Any] = {
        "about": "Written by tools/schema_manifest.py from a fresh install; not to be edited.",
        "version": SCHEMA_VERSION,
        "states": list(catalog.states),
        "tables": {table.name: _table(table) for table in fixed},
        "partition": _partition(catalog),
        "functions": [_function(overloads[0]) for overloads in catalog.functions.values()],
    }
    tokenised: dict[str, Any] = _with_token(described, f"{SCHEMA.catalog_name}.", "{{schema}}.")
    return tokenised


def _table(table: Table) -> dict[str, Any]:
    entry: dict[str, Any] = {
        key: value
        for key, value in (("partition_key", table.partition_key), ("parent", table.parent), ("bound", table.bound))
        if value is not None
    }
    return {
        **entry,
        "columns": [_column(column) for column in table.columns.values()],
        "constraints": [_constraint(constraint) for constraint in table.constraints.values()],
        "indexes": [_index(index) for index in table.indexes.values()],
    }


def _partition(catalog: Catalog) -> dict[str, Any]:
    """What the table of a plain queue has, and what each policy adds to it."""
    plain = _leaf(catalog, PLAIN_POLICY)
    policies = {}
    for policy in POLICIES:
        leaf = _leaf(catalog, policy)
        policies[policy] = {
            part: [item for item in leaf[part] if item not in plain[part]] for part in ("constraints", "indexes")
        }
    return {"bound": plain["bound"], "constraints": plain["constraints"], "indexes": plain["indexes"]} | {
        "policies": policies
    }


def _leaf(catalog: Catalog, policy: str) -> dict[str, Any]:
    table = catalog.tables[partition_table(policy)]
    if table.columns != catalog.tables[COMMON_TABLE].columns or table.parent != JOB_TABLE:
        raise SystemExit(f"The partition of the {policy} queue does not look like {COMMON_TABLE}.")
    entry: dict[str, Any] = _with_token(_table(table), table.name, "{{table}}")
    entry["bound"] = _with_token(entry["bound"], f"'{policy}'", "{{queue}}")
    # Only the check on the name holds the queue's name; a policy's own parts hold the policy's.
    entry["constraints"] = [
        _with_token(item, f"'{policy}'", "{{queue}}") if item["name"] == "cjc" else item
        for item in entry["constraints"]
    ]
    return entry


def _column(column: Column) -> dict[str, Any]:
    return asdict(column)


def _constraint(constraint: Constraint) -> dict[str, Any]:
    return asdict(constraint)


def _index(index: Index) -> dict[str, Any]:
    return {"name": index.name, "definition": index.definition}


def _function(function: Function) -> dict[str, Any]:
    return {key: value for key, value in asdict(function).items() if key != "body"}


def _with_token(value: Any, text: str, token: str) -> Any:
    if isinstance(value, str):
        return value.replace(text, token)
    if isinstance(value, Mapping):
        return {key: _with_token(item, text, token) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_token(item, text, token) for item in value]
    return value


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare; exit code 1 when the file is stale")
    parser.add_argument("--dsn", help="a database to install into for a moment (default: the embedded PostgreSQL)")
    arguments = parser.parse_args()
    if arguments.dsn:
        text = read_manifest(arguments.dsn)
    else:
        # The extra is not needed where a DSN is given.
        from pgboss import embedded

        with embedded.throwaway() as server:
            text = read_manifest(server.dsn)
    if not arguments.check:
        MANIFEST.write_text(text, encoding="utf-8")
        return 0
    if MANIFEST.exists() and MANIFEST.read_text(encoding="utf-8") == text:
        return 0
    print(f"{MANIFEST.name} is stale: run python tools/schema_manifest.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
