-- latest: as little as possible
SELECT j.name, j.id, j.root_id, j.completed_on, j.reason
  FROM (
        SELECT j.* FROM "pgboss"."queue" q CROSS JOIN LATERAL (
            SELECT j.name, j.id, COALESCE(j.source_root_id, j.id) AS root_id, j.completed_on, CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text AS reason, j.start_after
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false
             ORDER BY j.start_after DESC
             LIMIT $1::int) j UNION ALL 
        SELECT j.* FROM "pgboss"."queue" q CROSS JOIN LATERAL (
            SELECT j.name, j.id, COALESCE(j.source_root_id, j.id) AS root_id, j.completed_on, CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text AS reason, j.start_after
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
            SELECT j.name, j.id, COALESCE(j.source_root_id, j.id) AS root_id, j.completed_on, CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text AS reason, j.start_after
              FROM "pgboss"."job_common" j
             WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false
             ORDER BY j.start_after DESC
             LIMIT $1::int) j UNION ALL 
        SELECT j.* FROM (VALUES ($3::text)) q(name) CROSS JOIN LATERAL (
            SELECT j.name, j.id, COALESCE(j.source_root_id, j.id) AS root_id, j.completed_on, CASE WHEN j.output ? 'value'
       THEN jsonb_build_object('value', CASE WHEN jsonb_typeof((j.output -> 'value') -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left((j.output -> 'value') ->> 'name', 100),
                               'message', left((j.output -> 'value') ->> 'message', 500))
       ELSE to_jsonb(left((j.output -> 'value') #>> '{}', 500)) END)
       ELSE CASE WHEN jsonb_typeof(j.output -> 'message') IS NOT NULL
       THEN jsonb_build_object('name', left(j.output ->> 'name', 100),
                               'message', left(j.output ->> 'message', 500))
       ELSE to_jsonb(left(j.output #>> '{}', 500)) END END::text AS reason, j.start_after
              FROM "pgboss"."job_common" j
             WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true
             ORDER BY j.start_after DESC
             LIMIT $1::int) j) j
 ORDER BY j.start_after DESC
 LIMIT $2::int
