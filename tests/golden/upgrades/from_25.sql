-- DDL that is run in the background, a row a command: index builds that a migration put off.
CREATE TABLE "pgboss".bam (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name                  text NOT NULL,
  version               integer NOT NULL,
  status                text NOT NULL DEFAULT 'pending',
  queue                 text,
  table_name            text NOT NULL,
  command               text NOT NULL,
  error                 text,
  created_on            timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_on            timestamptz,
  completed_on          timestamptz
);

CREATE TABLE "pgboss".warning (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  type                  text NOT NULL,
  message               text NOT NULL,
  data                  jsonb,
  created_on            timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX warning_i1 ON "pgboss".warning (created_on DESC);

-- Which job waits for which. No foreign keys: either side may lie in any partition, and goes by retention.
CREATE TABLE "pgboss".job_dependency (
  child_name            text NOT NULL,
  child_id              uuid NOT NULL,
  parent_name           text NOT NULL,
  parent_id             uuid NOT NULL,
  PRIMARY KEY (child_name, child_id, parent_name, parent_id)
);

CREATE INDEX job_dep_parent_idx ON "pgboss".job_dependency (parent_name, parent_id);

-- Snapshots of every queue's figures, a partition a day so that old ones go by DROP TABLE.
CREATE TABLE "pgboss".queue_stats (
  id                    uuid NOT NULL DEFAULT gen_random_uuid(),
  name                  text NOT NULL,
  deferred_count        integer NOT NULL DEFAULT 0,
  queued_count          integer NOT NULL DEFAULT 0,
  ready_count           integer NOT NULL DEFAULT 0,
  active_count          integer NOT NULL DEFAULT 0,
  failed_count          integer NOT NULL DEFAULT 0,
  total_count           integer NOT NULL DEFAULT 0,
  created_delta         integer,
  completed_delta       integer,
  failed_delta          integer,
  delta_seconds         integer,
  delta_on              timestamptz,
  wait_bins             integer[],
  run_bins              integer[],
  ready_oldest_seconds  integer,
  captured_on           timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (id, captured_on)
) PARTITION BY RANGE (captured_on);

CREATE INDEX queue_stats_i1 ON "pgboss".queue_stats (name, captured_on DESC)
  INCLUDE (deferred_count, queued_count, ready_count, active_count, failed_count, total_count);

-- One row a running (or lately stopped) process.
CREATE TABLE "pgboss".instance (
  id                    uuid PRIMARY KEY,
  name                  text,
  host                  text NOT NULL,
  pid                   integer NOT NULL,
  version               text NOT NULL,
  node_version          text NOT NULL,
  application_name      text,
  heartbeat_seconds     integer NOT NULL,
  supervise             boolean NOT NULL,
  schedule              boolean NOT NULL,
  migrate               boolean NOT NULL,
  persist_queue_stats   boolean NOT NULL,
  persist_warnings      boolean NOT NULL,
  pool_max              integer,
  pool_total            integer,
  pool_idle             integer,
  pool_waiting          integer,
  workers               jsonb NOT NULL DEFAULT '[]',
  metrics               jsonb,
  config                jsonb NOT NULL DEFAULT '{}',
  crash_restarts        integer NOT NULL DEFAULT 0,
  crash_restarts_since  timestamptz,
  started_on            timestamptz NOT NULL DEFAULT now(),
  heartbeat_on          timestamptz NOT NULL DEFAULT now(),
  stopped_on            timestamptz
);

ALTER TABLE "pgboss"."version"
  ADD COLUMN IF NOT EXISTS "bam_on" timestamp with time zone,
  ADD COLUMN IF NOT EXISTS "flow_on" timestamp with time zone,
  ADD COLUMN IF NOT EXISTS "reindex_on" timestamp with time zone,
  ADD COLUMN IF NOT EXISTS "monitor_backoff_on" timestamp with time zone;

ALTER TABLE "pgboss"."job"
  ADD COLUMN IF NOT EXISTS "group_id" text,
  ADD COLUMN IF NOT EXISTS "group_tier" text,
  ADD COLUMN IF NOT EXISTS "heartbeat_on" timestamp with time zone,
  ADD COLUMN IF NOT EXISTS "heartbeat_seconds" integer,
  ADD COLUMN IF NOT EXISTS "blocked" boolean DEFAULT false NOT NULL,
  ADD COLUMN IF NOT EXISTS "blocking" boolean DEFAULT false NOT NULL,
  ADD COLUMN IF NOT EXISTS "pending_dependencies" integer DEFAULT 0 NOT NULL,
  ADD COLUMN IF NOT EXISTS "source_name" text,
  ADD COLUMN IF NOT EXISTS "source_id" uuid,
  ADD COLUMN IF NOT EXISTS "source_created_on" timestamp with time zone,
  ADD COLUMN IF NOT EXISTS "source_retry_count" integer,
  ADD COLUMN IF NOT EXISTS "source_output" jsonb,
  ADD COLUMN IF NOT EXISTS "source_root_id" uuid,
  ADD COLUMN IF NOT EXISTS "trace_context" jsonb,
  ADD COLUMN IF NOT EXISTS "upsert_by_key" boolean;

ALTER TABLE "pgboss"."queue"
  ADD COLUMN IF NOT EXISTS "heartbeat_seconds" integer,
  ADD COLUMN IF NOT EXISTS "notify" boolean DEFAULT false NOT NULL,
  ADD COLUMN IF NOT EXISTS "failed_count" integer DEFAULT 0 NOT NULL,
  ADD COLUMN IF NOT EXISTS "ready_count" integer DEFAULT 0 NOT NULL,
  ADD COLUMN IF NOT EXISTS "ready_history" integer[] DEFAULT '{}'::integer[] NOT NULL,
  ADD COLUMN IF NOT EXISTS "monitor_claim_on" timestamp with time zone,
  ADD COLUMN IF NOT EXISTS "created_delta" integer DEFAULT 0 NOT NULL,
  ADD COLUMN IF NOT EXISTS "completed_delta" integer DEFAULT 0 NOT NULL,
  ADD COLUMN IF NOT EXISTS "failed_delta" integer DEFAULT 0 NOT NULL,
  ADD COLUMN IF NOT EXISTS "delta_on" timestamp with time zone,
  ADD COLUMN IF NOT EXISTS "delta_seconds" integer,
  ADD COLUMN IF NOT EXISTS "blocked_count" integer DEFAULT 0 NOT NULL,
  ADD COLUMN IF NOT EXISTS "wait_bins" integer[],
  ADD COLUMN IF NOT EXISTS "run_bins" integer[],
  ADD COLUMN IF NOT EXISTS "ready_oldest_seconds" integer,
  ADD COLUMN IF NOT EXISTS "retained_count" integer,
  ADD COLUMN IF NOT EXISTS "retained_on" timestamp with time zone;

ALTER TABLE "pgboss"."schedule"
  ADD COLUMN IF NOT EXISTS "kind" text DEFAULT 'cron'::text NOT NULL,
  ADD COLUMN IF NOT EXISTS "last_job_id" uuid;

-- Partitions for today and tomorrow, by the calendar of UTC. The bounds carry their offset, because a bare date
-- would be read in the time zone of whichever session happens to run this.
DO $days$
DECLARE
  today date := ("pgboss".job_now() AT TIME ZONE 'UTC')::date;
  day date;
BEGIN
  FOREACH day IN ARRAY ARRAY[today, today + 1] LOOP
    EXECUTE format(
      'CREATE TABLE IF NOT EXISTS "pgboss".%I PARTITION OF "pgboss".queue_stats FOR VALUES FROM (%L) TO (%L)',
      to_char(day, '"queue_stats_"YYYYMMDD'),
      to_char(day, 'YYYY-MM-DD "00:00:00+00"'),
      to_char(day + 1, 'YYYY-MM-DD "00:00:00+00"')
    );
  END LOOP;
END
$days$;

-- Empty before anybody can have the policy, so it is built at once: a queue with it may be made a moment later.
CREATE UNIQUE INDEX IF NOT EXISTS job_i6 ON "pgboss".job_common (name, COALESCE(singleton_key, ''))
  WHERE state <= 'active' AND policy = 'exclusive';

SELECT "pgboss"."job_table_run_async"('group_concurency_index', 27, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i7 ON "pgboss".job USING btree (name, group_id) WHERE ((state = 'active'::"pgboss".job_state) AND (group_id IS NOT NULL))$command$);

-- The indexes of the shared table were called as if they were those of all.
ALTER INDEX IF EXISTS "pgboss".job_i1 RENAME TO job_common_i1;
ALTER INDEX IF EXISTS "pgboss".job_i2 RENAME TO job_common_i2;
ALTER INDEX IF EXISTS "pgboss".job_i3 RENAME TO job_common_i3;
ALTER INDEX IF EXISTS "pgboss".job_i4 RENAME TO job_common_i4;
ALTER INDEX IF EXISTS "pgboss".job_i5 RENAME TO job_common_i5;
ALTER INDEX IF EXISTS "pgboss".job_i6 RENAME TO job_common_i6;

SELECT "pgboss"."job_table_run_async"('key_strict_fifo_index', 28, $command$CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS job_i8 ON "pgboss".job USING btree (name, singleton_key) WHERE ((state = ANY (ARRAY['active'::"pgboss".job_state, 'retry'::"pgboss".job_state, 'failed'::"pgboss".job_state])) AND (policy = 'key_strict_fifo'::text))$command$, t.table_name, t.name)
  FROM (SELECT 'job_common' AS table_name, NULL::text AS name
        UNION ALL
        SELECT q.table_name, q.name FROM "pgboss"."queue" q
         WHERE q.partition AND q.policy = 'key_strict_fifo') t;

-- Queues with the policy that have a table of their own get it when they are made.
ALTER TABLE "pgboss".job_common
  DROP CONSTRAINT IF EXISTS job_key_strict_fifo_singleton_key_check,
  ADD CONSTRAINT job_key_strict_fifo_singleton_key_check
    CHECK (NOT (policy = 'key_strict_fifo' AND singleton_key IS NULL));

SELECT "pgboss"."job_table_run_async"('flow_resolver_index', 33, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i9 ON "pgboss".job USING btree (name, id) WHERE (blocking AND (state = 'completed'::"pgboss".job_state))$command$);

-- What one transaction puts off is done in order, and now() is the same for all of it.
ALTER TABLE "pgboss".bam ALTER COLUMN created_on SET DEFAULT clock_timestamp();

SELECT "pgboss"."job_table_run_async"('key_strict_fifo_head_index', 38, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i10 ON "pgboss".job USING btree (name, singleton_key, state DESC, created_on, id) INCLUDE (start_after) WHERE ((state < 'active'::"pgboss".job_state) AND (NOT blocked) AND (policy = 'key_strict_fifo'::text))$command$, t.table_name, t.name)
  FROM (SELECT 'job_common' AS table_name, NULL::text AS name
        UNION ALL
        SELECT q.table_name, q.name FROM "pgboss"."queue" q
         WHERE q.partition AND q.policy = 'key_strict_fifo') t;

SELECT "pgboss"."job_table_run_async"('fetch_index_priority_build', 40, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i11 ON "pgboss".job USING btree (name, priority DESC, created_on, start_after) WHERE ((state < 'active'::"pgboss".job_state) AND (NOT blocked))$command$);

-- The pace goes on: without it, every queue would be due at once.
UPDATE "pgboss".queue SET monitor_claim_on = monitor_on WHERE monitor_claim_on IS NULL;

-- Row by row after the build of index 11, which replaces it: fetches must never be without either.
SELECT "pgboss".job_table_run_async(
  'fetch_index_retire', 40, 'DROP INDEX CONCURRENTLY IF EXISTS "pgboss".job_i5'
);

ALTER TABLE "pgboss".schedule
  DROP CONSTRAINT IF EXISTS schedule_kind_check,
  ADD CONSTRAINT schedule_kind_check CHECK (kind IN ('cron', 'rrule')),
  ALTER COLUMN timezone SET DEFAULT 'UTC';

-- Rules that a schema had before it was taken back to 40: no cron expression holds any of these signs.
UPDATE "pgboss".schedule
   SET kind = 'rrule'
 WHERE kind = 'cron'
   AND (cron ~* '(^|[[:space:]]|;)FREQ=' OR cron ~* '(^|[[:space:]])(DTSTART|RRULE|RDATE|EXDATE)[;:]');

-- Nobody chose these: they would fire by the local time of whichever process comes first.
UPDATE "pgboss".schedule SET timezone = 'UTC' WHERE timezone IS NULL;

SELECT "pgboss"."job_table_run_async"('source_root_index_build', 43, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i12 ON "pgboss".job USING btree (source_root_id) WHERE (source_root_id IS NOT NULL)$command$);

SELECT "pgboss"."job_table_run_async"('upsert_index_build', 45, $command$CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS job_i13 ON "pgboss".job USING btree (name, singleton_key) WHERE ((state = 'created'::"pgboss".job_state) AND upsert_by_key)$command$);

SELECT "pgboss"."job_table_run_async"('live_index_build', 46, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i14 ON "pgboss".job USING btree (name, state, blocked, start_after) WHERE (state = ANY (ARRAY['created'::"pgboss".job_state, 'retry'::"pgboss".job_state, 'active'::"pgboss".job_state, 'failed'::"pgboss".job_state]))$command$);

SELECT "pgboss"."job_table_run_async"('created_index_build', 46, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i15 ON "pgboss".job USING btree (name, created_on)$command$);

SELECT "pgboss"."job_table_run_async"('completed_index_build', 46, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i16 ON "pgboss".job USING btree (name, completed_on) WHERE (completed_on IS NOT NULL)$command$);

SELECT "pgboss"."job_table_run_async"('queued_key_index_build', 46, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i17 ON "pgboss".job USING btree (name, singleton_key, created_on) WHERE ((state < 'active'::"pgboss".job_state) AND (singleton_key IS NOT NULL))$command$);

UPDATE "pgboss"."version" SET version = 46;
