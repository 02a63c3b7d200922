-- edge: as little as possible
SELECT first::text, edge::text,
       LEAST(GREATEST(edge, '0001-01-02T00:00:00Z'), '9999-12-31T00:00:00Z') AS looked_to
  FROM (SELECT max(s.first) AS first, max(s.edge) AS edge FROM (SELECT (SELECT j.created_on FROM "pgboss"."job" j
             WHERE j.name = q.name AND true 
             ORDER BY j.created_on DESC  LIMIT 1) AS first, (SELECT j.created_on FROM "pgboss"."job" j
             WHERE j.name = q.name AND true 
             ORDER BY j.created_on DESC OFFSET $1::int - 1 LIMIT 1) AS edge FROM "pgboss"."queue" q) s) ends

-- edge: with everything
SELECT first::text, edge::text,
              LEAST(GREATEST(edge, '0001-01-02T00:00:00Z'), '9999-12-31T00:00:00Z') AS looked_to
         FROM (SELECT max(s.first) AS first, max(s.edge) AS edge FROM (SELECT (SELECT j.start_after FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = false AND j.start_after <= $1::timestamptz
                    ORDER BY j.start_after DESC  LIMIT 1) AS first, (SELECT j.start_after FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = false AND j.start_after <= $1::timestamptz
                    ORDER BY j.start_after DESC OFFSET $2::int - 1 LIMIT 1) AS edge FROM (VALUES ($3::text)) q(name)
UNION ALL SELECT (SELECT j.start_after FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = true AND j.start_after <= $1::timestamptz
                    ORDER BY j.start_after DESC  LIMIT 1) AS first, (SELECT j.start_after FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = true AND j.start_after <= $1::timestamptz
                    ORDER BY j.start_after DESC OFFSET $2::int - 1 LIMIT 1) AS edge FROM (VALUES ($3::text)) q(name)
UNION ALL SELECT (SELECT j.start_after FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false AND j.start_after <= $1::timestamptz
                    ORDER BY j.start_after DESC  LIMIT 1) AS first, (SELECT j.start_after FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false AND j.start_after <= $1::timestamptz
                    ORDER BY j.start_after DESC OFFSET $2::int - 1 LIMIT 1) AS edge FROM (VALUES ($3::text)) q(name)
UNION ALL SELECT (SELECT j.start_after FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true AND j.start_after <= $1::timestamptz
                    ORDER BY j.start_after DESC  LIMIT 1) AS first, (SELECT j.start_after FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true AND j.start_after <= $1::timestamptz
                    ORDER BY j.start_after DESC OFFSET $2::int - 1 LIMIT 1) AS edge FROM (VALUES ($3::text)) q(name)) s) ends

-- key_edge: as little as possible
SELECT j.id
  FROM "pgboss"."job_common" j
 WHERE j.name = $1::text
 ORDER BY j.id
OFFSET $2::int - 1
 LIMIT 1

-- key_edge: with everything
SELECT j.id
  FROM "pgboss"."job_common" j
 WHERE j.name = $2::text AND j.id > $1::uuid
 ORDER BY j.id
OFFSET $3::int - 1
 LIMIT 1

-- place: as little as possible
SELECT j.created_on::text FROM "pgboss"."job_common" j WHERE j.name = $1::text AND j.id = $2::uuid

-- place: with everything
SELECT j.start_after::text FROM "pgboss"."job_common" j WHERE j.name = $1::text AND j.id = $2::uuid

-- tied: as little as possible
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id, j.walked_at::text
  FROM (SELECT * FROM (
        SELECT j.* FROM "pgboss"."queue" q CROSS JOIN LATERAL (
            SELECT j.*, j.created_on AS walked_at
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND true AND j.created_on >= $1::timestamptz AND j.created_on <= $1::timestamptz  
             ORDER BY j.created_on DESC, j.id
             LIMIT $2::int) j) j ORDER BY j.walked_at DESC, j.name, j.id LIMIT $2::int) j
 ORDER BY j.walked_at DESC, j.name, j.id

