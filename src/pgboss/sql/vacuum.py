"""Statements about dead rows in job tables, and about whoever keeps them from being removed.

The server's own clock wrote the times that are compared here, so it is read here, too: a test clock behind job_now()
would be another one. docs/compatibility.md, "Dead rows".
"""

from __future__ import annotations

from datetime import datetime

from pgboss.core.names import SchemaName
from pgboss.core.query import Query
from pgboss.sql.job_tables import is_job_table


def dead_rows(schema: SchemaName) -> Query:
    """The rows of every job table, living and dead, when it was last vacuumed, and by which settings it will be."""

    def setting(name: str, kind: str, otherwise: str) -> str:
        of_table = f"SELECT o.option_value FROM pg_options_to_table(t.reloptions) o WHERE o.option_name = '{name}'"
        return f"COALESCE(({of_table}), {otherwise})::{kind}"

    threshold, factor = "autovacuum_vacuum_threshold", "autovacuum_vacuum_scale_factor"
    return Query(
        f"""
        SELECT t.relname AS name,
               s.n_live_tup AS live,
               s.n_dead_tup AS dead,
               GREATEST(s.last_autovacuum, s.last_vacuum) AS vacuumed_on,
               extract(epoch FROM pg_catalog.now() - GREATEST(s.last_autovacuum, s.last_vacuum))::int
                   AS vacuum_age_seconds,
               {setting(threshold, "float8", f"current_setting('{threshold}')")} AS threshold,
               {setting(factor, "float8", f"current_setting('{factor}')")} AS scale_factor,
               {setting("autovacuum_enabled", "boolean", "'true'")} AS is_vacuumed
          FROM pg_class t
          JOIN pg_namespace n ON n.oid = t.relnamespace
          JOIN pg_stat_user_tables s ON s.relid = t.oid
         WHERE n.nspname = $1::text
           AND t.relkind = 'r'
           AND {is_job_table(schema, "t.relname", "NULL")}
         ORDER BY t.relname
        """,
        (schema.catalog_name,),
    )


def oldest_backend(vacuumed_on: datetime) -> Query:
    """The backend that holds the horizon furthest back, among those whose transaction was open at that time.

    Every backend at a statement holds it, the one that asks here too: hence the time. Where our role may not see since
    when a transaction is open, it may be the one, and ``opaque`` counts how many such there are. What they run is
    not asked: it may hold anything, and a warning is read by more people than may see other people's statements.
    """
    held = "a.backend_xmin IS NOT NULL"
    return Query(
        f"""
        SELECT h.age, h.pid, h.application_name, h.user_name, h.state, h.seconds,
               current_setting('application_name') AS own_name,
               (SELECT count(*)::int
                  FROM pg_stat_activity a
                 WHERE {held} AND a.xact_start IS NULL AND a.pid <> pg_backend_pid()) AS opaque,
               (SELECT max(extract(epoch FROM pg_catalog.now() - a.xact_start))::int
                  FROM pg_stat_activity a
                 WHERE {held} AND a.xact_start IS NOT NULL) AS oldest_seconds
          FROM (SELECT) nothing
          LEFT JOIN LATERAL (
              SELECT age(a.backend_xmin) AS age, a.pid, a.application_name, a.usename::text AS user_name, a.state,
                     extract(epoch FROM pg_catalog.now() - a.xact_start)::int AS seconds
                FROM pg_stat_activity a
               WHERE {held} AND (a.xact_start IS NULL OR a.xact_start < $1::timestamptz) AND a.pid <> pg_backend_pid()
               ORDER BY age(a.backend_xmin) DESC, a.xact_start NULLS LAST
               LIMIT 1
          ) h ON true
        """,
        (vacuumed_on,),
    )


def oldest_slot() -> Query:
    """How far a replication slot holds the horizon back, in transactions; NULL when none does."""
    return Query("SELECT max(age(xmin)) AS age FROM pg_replication_slots")


def oldest_slot_of_catalogs() -> Query:
    """The same for the system catalogs alone, by a logical slot."""
    return Query("SELECT max(age(catalog_xmin)) AS age FROM pg_replication_slots")


def oldest_standby() -> Query:
    """How far a standby with ``hot_standby_feedback`` holds the horizon back, in transactions; NULL when none does."""
    return Query("SELECT max(age(backend_xmin)) AS age FROM pg_stat_replication")


def oldest_prepared() -> Query:
    """How far a prepared transaction holds the horizon back, in transactions; NULL when none does."""
    return Query("SELECT max(age(transaction)) AS age FROM pg_prepared_xacts")
