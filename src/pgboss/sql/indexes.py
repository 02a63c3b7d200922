"""Statements about indexes of job tables: whether one is whole, which are bloated, and the DDL that mends them.

docs/compatibility.md, "Bloated indexes".
"""

from __future__ import annotations

from collections.abc import Sequence

from pgboss.core.names import SchemaName, quote_identifier
from pgboss.core.query import Query
from pgboss.sql.job_tables import is_job_table

# What an entry of a B-tree takes beside its key, and the room in a page.
ENTRY_BYTES = 20
PAGE_BYTES = 8192

# An expression has statistics of its own, beneath the index's name; all others are the table's.
_KEY_BYTES = """(
                   SELECT COALESCE(sum(COALESCE(of_table.avg_width, of_index.avg_width, 0)), 0)
                     FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                     LEFT JOIN pg_attribute c ON c.attrelid = x.indrelid AND c.attnum = k.attnum
                     LEFT JOIN pg_stats of_table
                            ON of_table.schemaname = n.nspname AND of_table.tablename = t.relname
                           AND of_table.attname = c.attname
                     LEFT JOIN pg_attribute e ON e.attrelid = i.oid AND e.attnum = k.place::int2
                     LEFT JOIN pg_stats of_index
                            ON of_index.schemaname = n.nspname AND of_index.tablename = i.relname
                           AND of_index.attname = e.attname)"""


def is_valid(schema: SchemaName, index: str) -> Query:
    """Whether an index can be used; no row when there is none of that name."""
    return Query(
        """
        SELECT x.indisvalid
          FROM pg_index x
          JOIN pg_class i ON i.oid = x.indexrelid
          JOIN pg_namespace n ON n.oid = i.relnamespace
         WHERE n.nspname = $1::text AND i.relname = $2::text
        """,
        (schema.catalog_name, index),
    )


def all_of_jobs(schema: SchemaName, tables: Sequence[str] | None) -> Query:
    """Every usable index of these job tables, or of all of them; the largest first."""
    return Query(f"{_of_jobs(schema)} AND x.indisvalid ORDER BY bytes DESC", (schema.catalog_name, _list(tables)))


def bloated(
    schema: SchemaName,
    tables: Sequence[str] | None,
    min_pages: int,
    max_entries_per_page: float,
    min_size_ratio: float,
) -> Query:
    """Those among them with few entries to a page, and many times larger than their entries need.

    Long keys fill pages too, with few entries: hence the second condition. What was never analysed (-1) is not known to
    be bloated. The keys' lengths are looked up last, for the few that have passed everything else.
    """
    return Query(
        f"""{_of_jobs(schema)}
           AND x.indisvalid
           AND i.relpages > $3::int
           AND i.reltuples >= 0
           AND i.reltuples < $4::float8 * GREATEST(i.relpages, 1)
           AND i.relpages > $5::float8 * GREATEST(ceil(i.reltuples * ({_KEY_BYTES} + {ENTRY_BYTES}) / {PAGE_BYTES}), 1)
         ORDER BY bytes DESC
        """,
        (schema.catalog_name, _list(tables), min_pages, max_entries_per_page, min_size_ratio),
    )


def leftovers(schema: SchemaName, tables: Sequence[str] | None, any_owner: bool) -> Query:
    """What rebuilds have left behind that did not come to their end, where nobody is building now.

    While a rebuild runs, its new index looks the same. It shows in the progress of its own role only, so that the lock
    on the table is asked, too.
    """
    owned = "" if any_owner else "AND pg_has_role(current_user, i.relowner, 'USAGE')"
    return Query(
        f"""{_of_jobs(schema)}
           AND NOT x.indisvalid
           AND i.relname ~ '_ccnew[0-9]*$' {owned}
           AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index b WHERE b.relid = x.indrelid)
           AND NOT EXISTS (
               SELECT FROM pg_locks l
                WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.relation = x.indrelid)
         ORDER BY i.relname
        """,
        (schema.catalog_name, _list(tables)),
    )


def drop(schema: SchemaName, index: str) -> str:
    """The command that drops an index without locking anybody out; outside of a transaction only."""
    return f"DROP INDEX CONCURRENTLY IF EXISTS {schema.sql}.{quote_identifier(index)}"


def rebuild(schema: SchemaName, index: str) -> str:
    """The command that builds an index anew without locking anybody out; outside of a transaction only."""
    return f"REINDEX INDEX CONCURRENTLY {schema.sql}.{quote_identifier(index)}"


def _of_jobs(schema: SchemaName) -> str:
    # A partitioned index (I) has no pages but those of its parts.
    return f"""
        SELECT i.relname AS name, t.relname AS "table", i.relpages AS pages,
               floor(i.reltuples)::bigint AS entries, COALESCE(pg_relation_size(i.oid), 0) AS bytes,
               pg_has_role(current_user, i.relowner, 'USAGE') AS owned
          FROM pg_index x
          JOIN pg_class i ON i.oid = x.indexrelid
          JOIN pg_class t ON t.oid = x.indrelid
          JOIN pg_namespace n ON n.oid = i.relnamespace
         WHERE n.nspname = $1::text
           AND i.relkind = 'i'
           AND {is_job_table(schema, "t.relname", "$2")}"""


def _list(tables: Sequence[str] | None) -> list[str] | None:
    return None if tables is None else list(tables)
