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

ALTER TABLE "pgboss"."schedule"
  ADD COLUMN IF NOT EXISTS "kind" text DEFAULT 'cron'::text NOT NULL,
  ADD COLUMN IF NOT EXISTS "last_job_id" uuid;

ALTER TABLE "pgboss"."queue"
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

ALTER TABLE "pgboss"."queue_stats"
  ADD COLUMN IF NOT EXISTS "created_delta" integer,
  ADD COLUMN IF NOT EXISTS "completed_delta" integer,
  ADD COLUMN IF NOT EXISTS "failed_delta" integer,
  ADD COLUMN IF NOT EXISTS "delta_seconds" integer,
  ADD COLUMN IF NOT EXISTS "delta_on" timestamp with time zone,
  ADD COLUMN IF NOT EXISTS "wait_bins" integer[],
  ADD COLUMN IF NOT EXISTS "run_bins" integer[],
  ADD COLUMN IF NOT EXISTS "ready_oldest_seconds" integer;

ALTER TABLE "pgboss"."job"
  ADD COLUMN IF NOT EXISTS "source_output" jsonb,
  ADD COLUMN IF NOT EXISTS "source_root_id" uuid,
  ADD COLUMN IF NOT EXISTS "trace_context" jsonb,
  ADD COLUMN IF NOT EXISTS "upsert_by_key" boolean;

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
