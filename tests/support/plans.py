"""What a statement really does: the plan that PostgreSQL chose, run to its end and taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql as compose

from pgboss.core.query import Query
from pgboss.core.queue import QueueRef
from pgboss.sql.walk import walk_by_key
from support.postgres import sql
from support.upkeep import SCHEMA

__all__ = ["Explained", "PlanMode", "big_table", "explain", "fill", "reference"]

NEXT_TO_NOTHING = 50

# What a long-lived connection does after a few calls, and what every other one does.
PlanMode = Literal["force_generic_plan", "force_custom_plan"]


@dataclass(frozen=True)
class Explained:
    """One run of a statement.

    Attributes:
        rows: how many rows of job tables were looked at, those that did not match included.
        compared: how many pairs of rows a join has looked at in vain.
        buffers: how many pages were touched, in whatever way.
        milliseconds: how long it took to plan and to run it.
        paths: the indexes of job tables that were used, or ``Seq Scan``, by their last part: ``i11``, ``pkey``. A scan
            of a table that is as good as empty is none: PostgreSQL 14 to 16 also look into other queues' tables.
    """

    rows: int
    compared: int
    buffers: int
    milliseconds: float
    paths: frozenset[str]


def explain(url: str, query: Query, mode: PlanMode = "force_custom_plan", *, is_walking: bool = False) -> Explained:
    """Run a statement and take it back; ``is_walking`` as :func:`pgboss.operations.walk.walking` runs it."""
    arguments = compose.SQL(", ").join(compose.Literal(value) for value in query.parameters)
    with psycopg.connect(url) as connection, psycopg.RawCursor(connection) as cursor:
        if is_walking:
            cursor.execute(walk_by_key().sql)
        cursor.execute(f"SET plan_cache_mode = {mode}")
        cursor.execute(f"PREPARE statement AS {query.sql}")
        cursor.execute(
            compose.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE statement ({})").format(arguments).as_bytes()
        )
        [([explained],)] = cursor.fetchall()
        connection.rollback()
    top = explained["Plan"]
    scans = [node for node in _nodes(top) if _is_of_jobs(node) and node["Actual Loops"]]
    paths = {_path(node) for node in scans if node["Node Type"] != "Seq Scan" or _looked_at(node) > NEXT_TO_NOTHING}
    return Explained(
        rows=sum(_looked_at(node) for node in scans),
        compared=int(sum(_times(node, "Rows Removed by Join Filter") for node in _nodes(top))),
        milliseconds=explained["Execution Time"] + explained["Planning Time"],
        buffers=top["Shared Hit Blocks"] + top["Shared Read Blocks"],
        paths=frozenset(paths) - {"Bitmap Heap Scan"},
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _is_of_jobs(node: dict[str, Any]) -> bool:
    name = node.get("Relation Name") or node.get("Index Name") or ""
    return node["Node Type"].endswith("Scan") and name.startswith("j")


def _path(node: dict[str, Any]) -> str:
    return str(node.get("Index Name", node["Node Type"])).rsplit("_", 1)[-1]


def _looked_at(node: dict[str, Any]) -> int:
    counted = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return int(sum(_times(node, what) for what in counted))


def _times(node: dict[str, Any], what: str) -> float:
    return float(node.get(what, 0)) * int(node["Actual Loops"])


def reference(url: str, queue: str) -> QueueRef:
    [row] = sql(url, "SELECT table_name, policy, notify FROM pgboss.queue WHERE name = %s", [queue])
    return QueueRef(SCHEMA, queue, **row)


def fill(url: str, queue: str, number: int, **columns: str) -> None:
    """Put jobs into a queue, ten milliseconds apart; each value is SQL text, with ``n`` from 1 on.

    Foreign keys are not checked, or filling would take twice as long.
    """
    columns = {
        "policy": f"'{reference(url, queue).policy}'",
        "singleton_key": "'k' || n",
        "created_on": "now() - interval '1 day' + n * interval '10 ms'",
        "start_after": "now() - interval '1 day'",
        **columns,
    }
    sql(
        url,
        f"SET session_replication_role = replica; INSERT INTO pgboss.job (name, {', '.join(columns)}) "
        f"SELECT '{queue}', {', '.join(columns.values())} FROM generate_series(1, {number}) n",
    )


@contextmanager
def big_table(url: str, queue: str, *parts: tuple[int, Mapping[str, str]]) -> Iterator[Iterator[str]]:
    """Fill a queue's table and give it twice: never analysed, and then analysed. Nobody else analyses it."""
    table = f"pgboss.{reference(url, queue).table_name}"
    sql(url, f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    for number, columns in parts:
        fill(url, queue, number, **columns)

    def both() -> Iterator[str]:
        assert not sql(url, "SELECT FROM pg_statistic WHERE starelid = %s::regclass", [table])
        yield "never analysed"
        sql(url, f"ANALYZE {table}")
        yield "analysed"

    yield both()
