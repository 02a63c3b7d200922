-- all_of_jobs
SELECT i.relname AS name, t.relname AS "table", i.relpages AS pages,
       floor(i.reltuples)::bigint AS entries, COALESCE(pg_relation_size(i.oid), 0) AS bytes,
       pg_has_role(current_user, i.relowner, 'USAGE') AS owned
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE n.nspname = $1::text
   AND i.relkind = 'i'
   AND t.relname = ANY(COALESCE($2::text[], ARRAY(SELECT q.table_name FROM "pgboss"."queue" q UNION VALUES ('job'), ('job_common')))) AND x.indisvalid ORDER BY bytes DESC

-- bloated
SELECT i.relname AS name, t.relname AS "table", i.relpages AS pages,
       floor(i.reltuples)::bigint AS entries, COALESCE(pg_relation_size(i.oid), 0) AS bytes,
       pg_has_role(current_user, i.relowner, 'USAGE') AS owned
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE n.nspname = $1::text
   AND i.relkind = 'i'
   AND t.relname = ANY(COALESCE($2::text[], ARRAY(SELECT q.table_name FROM "pgboss"."queue" q UNION VALUES ('job'), ('job_common'))))
   AND x.indisvalid
   AND i.relpages > $3::int
   AND i.reltuples >= 0
   AND i.reltuples < $4::float8 * GREATEST(i.relpages, 1)
   AND i.relpages > $5::float8 * GREATEST(ceil(i.reltuples * ((
           SELECT COALESCE(sum(COALESCE(of_table.avg_width, of_index.avg_width, 0)), 0)
             FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
             LEFT JOIN pg_attribute c ON c.attrelid = x.indrelid AND c.attnum = k.attnum
             LEFT JOIN pg_stats of_table
                    ON of_table.schemaname = n.nspname AND of_table.tablename = t.relname
                   AND of_table.attname = c.attname
             LEFT JOIN pg_attribute e ON e.attrelid = i.oid AND e.attnum = k.place::int2
             LEFT JOIN pg_stats of_index
                    ON of_index.schemaname = n.nspname AND of_index.tablename = i.relname
                   AND of_index.attname = e.attname) + 20) / 8192), 1)
 ORDER BY bytes DESC

-- is_valid
SELECT x.indisvalid
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE n.nspname = $1::text AND i.relname = $2::text

-- leftovers: as little as possible
SELECT i.relname AS name, t.relname AS "table", i.relpages AS pages,
       floor(i.reltuples)::bigint AS entries, COALESCE(pg_relation_size(i.oid), 0) AS bytes,
       pg_has_role(current_user, i.relowner, 'USAGE') AS owned
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE n.nspname = $1::text
   AND i.relkind = 'i'
   AND t.relname = ANY(COALESCE($2::text[], ARRAY(SELECT q.table_name FROM "pgboss"."queue" q UNION VALUES ('job'), ('job_common'))))
   AND NOT x.indisvalid
   AND i.relname ~ '_ccnew[0-9]*$' AND pg_has_role(current_user, i.relowner, 'USAGE')
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index b WHERE b.relid = x.indrelid)
   AND NOT EXISTS (
       SELECT FROM pg_locks l
        WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.relation = x.indrelid)
 ORDER BY i.relname

-- leftovers: with everything
SELECT i.relname AS name, t.relname AS "table", i.relpages AS pages,
       floor(i.reltuples)::bigint AS entries, COALESCE(pg_relation_size(i.oid), 0) AS bytes,
       pg_has_role(current_user, i.relowner, 'USAGE') AS owned
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE n.nspname = $1::text
   AND i.relkind = 'i'
   AND t.relname = ANY(COALESCE($2::text[], ARRAY(SELECT q.table_name FROM "pgboss"."queue" q UNION VALUES ('job'), ('job_common'))))
   AND NOT x.indisvalid
   AND i.relname ~ '_ccnew[0-9]*$' 
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index b WHERE b.relid = x.indrelid)
   AND NOT EXISTS (
       SELECT FROM pg_locks l
        WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.relation = x.indrelid)
 ORDER BY i.relname
