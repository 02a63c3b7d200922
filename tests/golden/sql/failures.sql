-- latest: as little as possible
SELECT j.name, j.id, j.root_id, j.completed_on, j.reason
  FROM (
        SELECT j.* FROM "pgboss"."queue" q CROSS JOIN LATERAL (
            SELECT j.name, j.id, COALESCE(j.source_root_id, j.id) AS root_id, j.completed_on, j.start_after,
                   CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text AS reason
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false
             ORDER BY j.start_after DESC
             LIMIT $1::int) j UNION ALL 
        SELECT j.* FROM "pgboss"."queue" q CROSS JOIN LATERAL (
            SELECT j.name, j.id, COALESCE(j.source_root_id, j.id) AS root_id, j.completed_on, j.start_after,
                   CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text AS reason
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true
             ORDER BY j.start_after DESC
             LIMIT $1::int) j) j
 ORDER BY j.start_after DESC
 LIMIT $2::int

-- latest: with everything
SELECT j.name, j.id, j.root_id, j.completed_on, j.reason
  FROM (
        SELECT j.* FROM (VALUES ($3::text)) q(name) CROSS JOIN LATERAL (
            SELECT j.name, j.id, COALESCE(j.source_root_id, j.id) AS root_id, j.completed_on, j.start_after,
                   CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text AS reason
              FROM "pgboss"."job_common" j
             WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false
             ORDER BY j.start_after DESC
             LIMIT $1::int) j UNION ALL 
        SELECT j.* FROM (VALUES ($3::text)) q(name) CROSS JOIN LATERAL (
            SELECT j.name, j.id, COALESCE(j.source_root_id, j.id) AS root_id, j.completed_on, j.start_after,
                   CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text AS reason
              FROM "pgboss"."job_common" j
             WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true
             ORDER BY j.start_after DESC
             LIMIT $1::int) j) j
 ORDER BY j.start_after DESC
 LIMIT $2::int

-- letter_queue_count
SELECT count(DISTINCT dead_letter)::int FROM "pgboss"."queue"

-- letters
SELECT j.source_name, j.source_id, j.root_id, j.created_on,
       CASE WHEN j.is_gone THEN CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text END, j.is_gone, j.name, j.id
  FROM (
       SELECT j.*, j.source_id IS NOT NULL AND j.source_name IS NOT NULL AND NOT EXISTS (
                  SELECT FROM "pgboss"."job" o WHERE o.name = j.source_name AND o.id = j.source_id LIMIT 1) AS is_gone
         FROM (SELECT j.* FROM (
        SELECT j.* FROM (SELECT DISTINCT dead_letter AS name FROM "pgboss"."queue" WHERE dead_letter IS NOT NULL) q
         CROSS JOIN LATERAL (
            SELECT j.name, j.id, j.source_name, j.source_id, COALESCE(j.source_root_id, j.source_id) AS root_id, j.created_on, j.start_after,
                   COALESCE(j.source_output, j.output) AS output
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND j.state = 'created' AND j.blocked = false
             ORDER BY j.start_after DESC
             LIMIT $1::int) j UNION ALL 
        SELECT j.* FROM (SELECT DISTINCT dead_letter AS name FROM "pgboss"."queue" WHERE dead_letter IS NOT NULL) q
         CROSS JOIN LATERAL (
            SELECT j.name, j.id, j.source_name, j.source_id, COALESCE(j.source_root_id, j.source_id) AS root_id, j.created_on, j.start_after,
                   COALESCE(j.source_output, j.output) AS output
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND j.state = 'created' AND j.blocked = true
             ORDER BY j.start_after DESC
             LIMIT $1::int) j UNION ALL 
        SELECT j.* FROM (SELECT DISTINCT dead_letter AS name FROM "pgboss"."queue" WHERE dead_letter IS NOT NULL) q
         CROSS JOIN LATERAL (
            SELECT j.name, j.id, j.source_name, j.source_id, COALESCE(j.source_root_id, j.source_id) AS root_id, j.created_on, j.start_after,
                   COALESCE(j.source_output, j.output) AS output
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = false
             ORDER BY j.start_after DESC
             LIMIT $1::int) j UNION ALL 
        SELECT j.* FROM (SELECT DISTINCT dead_letter AS name FROM "pgboss"."queue" WHERE dead_letter IS NOT NULL) q
         CROSS JOIN LATERAL (
            SELECT j.name, j.id, j.source_name, j.source_id, COALESCE(j.source_root_id, j.source_id) AS root_id, j.created_on, j.start_after,
                   COALESCE(j.source_output, j.output) AS output
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = true
             ORDER BY j.start_after DESC
             LIMIT $1::int) j) j ORDER BY j.start_after DESC LIMIT $2::int) j) j
 ORDER BY j.start_after DESC
