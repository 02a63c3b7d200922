-- claim: as little as possible
WITH next AS MATERIALIZED (
    SELECT walk.*
      FROM (
        SELECT j.id, j.priority, j.created_on
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now()
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
)
UPDATE "pgboss"."job_common" j
   SET state = 'active',
       started_on = "pgboss".job_now(),
       heartbeat_on = "pgboss".job_now(),
       retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM next))
RETURNING j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on

-- claim: with everything
WITH busy_groups AS MATERIALIZED (
    SELECT b.group_id, count(*)::int AS jobs
      FROM "pgboss"."job_common" b
     WHERE b.name = $1::text AND b.state = 'active' AND b.group_id IS NOT NULL
     GROUP BY b.group_id
), full_groups AS MATERIALIZED (
    SELECT b.group_id, l.allowed
      FROM busy_groups b JOIN unnest($11::int[]) l(allowed) ON b.jobs >= l.allowed
), next AS MATERIALIZED (
    SELECT part.*
      FROM ((
    SELECT walk.*
      FROM (
        SELECT j.id, j.priority, j.created_on, j.group_id, COALESCE(($4::jsonb ->> j.group_tier)::int, $3::int) AS allowed
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now() AND j.priority >= $5::int AND j.priority <= $6::int AND j.priority > $8::int AND j.created_on >= (SELECT LEAST($9::timestamptz, "pgboss".job_now() - $10::float8 * interval '1 second'))
           AND CASE WHEN (j.group_id IS NULL OR j.group_id <> ALL($7::text[]))
           AND (j.group_id IS NULL OR (j.group_id, COALESCE(($4::jsonb ->> j.group_tier)::int, $3::int)) NOT IN (SELECT group_id, allowed FROM full_groups)) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
    ) UNION ALL (
    SELECT walk.*
      FROM (
        SELECT j.id, j.priority, j.created_on, j.group_id, COALESCE(($4::jsonb ->> j.group_tier)::int, $3::int) AS allowed
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now() AND j.priority >= $5::int AND j.priority <= $6::int AND j.priority = $8::int AND j.created_on >= (SELECT LEAST($9::timestamptz, "pgboss".job_now() - $10::float8 * interval '1 second'))
           AND CASE WHEN (j.group_id IS NULL OR j.group_id <> ALL($7::text[]))
           AND (j.group_id IS NULL OR (j.group_id, COALESCE(($4::jsonb ->> j.group_tier)::int, $3::int)) NOT IN (SELECT group_id, allowed FROM full_groups)) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
    ) UNION ALL (
    SELECT walk.*
      FROM (
        SELECT j.id, j.priority, j.created_on, j.group_id, COALESCE(($4::jsonb ->> j.group_tier)::int, $3::int) AS allowed
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now() AND j.priority >= $5::int AND j.priority <= $6::int AND j.priority < $8::int AND j.created_on >= (SELECT LEAST($9::timestamptz, "pgboss".job_now() - $10::float8 * interval '1 second'))
           AND CASE WHEN (j.group_id IS NULL OR j.group_id <> ALL($7::text[]))
           AND (j.group_id IS NULL OR (j.group_id, COALESCE(($4::jsonb ->> j.group_tier)::int, $3::int)) NOT IN (SELECT group_id, allowed FROM full_groups)) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
    )) part
     LIMIT $2::int
), placed AS (
    SELECT n.*, row_number() OVER (PARTITION BY n.group_id ORDER BY n.priority DESC, n.created_on, n.id) AS place
      FROM next n
), with_room AS (
    SELECT p.id
      FROM placed p LEFT JOIN busy_groups b ON b.group_id = p.group_id
     WHERE p.group_id IS NULL OR COALESCE(b.jobs, 0) + p.place <= p.allowed
)
UPDATE "pgboss"."job_common" j
   SET state = 'active',
       started_on = "pgboss".job_now(),
       heartbeat_on = "pgboss".job_now(),
       heartbeat_seconds = COALESCE(j.heartbeat_seconds, $12::int),
       retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM with_room))
RETURNING j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id, j.trace_context::text

-- next_due
SELECT due.name, extract(epoch FROM due.start_after - "pgboss".job_now())::float8 AS seconds
  FROM (
SELECT $1::text AS name, LEAST(
       (SELECT min(start_after)
          FROM "pgboss"."job"
         WHERE name = $1::text AND state = 'created' AND NOT blocked ), 
       (SELECT min(start_after)
          FROM "pgboss"."job"
         WHERE name = $1::text AND state = 'retry' AND NOT blocked )) AS start_after
       ) due
 WHERE due.start_after IS NOT NULL

-- next_left_out
SELECT extract(epoch FROM LEAST(
       (SELECT min(start_after)
          FROM "pgboss"."job"
         WHERE name = $1::text AND state = 'created' AND NOT blocked AND start_after > "pgboss".job_now()), 
       (SELECT min(start_after)
          FROM "pgboss"."job"
         WHERE name = $1::text AND state = 'retry' AND NOT blocked AND start_after > "pgboss".job_now()),
           (SELECT j.start_after
              FROM "pgboss"."job" j
             WHERE j.name = $1::text AND NOT j.blocked AND j.state < 'active' AND j.start_after <= "pgboss".job_now()
               AND j.created_on < (SELECT LEAST($2::timestamptz, "pgboss".job_now() - $3::float8 * interval '1 second'))
             ORDER BY j.priority DESC, j.created_on
             LIMIT 1)
       ) - "pgboss".job_now())::float8 AS seconds
