-- edges
SELECT d.parent_name, d.parent_id, d.child_name, d.child_id
  FROM unnest($1::text[], $2::uuid[]) AS w(name, id)
 CROSS JOIN LATERAL (
       (SELECT d.parent_name, d.parent_id, d.child_name, d.child_id FROM "pgboss"."job_dependency" d WHERE d.child_name = w.name AND d.child_id = w.id LIMIT $3::int)
       UNION ALL
       (SELECT d.parent_name, d.parent_id, d.child_name, d.child_id FROM "pgboss"."job_dependency" d WHERE d.parent_name = w.name AND d.parent_id = w.id LIMIT $3::int)
       ) d
 LIMIT $3::int

-- glances
SELECT j.id, j.name, j.state::text, j.created_on, j.started_on, j.completed_on, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.retry_count, j.retry_limit, j.blocked, j.pending_dependencies, j.source_name, j.source_id, j.source_root_id
  FROM unnest($1::text[], $2::uuid[]) AS w(name, id)
 CROSS JOIN LATERAL (
       SELECT j.* FROM "pgboss"."job" j WHERE j.name = w.name AND j.id = w.id LIMIT 1) j

-- history
SELECT j.id, j.name, j.state::text, j.created_on, j.started_on, j.completed_on, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.retry_count, j.retry_limit, j.blocked, j.pending_dependencies, j.source_name, j.source_id, j.source_root_id
  FROM "pgboss"."job" j
 WHERE j.source_root_id = $1::uuid
 ORDER BY j.created_on, j.id
 LIMIT $2::int

-- letters
SELECT j.name, j.id
  FROM unnest($1::uuid[], $2::uuid[]) AS w(id, root_id)
 CROSS JOIN LATERAL (
       SELECT j.name, j.id
         FROM "pgboss"."job" j
        WHERE j.source_root_id = w.root_id AND (j.source_id = w.id) IS TRUE AND (j.state < 'active') IS TRUE
        LIMIT 1) j