-- tied: with everything
SELECT j.name, j.id, j.walked_at::text
         FROM (SELECT * FROM (
               SELECT j.* FROM (VALUES ($12::text)) q(name) CROSS JOIN LATERAL (
                   SELECT j.*, j.start_after AS walked_at
                     FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = false AND j.start_after >= $1::timestamptz AND j.start_after <= $1::timestamptz AND (j.start_after < $2::timestamptz OR (j.name, j.id) > ($3::text, $4::uuid))  AND j.created_on >= $5::timestamptz AND j.created_on < $6::timestamptz AND j.completed_on >= $7::timestamptz AND j.completed_on < $8::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $9::text
AND j.data @> $10::jsonb
                    ORDER BY j.start_after DESC, j.id
                    LIMIT $11::int) j
UNION ALL 
               SELECT j.* FROM (VALUES ($12::text)) q(name) CROSS JOIN LATERAL (
                   SELECT j.*, j.start_after AS walked_at
                     FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = true AND j.start_after >= $1::timestamptz AND j.start_after <= $1::timestamptz AND (j.start_after < $2::timestamptz OR (j.name, j.id) > ($3::text, $4::uuid))  AND j.created_on >= $5::timestamptz AND j.created_on < $6::timestamptz AND j.completed_on >= $7::timestamptz AND j.completed_on < $8::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $9::text
AND j.data @> $10::jsonb
                    ORDER BY j.start_after DESC, j.id
                    LIMIT $11::int) j
UNION ALL 
               SELECT j.* FROM (VALUES ($12::text)) q(name) CROSS JOIN LATERAL (
                   SELECT j.*, j.start_after AS walked_at
                     FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false AND j.start_after >= $1::timestamptz AND j.start_after <= $1::timestamptz AND (j.start_after < $2::timestamptz OR (j.name, j.id) > ($3::text, $4::uuid))  AND j.created_on >= $5::timestamptz AND j.created_on < $6::timestamptz AND j.completed_on >= $7::timestamptz AND j.completed_on < $8::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $9::text
AND j.data @> $10::jsonb
                    ORDER BY j.start_after DESC, j.id
                    LIMIT $11::int) j
UNION ALL 
               SELECT j.* FROM (VALUES ($12::text)) q(name) CROSS JOIN LATERAL (
                   SELECT j.*, j.start_after AS walked_at
                     FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true AND j.start_after >= $1::timestamptz AND j.start_after <= $1::timestamptz AND (j.start_after < $2::timestamptz OR (j.name, j.id) > ($3::text, $4::uuid))  AND j.created_on >= $5::timestamptz AND j.created_on < $6::timestamptz AND j.completed_on >= $7::timestamptz AND j.completed_on < $8::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $9::text
AND j.data @> $10::jsonb
                    ORDER BY j.start_after DESC, j.id
                    LIMIT $11::int) j) j ORDER BY j.walked_at DESC, j.name, j.id LIMIT $11::int) j
        ORDER BY j.walked_at DESC, j.name, j.id

-- tied_by_key: as little as possible
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id, j.created_on::text
  FROM "pgboss"."job_common" j
 WHERE j.name = $2::text AND (j.created_on = $1::timestamptz) IS TRUE AND (((true)) IS TRUE) 
 ORDER BY j.id
 LIMIT $3::int

-- tied_by_key: with everything
SELECT j.name, j.id, j.start_after::text
         FROM "pgboss"."job_common" j
        WHERE j.name = $4::text AND j.id > $2::uuid AND j.id <= $3::uuid AND (j.start_after = $1::timestamptz) IS TRUE AND (((j.state = 'retry' AND j.blocked = false) OR (j.state = 'retry' AND j.blocked = true) OR (j.state = 'failed' AND j.blocked = false) OR (j.state = 'failed' AND j.blocked = true)) IS TRUE)  AND j.created_on >= $5::timestamptz AND j.created_on < $6::timestamptz AND j.completed_on >= $7::timestamptz AND j.completed_on < $8::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $9::text
