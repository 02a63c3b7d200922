-- insert: as little as possible
WITH queue AS MATERIALIZED (
        SELECT name, policy, notify, retention_seconds, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter
          FROM "pgboss"."queue"
         WHERE name = $1::text
    ), incoming AS (
        SELECT i.*, "pgboss".job_now() AS starts
          FROM json_to_recordset($2::json) AS i(data jsonb)
    ), keyless AS MATERIALIZED (
        SELECT FROM queue q WHERE q.policy = 'key_strict_fifo' 
    ), created AS (
        INSERT INTO "pgboss"."job" (id, name, start_after, created_on, keep_until, policy, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter, data)
        SELECT gen_random_uuid(), q.name, i.starts, "pgboss".job_now(), i.starts + q.retention_seconds * interval '1 second', q.policy, q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds, q.heartbeat_seconds, q.dead_letter, i.data
          FROM incoming i CROSS JOIN queue q
         WHERE NOT EXISTS (SELECT FROM keyless) 
        ON CONFLICT DO NOTHING
        RETURNING id, start_after
), notified AS (
        SELECT pg_notify($3::text, q.name)
          FROM queue q
         WHERE q.notify AND EXISTS (SELECT FROM created WHERE start_after <= "pgboss".job_now())
    )
    SELECT (SELECT count(*) FROM queue)::int AS queues,
           NULL::text[] AS lost,
           EXISTS (SELECT FROM keyless) AS keyless,
           (SELECT count(*) FROM created)::int AS created,
           NULL::uuid[] AS ids,
           (SELECT count(*) FROM notified)::int AS notified

-- insert: with everything
WITH queue AS MATERIALIZED (
            SELECT name, policy, notify, retention_seconds, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter
              FROM "pgboss"."queue"
             WHERE name = $1::text
        ), incoming AS (
            SELECT i.*, CASE WHEN i.start_after IS NULL THEN "pgboss".job_now() ELSE 
        CASE WHEN i.start_after LIKE '%Z' OR i.start_after ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN (i.start_after)::timestamptz
             ELSE "pgboss".job_now() + (i.start_after)::interval
         END END AS starts
              FROM json_to_recordset($2::json) AS i(id uuid, data jsonb, priority int, start_after text, singleton_key text, singleton_seconds int, group_id text, group_tier text, retry_limit int, retry_delay int, retry_backoff bool, retry_delay_max int, expire_seconds int, retention_seconds int, deletion_seconds int, heartbeat_seconds int, dead_letter text, upsert_by_key bool, blocked bool, blocking bool, pending_dependencies int, trace_context jsonb)
        ), lost AS MATERIALIZED (
            SELECT DISTINCT i.dead_letter
              FROM incoming i
             WHERE i.dead_letter IS NOT NULL
               AND NOT EXISTS (SELECT FROM "pgboss"."queue" d WHERE d.name = i.dead_letter)
        ), keyless AS MATERIALIZED (
            SELECT FROM queue q WHERE q.policy = 'key_strict_fifo' AND EXISTS (SELECT FROM incoming i WHERE COALESCE(i.singleton_key, '') = '')
        ), created AS (
            INSERT INTO "pgboss"."job" (id, name, start_after, created_on, keep_until, policy, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter, data, singleton_key, group_id, group_tier, priority, blocked, blocking, pending_dependencies, singleton_on, upsert_by_key, trace_context)
            SELECT COALESCE(i.id, gen_random_uuid()), q.name, i.starts, "pgboss".job_now(), i.starts + COALESCE(i.retention_seconds, q.retention_seconds) * interval '1 second', q.policy, COALESCE(i.retry_limit, q.retry_limit), COALESCE(i.retry_delay, q.retry_delay), COALESCE(i.retry_backoff, q.retry_backoff), COALESCE(i.retry_delay_max, q.retry_delay_max), COALESCE(i.expire_seconds, q.expire_seconds), COALESCE(i.deletion_seconds, q.deletion_seconds), COALESCE(i.heartbeat_seconds, q.heartbeat_seconds), COALESCE(i.dead_letter, q.dead_letter), i.data, i.singleton_key, i.group_id, i.group_tier, COALESCE(i.priority, 0), COALESCE(i.blocked, false), COALESCE(i.blocking, false), COALESCE(i.pending_dependencies, 0), 
    timestamp 'epoch' + interval '1 second' * (
        i.singleton_seconds * floor((date_part('epoch', "pgboss".job_now()) + 0) / i.singleton_seconds))
, i.upsert_by_key, i.trace_context
              FROM incoming i CROSS JOIN queue q
             WHERE NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless) 
            ON CONFLICT DO NOTHING
            RETURNING id, start_after
    ), notified AS (
            SELECT pg_notify($3::text, q.name)
              FROM queue q
             WHERE q.notify AND EXISTS (SELECT FROM created WHERE start_after <= "pgboss".job_now())
        )
        SELECT (SELECT count(*) FROM queue)::int AS queues,
               (SELECT array_agg(dead_letter) FROM lost) AS lost,
               EXISTS (SELECT FROM keyless) AS keyless,
               (SELECT count(*) FROM created)::int AS created,
               (SELECT array_agg(id) FROM created) AS ids,
               (SELECT count(*) FROM notified)::int AS notified

