WITH RECURSIVE held AS MATERIALIZED (
    SELECT h.singleton_key AS key
      FROM "pgboss"."job_common" h
     WHERE h.name = $1::text AND h.state IN ('active', 'retry', 'failed') AND h.policy = 'key_strict_fifo'
), firsts(key, id, place) AS (
    (SELECT h.singleton_key, h.id, 1::bigint
              FROM "pgboss"."job_common" h
             WHERE h.name = $1::text AND h.state < 'active' AND NOT h.blocked
               AND h.policy = 'key_strict_fifo' AND h.start_after <= "pgboss".job_now()
             ORDER BY h.singleton_key, h.state DESC, h.created_on, h.id
             LIMIT 1)
     UNION ALL
    SELECT n.*
      FROM firsts f
     CROSS JOIN LATERAL (
            SELECT h.singleton_key, h.id, f.place + 1
              FROM "pgboss"."job_common" h
             WHERE h.name = $1::text AND h.state < 'active' AND NOT h.blocked
               AND h.policy = 'key_strict_fifo' AND h.start_after <= "pgboss".job_now() AND h.singleton_key > f.key
             ORDER BY h.singleton_key, h.state DESC, h.created_on, h.id
             LIMIT 1) n
     WHERE f.place < (100 + 10 * $2::bigint)
), next AS MATERIALIZED (
    SELECT few.*
      FROM (
        SELECT j.id, j.priority, j.created_on
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM firsts WHERE NOT (SELECT count(*) >= (100 + 10 * $2::bigint) FROM firsts)))
           AND j.state::text IN ('created', 'retry') AND NOT j.blocked AND j.start_after <= "pgboss".job_now()
           AND (j.state = 'retry' OR j.singleton_key NOT IN (SELECT key FROM held))
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) few
     UNION ALL (
    SELECT walk.*
      FROM (
        SELECT j.id, j.priority, j.created_on
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now() AND (SELECT count(*) >= (100 + 10 * $2::bigint) FROM firsts)
           AND CASE WHEN (j.state = 'retry' OR j.singleton_key NOT IN (SELECT key FROM held))
           AND (j.state = 'retry' AND j.policy = 'key_strict_fifo' OR j.id = (
               SELECT h.id
              FROM "pgboss"."job_common" h
             WHERE h.name = $1::text AND h.state < 'active' AND NOT h.blocked
               AND h.policy = 'key_strict_fifo' AND h.start_after <= "pgboss".job_now() AND h.singleton_key = j.singleton_key
             ORDER BY h.singleton_key, h.state DESC, h.created_on, h.id
             LIMIT 1)) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
    )
)
UPDATE "pgboss"."job_common" j
   SET state = 'active',
       started_on = "pgboss".job_now(),
       heartbeat_on = "pgboss".job_now(),
       retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM next))
RETURNING j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on
