-- dead_rows
SELECT t.relname AS name,
       s.n_live_tup AS live,
       s.n_dead_tup AS dead,
       GREATEST(s.last_autovacuum, s.last_vacuum) AS vacuumed_on,
       extract(epoch FROM pg_catalog.now() - GREATEST(s.last_autovacuum, s.last_vacuum))::int
           AS vacuum_age_seconds,
       COALESCE((SELECT o.option_value FROM pg_options_to_table(t.reloptions) o WHERE o.option_name = 'autovacuum_vacuum_threshold'), current_setting('autovacuum_vacuum_threshold'))::float8 AS threshold,
       COALESCE((SELECT o.option_value FROM pg_options_to_table(t.reloptions) o WHERE o.option_name = 'autovacuum_vacuum_scale_factor'), current_setting('autovacuum_vacuum_scale_factor'))::float8 AS scale_factor,
       COALESCE((SELECT o.option_value FROM pg_options_to_table(t.reloptions) o WHERE o.option_name = 'autovacuum_enabled'), 'true')::boolean AS is_vacuumed
  FROM pg_class t
  JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_stat_user_tables s ON s.relid = t.oid
 WHERE n.nspname = $1::text
   AND t.relkind = 'r'
   AND t.relname = ANY(COALESCE(NULL::text[], ARRAY(SELECT q.table_name FROM "pgboss"."queue" q UNION VALUES ('job'), ('job_common'))))
 ORDER BY t.relname

-- oldest_backend
SELECT h.age, h.pid, h.application_name, h.user_name, h.state, h.seconds,
       current_setting('application_name') AS own_name,
       (SELECT count(*)::int
          FROM pg_stat_activity a
         WHERE a.backend_xmin IS NOT NULL AND a.xact_start IS NULL AND a.pid <> pg_backend_pid()) AS opaque,
       (SELECT max(extract(epoch FROM pg_catalog.now() - a.xact_start))::int
          FROM pg_stat_activity a
         WHERE a.backend_xmin IS NOT NULL AND a.xact_start IS NOT NULL) AS oldest_seconds
  FROM (SELECT) nothing
  LEFT JOIN LATERAL (
      SELECT age(a.backend_xmin) AS age, a.pid, a.application_name, a.usename::text AS user_name, a.state,
             extract(epoch FROM pg_catalog.now() - a.xact_start)::int AS seconds
        FROM pg_stat_activity a
       WHERE a.backend_xmin IS NOT NULL AND (a.xact_start IS NULL OR a.xact_start < $1::timestamptz) AND a.pid <> pg_backend_pid()
       ORDER BY age(a.backend_xmin) DESC, a.xact_start NULLS LAST
       LIMIT 1
  ) h ON true

-- oldest_prepared
SELECT max(age(transaction)) AS age FROM pg_prepared_xacts

-- oldest_slot
SELECT max(age(xmin)) AS age FROM pg_replication_slots

-- oldest_slot_of_catalogs
SELECT max(age(catalog_xmin)) AS age FROM pg_replication_slots

-- oldest_standby
SELECT max(age(backend_xmin)) AS age FROM pg_stat_replication