-- insert_one: as little as possible
WITH queue AS MATERIALIZED (
        SELECT name, policy, notify, retention_seconds, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter
          FROM "pgboss"."queue"
         WHERE name = $1::text
    ), incoming AS (
        SELECT i.*, "pgboss".job_now() AS starts
          FROM (SELECT $2::jsonb AS data) AS i
    ), keyless AS MATERIALIZED (
        SELECT FROM queue q WHERE q.policy = 'key_strict_fifo' 
    ), created AS (
        INSERT INTO "pgboss"."job" (id, name, start_after, created_on, keep_until, policy, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter, data)
        SELECT gen_random_uuid(), q.name, i.starts, "pgboss".job_now(), i.starts + q.retention_seconds * interval '1 second', q.policy, q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds, q.heartbeat_seconds, q.dead_letter, i.data
          FROM incoming i CROSS JOIN queue q
         WHERE NOT EXISTS (SELECT FROM keyless) 
        ON CONFLICT DO NOTHING
        RETURNING id, start_after
)
    SELECT NULL::text[] AS lost,
           EXISTS (SELECT FROM keyless) AS keyless,
           c.id,
           CASE WHEN q.notify AND c.start_after <= "pgboss".job_now()
                THEN pg_notify($3::text, q.name)::text
           END AS notified
      FROM queue q LEFT JOIN created c ON true

