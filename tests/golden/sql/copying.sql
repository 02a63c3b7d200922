-- announce
SELECT pg_notify($1::text, $2::text)

-- settings
SELECT q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds, q.heartbeat_seconds, q.dead_letter, q.retention_seconds, q.policy, q.notify,
       q.table_name, "pgboss".job_now() AS now, pg_client_encoding()::text AS encoding,
       ARRAY(
           SELECT d.name FROM unnest($2::text[]) d (name)
            WHERE NOT EXISTS (SELECT FROM "pgboss"."queue" o WHERE o.name = d.name)
       ) AS lost
  FROM "pgboss"."queue" q
 WHERE q.name = $1::text
