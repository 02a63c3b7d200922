WITH held AS MATERIALIZED (
    SELECT COALESCE(h.singleton_key, '') AS key
      FROM "pgboss"."job_common" h
     WHERE h.name = $1::text AND h.state = 'active' AND h.policy = 'stately'
), next AS MATERIALIZED (
    SELECT walk.*
      FROM (
        SELECT j.id, j.priority, j.created_on, COALESCE(j.singleton_key, '') AS key
          FROM "pgboss"."job_common" j
         WHERE j.name = $1::text AND j.state < 'active' AND NOT j.blocked AND j.start_after <= "pgboss".job_now()
           AND CASE WHEN COALESCE(j.singleton_key, '') NOT IN (SELECT key FROM held) THEN true END
         ORDER BY j.priority DESC, j.created_on
         LIMIT $2::int
           FOR UPDATE OF j SKIP LOCKED
      ) walk
     LIMIT (SELECT $2::int)
), one_a_key AS (
    SELECT DISTINCT ON (n.key) n.*
      FROM next n
     ORDER BY n.key, n.priority DESC, n.created_on, n.id
)
UPDATE "pgboss"."job_common" j
   SET state = 'active',
       started_on = "pgboss".job_now(),
       heartbeat_on = "pgboss".job_now(),
       retry_count = CASE WHEN j.started_on IS NULL THEN j.retry_count ELSE j.retry_count + 1 END
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT id FROM one_a_key))
RETURNING j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on