-- insert_one: with everything
WITH queue AS MATERIALIZED (
            SELECT name, policy, notify, retention_seconds, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter
              FROM "pgboss"."queue"
             WHERE name = $1::text
        ), incoming AS (
            SELECT i.*, CASE WHEN i.start_after IS NULL THEN "pgboss".job_now() ELSE 
        CASE WHEN i.start_after LIKE '%Z' OR i.start_after ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN (i.start_after)::timestamptz
             ELSE "pgboss".job_now() + (i.start_after)::interval
         END END AS starts
              FROM json_to_record($2::json) AS i(id uuid, data jsonb, priority int, start_after text, singleton_key text, singleton_seconds int, group_id text, group_tier text, retry_limit int, retry_delay int, retry_backoff bool, retry_delay_max int, expire_seconds int, retention_seconds int, deletion_seconds int, heartbeat_seconds int, dead_letter text, upsert_by_key bool, blocked bool, blocking bool, pending_dependencies int, trace_context jsonb)
        ), lost AS MATERIALIZED (
            SELECT DISTINCT i.dead_letter
              FROM incoming i
             WHERE i.dead_letter IS NOT NULL
               AND NOT EXISTS (SELECT FROM "pgboss"."queue" d WHERE d.name = i.dead_letter)
        ), keyless AS MATERIALIZED (
            SELECT FROM queue q WHERE q.policy = 'key_strict_fifo' AND EXISTS (SELECT FROM incoming i WHERE COALESCE(i.singleton_key, '') = '')
        ), 
        this_slot AS (
            INSERT INTO "pgboss"."job" (id, name, start_after, created_on, keep_until, policy, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter, data, singleton_key, group_id, group_tier, priority, blocked, blocking, pending_dependencies, singleton_on, upsert_by_key, trace_context)
            SELECT COALESCE(i.id, gen_random_uuid()), q.name, i.starts, "pgboss".job_now(), i.starts + COALESCE(i.retention_seconds, q.retention_seconds) * interval '1 second', q.policy, COALESCE(i.retry_limit, q.retry_limit), COALESCE(i.retry_delay, q.retry_delay), COALESCE(i.retry_backoff, q.retry_backoff), COALESCE(i.retry_delay_max, q.retry_delay_max), COALESCE(i.expire_seconds, q.expire_seconds), COALESCE(i.deletion_seconds, q.deletion_seconds), COALESCE(i.heartbeat_seconds, q.heartbeat_seconds), COALESCE(i.dead_letter, q.dead_letter), i.data, i.singleton_key, i.group_id, i.group_tier, COALESCE(i.priority, 0), COALESCE(i.blocked, false), COALESCE(i.blocking, false), COALESCE(i.pending_dependencies, 0), 
    timestamp 'epoch' + interval '1 second' * (
        i.singleton_seconds * floor((date_part('epoch', "pgboss".job_now()) + 0) / i.singleton_seconds))
, i.upsert_by_key, i.trace_context
              FROM incoming i CROSS JOIN queue q
             WHERE NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless) 
            ON CONFLICT DO NOTHING
            RETURNING id, start_after
    ), next_slot AS (
            INSERT INTO "pgboss"."job" (id, name, start_after, created_on, keep_until, policy, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, dead_letter, data, singleton_key, group_id, group_tier, priority, blocked, blocking, pending_dependencies, singleton_on, upsert_by_key, trace_context)
            SELECT COALESCE(i.id, gen_random_uuid()), q.name, 
    ("pgboss".job_now() + interval '1 second' * (
        i.singleton_seconds + (i.singleton_seconds > 1)::int - floor(date_part('epoch', "pgboss".job_now())
            - i.singleton_seconds * floor(date_part('epoch', "pgboss".job_now()) / i.singleton_seconds))))
, "pgboss".job_now(), 
    ("pgboss".job_now() + interval '1 second' * (
        i.singleton_seconds + (i.singleton_seconds > 1)::int - floor(date_part('epoch', "pgboss".job_now())
            - i.singleton_seconds * floor(date_part('epoch', "pgboss".job_now()) / i.singleton_seconds))))
 + COALESCE(i.retention_seconds, q.retention_seconds) * interval '1 second', q.policy, COALESCE(i.retry_limit, q.retry_limit), COALESCE(i.retry_delay, q.retry_delay), COALESCE(i.retry_backoff, q.retry_backoff), COALESCE(i.retry_delay_max, q.retry_delay_max), COALESCE(i.expire_seconds, q.expire_seconds), COALESCE(i.deletion_seconds, q.deletion_seconds), COALESCE(i.heartbeat_seconds, q.heartbeat_seconds), COALESCE(i.dead_letter, q.dead_letter), i.data, i.singleton_key, i.group_id, i.group_tier, COALESCE(i.priority, 0), COALESCE(i.blocked, false), COALESCE(i.blocking, false), COALESCE(i.pending_dependencies, 0), 
    timestamp 'epoch' + interval '1 second' * (
        i.singleton_seconds * floor((date_part('epoch', "pgboss".job_now()) + i.singleton_seconds) / i.singleton_seconds))
, i.upsert_by_key, i.trace_context
              FROM incoming i CROSS JOIN queue q
             WHERE NOT EXISTS (SELECT FROM lost) AND NOT EXISTS (SELECT FROM keyless) AND NOT EXISTS (SELECT FROM this_slot) 
            ON CONFLICT DO NOTHING
            RETURNING id, start_after
    ),
        created AS (SELECT * FROM this_slot UNION ALL SELECT * FROM next_slot)
        SELECT (SELECT array_agg(dead_letter) FROM lost) AS lost,
               EXISTS (SELECT FROM keyless) AS keyless,
               c.id,
               CASE WHEN q.notify AND c.start_after <= "pgboss".job_now()
                    THEN pg_notify($3::text, q.name)::text
               END AS notified
          FROM queue q LEFT JOIN created c ON true
