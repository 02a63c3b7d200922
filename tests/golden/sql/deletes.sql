-- delete_batch: as little as possible
WITH edge AS MATERIALIZED (
    SELECT id AS id
      FROM "pgboss"."job_common"
     WHERE name = $1::text AND id >= $2::uuid
     ORDER BY id
    OFFSET $3::int - 1
     LIMIT 1
), removed AS (
    DELETE FROM "pgboss"."job_common" j
     WHERE j.name = $1::text AND j.id >= $2::uuid AND j.id <= COALESCE((SELECT id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) AND j.state < 'active'
    RETURNING j.state, j.completed_on
)
SELECT (SELECT id FROM edge) AS last_id,
       (SELECT count(*) FROM removed)::int AS deleted,
       (SELECT count(*) FROM removed r WHERE r.state IN ('completed', 'cancelled') AND r.completed_on <= (SELECT q.retained_on FROM "pgboss"."queue" q WHERE q.name = $1::text))::int AS deleted_retained

-- delete_batch: with everything
WITH edge AS MATERIALIZED (
    SELECT id AS id
      FROM "pgboss"."job_common"
     WHERE name = $1::text AND id > $2::uuid
     ORDER BY id
    OFFSET $3::int - 1
     LIMIT 1
), removed AS (
    DELETE FROM "pgboss"."job_common" j
     WHERE j.name = $1::text AND j.id > $2::uuid AND j.id <= COALESCE((SELECT id FROM edge), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) AND true
    RETURNING j.state, j.completed_on
)
SELECT (SELECT id FROM edge) AS last_id,
       (SELECT count(*) FROM removed)::int AS deleted,
       (SELECT count(*) FROM removed r WHERE r.state IN ('completed', 'cancelled') AND r.completed_on <= (SELECT q.retained_on FROM "pgboss"."queue" q WHERE q.name = $1::text))::int AS deleted_retained

-- empty
TRUNCATE "pgboss"."mail"

-- has_own_table
SELECT partition FROM "pgboss"."queue" WHERE name = $1::text

-- reduce_counts
UPDATE "pgboss"."queue"
   SET total_count = GREATEST(total_count - $2::int, 0),
       retained_count = CASE WHEN retained_count IS NOT NULL THEN GREATEST(retained_count - $3::int, 0) END
 WHERE name = $1::text

-- zero_counts
UPDATE "pgboss"."queue" q
   SET deferred_count = 0, blocked_count = 0, queued_count = 0, ready_count = 0, active_count = 0,
       failed_count = 0, total_count = 0, retained_count = 0, retained_on = "pgboss".job_now() - interval '10 seconds',
       singletons_active = NULL, monitor_on = "pgboss".job_now()
  FROM (SELECT name FROM "pgboss"."queue"
         WHERE $1::text IS NULL OR name = $1::text
         ORDER BY name
           FOR NO KEY UPDATE) emptied
 WHERE q.name = emptied.name
