-- history
WITH latest AS MATERIALIZED (
    SELECT o.singleton_on, COALESCE(o.singleton_key, '') AS key, o.state, o.started_on, o.completed_on, o.data
      FROM "pgboss"."job" o
     WHERE o.name = '__pgboss__send-it' AND o.state <> 'cancelled' AND o.singleton_on IS NOT NULL
     ORDER BY o.singleton_on DESC
     LIMIT 20000
)
SELECT l.singleton_on AT TIME ZONE 'UTC' AS due_on, l.completed_on AS delivered_on, made.id, made.state::text
  FROM (SELECT * FROM latest WHERE key = $2::text ORDER BY singleton_on DESC LIMIT $3::int) l
  LEFT JOIN LATERAL (
      SELECT j.id, j.state
        FROM "pgboss"."job" j
       WHERE j.name = $1::text AND j.created_on >= l.started_on AND j.created_on <= l.completed_on
         AND NULLIF(j.data, 'null') IS NOT DISTINCT FROM NULLIF(l.data -> 'data', 'null')
       ORDER BY j.created_on
       LIMIT 1) made ON true
 ORDER BY l.singleton_on DESC