AND j.data @> $10::jsonb
        ORDER BY j.id
        LIMIT $11::int

-- tied_count: as little as possible
SELECT count(*)::int FROM (SELECT 1 FROM ((SELECT 1 FROM "pgboss"."queue" q CROSS JOIN LATERAL (
                    SELECT 1 FROM "pgboss"."job" j
                     WHERE j.name = q.name AND true AND j.created_on = $1::timestamptz  LIMIT $2::int) j)) s LIMIT $2::int) counted

-- tied_count: with everything
SELECT count(*)::int FROM (SELECT 1 FROM ((SELECT 1 FROM (VALUES ($3::text)) q(name) CROSS JOIN LATERAL (
                    SELECT 1 FROM "pgboss"."job_common" j
                     WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = false AND j.start_after = $1::timestamptz AND (j.start_after < $4::timestamptz OR (j.name, j.id) > ($5::text, $6::uuid)) LIMIT $2::int) j)
 UNION ALL (SELECT 1 FROM (VALUES ($3::text)) q(name) CROSS JOIN LATERAL (
                    SELECT 1 FROM "pgboss"."job_common" j
                     WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = true AND j.start_after = $1::timestamptz AND (j.start_after < $4::timestamptz OR (j.name, j.id) > ($5::text, $6::uuid)) LIMIT $2::int) j)
 UNION ALL (SELECT 1 FROM (VALUES ($3::text)) q(name) CROSS JOIN LATERAL (
                    SELECT 1 FROM "pgboss"."job_common" j
                     WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false AND j.start_after = $1::timestamptz AND (j.start_after < $4::timestamptz OR (j.name, j.id) > ($5::text, $6::uuid)) LIMIT $2::int) j)
 UNION ALL (SELECT 1 FROM (VALUES ($3::text)) q(name) CROSS JOIN LATERAL (
                    SELECT 1 FROM "pgboss"."job_common" j
                     WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true AND j.start_after = $1::timestamptz AND (j.start_after < $4::timestamptz OR (j.name, j.id) > ($5::text, $6::uuid)) LIMIT $2::int) j)) s LIMIT $2::int) counted

-- tied_queue: as little as possible
SELECT q.name FROM "pgboss"."queue" q WHERE true AND (EXISTS (SELECT FROM "pgboss"."job" j
                     WHERE j.name = q.name AND true AND j.created_on = $1::timestamptz OFFSET 0)) ORDER BY q.name LIMIT 1

-- tied_queue: with everything
SELECT q.name FROM "pgboss"."queue" q WHERE q.name >= $2::text AND (EXISTS (SELECT FROM "pgboss"."job" j
                     WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = false AND j.start_after = $1::timestamptz OFFSET 0) OR EXISTS (SELECT FROM "pgboss"."job" j
                     WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = true AND j.start_after = $1::timestamptz OFFSET 0) OR EXISTS (SELECT FROM "pgboss"."job" j
                     WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false AND j.start_after = $1::timestamptz OFFSET 0) OR EXISTS (SELECT FROM "pgboss"."job" j
                     WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true AND j.start_after = $1::timestamptz OFFSET 0)) ORDER BY q.name LIMIT 1

