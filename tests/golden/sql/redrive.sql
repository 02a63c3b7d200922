-- preview
SELECT destination, count(*)::int AS jobs
         FROM ((
               SELECT q.name AS destination
                 FROM "pgboss"."job_common" j LEFT JOIN "pgboss"."queue" q ON q.name = COALESCE($2::text, j.source_name)
                WHERE 
   j.name = $1::text AND j.state < 'active'
   AND ($3::text IS NULL OR j.source_name = $3::text)
   AND ($4::jsonb IS NULL OR j.data @> $4::jsonb)
   AND ($5::timestamptz IS NULL OR j.created_on < $5::timestamptz)
   AND ($6::uuid[] IS NULL OR j.id = ANY($6::uuid[]))
   AND NOT (j.policy IS NOT DISTINCT FROM 'key_strict_fifo' AND EXISTS (
       SELECT FROM "pgboss"."job_common" h
        WHERE h.name = $1::text AND h.singleton_key = j.singleton_key AND h.policy = 'key_strict_fifo'
          AND h.state IN ('active', 'retry', 'failed')))
AND q.name IS NOT NULL LIMIT $7::int)
               UNION ALL
               (
               SELECT q.name AS destination
                 FROM "pgboss"."job_common" j LEFT JOIN "pgboss"."queue" q ON q.name = COALESCE($2::text, j.source_name)
                WHERE 
   j.name = $1::text AND j.state < 'active'
   AND ($3::text IS NULL OR j.source_name = $3::text)
   AND ($4::jsonb IS NULL OR j.data @> $4::jsonb)
   AND ($5::timestamptz IS NULL OR j.created_on < $5::timestamptz)
   AND ($6::uuid[] IS NULL OR j.id = ANY($6::uuid[]))
   AND NOT (j.policy IS NOT DISTINCT FROM 'key_strict_fifo' AND EXISTS (
       SELECT FROM "pgboss"."job_common" h
        WHERE h.name = $1::text AND h.singleton_key = j.singleton_key AND h.policy = 'key_strict_fifo'
          AND h.state IN ('active', 'retry', 'failed')))
AND q.name IS NULL LIMIT $7::int)) candidates
        GROUP BY destination
        ORDER BY jobs DESC, destination

-- redrive
WITH chosen AS MATERIALIZED (
        SELECT j.id, gen_random_uuid() AS new_id
          FROM "pgboss"."job_common" j JOIN "pgboss"."queue" q ON q.name = COALESCE($2::text, j.source_name)
         WHERE 
j.name = $1::text AND j.state < 'active'
AND ($3::text IS NULL OR j.source_name = $3::text)
AND ($4::jsonb IS NULL OR j.data @> $4::jsonb)
AND ($5::timestamptz IS NULL OR j.created_on < $5::timestamptz)
AND ($6::uuid[] IS NULL OR j.id = ANY($6::uuid[]))
AND NOT (j.policy IS NOT DISTINCT FROM 'key_strict_fifo' AND EXISTS (
    SELECT FROM "pgboss"."job_common" h
     WHERE h.name = $1::text AND h.singleton_key = j.singleton_key AND h.policy = 'key_strict_fifo'
       AND h.state IN ('active', 'retry', 'failed')))

         ORDER BY j.created_on, j.id
         LIMIT $7::int
           FOR UPDATE OF j SKIP LOCKED
    ), letters AS MATERIALIZED (
        SELECT c.new_id, j.*
          FROM chosen c JOIN "pgboss"."job_common" j ON j.id = c.id
         WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM chosen))
    ), created AS (
        INSERT INTO "pgboss"."job" (
            id, name, data, priority, singleton_key, group_id, group_tier, trace_context, source_root_id,
            retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds,
            heartbeat_seconds, policy, dead_letter, start_after, created_on, keep_until
        )
        SELECT j.new_id, q.name, j.data, j.priority, j.singleton_key,
               j.group_id, j.group_tier, j.trace_context, COALESCE(j.source_root_id, j.source_id),
               q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds,
               q.deletion_seconds, q.heartbeat_seconds, q.policy, q.dead_letter, "pgboss".job_now(), "pgboss".job_now(),
               "pgboss".job_now() + q.retention_seconds * interval '1 second'
          FROM letters j JOIN "pgboss"."queue" q ON q.name = COALESCE($2::text, j.source_name)
         ORDER BY j.created_on, j.id
        ON CONFLICT DO NOTHING
        RETURNING id
    ), moved AS (
        DELETE FROM "pgboss"."job_common" j
         WHERE j.name = $1::text
           AND j.id = ANY(ARRAY(SELECT l.id FROM letters l JOIN created c ON c.id = l.new_id))
    ), conflicts AS MATERIALIZED (
        SELECT j.id, q.name AS destination, q.policy,
               row_number() OVER (PARTITION BY j.policy, j.singleton_key ORDER BY j.created_on, j.id) = 1
               OR j.policy IS DISTINCT FROM 'key_strict_fifo' OR j.singleton_key IS NULL AS may_fail
          FROM letters j JOIN "pgboss"."queue" q ON q.name = COALESCE($2::text, j.source_name)
         WHERE j.new_id NOT IN (SELECT id FROM created)
    ), failed AS (
        UPDATE "pgboss"."job_common" j
           SET state = 'failed',
               completed_on = "pgboss".job_now(),
               source_output = COALESCE(j.source_output, j.output),
               output = jsonb_build_object(
                   'message', 'Not redriven: queue ' || c.destination || ' already has a job '
                       || COALESCE('with singletonKey ' || j.singleton_key, 'this one conflicts with')
                       || ' under its ' || COALESCE(c.policy, 'standard') || ' policy',
                   'reason', 'redrive_conflict',
                   'destination', c.destination,
                   'policy', c.policy,
                   'singletonKey', j.singleton_key)
          FROM conflicts c
         WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM conflicts)) AND j.id = c.id AND c.may_fail
    )
    SELECT count(*)::int AS moved FROM created
