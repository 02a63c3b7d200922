-- claim: as little as possible
WITH next AS MATERIALIZED (
    SELECT j.id
      FROM "pgboss"."job_common" j
     WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked
       AND j.start_after <= "pgboss".job_now()
     ORDER BY j.priority DESC, j.created_on
     LIMIT $2::int
       FOR UPDATE OF j SKIP LOCKED
)
UPDATE "pgboss"."job_common" j
   SET state = 'active',
       started_on = "pgboss".job_now(),
       heartbeat_on = "pgboss".job_now(),
       retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM next))
RETURNING j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on

-- claim: with everything
WITH next AS MATERIALIZED (
    SELECT j.id
      FROM "pgboss"."job_common" j
     WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked
       AND j.start_after <= "pgboss".job_now()
       AND j.priority >= $3::int
       AND j.priority <= $4::int
     ORDER BY j.priority DESC, j.created_on
     LIMIT $2::int
       FOR UPDATE OF j SKIP LOCKED
)
UPDATE "pgboss"."job_common" j
   SET state = 'active',
       started_on = "pgboss".job_now(),
       heartbeat_on = "pgboss".job_now(),
       retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM next))
RETURNING j.id

-- next_due
SELECT due.name, extract(epoch FROM due.start_after - "pgboss".job_now())::float8 AS seconds
  FROM (
SELECT $1::text AS name, LEAST(
       (SELECT min(start_after) FROM "pgboss"."job" WHERE name = $1::text AND state = 'created' AND NOT blocked),
       (SELECT min(start_after) FROM "pgboss"."job" WHERE name = $1::text AND state = 'retry' AND NOT blocked)
) AS start_after
       ) due
 WHERE due.start_after IS NOT NULL