-- within: as little as possible
SELECT j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on, j.state::text, j.output::text, LEAST(GREATEST(j.start_after, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.completed_on, LEAST(GREATEST(j.keep_until, '0001-01-02T00:00:00Z'::timestamptz), '9999-12-31T00:00:00Z'::timestamptz), j.heartbeat_on, j.retry_delay, j.retry_backoff, j.retry_delay_max, j.deletion_seconds, j.policy, j.dead_letter, j.singleton_on, j.blocked, j.blocking, j.pending_dependencies, j.source_name, j.source_id, j.source_created_on, j.source_retry_count, j.source_output::text, j.source_root_id, j.walked_at::text
  FROM (SELECT * FROM (
        SELECT j.* FROM "pgboss"."queue" q CROSS JOIN LATERAL (
            SELECT j.*, j.created_on AS walked_at
              FROM "pgboss"."job" j
             WHERE j.name = q.name AND true    
             ORDER BY j.created_on DESC, j.id
             LIMIT $1::int) j) j ORDER BY j.walked_at DESC, j.name, j.id LIMIT $1::int) j
 ORDER BY j.walked_at DESC, j.name, j.id

-- within: with everything
SELECT j.name, j.id, j.walked_at::text
         FROM (SELECT * FROM (
               SELECT j.* FROM (VALUES ($13::text)) q(name) CROSS JOIN LATERAL (
                   SELECT j.*, j.start_after AS walked_at
                     FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = false AND j.start_after <= $2::timestamptz AND (j.start_after < $3::timestamptz OR (j.name, j.id) > ($4::text, $5::uuid)) AND j.start_after > $1::timestamptz  AND j.created_on >= $6::timestamptz AND j.created_on < $7::timestamptz AND j.completed_on >= $8::timestamptz AND j.completed_on < $9::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $10::text
AND j.data @> $11::jsonb
                    ORDER BY j.start_after DESC, j.id
                    LIMIT $12::int) j
UNION ALL 
               SELECT j.* FROM (VALUES ($13::text)) q(name) CROSS JOIN LATERAL (
                   SELECT j.*, j.start_after AS walked_at
                     FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'retry' AND j.blocked = true AND j.start_after <= $2::timestamptz AND (j.start_after < $3::timestamptz OR (j.name, j.id) > ($4::text, $5::uuid)) AND j.start_after > $1::timestamptz  AND j.created_on >= $6::timestamptz AND j.created_on < $7::timestamptz AND j.completed_on >= $8::timestamptz AND j.completed_on < $9::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $10::text
AND j.data @> $11::jsonb
                    ORDER BY j.start_after DESC, j.id
                    LIMIT $12::int) j
UNION ALL 
               SELECT j.* FROM (VALUES ($13::text)) q(name) CROSS JOIN LATERAL (
                   SELECT j.*, j.start_after AS walked_at
                     FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = false AND j.start_after <= $2::timestamptz AND (j.start_after < $3::timestamptz OR (j.name, j.id) > ($4::text, $5::uuid)) AND j.start_after > $1::timestamptz  AND j.created_on >= $6::timestamptz AND j.created_on < $7::timestamptz AND j.completed_on >= $8::timestamptz AND j.completed_on < $9::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $10::text
AND j.data @> $11::jsonb
                    ORDER BY j.start_after DESC, j.id
                    LIMIT $12::int) j
UNION ALL 
               SELECT j.* FROM (VALUES ($13::text)) q(name) CROSS JOIN LATERAL (
                   SELECT j.*, j.start_after AS walked_at
                     FROM "pgboss"."job_common" j
                    WHERE j.name = q.name AND j.state = 'failed' AND j.blocked = true AND j.start_after <= $2::timestamptz AND (j.start_after < $3::timestamptz OR (j.name, j.id) > ($4::text, $5::uuid)) AND j.start_after > $1::timestamptz  AND j.created_on >= $6::timestamptz AND j.created_on < $7::timestamptz AND j.completed_on >= $8::timestamptz AND j.completed_on < $9::timestamptz
AND (
   j.output -> 'value' ->> 'message' IN ('job timed out', 'job heartbeat timeout')
   OR j.output ->> 'message' LIKE 'handler execution exceeded %')
AND j.singleton_key = $10::text
AND j.data @> $11::jsonb
                    ORDER BY j.start_after DESC, j.id
                    LIMIT $12::int) j) j ORDER BY j.walked_at DESC, j.name, j.id LIMIT $12::int) j
        ORDER BY j.walked_at DESC, j.name, j.id
