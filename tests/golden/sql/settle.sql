-- beat
WITH free AS MATERIALIZED (
           SELECT j.name, j.id FROM "pgboss"."job" j WHERE 
   j.name = ANY(ARRAY(SELECT unnest($1::text[]))) AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND (j.state = 'active') IS TRUE
   AND CASE WHEN (j.name, j.id, j.retry_count, j.started_on) IN (
           SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::timestamptz[])) THEN true END
FOR NO KEY UPDATE OF j SKIP LOCKED
       ), beaten AS (
           UPDATE "pgboss"."job" j
              SET heartbeat_on = "pgboss".job_now()
            WHERE j.name = ANY(ARRAY(SELECT unnest($1::text[]))) AND j.id = ANY(ARRAY(SELECT id FROM free))
              AND CASE WHEN (j.name, j.id) IN (SELECT name, id FROM free) THEN true END
       )
       SELECT j.id FROM "pgboss"."job" j WHERE 
   j.name = ANY(ARRAY(SELECT unnest($1::text[]))) AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND (j.state = 'active') IS TRUE
   AND CASE WHEN (j.name, j.id, j.retry_count, j.started_on) IN (
           SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::timestamptz[])) THEN true END

-- cancel
UPDATE "pgboss"."job_common" j
          SET state = 'cancelled', completed_on = "pgboss".job_now()
         FROM unnest($2::uuid[], $3::int[], $4::timestamptz[]) AS a(id, retry_count, started_on)
        WHERE 
   j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id
   AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
   AND (a.started_on IS NULL OR j.started_on = a.started_on)
AND j.state < 'completed'
       RETURNING j.id

-- complete: as little as possible
UPDATE "pgboss"."job_common" j
          SET state = 'completed', completed_on = "pgboss".job_now(), output = $5::jsonb
         FROM unnest($2::uuid[], $3::int[], $4::timestamptz[]) AS a(id, retry_count, started_on)
        WHERE 
   j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id
   AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
   AND (a.started_on IS NULL OR j.started_on = a.started_on)
AND (j.state = 'active') IS TRUE
       RETURNING j.id

-- complete: with everything
UPDATE "pgboss"."job_common" j
          SET state = 'completed', completed_on = "pgboss".job_now(), output = $5::jsonb, blocked = false, pending_dependencies = 0
         FROM unnest($2::uuid[], $3::int[], $4::timestamptz[]) AS a(id, retry_count, started_on)
        WHERE 
   j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id
   AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
   AND (a.started_on IS NULL OR j.started_on = a.started_on)
AND j.state < 'completed'
       RETURNING j.id

-- complete_each
WITH done AS (
           UPDATE "pgboss"."job_common" j
              SET state = 'completed', completed_on = "pgboss".job_now(), output = a.output::jsonb
             FROM ROWS FROM (unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::text[]), generate_subscripts($2::uuid[], 1)) AS a(id, retry_count, started_on, output, place)
            WHERE 
   j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id
   AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
   AND (a.started_on IS NULL OR j.started_on = a.started_on)
AND (j.state = 'active') IS TRUE
           RETURNING j.id, j.blocking
       )
       SELECT count(*)::int AS settled,
              array_agg(id) FILTER (WHERE blocking) AS parents,
              CASE WHEN count(*) < cardinality($2::uuid[]) THEN array_agg(id) END AS kept
         FROM done

-- delete
DELETE FROM "pgboss"."job_common" j
     USING unnest($2::uuid[], $3::int[], $4::timestamptz[]) AS a(id, retry_count, started_on)
     WHERE 
j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id
AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
AND (a.started_on IS NULL OR j.started_on = a.started_on)

    RETURNING j.id, COALESCE(j.state IN ('completed', 'cancelled') AND j.completed_on <= (SELECT q.retained_on FROM "pgboss"."queue" q WHERE q.name = $1::text), false) AS is_retained

-- give_back
UPDATE "pgboss"."job_common" j
          SET state = 'created', started_on = NULL, heartbeat_on = NULL, upsert_by_key = NULL,
              start_after = CASE WHEN a.delay > 0 THEN "pgboss".job_now() + a.delay * interval '1 second' ELSE j.start_after END,
              keep_until = CASE WHEN a.delay > 0 THEN "pgboss".job_now() + a.delay * interval '1 second' + (j.keep_until - j.start_after) ELSE j.keep_until END
         FROM ROWS FROM (unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::float8[]), generate_subscripts($2::uuid[], 1)) AS a(id, retry_count, started_on, delay, place)
        WHERE 
   j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id
   AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
   AND (a.started_on IS NULL OR j.started_on = a.started_on)
AND (j.state = 'active') IS TRUE
       RETURNING j.id

-- resume
WITH cancelled AS MATERIALIZED (
    SELECT j.id, COALESCE(j.state IN ('completed', 'cancelled') AND j.completed_on <= (SELECT q.retained_on FROM "pgboss"."queue" q WHERE q.name = $1::text), false) AS is_retained
      FROM "pgboss"."job_common" j
     WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.state = 'cancelled'
)
UPDATE "pgboss"."job_common" j
   SET state = 'created', completed_on = NULL, upsert_by_key = NULL,
       start_after = GREATEST(j.start_after, "pgboss".job_now())
  FROM cancelled c
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = c.id AND j.state = 'cancelled'
RETURNING j.id, c.is_retained

-- retry
UPDATE "pgboss"."job_common" j
   SET state = 'retry', retry_limit = j.retry_limit + 1, completed_on = NULL,
       start_after = GREATEST(j.start_after, "pgboss".job_now())
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.state = 'failed'
RETURNING j.id

-- settled_here
SELECT j.id
  FROM "pgboss"."job_common" j
 WHERE j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.state > 'active' AND j.completed_on = "pgboss".job_now()

-- still_held
SELECT j.name, j.id FROM "pgboss"."job" j WHERE 
j.name = ANY(ARRAY(SELECT unnest($1::text[]))) AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND (j.state = 'active') IS TRUE
AND CASE WHEN (j.name, j.id, j.retry_count, j.started_on) IN (
        SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::timestamptz[])) THEN true END

-- touch
UPDATE "pgboss"."job_common" j
          SET heartbeat_on = "pgboss".job_now()
         FROM unnest($2::uuid[], $3::int[], $4::timestamptz[]) AS a(id, retry_count, started_on)
        WHERE 
   j.name = $1::text AND j.id = ANY(ARRAY(SELECT unnest($2::uuid[]))) AND j.id = a.id
   AND (a.retry_count IS NULL OR (j.state = 'active' AND j.retry_count = a.retry_count))
   AND (a.started_on IS NULL OR j.started_on = a.started_on)
AND (j.state = 'active') IS TRUE
       RETURNING j.id
