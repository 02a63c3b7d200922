"""The expected catalog: what a fresh install gives, as recorded in ``manifest.json``.

The file is written by ``tools/schema_manifest.py`` from an install of our own DDL and never by hand. It is the one
list of tables, columns, constraints, indexes and functions that everything else goes by: the check at start, the
drift check, and what uninstalling removes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pgboss.core.names import quote_literal
from pgboss.schema.catalog import Catalog, Column, Constraint, Function, Index, PartitionedQueue, Table

__all__ = [
    "COMMON_TABLE",
    "JOB_TABLE",
    "expected_catalog",
    "job_states",
    "managed_columns",
    "managed_functions",
    "managed_tables",
]

JOB_TABLE = "job"
COMMON_TABLE = "job_common"


def managed_tables() -> tuple[str, ...]:
    """The fixed tables of the schema, each after those it refers to."""
    return tuple(_manifest()["tables"])


def managed_functions() -> tuple[Function, ...]:
    """The functions of the schema, pg-boss's and those of ours behind them, without their bodies."""
    return tuple(Function(**entry, body="") for entry in _manifest()["functions"])


def managed_columns(table: str) -> tuple[str, ...]:
    """The columns of a fixed table."""
    return tuple(column["name"] for column in _manifest()["tables"][table]["columns"])


def job_states() -> tuple[str, ...]:
    """The job states in their order."""
    return tuple(_manifest()["states"])


def expected_catalog(schema: str, queues: Iterable[PartitionedQueue]) -> Catalog:
    """The catalog that a sound schema with these partitioned queues has.

    Args:
        schema: the schema's name as the server spells it in definitions.
        queues: the queues with a job table of their own.
    """
    manifest = _filled(_manifest(), {"schema": schema})
    tables = {name: _table(name, entry) for name, entry in manifest["tables"].items()}
    for queue in queues:
        tables[queue.table_name] = _partition(queue, manifest)
    return Catalog(
        tables=tables,
        functions={function.name: (function,) for function in managed_functions()},
        states=tuple(manifest["states"]),
    )


def _table(name: str, entry: Mapping[str, Any]) -> Table:
    return Table(
        name=name,
        partition_key=entry.get("partition_key"),
        parent=entry.get("parent"),
        bound=entry.get("bound"),
        columns={column["name"]: Column(**column) for column in entry["columns"]},
        constraints={constraint["name"]: Constraint(**constraint) for constraint in entry["constraints"]},
        indexes={index["name"]: Index(**index) for index in entry["indexes"]},
    )


def _partition(queue: PartitionedQueue, manifest: Mapping[str, Any]) -> Table:
    """A queue's own table: what all of them have, and what its policy adds. Policies nobody knows add nothing."""
    template = _filled(
        manifest["partition"], {"table": queue.table_name, "queue": quote_literal(queue.name).removeprefix(" ")}
    )
    addition = template["policies"].get(queue.policy, {"constraints": [], "indexes": []})
    entry = {
        "parent": JOB_TABLE,
        "bound": template["bound"],
        "columns": manifest["tables"][JOB_TABLE]["columns"],
        "constraints": template["constraints"] + addition["constraints"],
        "indexes": template["indexes"] + addition["indexes"],
    }
    return _table(queue.table_name, entry)


def _filled(value: Any, tokens: Mapping[str, str]) -> Any:
    """Put the names of one schema in the places that the file leaves open for them."""
    if isinstance(value, str):
        for token, text in tokens.items():
            value = value.replace("{{" + token + "}}", text)
        return value
    if isinstance(value, dict):
        return {key: _filled(item, tokens) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, tokens) for item in value]
    return value


@cache
def _manifest() -> dict[str, Any]:
    text = files("pgboss.schema").joinpath("manifest.json").read_text(encoding="utf-8")
    manifest: dict[str, Any] = json.loads(text)
    return manifest
